"""What can happen to a journal's file, and what its store says to it."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bkjob_async.errors import (
    ClientClosed,
    JournalDamaged,
    JournalError,
    JournalTooNew,
    JournalUnavailable,
    NotAJournal,
)
from bkjob_async.journal import store as store_module
from bkjob_async.journal.shards import ShardFigures, ShardStore, shard_name
from bkjob_async.journal.sqlite import file as sqlite_file
from bkjob_async.journal.sqlite import keys as sqlite_keys
from bkjob_async.journal.sqlite import store as sqlite_store
from bkjob_async.journal.sqlite import tables as sqlite_tables
from bkjob_async.journal.store import Checkpoint, Store, StoredRecord
from bkjob_async.model.journal_errors import StoreBehind
from tests.journal.stores import HERE, THERE, Place, opened, records, sqlite_url


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """Give the place of a file that is not there yet."""
    async with opened(sqlite_url(tmp_path)) as place:
        yield place


async def fill(url: str, count: int = 300) -> list[StoredRecord]:
    """Write a journal of *count* records and a checkpoint, and close it; return the records."""
    written = records(*range(1, count + 1), size=200, time=time.time())
    async with opened(url) as place:
        store = place.open()
        await store.open("night", HERE, take_over=True)
        await store.append("night", term=1, head=0, records=written, targets=1)
        await store.write_checkpoint("night", Checkpoint(min(10, count), [b"state" * 1000] * 5), term=1)
    return written


def clear(folder: Path, pattern: str = "*") -> None:
    """Remove files."""
    for file in folder.glob(pattern):
        file.unlink()


def kill_itself(code: str, *arguments: str) -> int:
    """Run a program that kills itself; return its exit code."""
    return subprocess.run([sys.executable, "-c", code, *arguments], check=False, timeout=60).returncode


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def use(url: str) -> list[StoredRecord]:
    """Do with a journal what a watch does; return all its records."""
    async with opened(url) as place:
        store = place.open()
        opening = await store.open("night", THERE, take_over=True)
        await store.checkpoint("night")
        page = await store.read("night", 0)
        await store.append(
            "night", term=opening.term, head=opening.head, records=records(opening.head + 1), targets=1
        )
        await store.fleets()
        return [*page.records]


# Files that are not ours, or not whole ------------------------------------------------------------------------------


def other_database(path: Path) -> None:
    """Make a database of another program, with a write-ahead log."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE fleet (ship TEXT)")
        connection.commit()


def newer_journal(path: Path) -> None:
    """Make a journal of a later version."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {sqlite_file.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 3")
        connection.execute("CREATE TABLE fleet (name TEXT)")
        connection.commit()


def recursive_view(path: Path) -> None:
    """Make a journal whose list of fleets has no end."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {sqlite_file.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "CREATE VIEW fleet AS WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id,"
            " 'a' || id AS name, 1 AS term, 0 AS head, 'h' AS host, 1 AS pid, 0 AS is_held, 0.0 AS last_seen, 0 AS targets,"
            " 0 AS size, 0 AS removed_to, NULL AS checkpoint, 0 AS refused, 0 AS is_forgotten FROM n"
        )
        connection.commit()


def trigger(path: Path) -> None:
    """Make a journal that does something else when it is written."""
    with closing(sqlite3.connect(path)) as connection:
        sqlite_file.create_tables(connection)
        connection.execute("CREATE TRIGGER t AFTER UPDATE ON fleet BEGIN DELETE FROM record; END")
        connection.commit()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (recursive_view, NotAJournal),
        (trigger, NotAJournal),
        (other_database, NotAJournal),
        (newer_journal, JournalTooNew),
        (lambda path: path.write_text("name,state\n" * 200), NotAJournal),
        (lambda path: path.write_bytes(b"x"), NotAJournal),
        (lambda path: path.write_bytes(b"SQLite format 3\0"), NotAJournal),
        (lambda path: path.mkdir(), NotAJournal),
    ],
    ids=["recursive-view", "trigger", "other-program", "newer", "text", "one-byte", "header-only", "folder"],
)
async def test_what_is_not_ours_is_not_touched(tmp_path: Path, make: object, error: type) -> None:
    """Neither the file nor what lies beside it."""
    make(tmp_path / "fleet.db")  # type: ignore[operator]
    before = contents(tmp_path) if error is not NotAJournal or not (tmp_path / "fleet.db").is_dir() else {}

    with pytest.raises(error) as caught:
        await use(sqlite_url(tmp_path))

    assert "fleet.db" in str(caught.value)
    if before:
        assert contents(tmp_path) == before


