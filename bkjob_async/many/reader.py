"""Read what the runners of all shards report, with one cursor: one text of the cursors of each."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import TracebackType
from typing import Self

from bkjob_async.errors import FleetNotFound, JournalUnavailable, UsageError
from bkjob_async.journal.follow import NOW, WAIT_SECONDS, Follower, Outage, newest_cursor
from bkjob_async.journal.shards import shard_name
from bkjob_async.journal.store import Store
from bkjob_async.many.concurrently import run_concurrently
from bkjob_async.model.events import Batch

# So many batches are read ahead of the reader, of all shards together; so many of a shard before others have their turn.
READ_AHEAD, BATCHES_AT_ONCE = 64, 64
# So many shards are read at the same time.
READ_AT_ONCE = 8
# Seconds between looks whether all shards are there.
LOSS_CHECK_SECONDS = 5.0

CountShards = Callable[[], Awaitable[int]]
_Item = tuple[int, Batch | BaseException | None]
_CURSOR = re.compile(r"(?P<shards>\d+);(?P<places>(\d+:[\w.-]+(,\d+:[\w.-]+)*)?)")


class FleetReader:
    """An async iterator over the batches of all shards, in the order of each; `Fleet.reader` makes one.

    Open it with `async with`. `cursor` is the place behind all batches that were given: store that one, in the same
    transaction as the effect, and not the cursor of a batch, which names a place in one shard only. Batches of
    different shards come as they are stored; everything reported of a target comes from one shard, in order. However
    many shards there are, one connection waits for all of them.
    """

    def __init__(self, store: Store, name: str, count: CountShards, *, after: str | None, live: bool) -> None:
        """Read the fleet *name* behind the cursor *after*; nothing is read yet. *count* returns how many shards it has."""
        self._store = store
        self._name = name
        self._count = count
        self._after = after or ""
        self._shards = 0
        self._cursors: dict[int, str] = {}
        self._live = live
        self._arrived: asyncio.Queue[_Item] = asyncio.Queue(READ_AHEAD)
        self._task: asyncio.Task[None] | None = None
        self._followers: dict[int, Follower] = {}
        self._outage = Outage(name)
        self._has_ended = False
        self._checked_at = 0.0

    @property
    def cursor(self) -> str:
        """The place behind the last batch that was given, at first the one that the reader was given."""
        return fleet_cursor(self._shards, self._cursors) or self._after

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise UsageError("a reader is opened once; make another with fleet.reader()")
        shards = await self._count()
        if self._after == NOW:
            self._after = await self._cursor_of_now(shards)
        self._shards, self._cursors = shards, shard_cursors(self._after, shards)
        self._followers = {
            shard: Follower(
                self._store, shard_name(self._name, shard), after=self._cursors.get(shard), live=False
            )
            for shard in range(shards)
        }
        loop = asyncio.get_running_loop()
        self._checked_at = loop.time()
        self._task = loop.create_task(self._read(), name=f"bkjob_async reader {self._name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop reading, and end whoever iterates; harmless when repeated."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            while not self._arrived.empty():
                self._arrived.get_nowait()
            self._arrived.put_nowait((0, None))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        if self._task is None:
            raise UsageError("open the reader first: async with fleet.reader() as reader")
        if not self._has_ended:
            shard, item = await self._arrived.get()
            if isinstance(item, Batch):
                self._cursors[shard] = item.cursor
                return item
            self._arrived.put_nowait((0, None))  # other tasks may wait, too
            self._has_ended = True
            if item is not None:
                raise item
        raise StopAsyncIteration

    async def _cursor_of_now(self, shards: int) -> str:
        names = (shard_name(self._name, shard) for shard in range(shards))
        cursors = await run_concurrently((newest_cursor(self._store, name) for name in names), READ_AT_ONCE)
        return fleet_cursor(shards, dict(enumerate(cursors)))

    # Reading --------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Pass on the batches of all shards, then how that ended."""
        end: BaseException | None = None
        try:
            await self._follow()
        except Exception as error:  # noqa: BLE001 - raised where the reader is read
            end = error
        await self._arrived.put((0, end))

    async def _follow(self) -> None:
        """Read the shards that have something new, again and again; without *live*, to their ends."""
        ready = {*range(self._shards)}
        while ready or self._live:
            try:
                ready = await self._give(ready)
                self._outage.end()
                if self._live:
                    ready |= {*await self._wait(seconds=0.0 if ready else WAIT_SECONDS)}
                    ready |= await self._find_lost()
            except JournalUnavailable as error:
                if not self._live:
                    raise
                ready = {*range(self._shards)}
                await self._outage.wait(error)

    async def _give(self, shards: Collection[int]) -> set[int]:
        """Pass on some batches of each of these *shards*; return those that have more."""
        have_more = await run_concurrently(map(self._give_some, shards), READ_AT_ONCE)
        return {shard for shard, has_more in zip(shards, have_more, strict=True) if has_more}

    async def _give_some(self, shard: int) -> bool:
        """Pass on some batches of a shard; return True if it has more."""
        for _ in range(BATCHES_AT_ONCE):
            batch = await self._next_of(shard)
            if batch is None:
                return False
            await self._arrived.put((shard, batch))
        return True

    async def _next_of(self, shard: int) -> Batch | None:
        """Return the next batch of a shard, None at its end, and before its first runner."""
        follower = self._followers[shard]
        try:
            return await anext(follower, None)
        except FleetNotFound:
            if follower.cursor:
                raise
            return None

    async def _wait(self, *, seconds: float) -> list[int]:
        """Return the shards that have something new, none after so many *seconds*."""
        names = {shard_name(self._name, shard): shard for shard in self._followers}
        places = {name: self._followers[shard].read_to for name, shard in names.items()}
        return [names[name] for name in await self._store.wait_any(places, seconds=seconds)]

    async def _find_lost(self) -> set[int]:
        """From time to time, return the shards whose stores have lost what was read; raise `FleetNotFound` where one is no more, or the fleet is another."""
        now = asyncio.get_running_loop().time()
        if now < self._checked_at + LOSS_CHECK_SECONDS:
            return set()
        self._checked_at = now
        shards = await self._count()
        if shards != self._shards:
            raise FleetNotFound(
                f"the fleet {self._name!r} of {self._shards} shards was removed, and there is another of {shards}: open"
                " another reader without a cursor"
            )
        begun = {shard: follower for shard, follower in self._followers.items() if follower.cursor}
        have_lost = await run_concurrently((each.look_for_loss() for each in begun.values()), READ_AT_ONCE)
        return {shard for shard, has_lost in zip(begun, have_lost, strict=True) if has_lost}


def fleet_cursor(shards: int, cursors: Mapping[int, str]) -> str:
    """Return one cursor for those of the shards; empty text before the first batch."""
    places = ",".join(f"{shard}:{cursor}" for shard, cursor in sorted(cursors.items()) if cursor)
    return f"{shards};{places}" if places else ""


def shard_cursors(cursor: object, shards: int) -> dict[int, str]:
    """Return the cursor of each shard, none for nothing; raise `UsageError` for what is no cursor of so many *shards*."""
    if not cursor:
        return {}
    found = _CURSOR.fullmatch(cursor) if isinstance(cursor, str) else None
    if found is None:
        raise UsageError(
            f"{cursor!r:.60} is not a cursor of a fleet's reader: store reader.cursor, not that of a batch or an event"
        )
    if int(found["shards"]) != shards:
        raise UsageError(
            f"this cursor is of a fleet of {found['shards']} shards; this one has {shards} shards"
        )
    places = [place.partition(":") for place in found["places"].split(",") if place]
    cursors = {int(shard): place for shard, _, place in places}
    if len(cursors) < len(places) or any(shard >= shards for shard in cursors):
        raise UsageError("this cursor names a shard twice, or one that there is not")
    return cursors
