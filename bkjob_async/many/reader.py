"""Reading what the runners of all shards told, and go on telling, with one cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from bkjob_async.errors import FleetNotFound, UsageError
from bkjob_async.journal.follow import Follower
from bkjob_async.journal.shards import shard_name
from bkjob_async.journal.store import Store
from bkjob_async.many.cursor import fleet_cursor, shard_cursors
from bkjob_async.model.events import Batch

# So many batches are read ahead of the reader, of all shards together.
READ_AHEAD = 64
# A shard that never had a runner is looked for again after so many seconds.
LOOK_SECONDS = 1.0

CountShards = Callable[[], Awaitable[int]]
_Item = tuple[int, Batch | BaseException | None]


class FleetReader:
    """An async iterator over the batches of all shards, in the order of each; `Fleet.reader` makes one.

    Open it with `async with`. `cursor` is the place behind all batches that were given: store that one, in the same
    transaction as the effect, and not the cursor of a batch, which names a place in one shard only. Batches of different
    shards come as they are stored; all that is told of a target comes from one shard, in order.
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
        self._tasks: list[asyncio.Task[None]] = []
        self._running = 0

    @property
    def cursor(self) -> str:
        """The place behind the last batch that was given, at first the one that the reader was given."""
        return fleet_cursor(self._shards, self._cursors) or self._after

    async def __aenter__(self) -> Self:
        if self._tasks:
            raise UsageError("a reader is opened once; make another with fleet.reader()")
        shards = await self._count()
        self._shards, self._cursors = shards, shard_cursors(self._after, shards)
        create_task = asyncio.get_running_loop().create_task
        self._tasks = [
            create_task(self._read(shard), name=f"bkjob_async reader {self._name}/{shard}")
            for shard in range(self._shards)
        ]
        self._running = len(self._tasks)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop reading; harmless when repeated."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        if not self._tasks:
            raise UsageError("open the reader first: async with fleet.reader() as reader")
        while self._running:
            shard, item = await self._arrived.get()
            if isinstance(item, Batch):
                self._cursors[shard] = item.cursor
                return item
            self._running -= 1
            if item is not None:
                self._running = 0
                raise item
        raise StopAsyncIteration

    async def _read(self, shard: int) -> None:
        """Pass on the batches of a shard, then how it ended."""
        end: BaseException | None = None
        try:
            await self._follow(shard)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - raised where the reader is read
            end = error
        await self._arrived.put((shard, end))

    async def _follow(self, shard: int) -> None:
        """Pass on the batches of a shard; wait for its first runner."""
        name, after = shard_name(self._name, shard), self._cursors.get(shard)
        has_begun = after is not None
        while True:
            try:
                async for batch in Follower(self._store, name, after=after, live=self._live):
                    has_begun = True
                    await self._arrived.put((shard, batch))
            except FleetNotFound:
                if has_begun:
                    raise
            if not self._live:
                return
            await asyncio.sleep(LOOK_SECONDS)