async def test_a_truncated_file_is_damaged_and_not_touched(tmp_path: Path) -> None:
    """Wherever it ends, a reader gets what was written or an error."""
    written = await fill(sqlite_url(tmp_path))
    whole = (tmp_path / "fleet.db").read_bytes()
    dice = random.Random(7)

    for size in [1, 50, 99, 100, 512, 4095, 4096, 8192, *(dice.randrange(len(whole)) for _ in range(30))]:
        (tmp_path / "fleet.db").write_bytes(whole[:size])

        with pytest.raises(JournalDamaged if size >= 512 else (JournalDamaged, NotAJournal)):
            assert await use(sqlite_url(tmp_path)) == written

        assert (tmp_path / "fleet.db").read_bytes() == whole[:size]
        assert [*contents(tmp_path)] == ["fleet.db"]


async def test_flipped_bytes_are_never_read_as_records(tmp_path: Path) -> None:
    """They are found, or lie where nothing is; a fleet whose name they changed is one that is not there."""
    written = await fill(sqlite_url(tmp_path))
    rows = [(record.sequence, record.data) for record in written]
    whole = (tmp_path / "fleet.db").read_bytes()
    dice, damaged = random.Random(8), 0

    for _ in range(100):
        bad = bytearray(whole)
        for _ in range(dice.randrange(1, 20)):
            bad[dice.randrange(100, len(bad))] ^= 1 << dice.randrange(8)
        (tmp_path / "fleet.db").write_bytes(bad)
        try:
            found = await use(sqlite_url(tmp_path))
        except JournalDamaged:
            damaged += 1
        else:
            assert [(record.sequence, record.data) for record in found] in (rows, [])
        clear(tmp_path, "fleet.db-*")

    assert damaged > 20


async def test_an_empty_file_becomes_a_journal(tmp_path: Path) -> None:
    """As `mktemp` leaves it, or a creation that was killed at its very beginning."""
    (tmp_path / "fleet.db").touch()

    assert await use(sqlite_url(tmp_path)) == []
    assert len(await use(sqlite_url(tmp_path))) == 1


async def test_a_reader_creates_nothing(place: Place, tmp_path: Path) -> None:
    """A slip in a path is an error, not an empty journal."""
    store = place.open()
    for call in (store.fleets, lambda: store.read("night", 0), lambda: store.forget("night")):
        with pytest.raises(JournalUnavailable, match="no such file"):
            await call()

    assert contents(tmp_path) == {}


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """It is not created."""
    with pytest.raises(JournalUnavailable, match=r"folder .*nowhere"):
        await use(sqlite_url(tmp_path / "nowhere"))


async def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the program changes its folder."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    async with opened("sqlite:///fleet.db") as place:
        store = place.open()
        monkeypatch.chdir(tmp_path / "elsewhere")
        await store.open("night", HERE, take_over=True)

    assert (tmp_path / "fleet.db").exists()


async def test_names_with_marks_of_urls(tmp_path: Path) -> None:
    """A question mark, a hash, a space and a per cent sign are letters of a path."""
    await use(f"sqlite:///{tmp_path}/a%3Fb%23c%20d%25e.db")

    assert (tmp_path / "a?b#c d%e.db").exists()


# A file that is taken away, locked or full --------------------------------------------------------------------------


