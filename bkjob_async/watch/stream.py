"""One stream of news, read by any number of readers, each at its own pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from attrs import evolve

from bkjob_async.engine.stream.cursor import unknown_cursor
from bkjob_async.engine.stream.event_log import EventLog
from bkjob_async.engine.stream.lazy_events import last_index
from bkjob_async.engine.tracking.job_tracker import JobTracker
from bkjob_async.engine.tracking.joined_targets import Following
from bkjob_async.errors import UsageError
from bkjob_async.model.events import Batch, Event, InSync, Trouble
from bkjob_async.model.refs import JobRef
from bkjob_async.watch.backlog import PORTION, Backlog, Position
from bkjob_async.watch.picking import as_skipped
from bkjob_async.watch.readable import Readable
from bkjob_async.watch.reader import Reader
from bkjob_async.watch.targets import Targets
from bkjob_async.watch.watcher import PollTargets

T = TypeVar("T")


class SharedStream(Readable):
    """The log of what was told of some targets, and the present in place of what has fallen off it.

    It is `new`, `open` or `closed`; what was told stays readable after that.
    """

    def __init__(self, watcher: PollTargets) -> None:
        """Hold nothing yet; *watcher* has the stories of the targets."""
        self._watcher = watcher
        self._targets = Targets()
        self._following = Following()
        self._log = EventLog(is_watched=self._targets.__contains__)
        self._state = "new"
        self._error: BaseException | None = None
        self._opened_at: int | None = None
        self._in_sync_at: int | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        # While the watch is open the engine has the stories; afterwards they are kept for readers that come late.
        self._kept: dict[JobRef, JobTracker] = {}

    def _story(self, job: JobRef) -> JobTracker | None:
        """Return the story of a job that is, or was, watched here."""
        if self._state == "closed" and job in self._kept:
            return self._kept[job]
        return self._watcher.story(job) if self._targets.of(job) else None

    # Readers --------------------------------------------------------------------------------------------------------

    def _reader(self, pick: Callable[[Batch], Iterable[T]], after: str | None = None) -> Reader[T]:
        if not after:
            return Reader(self, pick)
        place = self._watcher.places.parse(after)
        if self._opened_at is None or place.sequence <= self._opened_at:
            return Reader(self, lambda batch: pick(self._as_present(batch)), behind=place, cursor=after)
        batch = self._log.batch_numbered(place.sequence)
        if batch is not None and place.index is not None and place.index > last_index(batch.events):
            raise unknown_cursor(after)
        return Reader(self, pick, behind=place, cursor=after)

    def _as_present(self, batch: Batch) -> Batch:
        """Return a batch for a reader whose cursor is from before this watch: until it is in sync, all is catching up."""
        is_news = self._in_sync_at is not None and batch.sequence > self._in_sync_at
        return batch if is_news else as_skipped(batch)

    async def next_batch(self, position: Position) -> Batch | None:
        """Return the next batch for who stands at *position*, and move that behind it; None at the end."""
        while True:
            if self._state == "new":
                raise UsageError("open the watch first: async with client.watch(...) as watch")
            if position.place < self._log.first:
                self._find_place(position)
            batch, backlog = self._log.batch_at(position.place), position.backlog
            if batch is not None:
                told = position.pass_by(batch)
            elif backlog is not None:
                if not backlog.rested:
                    await asyncio.sleep(0)  # others have their turn
                    backlog.rested = True
                    continue
                told = self._portion(position, backlog)
            elif self._error is not None:
                raise self._error
            elif self._state == "closed":
                return None
            else:
                await self._news()
                continue
            if told is not None:
                return told

    async def _news(self) -> None:
        """Wait until there is another batch, or none to come."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)

    def _find_place(self, position: Position) -> None:
        """Find the place behind what was seen; where that has fallen off the log, the present takes its place."""
        if position.seen >= self._log.last_dropped:
            position.place = self._log.position_after(position.seen)
            return
        if position.backlog is None:
            # Who comes from before this watch missed all of it, however long ago the engine saw it.
            is_new = self._opened_at is not None and position.seen <= self._opened_at
            since = 0 if is_new else position.seen + 1
            position.backlog = Backlog(self._targets.by_job(), position.seen, position.cursor, since=since)
        else:
            position.backlog.fall_behind_again((job for job, _ in self._targets.jobs()), position.seen)
        latest = self._log.batch_at(self._log.end - 1)
        assert latest is not None  # noqa: S101 - a log lets go of its oldest, never of its newest
        position.place, position.seen = self._log.end, latest.sequence

    def _portion(self, position: Position, backlog: Backlog) -> Batch | None:
        """Return the present of the next jobs of a backlog, with the last of them what troubled meanwhile.

        None where nothing of it is news.
        """
        backlog.rested = False
        jobs, size = [], 0
        while backlog.jobs and size < PORTION:
            missed = backlog.pop()
            story = self._story(missed.job)
            if story is not None:
                jobs.append((story, missed))
                size += 1 + sum(len(tracker.hosts) for tracker in story.steps)
        at = self._watcher.places.next_stamp(asyncio.get_running_loop().time())
        cursor = backlog.cursor
        events: list[Event] = []
        for story, missed in jobs:
            refs = self._targets.of(story.ref)
            events += self._following.present(story, refs, cursor, missed.since, skipped=missed.skipped)
        if not backlog.jobs:
            position.backlog = None
            events += self._missed_signals(backlog.seen, cursor)
            if events:
                cursor = at.cursor
                events[-1] = evolve(events[-1], cursor=cursor)
        return position.go_behind(Batch(at.sequence, tuple(events), cursor)) if events else None

    def _missed_signals(self, seen: int, cursor: str) -> Iterator[Event]:
        """Yield what troubled since batch *seen*, as far as it still matters, and that all is in sync."""
        for signal in self._log.signals(seen):
            if seen or isinstance(signal, Trouble):
                yield evolve(signal, skipped=True, cursor=cursor, index=0)
        if self._in_sync_at is not None and seen < self._in_sync_at:
            yield InSync(cursor=cursor)

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
