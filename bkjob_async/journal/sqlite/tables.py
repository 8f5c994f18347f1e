"""What a SQLite journal does in its tables, each function within one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import Any
from zlib import crc32

from attrs import asdict

from bkjob_async.errors import JournalDamaged
from bkjob_async.journal.fleet_row import FleetRow
from bkjob_async.journal.keep import Keep
from bkjob_async.journal.sqlite.file import FLEET_COLUMNS, FLEET_COPY
from bkjob_async.journal.store import (
    PAGE_BYTES,
    Checkpoint,
    FleetEntry,
    Holder,
    Opened,
    Page,
    StoredRecord,
    check_size,
)

# A transaction reads or removes at most so many rows.
MAX_ROWS = 1000

# Statements insert so many rows. At the end of each the thread waits until it may run Python again, so they are few.
ROWS_OF_INSERT = (100, 25, 5, 1)
_INSERTS = {
    rows: "INSERT INTO record (fleet, sequence, previous, time, checksum, data) VALUES (?, ?, ?, ?, ?, ?)"
    + ", (?, ?, ?, ?, ?, ?)" * (rows - 1)
    for rows in ROWS_OF_INSERT
}

_SAVE = (
    f"INSERT INTO fleet ({', '.join(FLEET_COLUMNS)}) VALUES ({', '.join(f':{column}' for column in FLEET_COLUMNS)})"  # noqa: S608 - constants
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in FLEET_COLUMNS[2:])}"
)

# Files of version 0.2.0 lack the last column.
_FLEETS = f"SELECT {FLEET_COPY} AS found, * FROM fleet"  # noqa: S608 - a constant


def find_fleet(connection: sqlite3.Connection, name: str) -> FleetRow | None:
    """Return the row of a fleet, None where there is none."""
    rows = connection.execute(f"{_FLEETS} WHERE name = ?", (name,))
    row = rows.fetchone()
    return None if row is None else row_of(facts_of(rows, row))


def facts_of(rows: sqlite3.Cursor, row: Iterable[Any]) -> dict[str, Any]:
    """Return the columns of a row by name; raise `JournalDamaged` unless they are as SQLite wrote them.

    *found* is the copy that belongs to them; tables of version 0.2.0 have none to compare it with.
    """
    facts = dict(zip((name for name, *_ in rows.description), row, strict=True))
    found = facts.pop("found")
    if facts.pop("written", found) != found:
        name = facts.get("name") or facts.get("shard") or facts.get("fleet")
        raise JournalDamaged(f"the row of the fleet {name!r:.80} is not what was written")
    return facts


def row_of(facts: dict[str, Any]) -> FleetRow:
    """Return a fleet from the columns of its row."""
    del facts["name"]
    holder = Holder(facts.pop("host"), facts.pop("pid"))
    facts["is_held"], facts["is_forgotten"] = bool(facts["is_held"]), bool(facts["is_forgotten"])
    return FleetRow(holder=holder, **facts)


def checksum_of(data: bytes, number: int) -> int:
    """Return the checksum of a row's *data* in its place."""
    return crc32(data, number & 0xFFFFFFFF)


# Writing ------------------------------------------------------------------------------------------------------------


def open_fleet(
    connection: sqlite3.Connection, name: str, holder: Holder, *, take_over: bool, after_term: int
) -> Opened:
    """Begin the next term of a fleet, one behind *after_term* as well; the fleet is created where there is none."""
    fleet = find_fleet(connection, name) or FleetRow()
    opened = fleet.begin_term(name, holder, time.time(), take_over=take_over, after_term=after_term)
    save_fleet(connection, name, fleet)
    return opened


def save_fleet(connection: sqlite3.Connection, name: str, fleet: FleetRow) -> None:
    """Write the row of a fleet, or add it where there is none of this name."""
    facts = asdict(fleet, recurse=False)
    holder = facts.pop("holder")
    facts |= {"id": fleet.id or None, "name": name, "host": holder.host, "pid": holder.pid}
    connection.execute(_SAVE, facts)


def append_records(
    connection: sqlite3.Connection,
    name: str,
    *,
    term: int,
    head: int,
    records: Sequence[StoredRecord],
    targets: int,
) -> None:
    """Append *records* behind number *head*, or do nothing if they are there already."""
    fleet = held_fleet(connection, name, term)
    if not fleet.has_all(name, head, records):
        insert_records(connection, fleet.id, head, records)
        fleet.take_records(records, targets, time.time())
        save_fleet(connection, name, fleet)