async def test_a_file_that_was_removed_is_noticed(place: Place, tmp_path: Path) -> None:
    """The writer learns that the store has nothing, opens the fleet again and goes on."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=records(1), targets=1)
    clear(tmp_path)

    with pytest.raises(StoreBehind) as caught:
        await store.append("night", term=1, head=1, records=records(2), targets=1)
    opening = await store.open("night", HERE, take_over=True)
    await store.append("night", term=opening.term, head=0, records=records(2), targets=1)

    assert (caught.value.term, caught.value.head) == (0, 0)
    assert len((await place.open().read("night", 0)).records) == 1


async def test_a_backup_that_is_moved_to_the_place_of_the_file_is_not_mixed_with_what_was_written_since(
    place: Place, tmp_path: Path
) -> None:
    """The log of the old file is removed: SQLite would apply it to the backup. Whoever is open goes on behind that."""
    first, second, backup = place.open(), place.open(), tmp_path / "backup.db"
    for name, store in (("night", first), ("day", second)):
        await store.open(name, HERE, take_over=True)
        await store.append(name, term=1, head=0, records=records(1, size=4000), targets=1)
    with closing(sqlite3.connect(tmp_path / "fleet.db")) as connection:
        connection.execute(f"VACUUM INTO '{backup}'")
    for head in range(1, 2001, 100):
        more = records(*range(head + 1, head + 101), size=4000)
        await first.append("night", term=1, head=head, records=more, targets=1)

    backup.replace(tmp_path / "fleet.db")
    with pytest.raises(StoreBehind) as caught:
        await first.append("night", term=1, head=2001, records=records(2002), targets=1)
    await second.append("day", term=1, head=1, records=records(2, size=4000), targets=1)
    await first.append("night", term=1, head=1, records=records(2003), targets=1)

    assert caught.value.head == 1
    reader = place.open()
    assert [each.sequence for each in (await reader.read("night", 0)).records] == [1, 2003]
    assert [each.sequence for each in (await reader.read("day", 0)).records] == [1, 2]
    with closing(sqlite3.connect(tmp_path / "fleet.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_file_that_is_moved_away_for_a_while_keeps_its_log(place: Place, tmp_path: Path) -> None:
    """What lies in it is there again with the file; a reader that looked meanwhile has removed nothing."""
    writer, reader, file = place.open(), place.open(), tmp_path / "fleet.db"
    await writer.open("night", HERE, take_over=True)
    await writer.append("night", term=1, head=0, records=records(1), targets=1)
    await reader.fleets()

    file.rename(tmp_path / "away.db")
    with pytest.raises(JournalUnavailable):
        await reader.fleets()
    (tmp_path / "away.db").rename(file)

    assert len((await reader.read("night", 0)).records) == 1


async def test_a_locked_file_is_unavailable_until_it_is_free(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop goes on meanwhile, readers read, and the repeated append is stored once."""
    monkeypatch.setattr(sqlite_file, "LOCK_TIMEOUT", 0.2)
    store, reader = place.open(), place.open()
    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=records(1), targets=1)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    with closing(sqlite3.connect(tmp_path / "fleet.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ticking = asyncio.create_task(tick())
        with pytest.raises(JournalUnavailable, match="locked"):
            await store.append("night", term=1, head=1, records=records(2), targets=1)
        ticking.cancel()
        assert len((await reader.read("night", 0)).records) == 1
        other.execute("ROLLBACK")
    await store.append("night", term=1, head=1, records=records(2), targets=1)

    assert ticks >= 3
    assert len((await reader.read("night", 0)).records) == 2


async def test_a_journal_is_opened_when_another_process_releases_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it creates the file, begins the log, or writes for longer than one statement waits."""
    monkeypatch.setattr(sqlite_file, "LOCK_TIMEOUT", 0.05)
    with closing(sqlite3.connect(tmp_path / "fleet.db", isolation_level=None)) as other:
        sqlite_file.create_tables(other)  # the log is not there yet
        for begin in ("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"):
            async with opened(sqlite_url(tmp_path)) as place:
                other.execute(begin)
                opening = asyncio.create_task(place.open().open("night", HERE, take_over=True))
                listing = asyncio.create_task(place.open().fleets())
                await asyncio.wait([opening], timeout=0.3)
                other.execute("COMMIT")

                assert (await opening).term == 1 + (begin == "BEGIN EXCLUSIVE")
                assert len(await listing) <= 1


async def test_a_lock_that_is_never_released_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a bounded time, for a reader as for a writer."""
    monkeypatch.setattr(sqlite_file, "LOCK_TIMEOUT", 0.01)
    monkeypatch.setattr(sqlite_store, "PATIENCE", 0.1)
    with closing(sqlite3.connect(tmp_path / "fleet.db", isolation_level=None)) as other:
        sqlite_file.create_tables(other)
        other.execute("BEGIN EXCLUSIVE")
        async with opened(sqlite_url(tmp_path)) as place:
            with pytest.raises(JournalUnavailable, match="locked"):
                await place.open().open("night", HERE, take_over=True)
            with pytest.raises(JournalUnavailable, match="locked"):
                await place.open().fleets()


async def test_a_reader_that_found_the_file_locked_sees_what_is_written_later(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not take the file for one that nobody writes."""
    monkeypatch.setattr(sqlite_file, "LOCK_TIMEOUT", 0.01)
    monkeypatch.setattr(sqlite_store, "PATIENCE", 0.0)
    await fill(sqlite_url(tmp_path), 1)
    reader = place.open()
    with closing(sqlite3.connect(tmp_path / "fleet.db", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalUnavailable, match="locked"):
            await reader.read("night", 0)
    await use(sqlite_url(tmp_path))

    assert len((await reader.read("night", 0)).records) == 2


CREATED_HALF = """
import os, sqlite3, sys
from bkjob_async.journal.sqlite import file as sqlite_file

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")  # pages are written before the end
connection.execute("BEGIN IMMEDIATE")
for statement in sqlite_file.SCHEMA.split(";"):
    connection.execute(statement)
connection.execute(f"PRAGMA application_id = {sqlite_file.APPLICATION_ID}")
for number in range(40):
    connection.execute(f"CREATE TABLE more_{number} (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
os.kill(os.getpid(), 9)
"""


async def test_what_a_killed_creator_left_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next process creates the file; until then a reader learns that it is empty."""
    monkeypatch.setattr(sqlite_file, "LOCK_TIMEOUT", 0.1)
    assert kill_itself(CREATED_HALF, str(tmp_path / "fleet.db")) == -9
    assert (tmp_path / "fleet.db-journal").stat().st_size > 0
    async with opened(sqlite_url(tmp_path)) as place:
        with pytest.raises(JournalUnavailable, match="empty"):
            await place.open().fleets()

        assert (await place.open().open("night", HERE, take_over=True)).term == 1


FULL = """
import asyncio, resource, sys
from bkjob_async.errors import JournalUnavailable
from tests.journal.stores import HERE, opened, records

async def main():
    async with opened(sys.argv[1]) as place:
        store = place.open()
        await store.open("night", HERE, take_over=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        head = refused = 0
        while head < 60:
            try:
                await store.append("night", term=1, head=head, records=records(head + 1, size=20_000), targets=1)
            except JournalUnavailable as error:
                refused += 1
                if refused == 3:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            else:
                head += 1
        print(head, refused, len((await place.open().read("night", 0)).records))

asyncio.run(main())
"""


def run(code: str, *arguments: str) -> str:
    """Run a program of its own; return what it printed."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_full_disk_is_unavailable_until_there_is_room(tmp_path: Path) -> None:
    """What was refused is stored when it is appended again, and nothing else is lost."""
    assert run(FULL, sqlite_url(tmp_path)) == "60 3 53"  # a page ends after a megabyte


READ_ONLY = """
import asyncio, os, sys
import bkjob_async.journal.sqlite.store  # nobody may not read the interpreter's own folder
from bkjob_async.errors import JournalUnavailable
from tests.journal.stores import HERE, opened, records

if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)

async def main():
    async with opened(sys.argv[1]) as place:
        store = place.open()
        print(len((await store.read("night", 0)).records), len(await store.fleets()))
        try:
            await store.open("night", HERE, take_over=True)
        except JournalUnavailable as error:
            print(error)

asyncio.run(main())
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that every user can look into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def protect(folder: Path, *, is_folder_writable: bool) -> None:
    """Let nobody write the journal in *folder*, or even beside it."""
    (folder / "fleet.db").chmod(0o444)
    folder.chmod(0o777 if is_folder_writable else 0o555)


@pytest.mark.parametrize("is_folder_writable", [True, False])
async def test_a_read_only_file_is_read_and_not_written(
    open_folder: Path, *, is_folder_writable: bool
) -> None:
    """Whether something can be written beside it or not."""
    await fill(sqlite_url(open_folder), 5)
    protect(open_folder, is_folder_writable=is_folder_writable)

    read, error = run(READ_ONLY, sqlite_url(open_folder)).splitlines()

    assert read == "5 1"
    assert "readonly" in error or "read-only" in error


READ_ONLY_TWICE = """
import asyncio, os, sys
import bkjob_async.journal.sqlite.store
from tests.journal.stores import opened

if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)

async def main():
    async with opened(sys.argv[1]) as place:
        store = place.open()
        for _ in range(2):
            print(len((await store.read("night", 0)).records), flush=True)
            sys.stdin.readline()

asyncio.run(main())
"""


def begun(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Begin a program that reads its standard input."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_a_reader_that_may_not_write_sees_what_is_written_later(open_folder: Path) -> None:
    """It began while nobody wrote, and there was no log to read."""
    await fill(sqlite_url(open_folder), 5)
    (open_folder / "fleet.db").chmod(0o644)
    reader = begun(READ_ONLY_TWICE, sqlite_url(open_folder))
    assert reader.stdout is not None
    assert reader.stdout.readline() == "5\n"
    async with opened(sqlite_url(open_folder)) as place:
        store = place.open()
        opening = await store.open("night", THERE, take_over=True)
        await store.append("night", term=opening.term, head=5, records=records(6), targets=1)

        assert reader.communicate("\n\n", timeout=60)[0] == "6\n"


async def test_a_closed_journal_says_so(place: Place) -> None:
    """The call names the remedy."""
    store = place.open()
    await store.aclose()

    with pytest.raises(ClientClosed, match="open_journal"):
        await store.fleets()


async def test_a_cancelled_append_is_whole_or_not_there(place: Place) -> None:
    """And repeating it is right in both cases."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    for head in range(20):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.0001 * (head % 5)):
                await store.append("night", term=1, head=head, records=records(head + 1), targets=1)
        await store.append("night", term=1, head=head, records=records(head + 1), targets=1)

    assert [r.sequence for r in (await store.read("night", 0)).records] == [*range(1, 21)]


# Other processes ----------------------------------------------------------------------------------------------------

OPENER = """
import asyncio, sys
from tests.journal.stores import HERE, opened

async def main():
    async with opened(sys.argv[1]) as place:
        print((await place.open().open("night", HERE, take_over=True)).term)

asyncio.run(main())
"""


@pytest.mark.slow
def test_processes_create_the_file_together(tmp_path: Path) -> None:
    """One creates it, and every process gets a term of its own."""
    command = [sys.executable, "-c", OPENER, sqlite_url(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]

    terms = [int(process.communicate(timeout=60)[0]) for process in processes]

    assert sorted(terms) == [1, 2, 3, 4, 5, 6]


async def test_the_log_of_a_killed_process_is_found(tmp_path: Path) -> None:
    """What it stored is there, and so is its mark: nobody closed the file."""
    code = f"""
import asyncio, os
from tests.journal.stores import HERE, opened, records
async def main():
    async with opened({sqlite_url(tmp_path)!r}) as place:
        store = place.open()
        await store.open("night", HERE, take_over=True)
        await store.append("night", term=1, head=0, records=records(1, 2, 3), targets=1)
        os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    assert kill_itself(code) == -9
    assert [r.sequence for r in await use(sqlite_url(tmp_path))] == [1, 2, 3]


def test_journal_errors_are_one_family() -> None:
    """All but usage errors are `JournalError`."""
    for error in (JournalDamaged, JournalTooNew, JournalUnavailable, NotAJournal):
        assert issubclass(error, JournalError)


# Permissions, damage to a fleet's row, work without end --------------------------------------------------------------

COPY = re.compile(r",\s+written TEXT GENERATED ALWAYS AS \([^;]*\) STORED")


def modes_in(folder: Path) -> dict[str, int]:
    """Return the permissions of all files of a folder."""
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
async def test_a_new_journal_is_for_its_owner_alone(tmp_path: Path, place: Place) -> None:
    """With its log; the names of hosts and jobs are nobody else's. What its owner allows stays allowed."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    modes = modes_in(tmp_path)
    (tmp_path / "fleet.db").chmod(0o640)
    await place.open().open("night", HERE, take_over=True)

    assert modes == {"fleet.db": 0o600, "fleet.db-wal": 0o600, "fleet.db-shm": 0o600}
    assert (tmp_path / "fleet.db").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("column", ["term", "head", "size", "pid", "checkpoint", "removed_to"])
async def test_a_row_of_a_fleet_that_was_not_written_so_is_damage(tmp_path: Path, column: str) -> None:
    """A bit of a number is another one in the file."""
    await fill(sqlite_url(tmp_path))
    flip_in_row(tmp_path / "fleet.db", "fleet", column)

    for attempt in (use, listed):
        with pytest.raises(JournalDamaged, match="'night' is not what was written"):
            await attempt(sqlite_url(tmp_path))


async def listed(url: str) -> object:
    """List the fleets."""
    async with opened(url) as place:
        return await place.open().fleets()


def flip_in_row(path: Path, table: str, column: str) -> None:
    """Change a number or a text of the row, and not what SQLite wrote beside it, as a disk does."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (schema,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        plain = re.sub(
            r"written TEXT GENERATED ALWAYS AS \(.*\) STORED", "written TEXT", schema, flags=re.DOTALL
        )
        for sql in (plain, schema):
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, table))
            connection.execute("PRAGMA writable_schema = RESET")
            if sql is plain:
                connection.execute(
                    f"UPDATE {table} SET {column} = CASE typeof({column}) WHEN 'blob' THEN CAST('x' AS BLOB)"  # noqa: S608 - constants
                    f" WHEN 'text' THEN 'x' ELSE {column} + 1 END"
                )
            connection.commit()


async def fill_shards(url: str) -> None:
    """Write a fleet of one shard, with all that a store keeps of such a one."""
    async with opened(url) as place:
        store = place.open()
        await ShardStore(store).create("night", b"settings")
        await store.open(shard_name("night", 0), HERE, take_over=True)
        await ShardStore(store).report("night", 0, ShardFigures(1, 5, 3, 7), limit=10)
        await ShardStore(store).put_durations("night", 0, b"durations")
        await ShardStore(store).put_failure("night", 0, "it failed")
        await store.put(shard_name("night", 0), [b"entry"])


async def read_shards(store: Store) -> list[object]:
    """Return all that the store keeps of the fleet."""
    shards = ShardStore(store)
    record = await shards.record("night")
    return [
        None if record is None else record.settings,
        await shards.figures("night"),
        await shards.durations("night", 0),
        await shards.failures("night"),
        [entry.data for entry in await store.inbox(shard_name("night", 0), 0)],
    ]


SHARDS = [
    b"settings",
    {0: ShardFigures(1, 5, 3, 7)},
    b"durations",
    {0: "it failed"},
    [b"entry"],
]
SHARD_CALLS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "record": lambda store: ShardStore(store).record("night"),
    "stop": lambda store: ShardStore(store).stop("night"),
    "figures": lambda store: ShardStore(store).figures("night"),
    "report": lambda store: ShardStore(store).report("night", 0, ShardFigures(1, 6, 3, 7), limit=10),
    "durations": lambda store: ShardStore(store).durations("night", 0),
    "failures": lambda store: ShardStore(store).failures("night"),
    "inbox": lambda store: store.inbox(shard_name("night", 0), 0),
}


