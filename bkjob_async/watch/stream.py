"""One stream of news, read by any number of readers, each at its own pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

from attrs import evolve

from bkjob_async.engine.job_story import JobStory
from bkjob_async.engine.log import Log
from bkjob_async.errors import UsageError
from bkjob_async.model.events import Batch, Event, InSync, Trouble
from bkjob_async.model.refs import JobRef
from bkjob_async.watch.picking import as_skipped
from bkjob_async.watch.readable import Readable
from bkjob_async.watch.reader import Reader
from bkjob_async.watch.targets import Targets
from bkjob_async.watch.watcher import Watcher

T = TypeVar("T")


class SharedStream(Readable):
    """The log of what was told of some targets, and the present in place of what has fallen off it.

    It is `new`, `open` or `closed`; what was told stays readable after that.
    """

    def __init__(self, watcher: Watcher) -> None:
        """Hold nothing yet; *watcher* has the stories of the targets."""
        self._watcher = watcher
        self._targets = Targets()
        self._log = Log(keeps=self._targets.__contains__)
        self._state = "new"
        self._error: BaseException | None = None
        self._opened_at: int | None = None
        self._in_sync_at: int | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        # While the watch is open the engine has the stories; afterwards they are kept for readers that come late.
        self._kept: dict[JobRef, JobStory] = {}

    def _story(self, job: JobRef) -> JobStory | None:
        """Return the story of a job that is, or was, watched here."""
        if self._state == "closed" and job in self._kept:
            return self._kept[job]
        return self._watcher.story(job) if self._targets.of(job) else None

    # Readers --------------------------------------------------------------------------------------------------------

    def _reader(self, pick: Callable[[Batch], Iterable[T]], after: str | None = None) -> Reader[T]:
        if not after:
            return Reader(self, pick)
        seen = self._watcher.places.place(after)
        if self._opened_at is None or seen < self._opened_at:
            return Reader(self, lambda batch: pick(self._as_present(batch)), seen=seen, cursor=after)
        return Reader(self, pick, seen=seen, cursor=after)

    def _as_present(self, batch: Batch) -> Batch:
        """Return a batch for a reader whose cursor is from before this watch: until it is in sync, all is catching up."""
        is_news = self._in_sync_at is not None and batch.sequence > self._in_sync_at
        return batch if is_news else as_skipped(batch)

    async def next_batch(self, place: int, seen: int) -> tuple[Batch, int] | None:
        """Return the first batch at or after *place* and behind *seen*, with the place after it; None at the end."""
        while True:
            if self._state == "new":
                raise UsageError("open the watch first: async with client.watch(...) as watch")
            if place < self._log.first:
                if seen < self._log.forgotten:
                    return self._catch_up(seen)
                place = self._log.place_after(seen)
            batch = self._log.at(place)
            if batch is not None:
                if batch.sequence > seen:
                    return batch, place + 1
                place = self._log.place_after(seen)
                continue
            if self._error is not None:
                raise self._error
            if self._state == "closed":
                return None
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)

    def _catch_up(self, seen: int) -> tuple[Batch, int]:
        """Put the present in place of what has fallen off the log."""
        latest = self._log.at(self._log.end - 1)
        assert latest is not None  # noqa: S101 - a log lets go of its oldest, never of its newest
        events: list[Event] = []
        for job, refs in self._targets.jobs():
            story = self._story(job)
            if story is None:
                continue
            events += story.present(refs, latest.cursor, since=seen + 1, skipped=seen > 0)
        events += [
            evolve(signal, skipped=True, cursor=latest.cursor)
            for signal in self._log.signals(seen)
            if seen or isinstance(signal, Trouble)
        ]
        if self._in_sync_at is not None and seen < self._in_sync_at:
            events.append(InSync(cursor=latest.cursor))
        return Batch(latest.sequence, tuple(events), latest.cursor), self._log.end

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