def insert_records(
    connection: sqlite3.Connection, fleet: int, head: int, records: Sequence[StoredRecord]
) -> None:
    """Insert the rows of *records* behind number *head*, in few statements."""
    previous, begin = head, 0
    while begin < len(records):
        size = next(size for size in ROWS_OF_INSERT if size <= len(records) - begin)
        values = list[object]()
        for record in records[begin : begin + size]:
            sequence, data = record.sequence, record.data
            values += (fleet, sequence, previous, record.time, checksum_of(data, sequence), data)
            previous = sequence
        connection.execute(_INSERTS[size], values)
        begin += size


def replace_checkpoint(
    connection: sqlite3.Connection, name: str, checkpoint: Checkpoint, *, term: int, all_behind: int | None
) -> None:
    """Store a checkpoint in place of the one before, or in place of all records up to number *all_behind*."""
    fleet = held_fleet(connection, name, term)
    # With *all_behind* the rows are removed later, in portions.
    fleet.take_checkpoint(name, checkpoint.sequence, all_behind, time.time())
    save_fleet(connection, name, fleet)
    connection.execute("DELETE FROM checkpoint_part WHERE fleet = ?", (fleet.id,))
    connection.executemany(
        "INSERT INTO checkpoint_part (fleet, number, checksum, data) VALUES (?, ?, ?, ?)",
        ((fleet.id, number, checksum_of(part, number), part) for number, part in enumerate(checkpoint.parts)),
    )


def give_sign_of_life(connection: sqlite3.Connection, name: str, term: int) -> int:
    """Record that the holder lives; return the head."""
    fleet = held_fleet(connection, name, term)
    fleet.last_seen = time.time()
    save_fleet(connection, name, fleet)
    return fleet.head


def release_fleet(connection: sqlite3.Connection, name: str, term: int) -> None:
    """Record that the holder has ended."""
    connection.execute("UPDATE fleet SET is_held = 0 WHERE name = ? AND term = ?", (name, term))


def count_refusal(connection: sqlite3.Connection, name: str) -> None:
    """Count a write of an earlier term."""
    connection.execute("UPDATE fleet SET refused = refused + 1 WHERE name = ?", (name,))


def held_fleet(connection: sqlite3.Connection, name: str, term: int) -> FleetRow:
    """Return a fleet for a writer of this *term*; raise `Superseded` or `StoreBehind`."""
    fleet = find_fleet(connection, name) or FleetRow()
    fleet.check_term(name, term)
    return fleet


# Removing -----------------------------------------------------------------------------------------------------------


def remove_oldest(connection: sqlite3.Connection, name: str, term: int, keep: Keep) -> bool:
    """Remove records behind the checkpoint that are not kept any more; return True if there may be others."""
    fleet = find_fleet(connection, name)
    if fleet is None or fleet.term != term or fleet.checkpoint is None:
        return False
    oldest = connection.execute(
        "SELECT sequence, time, length(data) FROM record WHERE fleet = ? AND sequence <= ? ORDER BY sequence LIMIT ?",
        (fleet.id, fleet.checkpoint, MAX_ROWS),
    ).fetchall()
    count = fleet.remove_oldest(oldest, keep, time.time())
    if not count:
        return False
    last = oldest[count - 1][0]
    connection.execute("DELETE FROM record WHERE fleet = ? AND sequence <= ?", (fleet.id, last))
    save_fleet(connection, name, fleet)
    return count == MAX_ROWS


def forget_fleet(connection: sqlite3.Connection, name: str) -> None:
    """Put an empty row in place of a fleet's; its term is counted up, so that its holder is refused."""
    fleet = find_fleet(connection, name)
    if fleet is None or fleet.is_forgotten:
        return
    # The new row has another id, so what the old one had belongs to no fleet any more and can be removed in portions.
    connection.execute("UPDATE fleet SET name = name || char(0) || id WHERE id = ?", (fleet.id,))
    save_fleet(connection, name, FleetRow(term=fleet.term + 1, is_forgotten=True))
    connection.execute("DELETE FROM fleet WHERE id = ?", (fleet.id,))