@pytest.mark.parametrize(
    ("table", "column", "calls"),
    [
        ("key_value", "value", ("record", "stop", "figures", "report", "durations", "failures")),
        ("key_value", "checksum", ("record", "stop", "figures", "report", "durations", "failures")),
        ("inbox", "data", ("inbox",)),
    ],
)
async def test_a_row_of_a_fleet_in_shards_that_was_not_written_so_is_damage(
    tmp_path: Path, table: str, column: str, calls: Sequence[str]
) -> None:
    """It is not read, nor written again as if it were whole."""
    await fill_shards(sqlite_url(tmp_path))
    flip_in_row(tmp_path / "fleet.db", table, column)

    async with opened(sqlite_url(tmp_path)) as place:
        for call in calls:
            with pytest.raises(JournalDamaged, match=r"'night(/0)?' is not what was written"):
                await SHARD_CALLS[call](place.open())


async def test_a_file_of_0_2_0_has_rows_without_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read and written as before."""
    monkeypatch.setattr(sqlite_file, "SCHEMA", COPY.sub("", sqlite_file.SCHEMA))
    monkeypatch.setattr(sqlite_keys, "INBOX", COPY.sub("", sqlite_keys.INBOX))
    written = await fill(sqlite_url(tmp_path))
    await fill_shards(sqlite_url(tmp_path))

    assert await use(sqlite_url(tmp_path)) == written
    async with opened(sqlite_url(tmp_path)) as place:
        assert await read_shards(place.open()) == SHARDS
    assert b"written" not in (tmp_path / "fleet.db").read_bytes()


async def test_a_checkpoint_larger_than_any_that_is_written_is_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of it is read, whether it has many parts or a large one."""
    monkeypatch.setattr(store_module, "MAX_CHECKPOINT", 1 << 20)
    for parts in ([b"x" * 1000] * 1100, [b"x" * (2 << 20)]):
        async with opened(sqlite_url(tmp_path)) as place:
            store = place.open()
            opening = await store.open("night", HERE, take_over=True)
            await store.write_checkpoint("night", Checkpoint(0, parts), term=opening.term)

            with pytest.raises(JournalDamaged, match="the checkpoint of 'night' has more than 1 MiB"):
                await store.checkpoint("night")


