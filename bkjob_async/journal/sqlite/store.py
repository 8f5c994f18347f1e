"""A store in a file of SQLite, for the processes of one machine."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from sqlite3 import Connection
from typing import TypeVar

from bkjob_async.errors import ClientClosed, JournalError, JournalUnavailable, Superseded, WrongEventLoop
from bkjob_async.journal.keep import KEEP, Keep, Keeps
from bkjob_async.journal.sqlite import keys, tables
from bkjob_async.journal.sqlite.file import SqliteFile, is_locked
from bkjob_async.journal.store import (
    Checkpoint,
    FleetEntry,
    Holder,
    InboxEntry,
    KeyChanges,
    Keys,
    Opened,
    Page,
    StoredRecord,
)
from bkjob_async.journal.urls import SqlitePlace

R = TypeVar("R")
Transaction = Callable[[], AbstractContextManager[Connection]]

# How often a waiting reader looks for records: at first, and at most. Nothing tells it of another process's.
FIRST_PAUSE, LAST_PAUSE = 0.01, 0.1
# What is not repeated by its caller is tried again for so many seconds while other processes have the file locked.
PATIENCE = 30.0


class SqliteStore:
    """Fleets in a file; one thread works on it, so that the event loop never waits for the disk.

    A transaction is written whole or not at all, also when its process is killed. With `synchronous=normal` the newest
    transactions may be missing after a power cut; with `full` none is.
    """

    def __init__(self, place: SqlitePlace, keep: Keep = KEEP) -> None:
        """Prepare; the file is opened when it is first used, and created when the first fleet is opened."""
        self._shown = str(place)
        self.keeps = Keeps(keep)
        self._file = SqliteFile(place.path, self._shown, synchronous=place.synchronous)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bkjob-journal")
        self._is_closed = False
        self._closing: Future[None] | None = None
        self._pid: int | None = None  # of the process that has the file open

    def __repr__(self) -> str:
        return f"<SqliteStore {self._shown}>"

    async def aclose(self) -> None:
        """Close the file and end the thread; harmless when repeated, and in a forked child, where the thread is not.

        Cancelled while the thread is busy, it closes the file all the same, when the thread comes to it.
        """
        if not self._is_closed:
            self._is_closed = True
            if not self._is_elsewhere():
                self._closing = self._executor.submit(self._file.close)
                self._executor.shutdown(wait=False)
        if self._closing is not None and not self._is_elsewhere():
            await asyncio.to_thread(self._closing.result)

    # Writing --------------------------------------------------------------------------------------------------------

    async def open(self, name: str, holder: Holder, *, take_over: bool, after_term: int = 0) -> Opened:
        """Take the fleet *name* for *holder*, and begin its next term."""
        take = partial(
            tables.open_fleet, name=name, holder=holder, take_over=take_over, after_term=after_term
        )
        return await self._write(take)

    async def append(
        self,
        name: str,
        *,
        term: int,
        head: int,
        records: Sequence[StoredRecord],
        targets: int,
        taken_up: int = 0,
    ) -> None:
        """Append *records*, all or none, behind number *head*, and remove what they take up from the inbox."""

        def append(connection: Connection) -> None:
            tables.append_records(connection, name, term=term, head=head, records=records, targets=targets)
            if taken_up:
                keys.remove_from_inbox(connection, name, taken_up)

        await self._write_in_term(append, name)

    async def write_checkpoint(
        self, name: str, checkpoint: Checkpoint, *, term: int, all_behind: int | None = None
    ) -> None:
        """Replace the fleet's checkpoint, and remove what is older than it and not kept any more."""

        def write(connection: Connection) -> None:
            tables.replace_checkpoint(connection, name, checkpoint, term=term, all_behind=all_behind)

        await self._write_in_term(write, name)
        await self._remove_oldest(name, term)

    async def give_sign_of_life(self, name: str, *, term: int) -> int:
        """Record that the holder lives, and remove what has become too old; return the head."""
        head = await self._write_in_term(partial(tables.give_sign_of_life, name=name, term=term), name)
        await self._remove_oldest(name, term)
        return head

    async def release(self, name: str, *, term: int) -> None:
        """Record that the holder has ended."""
        await self._write(partial(tables.release_fleet, name=name, term=term))

    async def forget(self, name: str) -> None:
        """Remove a fleet with all it has; only its term is kept, so that its holder is refused."""
        await self._read(partial(tables.find_fleet, name=name))  # nothing is created for it
        await self._write(partial(tables.forget_fleet, name=name))
        await self._write(partial(keys.remove_from_inbox, name=name))
        while await self._write(tables.remove_orphans):
            pass

    async def _remove_oldest(self, name: str, term: int) -> None:
        """Remove what is not kept any more, in portions between which others write."""
        while await self._write(
            partial(tables.remove_oldest, name=name, term=term, keep=self.keeps.of(name))
        ):
            pass

    # Reading --------------------------------------------------------------------------------------------------------

    async def checkpoint(self, name: str, *, text: bytes = b"") -> Checkpoint | None:
        """Return the fleet's checkpoint, None where there is none or no such fleet."""
        sequence: int | None = None
        parts: list[bytes] = []
        while True:
            read = partial(tables.read_parts, name=name, first=len(parts), sequence=sequence, text=text)
            found, more = await self._read(read)
            if found is None:
                return None
            if sequence is not None and found != sequence:  # replaced meanwhile
                parts = []
            elif not more:
                return Checkpoint(found, parts)
            sequence = found
            parts += more

    async def read(
        self,
        name: str,
        after: int,
        *,
        limit: int = tables.MAX_ROWS,
        text: bytes = b"",  # noqa: ARG002 - a page is in the memory of this process before it could be left out
    ) -> Page:
        """Return the records behind number *after*, at most *limit* of them."""
        return await self._read(partial(tables.read_page, name=name, after=after, limit=limit))

    async def wait_any(self, places: Mapping[str, int], *, seconds: float) -> Collection[str]:
        """Return the fleets that have a record behind their number, none after so many *seconds*."""
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + seconds, FIRST_PAUSE
        while True:
            heads = await self._read(partial(tables.find_heads, names=[*places]))
            found = [name for name, after in places.items() if heads.get(name, 0) > after]
            remaining = end - loop.time()
            if found or remaining <= 0:
                return found
            await asyncio.sleep(min(pause, remaining))
            pause = min(pause * 1.5, LAST_PAUSE)

    async def fleets(self) -> Sequence[FleetEntry]:
        """Return all fleets, by name."""
        return await self._read(tables.list_fleets)

    async def fleet(self, name: str) -> FleetEntry | None:
        """Return one fleet, None where there is no such fleet."""
        return await self._read(partial(tables.find_entry, name=name))

    # Inboxes and keys -----------------------------------------------------------------------------------------------

    async def put(self, name: str, entries: Sequence[bytes]) -> None:
        """Put *entries* into the inbox of a fleet."""
        await self._write(partial(keys.put_entries, name=name, entries=entries))

    async def inbox(self, name: str, after: int) -> Sequence[InboxEntry]:
        """Return the entries of an inbox behind number *after*, at most `INBOX_PAGE`."""
        return await self._read(partial(keys.read_inbox, name=name, after=after))

    async def inbox_size(self, name: str) -> int:
        """Return how many entries wait in an inbox."""
        return await self._read(partial(keys.count_inbox, name=name))

    async def keys(self, space: str, names: Sequence[str] = ()) -> Keys:
        """Return the keys of a space that have one of *names*, or all."""
        return await self._read(partial(keys.read_keys, space=space, names=names))

    async def change_keys(self, space: str, changes: KeyChanges, *, expected: KeyChanges) -> bool:
        """Set and remove keys, if those that are *expected* are there."""

        def change(connection: Connection) -> bool:
            self._file.is_header_behind |= keys.begin_keys(connection)
            return keys.change_keys(connection, space, changes, expected)

        return await self._write(change)

    async def now(self) -> float:
        """Return the time of this machine."""
        return time.time()

    # The thread -----------------------------------------------------------------------------------------------------

    async def _read(self, function: Callable[[Connection], R]) -> R:
        return await self._run_patiently(self._file.reading, function)

    async def _write(self, function: Callable[[Connection], R]) -> R:
        return await self._run_patiently(self._file.writing, function)

    async def _run_patiently(self, transaction: Transaction, function: Callable[[Connection], R]) -> R:
        """Run *function* in a transaction; try again while other processes have the file locked."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return await self._run(self._in, transaction, function)
            except JournalUnavailable as error:
                if not is_locked(error.__cause__) or time.monotonic() >= end:
                    raise
            await asyncio.sleep(LAST_PAUSE)

    async def _write_in_term(self, function: Callable[[Connection], R], name: str) -> R:
        """Run a write of a holder, and count it if it is refused."""
        return await self._run(self._in_term, function, name)

    def _in(self, transaction: Transaction, function: Callable[[Connection], R]) -> R:
        with transaction() as connection:
            return function(connection)

    def _in_term(self, function: Callable[[Connection], R], name: str) -> R:
        try:
            return self._in(self._file.writing, function)
        except Superseded:
            self._in(self._file.writing, partial(tables.count_refusal, name=name))
            raise

    async def _run(self, function: Callable[..., R], *arguments: object) -> R:
        """Run *function* in the thread of this journal; it is run to its end even if the caller is cancelled."""
        if self._is_closed:
            raise ClientClosed("the journal is closed; open it with open_journal(...)")
        if self._is_elsewhere():
            raise WrongEventLoop(
                "the process was forked after the journal was used; open it anew in the child: Fleet(...) or open_journal(...)"
            )
        self._pid = os.getpid()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
        except JournalError as error:
            error.journal = error.journal or self._shown
            raise

    def _is_elsewhere(self) -> bool:
        """Return True where this process was forked from the one that has the file open."""
        return self._pid not in (None, os.getpid())