def remove_orphans(connection: sqlite3.Connection) -> bool:
    """Remove rows that belong to no fleet; return True if there may be others."""
    removed = 0
    for table in ("record", "checkpoint_part"):
        # The fleets that the table has rows of, by the first row of each: others have a million.
        fleets = (
            f"WITH RECURSIVE found(fleet) AS (SELECT min(fleet) FROM {table} UNION ALL"  # noqa: S608 - a constant
            f" SELECT (SELECT min(fleet) FROM {table} WHERE fleet > found.fleet) FROM found WHERE found.fleet NOT NULL)"
            " SELECT fleet FROM found WHERE fleet NOT IN (SELECT id FROM fleet)"
        )
        for (fleet,) in connection.execute(fleets).fetchall():
            removed += connection.execute(
                f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE fleet = ? LIMIT ?)",  # noqa: S608
                (fleet, MAX_ROWS - removed),
            ).rowcount
    return removed > 0


# Reading ------------------------------------------------------------------------------------------------------------


def read_page(connection: sqlite3.Connection, name: str, after: int, limit: int) -> Page:
    """Return the records behind number *after*: at most *limit*, and about `PAGE_BYTES`."""
    fleet = find_fleet(connection, name)
    if fleet is None:
        return Page((), 0)
    count = min(limit, MAX_ROWS)
    rows = connection.execute(
        "SELECT sequence, previous, time, checksum, data FROM record WHERE fleet = ? AND sequence > ?"
        " ORDER BY sequence LIMIT ?",
        (fleet.id, max(after, fleet.removed_to), count),
    )
    records: list[StoredRecord] = []
    size, last = 0, max(after, fleet.removed_to)
    for sequence, previous, made_at, checksum, data in rows:
        if (previous != last if records else previous > last) or checksum_of(data, sequence) != checksum:
            raise JournalDamaged(f"the records of {name!r} behind {last} are not what was written")
        records.append(StoredRecord(sequence, made_at, data))
        size, last = size + len(data), sequence
        if size >= PAGE_BYTES:
            break
    rows.close()
    if last < fleet.head and len(records) < count and size < PAGE_BYTES:
        raise JournalDamaged(f"the records of {name!r} behind {last} are missing")
    return Page(records, fleet.removed_to)


def read_parts(
    connection: sqlite3.Connection, name: str, first: int, sequence: int | None, text: bytes
) -> tuple[int | None, list[bytes]]:
    """Return some parts of the checkpoint from number *first* on, and its sequence number, None where there is none.

    No parts come where it is not the checkpoint numbered *sequence* any more, and empty ones without the *text*.
    """
    fleet = find_fleet(connection, name)
    if fleet is None or fleet.checkpoint is None or sequence not in (None, fleet.checkpoint):
        return (fleet.checkpoint if fleet else None), []
    if not first:
        (size,) = connection.execute(
            "SELECT total(length(data)) FROM checkpoint_part WHERE fleet = ?", (fleet.id,)
        ).fetchone()
        check_size(name, int(size))
    parts: list[bytes] = []
    size = 0
    rows = connection.execute(
        "SELECT number, checksum, data FROM checkpoint_part WHERE fleet = ? AND number >= ? ORDER BY number LIMIT ?",
        (fleet.id, first, MAX_ROWS),
    )
    for number, checksum, data in rows:
        if checksum_of(data, number) != checksum or number != first + len(parts):
            raise JournalDamaged(f"the checkpoint of {name!r} is not what was written")
        parts.append(data if text in data else b"")
        size += len(data)
        if size >= PAGE_BYTES:
            break
    rows.close()
    return fleet.checkpoint, parts


def find_heads(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, int]:
    """Return the number of the newest record of each fleet that there is."""
    marks = ", ".join("?" * len(names))
    return dict(connection.execute(f"SELECT name, head FROM fleet WHERE name IN ({marks})", names))  # noqa: S608 - marks


def list_fleets(connection: sqlite3.Connection) -> list[FleetEntry]:
    """Return the fleets, by name."""
    rows = connection.execute(f"{_FLEETS} WHERE NOT is_forgotten ORDER BY name")
    found = (facts_of(rows, row) for row in rows)
    return [row_of({**facts}).entry(facts["name"]) for facts in found]


def find_entry(connection: sqlite3.Connection, name: str) -> FleetEntry | None:
    """Return one fleet, None where there is no such fleet."""
    row = find_fleet(connection, name)
    return None if row is None or row.is_forgotten else row.entry(name)
