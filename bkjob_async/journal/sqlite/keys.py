"""The inboxes and the key spaces of a SQLite journal, each function within one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any
from zlib import crc32

from bkjob_async.errors import JournalDamaged
from bkjob_async.journal.sqlite.file import SCHEMA_VERSION, copy_of, written_as
from bkjob_async.journal.sqlite.tables import facts_of
from bkjob_async.journal.store import INBOX_PAGE, InboxEntry, KeyChanges, Keys

COPIES = {
    "inbox": copy_of("shard", "data"),
    # Of version 1.
    "sharded_fleet": copy_of(
        "name", "settings", "CAST(created * 1000 AS INTEGER)", "is_stopped", "is_being_removed"
    ),
    "shard": copy_of("name", "fleet", "number", "term", "targets", "active", "claim", "durations"),
    "shard_failure": copy_of("fleet", "number", "text"),
}

# Numbers of entries are never given again, also not those of the newest that were removed.
INBOX = f"""
CREATE TABLE IF NOT EXISTS inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, shard TEXT NOT NULL, data BLOB NOT NULL, {written_as(COPIES["inbox"])}
);
CREATE INDEX IF NOT EXISTS inbox_of_shard ON inbox (shard, id);
"""

KEYS = """
CREATE TABLE key_value (
  id INTEGER PRIMARY KEY, space TEXT NOT NULL, name TEXT NOT NULL, checksum INTEGER NOT NULL, value BLOB NOT NULL,
  UNIQUE (space, name)
)
"""

# What an earlier version finds in its table: settings of a version that none reads.
NEWER_SETTINGS = b'{"version": 1000}'


def has_table(connection: Connection, name: str) -> bool:
    """Return True where the file has a table with this *name*."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,))
    return found.fetchone() is not None


def rows_of(connection: Connection, table: str, where: str, *values: object) -> list[dict[str, Any]]:
    """Return the columns of rows of a *table*; raise `JournalDamaged` for one that is not what was written."""
    rows = connection.execute(f"SELECT {COPIES[table]} AS found, * FROM {table} WHERE {where}", values)  # noqa: S608 - constants
    return [facts_of(rows, row) for row in rows]


# Inboxes --------------------------------------------------------------------------------------------------------------


def put_entries(connection: Connection, name: str, entries: Sequence[bytes]) -> None:
    """Append entries to an inbox."""
    for statement in INBOX.split(";"):
        connection.execute(statement)
    connection.executemany(
        "INSERT INTO inbox (shard, data) VALUES (?, ?)", ((name, data) for data in entries)
    )


def read_inbox(connection: Connection, name: str, after: int) -> list[InboxEntry]:
    """Return a page of an inbox."""
    if not has_table(connection, "inbox"):
        return []
    rows = rows_of(connection, "inbox", "shard = ? AND id > ? ORDER BY id LIMIT ?", name, after, INBOX_PAGE)
    return [InboxEntry(row["id"], bytes(row["data"])) for row in rows]


def count_inbox(connection: Connection, name: str) -> int:
    """Return the number of entries in an inbox."""
    if not has_table(connection, "inbox"):
        return 0
    (count,) = connection.execute("SELECT count(*) FROM inbox WHERE shard = ?", (name,)).fetchone()
    return int(count)


def remove_from_inbox(connection: Connection, name: str, taken_up: int | None = None) -> None:
    """Remove the entries up to number *taken_up*, whose targets are recorded, or all."""
    if has_table(connection, "inbox"):
        connection.execute(
            "DELETE FROM inbox WHERE shard = ?1 AND (?2 IS NULL OR id <= ?2)", (name, taken_up)
        )


# Keys -----------------------------------------------------------------------------------------------------------------


