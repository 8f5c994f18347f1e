"""Fleets in shards in a file of SQLite: tables of their own, made with the first such fleet."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from sqlite3 import Connection
from typing import Any, Protocol, TypeVar

from bkjob_async.journal.shards import (
    INBOX_PAGE,
    FleetRecord,
    InboxEntry,
    ShardFigures,
    ShardReply,
    fleet_being_removed,
    granted_of,
    no_such_fleet,
    shard_name,
)
from bkjob_async.journal.sqlite.file import copy_of, written_as
from bkjob_async.journal.sqlite.tables import facts_of, give_sign_of_life

R = TypeVar("R")

COPIES = {
    "sharded_fleet": copy_of(
        "name", "settings", "CAST(created * 1000 AS INTEGER)", "is_stopped", "is_being_removed"
    ),
    "shard": copy_of("name", "fleet", "number", "term", "targets", "active", "claim", "durations"),
    "shard_failure": copy_of("fleet", "number", "text"),
    "inbox": copy_of("shard", "data"),
}

# Numbers of entries are never given again, also not those of the newest that were removed.
TABLES = f"""
CREATE TABLE IF NOT EXISTS sharded_fleet (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings BLOB NOT NULL, created REAL NOT NULL,
  is_stopped INTEGER NOT NULL, is_being_removed INTEGER NOT NULL DEFAULT 0, {written_as(COPIES["sharded_fleet"])}
);
CREATE TABLE IF NOT EXISTS shard (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, fleet TEXT NOT NULL, number INTEGER NOT NULL,
  term INTEGER NOT NULL, targets INTEGER NOT NULL, active INTEGER NOT NULL, claim INTEGER NOT NULL, durations BLOB,
  {written_as(COPIES["shard"])}
);
CREATE TABLE IF NOT EXISTS shard_failure (
  fleet TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL, {written_as(COPIES["shard_failure"])},
  PRIMARY KEY (fleet, number)
);
CREATE TABLE IF NOT EXISTS inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, shard TEXT NOT NULL, data BLOB NOT NULL, {written_as(COPIES["inbox"])}
);
CREATE INDEX IF NOT EXISTS inbox_of_shard ON inbox (shard, id);
"""


class Transact(Protocol):
    """Runs a function in a transaction of the store, and returns what that returned."""

    async def __call__(self, function: Callable[[Connection], R], /) -> R:
        """Run *function*."""
        ...


class SqliteShards:
    """Fleets in shards in the file of a store, in the store's own transactions."""

    def __init__(
        self, read: Transact, write: Transact, write_in_term: Callable[..., Awaitable[None]]
    ) -> None:
        """Use the transactions of a store; *write_in_term* counts a write that was refused."""
        self._read = read
        self._write = write
        self._write_in_term = write_in_term

    async def create(self, fleet: str, settings: bytes) -> bytes:
        """Create a fleet unless it exists, and return the settings that it has."""
        return await self._write(partial(create_fleet, fleet=fleet, settings=settings))

    async def record(self, fleet: str) -> FleetRecord | None:
        """Return a fleet's record, None where there is no such fleet."""
        return await self._read(partial(find_record, fleet=fleet))

    async def stop(self, fleet: str) -> None:
        """Record that the fleet is to stop."""
        await self._write(partial(stop_fleet, fleet=fleet))

    async def begin_removal(self, fleet: str) -> None:
        """Record that the fleet is being removed."""
        await self._write(partial(begin_removal, fleet=fleet))

    async def remove(self, fleet: str, shards: int) -> None:
        """Remove what is kept of a fleet of so many *shards* beside their journals."""
        names = [shard_name(fleet, shard) for shard in range(shards)]
        await self._write(partial(remove_fleet, fleet=fleet, names=names))

    async def put(self, fleet: str, shard: int, entries: Sequence[bytes]) -> None:
        """Append *entries* to the inbox of a shard."""
        await self._write(partial(put_entries, name=shard_name(fleet, shard), entries=entries))

    async def inbox(self, fleet: str, shard: int, after: int) -> Sequence[InboxEntry]:
        """Return the entries behind number *after*, at most `INBOX_PAGE`."""
        return await self._read(partial(read_inbox, name=shard_name(fleet, shard), after=after))

    async def inbox_size(self, fleet: str, shard: int) -> int:
        """Return how many entries wait in the inbox of a shard."""
        return await self._read(partial(count_inbox, name=shard_name(fleet, shard)))

    async def report(self, fleet: str, shard: int, figures: ShardFigures, *, limit: int = 0) -> ShardReply:
        """Record a sign of life of the runner of a shard, and its *figures*."""
        name, replies = shard_name(fleet, shard), list[ShardReply]()

        def report_in_term(connection: Connection) -> None:
            head = give_sign_of_life(connection, name, figures.term)
            replies.append(put_figures(connection, fleet, shard, figures, limit=limit, head=head))

        await self._write_in_term(report_in_term, name)
        return replies[-1]

    async def figures(self, fleet: str) -> Mapping[int, ShardFigures]:
        """Return the newest figures of each shard that ever had a runner."""
        return await self._read(partial(read_figures, fleet=fleet))

    async def put_failure(self, fleet: str, shard: int, text: str) -> None:
        """Store what ended the runner of a shard; empty text for a runner that works."""
        await self._write(partial(put_failure, fleet=fleet, shard=shard, text=text))

    async def failures(self, fleet: str) -> Mapping[int, str]:
        """Return what ended the newest runner of each shard where something did."""
        return await self._read(partial(read_failures, fleet=fleet))

    async def put_durations(self, fleet: str, shard: int, durations: bytes) -> None:
        """Store the durations that the runner of a shard measured."""
        await self._write(partial(put_durations, name=shard_name(fleet, shard), durations=durations))

    async def durations(self, fleet: str, shard: int) -> bytes | None:
        """Return the durations that the runners of a shard measured, None for none."""
        return await self._read(partial(read_durations, name=shard_name(fleet, shard)))


