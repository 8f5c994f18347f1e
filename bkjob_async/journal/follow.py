"""Read what a watch reports from its journal, in another process, without the platform."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Self

from bkjob_async.engine.journaling.decoding import decode_record
from bkjob_async.engine.journaling.fleet_facts import LOST
from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.forms import RecordForm
from bkjob_async.engine.journaling.records import batch_of
from bkjob_async.engine.stream.batches import last_place, place_behind, rest_of
from bkjob_async.engine.stream.cursor import CursorPosition, parse_cursor, unknown_cursor
from bkjob_async.errors import FleetNotFound, JournalUnavailable, UsageError
from bkjob_async.journal.loading import check_order, load_fleet
from bkjob_async.journal.shards import no_such_log
from bkjob_async.journal.store import Store, StoredRecord
from bkjob_async.model.events import Batch, InSync

logger = logging.getLogger("bkjob_async.journal")

# Seconds that one waiting read lasts, and between attempts at a store that is away.
WAIT_SECONDS = 5.0
RETRY_SECONDS = 1.0

# The place behind all that was reported, for those who begin to follow.
NOW = "now"

# A batch of the present state ends after so many events.
PORTION_SIZE = 200


class Outage:
    """Says once that the journal of the fleet *name* cannot be read, and once that it can be again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._has_begun = False

    async def wait(self, error: JournalUnavailable) -> None:
        """Wait until the next attempt behind one that failed with this *error*."""
        if not self._has_begun:
            self._has_begun = True
            logger.warning(
                "the journal of fleet %r cannot be read, and is tried again each second: %s",
                self._name,
                error,
            )
        await asyncio.sleep(RETRY_SECONDS)

    def end(self) -> None:
        """Note that the journal could be read."""
        if self._has_begun:
            self._has_begun = False
            logger.info("the journal of fleet %r can be read again", self._name)


