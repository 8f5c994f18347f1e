"""Readers of a watch: what each selects, its position in the stream, and the backlog that it has to read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, NoReturn, Self, TypeVar

from attrs import evolve
from msgspec import Struct
from msgspec.structs import replace

from bkjob_async.engine.stream.batches import SLICE_SIZE, rest_of, slices_of
from bkjob_async.engine.stream.cursor import CursorPosition
from bkjob_async.errors import UsageError
from bkjob_async.journal.store import StoredRecord
from bkjob_async.model.events import (
    Batch,
    Event,
    Finished,
    HostChanged,
    InSync,
    JobChanged,
    Recovered,
    StepChanged,
    StepWaiting,
    Trouble,
)
from bkjob_async.model.refs import JobRef, Ref, Scope
from bkjob_async.model.result import JobResult
from bkjob_async.model.status import Phase

T = TypeVar("T")
# Events that say whether what led to them was read.
MARKED = HostChanged | StepChanged | StepWaiting | JobChanged | Finished | Trouble | Recovered
BEGINNING = CursorPosition(0, None)


Select = Callable[[Batch], Iterator[Sequence[T]]]
"""Yields what a reader is given of a batch, in slices that are made in a few milliseconds each; some may be empty."""


class Reader(Generic[T]):
    """An async iterator over a watch; every reader has a position of its own.

    `cursor` is the cursor of the last batch that was read completely, at first the one that the reader was given. A
    reader may be abandoned at any time and iterated again later; it needs no closing. Of tasks that share one each is given
    other items. After every thousand events or so it lets other tasks of the event loop run, even if there are more events.
    """

    def __init__(
        self,
        next_batch: Callable[[Position], Awaitable[Batch | None]],
        select: Select[T],
        *,
        after: CursorPosition = BEGINNING,
        cursor: str = "",
        shows_trouble: bool = True,
        is_over: Callable[[], bool] | None = None,
    ) -> None:
        """Read from the place *after*, which *cursor* names; *select* picks the items of each batch.

        *next_batch* returns the next batch for a reader and advances its position; None at the end.
        Unless it *shows_trouble*, the reader raises what keeps everything from being read, instead of waiting for ever. It
        ends where it would wait once *is_over* returns True.
        """
        self._next_batch = next_batch
        self._select = select
        self._position = Position(after, cursor)
        self._position.shows_trouble = shows_trouble
        self._position.is_over = is_over
        self._ready: Iterator[T] = iter(())
        self._slices: Iterator[Sequence[T]] = iter(())
        # Events of the present batch whose slices are still to come, and events since other tasks could run.
        self._left = self._since_pause = 0
        self._reading = asyncio.Lock()
        self.cursor = cursor

    if not TYPE_CHECKING:  # a checker reports a `for`; this is for code that nobody checks

        def __iter__(self) -> NoReturn:
            raise UsageError(
                "the reader is asynchronous: async for item in reader; code without an event loop uses the client"
                " of bkjob_async.sync"
            )

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        for item in self._ready:
            return item
        return await self._first_of_next_slice()

    async def next_slice(self) -> Sequence[T]:
        """Return the items that come next without waiting, one at least; raise StopAsyncIteration at the end."""
        return [await anext(self), *self._ready]

    async def _first_of_next_slice(self) -> T:
        """Return the first item of the next slice that has any, of this batch or the next."""
        async with self._reading:
            while True:
                for item in self._ready:  # another task may have got them meanwhile
                    return item
                if self._since_pause >= SLICE_SIZE:
                    await asyncio.sleep(0)
                    self._since_pause = 0
                for items in self._slices:
                    size = min(self._left, SLICE_SIZE)
                    self._left -= size
                    self._since_pause += size
                    self._ready = iter(items)
                    break
                else:
                    await self._begin_next_batch()

    async def _begin_next_batch(self) -> None:
        self.cursor = self._position.cursor
        batch = await self._next_batch(self._position)
        if batch is None:
            raise StopAsyncIteration
        self._left = len(batch.events)
        self._slices = self._select(batch)


# What a reader selects from a batch ---------------------------------------------------------------------------------


def all_events(batch: Batch) -> Iterator[Sequence[Event]]:
    """Yield the events of a batch, in order."""
    return slices_of(batch.events)


def events_about(batch: Batch, ref: Ref | None, scope: Scope | None) -> Iterator[Sequence[Event]]:
    """Yield the events of one target and its parts, or of one scope."""
    for events in slices_of(batch.events):
        yield [event for event in events if concerns(event.ref, ref, scope)]


def whole_batch(batch: Batch) -> Iterator[Sequence[Batch]]:
    """Yield the batch itself."""
    yield (batch,)


def host_changes(
    batch: Batch, ref: Ref | None, scope: Scope | None, phase: Phase | None
) -> Iterator[Sequence[HostChanged]]:
    """Yield the changes of hosts: of one target, of one scope, into one phase."""
    for events in slices_of(batch.events):
        yield [
            event
            for event in events
            if isinstance(event, HostChanged)
            and (phase is None or event.after.phase is phase)
            and concerns(event.ref, ref, scope)
        ]


def finished_results(batch: Batch) -> Iterator[Sequence[JobResult]]:
    """Yield the results of the targets that finished."""
    yield [event.result for event in batch.events if isinstance(event, Finished)]


def batch_notices(batch: Batch) -> Iterator[Sequence[Sequence[Event]]]:
    """Yield one list of all events but the changes of hosts."""
    yield ([event for event in batch.events if not isinstance(event, HostChanged)],)


def mark_skipped(batch: Batch) -> Batch:
    """Return a batch whose events say that what led to them was not read."""
    return evolve(
        batch,
        events=tuple(
            replace(event, skipped=True) if isinstance(event, MARKED) else event for event in batch.events
        ),
    )


def concerns(about: Ref | None, ref: Ref | None, scope: Scope | None) -> bool:
    """Return True when *about* is *ref* or a part of it, and in *scope*; what is about no target concerns all."""
    if about is None:
        return True
    return (scope is None or about.scope == scope) and (ref is None or ref in (about, about.job))


# Where a reader stands ----------------------------------------------------------------------------------------------


class Position:
    """Where one reader stands: before the batch at *place* of the log, behind the batch numbered *seen*.

    *cursor* is that of the last batch that the reader was given, or the one that it began at; a batch that a reader
    begins inside is delivered from that event on. The *place* is looked up before the first batch. *shows_trouble* is
    whether the reader is given `Trouble`, *is_over* says that it wants no more.
    """

    __slots__ = (
        "_start",
        "backlog",
        "cursor",
        "is_over",
        "place",
        "portions",
        "present_until",
        "seen",
        "shows_trouble",
        "stored",
    )

    def __init__(self, start: CursorPosition, cursor: str) -> None:
        self._start = start
        self.place = -1
        self.seen = start.last_whole_batch
        self.cursor = cursor
        self.backlog: Backlog | None = None
        self.shows_trouble = True
        self.is_over: Callable[[], bool] | None = None
        self.stored: list[StoredRecord] = []  # read from a journal, the next one last
        # Of the present state, in place of records that are gone up to a number.
        self.portions: Iterator[Batch] | None = None
        self.present_until = 0

    @property
    def partly_read(self) -> CursorPosition | None:
        """Where the reader began inside a batch that it has not been given the rest of, else None."""
        is_inside = self._start.index is not None and self.seen == self._start.last_whole_batch
        return self._start if is_inside else None

    def advance(self, batch: Batch) -> Batch | None:
        """Move behind the *batch* at this place; return what the reader is given of it, None for nothing."""
        self.place += 1
        if batch.sequence <= self.seen:
            return None  # the present that was read from a journal has it
        rest = self.rest_of(batch)
        if rest is None:
            return None
        current = rest if self.backlog is None else self.backlog.current_part_of(rest)
        return None if current is None else self.move_behind(current)

    def rest_of(self, batch: Batch) -> Batch | None:
        """Return what the reader has not had of the next *batch*, None for nothing."""
        self.seen = batch.sequence
        if batch.sequence == self._start.sequence and self._start.index is not None:
            rest = rest_of(batch, self._start.index)
            if rest is None:
                self.move_behind(batch)
            return rest
        return batch

    def move_behind(self, batch: Batch) -> Batch:
        """Move behind *batch* and return it."""
        self.seen, self.cursor = batch.sequence, batch.cursor
        return batch


class MissedJob(Struct, frozen=True, gc=False):
    """A job whose events a reader missed *since* a batch; *skipped*: the reader had read some of the stream before.

    *partly_read* is the number of the batch that the reader had read the first events of, 0 for none.
    """

    job: JobRef
    since: int
    skipped: bool
    partly_read: int = 0


class Backlog:
    """The jobs whose present state replaces the events that a reader missed.

    The backlog is read in portions, so that the event loop is never blocked for long. Meanwhile the log is read on for
    jobs that have been caught up with; the others wait for their portion. The cursor stays where it was until the last
    event of the last portion, so that a reader which continues from it misses nothing.
    """

    __slots__ = ("_behind_again", "_order", "_since", "cursor", "has_yielded", "jobs", "partly_read", "seen")

    def __init__(self, jobs: dict[JobRef, object], position: Position, *, since: int) -> None:
        """Begin with *jobs*, which the backlog owns from now on; the reader at *position* missed all *since* a batch."""
        self.jobs = jobs
        self.seen = position.seen
        self.cursor = position.cursor
        self.partly_read = position.partly_read
        self.has_yielded = False  # whether other tasks could run since the last portion
        self._order = deque(jobs)
        self._since = since
        # Jobs that were caught up with and fell behind again, with the first batch that was missed.
        self._behind_again: dict[JobRef, int] = {}

    def fall_behind_again(self, jobs: Iterator[JobRef], seen: int) -> None:
        """Add those of *jobs* that were caught up with already, up to *seen*."""
        for job in jobs:
            if job not in self.jobs:
                self.jobs[job] = None
                self._order.append(job)
                self._behind_again[job] = seen + 1

    def pop(self) -> MissedJob:
        """Remove the first job; return what the reader missed of it."""
        job = self._order.popleft()
        del self.jobs[job]
        since = self._behind_again.pop(job, None)
        if since is not None:
            return MissedJob(job, since, skipped=True)
        partly_read = self.partly_read.sequence if self.partly_read is not None else 0
        return MissedJob(job, self._since, skipped=bool(self.cursor), partly_read=partly_read)

    def current_part_of(self, batch: Batch) -> Batch | None:
        """Return the events of jobs that were caught up with, None for none; signals are delivered at the end."""
        events = tuple(
            replace(event, cursor=self.cursor) for event in batch.events if self._is_caught_up(event)
        )
        return evolve(batch, events=events, cursor=self.cursor) if events else None

    def _is_caught_up(self, event: Event) -> bool:
        if isinstance(event, InSync | Trouble | Recovered) or event.ref is None:
            return False
        return event.ref.job not in self.jobs