# Each within one transaction ------------------------------------------------------------------------------------------


def has_tables(connection: Connection) -> bool:
    """Return True where a fleet in shards was ever created in this file."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sharded_fleet'")
    return found.fetchone() is not None


def rows_of(connection: Connection, table: str, where: str, *values: object) -> list[dict[str, Any]]:
    """Return the columns of rows of a *table*; raise `JournalDamaged` for one that is not what was written."""
    rows = connection.execute(f"SELECT {COPIES[table]} AS found, * FROM {table} WHERE {where}", values)  # noqa: S608 - constants
    return [facts_of(rows, row) for row in rows]


def create_fleet(connection: Connection, fleet: str, settings: bytes) -> bytes:
    """Create a fleet unless it exists, and return the settings that it has."""
    for statement in TABLES.split(";"):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO sharded_fleet (name, settings, created, is_stopped) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING",
        (fleet, settings, time.time()),
    )
    connection.execute(
        "UPDATE sharded_fleet SET is_stopped = 0 WHERE name = ? AND settings = ?", (fleet, settings)
    )
    record = usable_record(connection, fleet)
    return record.settings


def find_record(connection: Connection, fleet: str) -> FleetRecord | None:
    """Return a fleet's record, None where there is no such fleet."""
    if not has_tables(connection):
        return None
    for row in rows_of(connection, "sharded_fleet", "name = ?", fleet):
        is_stopped, is_being_removed = bool(row["is_stopped"]), bool(row["is_being_removed"])
        return FleetRecord(bytes(row["settings"]), row["created"], is_stopped, time.time(), is_being_removed)
    return None


def usable_record(connection: Connection, fleet: str) -> FleetRecord:
    """Return a fleet's record; raise `FleetNotFound`."""
    record = find_record(connection, fleet)
    if record is None:
        raise no_such_fleet(fleet)
    if record.is_being_removed:
        raise fleet_being_removed(fleet)
    return record


def stop_fleet(connection: Connection, fleet: str) -> None:
    """Record that the fleet is to stop."""
    usable_record(connection, fleet)
    connection.execute("UPDATE sharded_fleet SET is_stopped = 1 WHERE name = ?", (fleet,))


def begin_removal(connection: Connection, fleet: str) -> None:
    """Record that the fleet is being removed."""
    if find_record(connection, fleet) is None:
        raise no_such_fleet(fleet)
    connection.execute("UPDATE sharded_fleet SET is_being_removed = 1 WHERE name = ?", (fleet,))


