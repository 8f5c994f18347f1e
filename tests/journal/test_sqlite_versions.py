"""A file of SQLite that an earlier version wrote: what it has of fleets in shards becomes keys when that is changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bkjob_async.errors import JournalDamaged, JournalTooNew
from bkjob_async.journal.shards import FleetRecord, ShardFigures, ShardStore, shard_name
from bkjob_async.journal.sqlite import file as sqlite_file
from bkjob_async.journal.sqlite.keys import COPIES
from bkjob_async.journal.store import Store
from bkjob_async.many.settings import FleetSettings
from tests.journal.stores import HERE, opened, records, sqlite_url

# As they were created in files of version 1.
TABLES = f"""
CREATE TABLE sharded_fleet (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings BLOB NOT NULL, created REAL NOT NULL,
  is_stopped INTEGER NOT NULL, is_being_removed INTEGER NOT NULL DEFAULT 0,
  written TEXT GENERATED ALWAYS AS ({COPIES["sharded_fleet"]}) STORED
);
CREATE TABLE shard (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, fleet TEXT NOT NULL, number INTEGER NOT NULL,
  term INTEGER NOT NULL, targets INTEGER NOT NULL, active INTEGER NOT NULL, claim INTEGER NOT NULL, durations BLOB,
  written TEXT GENERATED ALWAYS AS ({COPIES["shard"]}) STORED
);
CREATE TABLE shard_failure (
  fleet TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL,
  written TEXT GENERATED ALWAYS AS ({COPIES["shard_failure"]}) STORED, PRIMARY KEY (fleet, number)
);
INSERT INTO sharded_fleet (name, settings, created, is_stopped) VALUES ('night', CAST('settings' AS BLOB), 1.7e9, 1);
INSERT INTO sharded_fleet (name, settings, created, is_stopped, is_being_removed) VALUES ('day', x'00', 1.7e9, 0, 1);
INSERT INTO shard (name, fleet, number, term, targets, active, claim, durations) VALUES
  ('night/0', 'night', 0, 1, 5, 3, 7, CAST('durations' AS BLOB)), ('night/1', 'night', 1, 4, 6, 2, 1, NULL);
INSERT INTO shard_failure (fleet, number, text) VALUES ('night', 1, 'it failed');
"""  # noqa: S608 - constants


async def file_of_version_1(folder: Path) -> Path:
    """Return a file with two fleets in shards; one shard has a record, an inbox and durations."""
    async with opened(sqlite_url(folder)) as place:
        store = place.open()
        await store.open(shard_name("night", 0), HERE, take_over=True)
        await store.append(shard_name("night", 0), term=1, head=0, records=records(1), targets=1)
        await store.put(shard_name("night", 0), [b"entry"])
    path = folder / "fleet.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES)
    assert version_of(path) == 1
    return path


def version_of(path: Path) -> int:
    """Return the version of a file."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def header_version_of(path: Path) -> int:
    """Return the version in the header of a file, whatever the log behind it says."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


async def check(store: Store) -> None:
    """Check that all that the file has is there."""
    shards = ShardStore(store)
    record = await shards.record("night")
    assert record == FleetRecord(b"settings", 1.7e9, True, record.now if record else 0.0)
    being_removed = await shards.record("day")
    assert being_removed is not None
    assert being_removed.is_being_removed
    assert await shards.figures("night") == {0: ShardFigures(1, 5, 3, 7), 1: ShardFigures(4, 6, 2, 1)}
    assert await shards.failures("night") == {1: "it failed"}
    assert (await shards.durations("night", 0), await shards.durations("night", 1)) == (b"durations", None)
    assert [entry.data for entry in await store.inbox(shard_name("night", 0), 0)] == [b"entry"]
    assert [record.sequence for record in (await store.read(shard_name("night", 0), 0)).records] == [1]


async def test_reading_changes_nothing(tmp_path: Path) -> None:
    """Processes of the earlier version work on; so they do where records are written."""
    path = await file_of_version_1(tmp_path)
    async with opened(sqlite_url(tmp_path)) as place:
        await check(place.open())
        await place.open().append(shard_name("night", 0), term=1, head=1, records=records(2), targets=1)

    assert version_of(path) == 1


async def test_the_first_change_makes_keys_of_all_fleets(tmp_path: Path) -> None:
    """And the version of the file rises, so that processes of the earlier version refuse it."""
    path = await file_of_version_1(tmp_path)
    async with opened(sqlite_url(tmp_path)) as place:
        shards = ShardStore(place.open())
        await shards.put_durations("night", 0, b"durations")
        await check(place.open())
        reply = await shards.report("night", 0, ShardFigures(1, 5, 4, 9), limit=10)

        assert (reply.active, reply.granted, reply.is_stopped) == (6, 9, True)
    assert version_of(path) == sqlite_file.SCHEMA_VERSION == 2


async def test_a_change_that_is_not_made_leaves_the_file_whole(tmp_path: Path) -> None:
    """What was expected is not there; what the file has stays readable."""
    await file_of_version_1(tmp_path)
    async with opened(sqlite_url(tmp_path)) as place:
        assert not await place.open().change_keys(
            "night", {"stopped": b"0"}, expected={"settings": b"others"}
        )
        await check(place.open())


async def test_a_process_of_the_earlier_version_learns_of_the_newer_one(tmp_path: Path) -> None:
    """It has the file open while the version rises: its fleets are stopped, and have settings that it cannot read.

    One that opens the file looks at its header alone, behind which there may be a log.
    """
    path = await file_of_version_1(tmp_path)
    with closing(sqlite3.connect(path)) as earlier:
        async with opened(sqlite_url(tmp_path)) as place:
            await ShardStore(place.open()).create("other", b"settings")
            rows = earlier.execute("SELECT settings, is_stopped FROM sharded_fleet").fetchall()
            version = header_version_of(path)

    assert version == 2
    assert [is_stopped for _, is_stopped in rows] == [1, 1]
    for settings, _ in rows:
        with pytest.raises(JournalTooNew):
            FleetSettings.decode(settings)


@pytest.mark.parametrize("writer", ["the same process", "another one"])
async def test_the_version_reaches_the_header_behind_a_reader(tmp_path: Path, writer: str) -> None:
    """While somebody reads an older state, as a backup does, the version stays in the log; a later write takes it on."""
    path = await file_of_version_1(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM fleet").fetchone()
        async with opened(sqlite_url(tmp_path)) as place:
            store = place.open()
            await ShardStore(store).create("other", b"settings")
            assert header_version_of(path) == 1

            reader.execute("COMMIT")
            later = store if writer == "the same process" else place.open()
            await later.append(shard_name("night", 0), term=1, head=1, records=records(2), targets=1)
            assert header_version_of(path) == 2


async def test_a_damaged_row_does_not_become_a_key(tmp_path: Path) -> None:
    """A number of it is another one in the file: that is said, and the file stays as it is."""
    path = await file_of_version_1(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        (schema,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'shard'").fetchone()
        plain = schema.replace(f"GENERATED ALWAYS AS ({COPIES['shard']}) STORED", "")
        for sql in (plain, schema):
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'shard'", (sql,))
            connection.execute("PRAGMA writable_schema = RESET")
            if sql is plain:
                connection.execute("UPDATE shard SET active = active + 1")
            connection.commit()
    async with opened(sqlite_url(tmp_path)) as place:
        shards = ShardStore(place.open())
        with pytest.raises(JournalDamaged, match="'night/0' is not what was written"):
            await shards.figures("night")
        with pytest.raises(JournalDamaged, match="'night/0' is not what was written"):
            await shards.create("other", b"settings")

    assert version_of(path) == 1
