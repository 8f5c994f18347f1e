"""Read from the store the batches of a watch that its log holds no more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from bkjob_async.engine.journaling.decoding import decode_record
from bkjob_async.engine.journaling.fleet_facts import LOCAL_NUMBERS, LOST, cursor_behind, position_in
from bkjob_async.engine.journaling.forms import Term
from bkjob_async.engine.journaling.records import batch_of
from bkjob_async.engine.stream.cursor import CursorPosition, CursorSequence, parse_cursor, unknown_cursor
from bkjob_async.journal.follow import present_batches
from bkjob_async.journal.loading import check_order, load_fleet
from bkjob_async.journal.store import Page, Store
from bkjob_async.model.events import Batch
from bkjob_async.watch.stream.readers import BEGINNING, Position

# So many records are read at a time for one reader.
PAGE_SIZE = 100


class StoredHistory:
    """The batches of a fleet up to what a log holds, of this process and of earlier ones."""

    def __init__(
        self,
        store: Store,
        name: str,
        terms: Sequence[Term],
        cursors: CursorSequence,
        *,
        head: int,
        is_behind: Callable[[], Awaitable[bool]],
    ) -> None:
        """Read the fleet *name*; *terms* are its openings, the last one behind *head* by the client with these *cursors*.

        *is_behind* tells whether the store has lost records, and nobody stores them anew.
        """
        self._store = store
        self._name = name
        self._terms = terms
        self._cursors = cursors
        self._head, self._issued = head, cursors.last
        self._is_behind = is_behind

    def position(self, cursor: str) -> CursorPosition:
        """Return the place that a cursor of any holder names; raise `UsageError` for one that none has given out."""
        if not cursor:
            return BEGINNING
        place, client = parse_cursor(cursor)
        if client == self._cursors.name and place.sequence > self._cursors.last:
            raise unknown_cursor(cursor)
        if client == self._cursors.name and self._head + LOCAL_NUMBERS < place.sequence <= self._issued:
            return LOST  # given out before this opening, and not stored
        return position_in(self._terms, self._cursors.last, cursor)

    def cursor_behind(self, head: int) -> str:
        """Return the cursor behind record number *head*, empty text before the first."""
        return cursor_behind(self._terms, head)

    async def next_batch(self, position: Position, until: int) -> Batch | None:
        """Return the next batch for a reader, up to number *until*; None where there is none.

        A reader from before what is kept is given the newest of each host, marked `skipped`, in portions, as is one that
        has not read what the store has lost since. After `JournalUnavailable` the same call goes on.
        """
        while True:
            if position.portions is not None:
                await asyncio.sleep(0)
                portion = next(position.portions, None)
                if portion is not None:
                    return position.move_behind(portion)
                position.portions = None
                position.seen = max(position.seen, position.present_until)
                return None
            while position.stored and position.stored[-1].sequence <= position.seen:
                position.stored.pop()  # read from the log since
            if not position.stored:
                page = await self._read(max(0, position.seen))
                if page.removed_to > position.seen:
                    await self._begin_present(position, until)
                    continue
                check_order(page.records, position.seen, self._name)
                position.stored = list(reversed(page.records))
            if not position.stored or position.stored[-1].sequence > until:
                position.stored.clear()
                if await self._replace_lost(position, until):
                    continue
                position.seen = max(position.seen, until)
                return None
            batch = batch_of(decode_record(position.stored[-1].data))
            position.seen = position.stored.pop().sequence
            rest = None if batch is None else position.rest_of(batch)
            if rest is not None:
                return position.move_behind(rest)

    async def _read(self, after: int) -> Page:
        """Return records behind number *after*."""
        return await self._store.read(self._name, after, limit=PAGE_SIZE)

    async def _replace_lost(self, position: Position, until: int) -> bool:
        """Begin the present if the store has lost what a reader has not read, up to number *until*; return that."""
        if position.seen >= until:
            return False
        if not await self._is_behind():
            page = await self._read(max(0, position.seen))
            if page.removed_to > position.seen or (page.records and page.records[0].sequence <= until):
                return True  # stored anew meanwhile
            if position.seen + LOCAL_NUMBERS >= until:
                return False
            # Record number `until` was stored. It was lost, and another process has written since.
            position.seen = LOST.last_whole_batch
        await self._begin_present(position, until)
        return True

    async def _begin_present(self, position: Position, until: int) -> None:
        """Put the newest of all that changed behind a position in place of records that are gone, up to number *until*."""
        state = (await load_fleet(self._store, self._name)).fold
        position.portions = present_batches(state, position.seen + 1, position.cursor)
        # The store may have less than what the reader goes on behind.
        position.present_until = max(state.sequence, until)