class Follower:
    """An async iterator over the batches of a fleet; `Journal.follow` makes one.

    `cursor` is that of the last batch that was given, at first the one that the follower was given. `time` is when that batch
    was reported, in Unix seconds, None before the first; a present state has the time of the newest record in it. It needs no
    closing, and may be abandoned at any time. Of tasks that share one each is given other batches.
    """

    def __init__(self, store: Store, name: str, *, after: str | None, live: bool) -> None:
        """Follow the fleet *name* behind the cursor *after*; nothing is read yet."""
        self.cursor = after or ""
        self.time: float | None = None
        self._store = store
        self._name = name
        self._live = live
        self._start = parse_cursor(after) if after and after != NOW else None
        self._after = 0
        self._has_begun = False
        self._records: deque[StoredRecord] = deque()
        self._present: Iterator[Batch] | None = None
        self._rest_of: CursorPosition | None = None
        self._outage = Outage(name)
        self._holder: tuple[int, str] | None = None  # the term of the last record, and its client
        self._reading = asyncio.Lock()

    @property
    def read_to(self) -> int:
        """The number of the newest record that was read, or that need not be."""
        return max(0, self._after)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        async with self._reading:
            batch = await self._next_batch()
            self.cursor = batch.cursor
            return batch

    async def _next_batch(self) -> Batch:
        if not self._has_begun:
            await self._begin()
            self._has_begun = True
        while True:
            if self._present is not None:
                # Before a portion is taken: a read that is cancelled here takes nothing away.
                await asyncio.sleep(0)
                batch = next(self._present, None)
                if batch is not None:
                    return batch
                self._present = None
            if self._records:
                record = decode_record(self._records[0].data)
                if self._may_have_lost_place(record) and await self._find_again():
                    continue
                self._records.popleft()
                batch = self._take(record)
                if batch is not None:
                    return batch
            elif not await self._read_on():
                raise StopAsyncIteration

    def _take(self, record: RecordForm) -> Batch | None:
        """Return what a record holds for this follower, None for nothing."""
        batch = batch_of(record)
        self._after, self.time, self._holder = record.sequence, record.time, (record.term, record.client)
        place, self._rest_of = self._rest_of, None
        if batch is None or place is None or place.index is None or place.sequence != record.sequence:
            return batch
        if place.index > last_place(batch):
            raise unknown_cursor(self.cursor)
        return rest_of(batch, place.index)

    async def _read_on(self) -> bool:
        """Read the next records, and wait for them in a live follower; return False at the end."""
        try:
            page = await self._store.read(self._name, self._after)
            if page.removed_to > self._after:
                await self._catch_up()
                return True
            if not page.records and self._live:
                await self._store.wait_any({self._name: self._after}, seconds=WAIT_SECONDS)
                if await self.look_for_loss():
                    return True
        except JournalUnavailable as error:
            await self._retry_after(error)
            return True
        self._outage.end()
        check_order(page.records, self._after, self._name)
        self._records.extend(page.records)
        return self._live or bool(page.records)

    async def _retry_after(self, error: JournalUnavailable) -> None:
        """Wait until the next attempt; raise *error* in a follower that is not live."""
        if not self._live:
            raise error
        await self._outage.wait(error)

    async def look_for_loss(self) -> bool:
        """Go on with the whole present if the store has fewer records than were read; return that.

        Raises `FleetNotFound` where the fleet is no more.
        """
        entry = await self._store.fleet(self._name)
        if entry is None:
            raise FleetNotFound(f"the fleet {self._name!r} was forgotten")
        return entry.head < self._after and self._holder is not None and await self._find_again()

    def _may_have_lost_place(self, record: RecordForm) -> bool:
        """Return True for a record of another term that does not say that it follows the last one."""
        if self._holder is None or record.behind == self._after:
            return False
        return record.behind is not None or self._holder != (record.term, record.client)

    async def _find_again(self) -> bool:
        """Go on with the whole present if the store has lost records that were read, or is not to be reached; return that."""
        try:
            fold = (await load_fleet(self._store, self._name)).fold
        except JournalUnavailable as error:
            await self._retry_after(error)
            return True
        has_lost = self._has_lost_place(fold)
        if has_lost:
            self._records.clear()
            self._begin_present(fold)
        return has_lost

    def _has_lost_place(self, fold: Fold) -> bool:
        """Return True if the records that were read last are not among those that the store has."""
        if self._holder is None or not self._after:
            return False
        _, client = self._holder
        try:
            return fold.position(f"{self._after}-{client}") is LOST
        except UsageError:  # not one record of that process is left
            return True

    # Beginning ------------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Find the place of the cursor; begin with the present state where the records of the place are gone."""
        if await self._store.fleet(self._name) is None:
            raise await no_such_log(self._store, self._name)
        if self.cursor == NOW:
            self.cursor = await newest_cursor(self._store, self._name)
            self._start = parse_cursor(self.cursor) if self.cursor else None
        place = CursorPosition(0, None)
        if self._start is not None:
            place, client = self._start
            if not await self._is_record_of(place.sequence, client):
                place = (await load_fleet(self._store, self._name)).fold.position(self.cursor)
        self._after, self._rest_of = place.last_whole_batch, place
        if (await self._store.read(self._name, max(0, self._after), limit=1)).removed_to > self._after:
            await self._catch_up()

    async def _is_record_of(self, sequence: int, client: str) -> bool:
        """Return True where the record with this number is kept, and is one of *client*."""
        page = await self._store.read(self._name, sequence - 1, limit=1)
        found = page.records[0] if page.records else None
        return found is not None and found.sequence == sequence and decode_record(found.data).client == client

    async def _catch_up(self) -> None:
        """Give the newest of each host in place of records that are gone; then go on behind it."""
        self._begin_present((await load_fleet(self._store, self._name)).fold)

    def _begin_present(self, fold: Fold) -> None:
        """Give what changed behind the last record that was read, or all if the store has lost that record."""
        if self._has_lost_place(fold):
            logger.warning("the journal of fleet %r has lost records that were read", self._name)
            self._after = LOST.last_whole_batch
        self._present = present_batches(fold, self._after + 1, self.cursor)
        self._after, self._rest_of, self.time = fold.sequence, None, fold.facts.time
        newest = fold.facts.terms[-1] if fold.facts.terms else None
        self._holder = None if newest is None else (newest.number, newest.client)


async def newest_cursor(store: Store, name: str) -> str:
    """Return the cursor behind all that was reported of a fleet, empty text before anything was."""
    entry = await store.fleet(name)
    if entry is None or not entry.head:
        return ""
    records = (await store.read(name, entry.head - 1, limit=1)).records
    if records:
        return decode_record(records[0].data).cursor
    facts = (fold := (await load_fleet(store, name)).fold).facts
    return f"{fold.sequence}-{facts.terms[-1].client}" if facts.terms else ""


def present_batches(fold: Fold, since: int, cursor: str) -> Iterator[Batch]:
    """Yield what changed since record *since*, in portions; all but the last have the *cursor* from before.

    A reader without a cursor is given `InSync` behind it.
    """
    at = datetime.fromtimestamp(fold.facts.time, UTC)
    last = f"{fold.sequence}-{fold.facts.terms[-1].client}" if fold.facts.terms else cursor
    events = fold.present(since, skipped=bool(cursor))
    portion = [*islice(events, PORTION_SIZE)]
    while following := [*islice(events, PORTION_SIZE)]:
        place_behind(portion, cursor, at)
        yield Batch(fold.sequence, tuple(portion), cursor, at=at)
        portion = following
    if not cursor:
        portion.append(InSync())
    if portion:
        place_behind(portion[:-1], cursor, at)
        place_behind(portion[-1:], last, at)
        yield Batch(fold.sequence, tuple(portion), last, at=at)
