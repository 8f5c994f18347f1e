"""Where one reader stands in a stream, and what it has still to catch up with."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from attrs import evolve

from bkjob_async.engine.news import HostMoves, News, parts_of
from bkjob_async.model.events import Batch, Event, InSync, Recovered, Trouble
from bkjob_async.model.refs import JobRef

# So much, in events, is caught up with at one turn of the loop; a single job may be more.
PORTION = 200


class Backlog:
    """The jobs whose present takes the place of what a reader missed.

    It comes in portions, so that the loop is never held up for long. Jobs that were caught up with are told on from
    the log meanwhile, all others only when their turn has come. Until the last portion the cursor stays where it was:
    whoever begins there anew misses nothing.
    """

    __slots__ = ("_later", "_order", "_since", "cursor", "jobs", "rested", "seen")

    def __init__(self, jobs: dict[JobRef, object], seen: int, cursor: str) -> None:
        """Begin with *jobs*, which belong to it from now on; *seen* is the last that its reader had, at *cursor*."""
        self.jobs = jobs
        self.seen = seen
        self.cursor = cursor
        self.rested = False  # whether others had their turn since the last portion
        self._order = deque(jobs)
        self._since = seen + 1
        # Those that were caught up with once and fell behind again: since when.
        self._later: dict[JobRef, int] = {}

    def fall_behind_again(self, jobs: Iterator[JobRef], seen: int) -> None:
        """Add those of *jobs* that were caught up with already, up to *seen*."""
        for job in jobs:
            if job not in self.jobs:
                self.jobs[job] = None
                self._order.append(job)
                self._later[job] = seen + 1

    def pop(self) -> tuple[JobRef, int]:
        """Remove and return the first job, and the first batch number that its reader missed."""
        job = self._order.popleft()
        del self.jobs[job]
        return job, self._later.pop(job, self._since)

    def news_of(self, batch: Batch) -> Batch | None:
        """Return what a batch says of jobs that were caught up with, None for nothing; signals come at the end."""
        parts = [part for part in parts_of(batch.events) if self._is_up_to_date(part)]
        if not parts:
            return None
        events = [event for part in parts for event in (part if isinstance(part, HostMoves) else (part,))]
        return Batch(batch.sequence, self.at_cursor(events), self.cursor)

    def at_cursor(self, events: Sequence[Event]) -> tuple[Event, ...]:
        """Return *events* with the cursor from before the backlog."""
        return tuple(evolve(event, cursor=self.cursor) for event in events)

    def _is_up_to_date(self, part: News) -> bool:
        if isinstance(part, InSync | Trouble | Recovered) or part.ref is None:
            return False
        return part.ref.job not in self.jobs


class Position:
    """Where one reader stands: before the batch at *place* of the log, behind the one numbered *seen*.

    *cursor* names the last batch that it was given. The *place* is to be found before the first batch.
    """

    __slots__ = ("backlog", "cursor", "place", "seen")

    def __init__(self, seen: int, cursor: str) -> None:
        self.place = -1
        self.seen = seen
        self.cursor = cursor
        self.backlog: Backlog | None = None

    def pass_by(self, batch: Batch) -> Batch | None:
        """Go behind the batch at this place; return what its reader is given of it, None for nothing."""
        self.place += 1
        self.seen = batch.sequence
        told = batch if self.backlog is None else self.backlog.news_of(batch)
        return None if told is None else self.go_behind(told)

    def go_behind(self, batch: Batch) -> Batch:
        """Go behind a *batch*; return it."""
        self.seen, self.cursor = batch.sequence, batch.cursor
        return batch