def remove_fleet(connection: Connection, fleet: str, names: Sequence[str]) -> None:
    """Remove a fleet, and the inboxes of its shards, which have these *names*."""
    if has_tables(connection):
        connection.execute("DELETE FROM sharded_fleet WHERE name = ?", (fleet,))
        connection.execute("DELETE FROM shard WHERE fleet = ?", (fleet,))
        connection.execute("DELETE FROM shard_failure WHERE fleet = ?", (fleet,))
        connection.executemany("DELETE FROM inbox WHERE shard = ?", ((name,) for name in names))


def put_entries(connection: Connection, name: str, entries: Sequence[bytes]) -> None:
    """Append entries to an inbox."""
    if not has_tables(connection):
        raise no_such_fleet(name.rpartition("/")[0])
    connection.executemany(
        "INSERT INTO inbox (shard, data) VALUES (?, ?)", ((name, data) for data in entries)
    )


def read_inbox(connection: Connection, name: str, after: int) -> list[InboxEntry]:
    """Return a page of an inbox."""
    if not has_tables(connection):
        return []
    rows = rows_of(connection, "inbox", "shard = ? AND id > ? ORDER BY id LIMIT ?", name, after, INBOX_PAGE)
    return [InboxEntry(row["id"], bytes(row["data"])) for row in rows]


def count_inbox(connection: Connection, name: str) -> int:
    """Return the number of entries in an inbox."""
    if not has_tables(connection):
        return 0
    (count,) = connection.execute("SELECT count(*) FROM inbox WHERE shard = ?", (name,)).fetchone()
    return int(count)


def remove_from_inbox(connection: Connection, name: str, taken_up: int) -> None:
    """Remove the entries up to number *taken_up*: their targets are recorded."""
    if has_tables(connection):
        connection.execute("DELETE FROM inbox WHERE shard = ? AND id <= ?", (name, taken_up))


def put_figures(
    connection: Connection, fleet: str, shard: int, figures: ShardFigures, *, limit: int, head: int
) -> ShardReply:
    """Record figures; return what all shards have together, and what is granted."""
    record = usable_record(connection, fleet)
    others = read_figures(connection, fleet)
    others.pop(shard, None)
    granted = granted_of(figures.claim, limit, sum(each.claim for each in others.values()))
    connection.execute(
        "INSERT INTO shard (name, fleet, number, term, targets, active, claim) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET term = excluded.term, targets = excluded.targets,"
        " active = excluded.active, claim = excluded.claim",
        (shard_name(fleet, shard), fleet, shard, figures.term, figures.targets, figures.active, granted),
    )
    active = sum(each.active for each in others.values())
    return ShardReply(active + figures.active, granted, record.is_stopped, head)


def read_figures(connection: Connection, fleet: str) -> dict[int, ShardFigures]:
    """Return the figures of each shard."""
    if not has_tables(connection):
        return {}
    return {
        row["number"]: ShardFigures(row["term"], row["targets"], row["active"], row["claim"])
        for row in rows_of(connection, "shard", "fleet = ?", fleet)
    }


def put_failure(connection: Connection, fleet: str, shard: int, text: str) -> None:
    """Record what ended the runner of a shard."""
    if find_record(connection, fleet) is not None:
        connection.execute("DELETE FROM shard_failure WHERE fleet = ? AND number = ?", (fleet, shard))
        if text:
            connection.execute("INSERT INTO shard_failure VALUES (?, ?, ?)", (fleet, shard, text))


def read_failures(connection: Connection, fleet: str) -> dict[int, str]:
    """Return what ended the runner of each shard where something did."""
    if not has_tables(connection):
        return {}
    return {row["number"]: row["text"] for row in rows_of(connection, "shard_failure", "fleet = ?", fleet)}


def put_durations(connection: Connection, name: str, durations: bytes) -> None:
    """Store the durations that the runner of a shard measured."""
    read_durations(connection, name)  # a damaged row is not written again as if it were whole
    if has_tables(connection):
        connection.execute("UPDATE shard SET durations = ? WHERE name = ?", (durations, name))


def read_durations(connection: Connection, name: str) -> bytes | None:
    """Return the durations that the runners of a shard measured."""
    if not has_tables(connection):
        return None
    for row in rows_of(connection, "shard", "name = ?", name):
        return None if row["durations"] is None else bytes(row["durations"])
    return None


def forget_inbox(connection: Connection, name: str) -> None:
    """Remove the inbox of a shard that is forgotten."""
    if has_tables(connection):
        connection.execute("DELETE FROM inbox WHERE shard = ?", (name,))