def read_keys(connection: Connection, space: str, names: Sequence[str] = ()) -> Keys:
    """Return the keys of a space that have one of *names*, or all."""
    if not has_table(connection, "key_value"):
        found = keys_of_version_1(connection, space)
        return {name: found[name] for name in names or found if name in found}
    marks = ", ".join("?" * len(names))
    rows = connection.execute(
        f"SELECT name, checksum, value FROM key_value WHERE space = ?{f' AND name IN ({marks})' if names else ''}",  # noqa: S608 - marks
        (space, *names),
    )
    keys: dict[str, bytes] = {}
    for name, checksum, value in rows:
        if checksum_of(space, name, value) != checksum:
            raise JournalDamaged(f"the key {name!r:.80} of {space!r} is not what was written")
        keys[name] = value
    return keys


def change_keys(connection: Connection, space: str, changes: KeyChanges, expected: KeyChanges) -> bool:
    """Set and remove keys, if those that are *expected* are there; there is a table of keys."""
    found = read_keys(connection, space, [*expected]) if expected else {}
    if any(found.get(name) != value for name, value in expected.items()):
        return False
    write_keys(connection, space, changes)
    return True


def write_keys(connection: Connection, space: str, changes: KeyChanges) -> None:
    """Set and remove keys."""
    for name, value in changes.items():
        if value is None:
            connection.execute("DELETE FROM key_value WHERE space = ? AND name = ?", (space, name))
        else:
            connection.execute(
                "INSERT INTO key_value (space, name, checksum, value) VALUES (?, ?, ?, ?) ON CONFLICT (space, name)"
                " DO UPDATE SET checksum = excluded.checksum, value = excluded.value",
                (space, name, checksum_of(space, name, value), value),
            )


def checksum_of(space: str, name: str, value: bytes) -> int:
    """Return the checksum of a value in its place."""
    return crc32(value, crc32(f"{space}\0{name}".encode()))


# Version 1 ------------------------------------------------------------------------------------------------------------


def begin_keys(connection: Connection) -> bool:
    """Create the table of keys where there is none, with what a file of version 1 has in its own tables; return whether.

    A process of an earlier version that opens the file is told its version. One that has it open reads that each fleet is
    stopped, so its runners end in order, and that a newer version wrote the settings.
    """
    if has_table(connection, "key_value"):
        return False
    connection.execute(KEYS)
    if has_table(connection, "sharded_fleet"):
        spaces = connection.execute("SELECT name FROM sharded_fleet UNION SELECT name FROM shard").fetchall()
        for (space,) in spaces:
            write_keys(connection, space, keys_of_version_1(connection, space))
        connection.execute("UPDATE sharded_fleet SET settings = ?, is_stopped = 1", (NEWER_SETTINGS,))
        connection.execute("DELETE FROM shard")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return True


def keys_of_version_1(connection: Connection, space: str) -> dict[str, bytes]:
    """Return what a file of version 1 has of a fleet in shards, or of a shard, as keys."""
    if not has_table(connection, "sharded_fleet"):
        return {}
    keys: dict[str, bytes] = {}
    shards = rows_of(connection, "shard", "fleet = ?", space)
    for row in rows_of(connection, "sharded_fleet", "name = ?", space):
        keys |= {
            "settings": bytes(row["settings"]),
            "created": f"{row['created']:.6f}".encode(),
            "stopped": b"%d" % row["is_stopped"],
            "active": b"%d" % sum(shard["active"] for shard in shards),
            "claimed": b"%d" % sum(shard["claim"] for shard in shards),
        }
        if row["is_being_removed"]:
            keys["removing"] = b"1"
    for row in shards:
        figures = (row["term"], row["targets"], row["active"], row["claim"])
        keys[f"shard:{row['number']}"] = b"%d %d %d %d" % figures
    if has_table(connection, "shard_failure"):  # not in files of version 0.2.0
        for row in rows_of(connection, "shard_failure", "fleet = ?", space):
            keys[f"failure:{row['number']}"] = row["text"].encode()
    for row in rows_of(connection, "shard", "name = ? AND durations IS NOT NULL", space):
        keys["durations"] = bytes(row["durations"])
    return keys
