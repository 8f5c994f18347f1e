"""The events of one watch: a bounded log, and the present state in place of what has left it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from bkjob_async.engine.stream.batches import last_place, place_behind
from bkjob_async.engine.stream.cursor import CursorSequence, unknown_cursor
from bkjob_async.engine.stream.event_log import EventLog
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.errors import JournalUnavailable, UsageError, WrongEventLoop
from bkjob_async.journal.follow import RETRY_SECONDS
from bkjob_async.model.events import Batch, Event, InSync, Trouble
from bkjob_async.watch.stream.readers import Backlog, MissedJob, Position, Reader, Select, mark_skipped
from bkjob_async.watch.stream.stored_history import StoredHistory
from bkjob_async.watch.stream.target_states import TargetStates

T = TypeVar("T")

# A portion of a backlog ends after this many events; a single job may have more.
PORTION_SIZE = 200


class EventStream:
    """The events of one watch, for any number of readers at their own pace.

    The stream is `new`, `open` or `closed`. A closed one can still be read.
    """

    def __init__(self, present: TargetStates, cursors: CursorSequence) -> None:
        """Begin empty; *present* is for readers that fell behind, *cursors* numbers the batches of the client."""
        self.log = EventLog(is_watched=present.has_target)
        self.state = "new"
        self.opened_by = (
            "async with client.watch(...) as watch"  # a client without await has another statement
        )
        self.in_sync_at: int | None = None
        self.in_sync_index = 0  # within that batch
        self.fallen_behind = 0  # readers that the newest changes were given in place of what they missed
        self._present = present
        self._cursors = cursors
        self._history: StoredHistory | None = None
        self._begins_behind = ""
        self._error: BaseException | None = None
        self.unreadable: BaseException | None = None  # what readers raise that are not shown `Trouble`
        self._opened_at: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()

    def open(self) -> None:
        """Begin the stream behind all batches so far."""
        self.state, self._opened_at = "open", self._cursors.last
        self._loop = asyncio.get_running_loop()

    def check_loop(self) -> None:
        """Raise `WrongEventLoop` in another event loop or process than that in which the stream was opened."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if self._loop is not None and running is not self._loop:
            raise WrongEventLoop(
                "the watch belongs to another event loop or process: connect() there, and watch anew"
            )

    def continue_behind(self, history: StoredHistory, head: int) -> None:
        """Go on behind batch number *head* of *history*, which has what the log does not hold."""
        self._history = history
        self._begins_behind = history.cursor_behind(head)
        self.log.last_dropped = head

    def close(self, error: BaseException | None) -> None:
        """End the stream; readers that reach the end raise *error*, if any."""
        self.state, self._error = "closed", error
        self.wake_readers()

    def set_unreadable(self, error: BaseException | None) -> None:
        """Let readers that are not shown `Trouble` raise *error*, for nothing can be read; None when something was."""
        self.unreadable = error
        if error is not None:
            self.wake_readers()

    def append(self, batch: Batch) -> None:
        """Add a batch and wake the readers that wait for it."""
        self.log.append(batch)
        self.wake_readers()

    def wake_readers(self) -> None:
        """Let readers that wait look again whether they have to."""
        self._news.set()

    @property
    def last_cursor(self) -> str:
        """The cursor of the newest batch, empty before the first."""
        newest = self.log.newest
        return "" if newest is None else newest.cursor

    # Readers --------------------------------------------------------------------------------------------------------

    def reader(
        self,
        select: Select[T],
        after: str | None = None,
        *,
        shows_trouble: bool = True,
        is_over: Callable[[], bool] | None = None,
    ) -> Reader[T]:
        """Return a new reader of what *select* returns of each batch, after a cursor or from the beginning.

        With a journal, empty text is the beginning of what it keeps, and None that of this watch. *shows_trouble* is False
        where *select* leaves `Trouble` out. *is_over* is asked where the reader would wait, and after `wake_readers`.
        """
        reader = partial(Reader[T], self.next_batch, shows_trouble=shows_trouble, is_over=is_over)
        if self._history is not None:
            after = self._begins_behind if after is None else after
            return reader(select, after=self._history.position(after), cursor=after)
        if not after:
            return reader(select)
        place = self._cursors.parse(after)
        if self._opened_at is None or place.sequence <= self._opened_at:
            return reader(lambda batch: select(self._as_skipped(batch)), after=place, cursor=after)
        batch = self.log.batch_numbered(place.sequence)
        if batch is not None and place.index is not None and place.index > last_place(batch):
            raise unknown_cursor(after)
        return reader(select, after=place, cursor=after)

    def _as_skipped(self, batch: Batch) -> Batch:
        """Return a batch for a reader whose cursor is from before this watch: it missed all until the watch was in sync."""
        is_new = self.in_sync_at is not None and batch.sequence > self.in_sync_at
        return batch if is_new else mark_skipped(batch)

    async def next_batch(self, position: Position) -> Batch | None:
        """Return the next batch for the reader at *position* and advance it; None at the end."""
        while True:
            if self.state == "new":
                raise UsageError(f"open the watch first: {self.opened_by}")
            if position.place < self.log.first:
                stored = await self._find_place(position)
                if stored is not None:
                    return stored
                continue
            backlog = position.backlog
            if position.place < self.log.end:
                found = position.advance(self.log.batch_at(position.place))
            elif backlog is not None:
                if not backlog.has_yielded:
                    await asyncio.sleep(0)  # let other tasks run between two portions
                    backlog.has_yielded = True
                    continue
                found = self._next_portion(position, backlog)
            elif self._is_at_end(position):
                return None
            else:
                await self._wait_for_batch()
                continue
            if found is not None:
                return found

    def _is_at_end(self, position: Position) -> bool:
        """Return True when no batch will be added any more, or the reader wants none; raise the error that the stream ended with, or waits with."""
        # Each reader raises it with a traceback of its own.
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self.unreadable is not None and not position.shows_trouble:
            raise self.unreadable.with_traceback(None)
        return self.state == "closed" or (position.is_over is not None and position.is_over())

    async def _find_place(self, position: Position) -> Batch | None:
        """Find the place in the log behind what was read; return the next batch from a journal if there is one before.

        A journal that cannot be read is tried again each second.
        """
        is_before = position.portions is not None or position.seen < self.log.last_dropped
        if self._history is None or not is_before:
            self._find_in_log(position)
            return None
        was_closed = self.state == "closed"
        try:
            return await self._history.next_batch(position, self.log.last_dropped)
        except JournalUnavailable as error:
            unavailable = error
        # After the end once more, and not for ever: a deadline holds while the store is away, too.
        if was_closed:
            raise (self._error or unavailable).with_traceback(None)
        await asyncio.sleep(RETRY_SECONDS)
        return None

    async def _wait_for_batch(self) -> None:
        """Wait until a batch is added or the stream is closed."""
        self.check_loop()
        self._news.clear()
        await self._news.wait()

    # Readers that fell behind ---------------------------------------------------------------------------------------

    def _find_in_log(self, position: Position) -> None:
        """Find the place behind what was read; begin a backlog if that has left the log."""
        if position.seen >= self.log.last_dropped:
            position.place = self.log.position_after(position.seen)
            return
        self.fallen_behind += position.seen > 0
        if position.backlog is None:
            # A reader from before this watch missed all of it, however long ago the client saw it.
            is_earlier = self._opened_at is not None and position.seen <= self._opened_at
            since = 0 if is_earlier else position.seen + 1
            position.backlog = Backlog(self._present.jobs(), position, since=since)
        else:
            position.backlog.fall_behind_again(iter(self._present.jobs()), position.seen)
        newest = self.log.newest
        assert newest is not None  # noqa: S101 - a log removes its oldest batches, never its newest
        position.place, position.seen = self.log.end, newest.sequence

    def _next_portion(self, position: Position, backlog: Backlog) -> Batch | None:
        """Return the present state of the next jobs of a backlog; with the last of them, missed signals.

        None when nothing has changed.
        """
        backlog.has_yielded = False
        jobs: list[tuple[JobState, MissedJob]] = []
        size = 0
        while backlog.jobs and size < PORTION_SIZE:
            missed = backlog.pop()
            state = self._present.state(missed.job)
            if state is not None:
                jobs.append((state, missed))
                size += 1 + sum(step.hosts.size for step in state.steps)
        at = self._cursors.next_stamp(asyncio.get_running_loop().time(), time.time())
        cursor = backlog.cursor
        events: list[Event] = []
        for state, missed in jobs:
            events += self._present.present(state, missed)
        if not backlog.jobs:
            position.backlog = None
            events += self._missed_signals(backlog)
        if not events:
            return None
        place_behind(events, cursor, at.at)
        if position.backlog is None:
            cursor = at.cursor
            place_behind(events[-1:], cursor, at.at)
        return position.move_behind(Batch(at.sequence, tuple(events), cursor, at=at.at))

    def _missed_signals(self, backlog: Backlog) -> Iterator[Event]:
        """Yield troubles that the reader missed and that still matter, and `InSync` if that was missed."""
        seen, inside = backlog.seen, backlog.partly_read
        has_read = seen > 0 or inside is not None
        for signal in self.log.signals(seen):
            if has_read or isinstance(signal, Trouble):
                yield replace(signal, skipped=True)
        if self.in_sync_at is None or seen >= self.in_sync_at:
            return
        # A reader that began inside that batch may have begun behind its last event, which is this one.
        if inside is None or (inside.sequence, inside.index or 0) < (self.in_sync_at, self.in_sync_index):
            yield InSync()
