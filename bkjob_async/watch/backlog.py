"""Where one reader stands in a stream, and what it has still to catch up with."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from attrs import evolve
from msgspec import Struct

from bkjob_async.engine.stream.cursor import CursorPosition
from bkjob_async.engine.stream.lazy_events import (
    EventOrLazy,
    LazyEventList,
    LazyHostEvents,
    parts_after,
    parts_of,
)
from bkjob_async.model.events import Batch, Event, InSync, Recovered, Trouble
from bkjob_async.model.refs import JobRef

# So much, in events, is caught up with at one turn of the loop; a single job may be more.
PORTION = 200


class Missed(Struct, frozen=True, gc=False):
    """A job of which a reader missed everything *since* a batch; *skipped*: it had something of the stream before."""

    job: JobRef
    since: int
    skipped: bool


class Backlog:
    """The jobs whose present takes the place of what a reader missed.

    It comes in portions, so that the loop is never held up for long. Jobs that were caught up with are told on from
    the log meanwhile, all others only when their turn has come. Until the last event of the last portion the cursor stays
    where it was: whoever begins there anew misses nothing.
    """

    __slots__ = ("_later", "_order", "_since", "cursor", "jobs", "rested", "seen")

    def __init__(self, jobs: dict[JobRef, object], seen: int, cursor: str, *, since: int) -> None:
        """Begin with *jobs*, which belong to it from now on.

        *seen* is the last that its reader had, at *cursor* (empty: nothing); all *since* that batch was missed.
        """
        self.jobs = jobs
        self.seen = seen
        self.cursor = cursor
        self.rested = False  # whether others had their turn since the last portion
        self._order = deque(jobs)
        self._since = since
        # Those that were caught up with once and fell behind again: since when.
        self._later: dict[JobRef, int] = {}

    def fall_behind_again(self, jobs: Iterator[JobRef], seen: int) -> None:
        """Add those of *jobs* that were caught up with already, up to *seen*."""
        for job in jobs:
            if job not in self.jobs:
                self.jobs[job] = None
                self._order.append(job)
                self._later[job] = seen + 1

    def pop(self) -> Missed:
        """Remove the first job; return what its reader missed of it."""
        job = self._order.popleft()
        del self.jobs[job]
        later = self._later.pop(job, None)
        if later is not None:
            return Missed(job, later, skipped=True)
        return Missed(job, self._since, skipped=bool(self.cursor))

    def news_of(self, batch: Batch) -> Batch | None:
        """Return what a batch says of jobs that were caught up with, None for nothing; signals come at the end."""
        parts = [part for part in parts_of(batch.events) if self._is_up_to_date(part)]
        if not parts:
            return None
        events = [
            event for part in parts for event in (part if isinstance(part, LazyHostEvents) else (part,))
        ]
        return Batch(batch.sequence, self.at_cursor(events), self.cursor)

    def at_cursor(self, events: Sequence[Event]) -> tuple[Event, ...]:
        """Return *events* with the cursor from before the backlog."""
        return tuple(evolve(event, cursor=self.cursor, index=0) for event in events)

    def _is_up_to_date(self, part: EventOrLazy) -> bool:
        if isinstance(part, InSync | Trouble | Recovered) or part.ref is None:
            return False
        return part.ref.job not in self.jobs


class Position:
    """Where one reader stands: before the batch at *place* of the log, behind the one numbered *seen*.

    *cursor* names the last batch that it was given, or where it began; the batch that it began in is told from there on.
    The *place* is to be found before the first batch.
    """

    __slots__ = ("_began", "backlog", "cursor", "place", "seen")

    def __init__(self, began: CursorPosition, cursor: str) -> None:
        self._began = began
        self.place = -1
        self.seen = began.last_whole_batch
        self.cursor = cursor
        self.backlog: Backlog | None = None

    def pass_by(self, batch: Batch) -> Batch | None:
        """Go behind the batch at this place; return what its reader is given of it, None for nothing."""
        self.place += 1
        self.seen = batch.sequence
        if batch.sequence == self._began.sequence and self._began.index is not None:
            batch = rest_of(batch, self._began.index)
            if not batch.events:
                self.go_behind(batch)
                return None
        told = batch if self.backlog is None else self.backlog.news_of(batch)
        return None if told is None else self.go_behind(told)

    def go_behind(self, batch: Batch) -> Batch:
        """Go behind a *batch*; return it."""
        self.seen, self.cursor = batch.sequence, batch.cursor
        return batch


def rest_of(batch: Batch, index: int) -> Batch:
    """Return what is left of a batch behind its first *index* events."""
    return Batch(batch.sequence, LazyEventList(parts_after(parts_of(batch.events), index)), batch.cursor)