async def test_a_file_that_keeps_sqlite_busy_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement ends after some seconds of CPU time, whatever it works on."""
    monkeypatch.setattr(sqlite_file, "CPU_SECONDS", 0.05)
    monkeypatch.setattr(sqlite_file, "STEPS", 1000)
    file = sqlite_file.SqliteFile(str(tmp_path / "fleet.db"), "journal", synchronous="normal")
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    with pytest.raises(JournalDamaged, match="without end"), file.writing() as connection:
        connection.execute(endless)
    with file.reading() as connection:
        assert connection.execute("SELECT count(*) FROM fleet").fetchone() == (0,)
    file.close()


async def test_a_journal_is_closed_although_closing_is_cancelled(open_folder: Path) -> None:
    """Another process holds the file for longer than the time limit; the thread closes it when it comes to that."""
    async with opened(sqlite_url(open_folder)) as place:
        store = place.open()
        await store.open("night", HERE, take_over=True)
        other = sqlite3.connect(open_folder / "fleet.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(store.release("night", term=1))
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await store.aclose()
        other.execute("COMMIT")
        other.close()
        await asyncio.wait([waiting])
        await store.aclose()

        assert files_open_in(open_folder) == []


def files_open_in(folder: Path) -> list[str]:
    """Return the files of a folder that this process has open."""
    links = Path("/proc/self/fd").iterdir()
    found = [str(link.readlink()) for link in links if link.exists()]
    return [path for path in found if path.startswith(str(folder))]


async def test_forgetting_a_fleet_costs_no_more_beside_a_large_one(open_folder: Path) -> None:
    """Others write meanwhile: they must not wait while the records of all fleets are looked through."""
    steps = list[int]()
    async with opened(sqlite_url(open_folder)) as place:
        store = place.open()
        for size in (100, 20_000):
            await store.open(f"beside {size}", THERE, take_over=True)
            await store.open("night", HERE, take_over=True)
            with closing(sqlite3.connect(open_folder / "fleet.db", isolation_level=None)) as connection:
                add_records(connection, f"beside {size}", size)
                add_records(connection, "night", 50)
                sqlite_tables.forget_fleet(connection, "night")
                steps.append(steps_to_remove_orphans(connection))

    assert 0 < steps[1] <= 2 * steps[0]


def steps_to_remove_orphans(connection: sqlite3.Connection) -> int:
    """Remove them, and return how many hundred steps SQLite took."""
    counted = list[int]()
    connection.set_progress_handler(lambda: counted.append(1), 100)
    assert sqlite_tables.remove_orphans(connection)
    assert not sqlite_tables.remove_orphans(connection)
    return len(counted)


def add_records(connection: sqlite3.Connection, name: str, size: int) -> None:
    """Give a fleet so many records."""
    connection.execute(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?)"
        " INSERT INTO record (fleet, sequence, previous, time, checksum, data)"
        " SELECT fleet.id, x, x - 1, 0, 0, zeroblob(20) FROM n, fleet WHERE name = ?",
        (size, name),
    )
