"""Rows of the model of a run: hosts, steps, jobs, outages, how counts changed; and what the codes of hosts mean."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from attrs import define, field

from bkjob_async.model.status import HostStatus, Phase, RunStatus

# The narrowest bin of a series, in seconds.
FIRST_WIDTH = 1.0
PHASES = (*Phase,)
NUMBER_OF = {phase: number for number, phase in enumerate(PHASES)}


class CodeFacts(NamedTuple):
    """What the code of a host means: the number of its phase, whether it is final, and whether it failed then."""

    phase: int
    is_finished: bool
    is_failed: bool


@lru_cache(maxsize=4096)
def facts_of(code: int) -> CodeFacts:
    """Return what a host's *code* means."""
    status = HostStatus(code)
    failed = status.is_finished and not status.is_success
    return CodeFacts(NUMBER_OF[status.phase], status.is_finished, failed)


class Series:
    """Counts at the end of each bin of time; bins become twice as wide when there are too many.

    `points` are (bin, counts) in order, each held until the next; bin 0 begins at `origin`.
    """

    __slots__ = ("_bin", "_edge", "_limit", "origin", "points", "width")

    def __init__(self, origin: float, limit: int) -> None:
        """Begin at *origin* (seconds) with no point; keep at most *limit*."""
        self.origin = origin
        self.width = FIRST_WIDTH
        self.points: list[tuple[int, tuple[int, ...]]] = []
        self._limit = limit
        self._bin = 0
        self._edge = origin + FIRST_WIDTH

    def advance(self, now: float, counts: Sequence[int]) -> None:
        """Record that *counts* held until *now*; to be called before they change."""
        if now < self._edge:
            return
        add_point(self.points, self._bin, counts)
        self._bin = int((now - self.origin) / self.width)
        while len(self.points) > self._limit:
            self._widen()
        self._edge = self.origin + (self._bin + 1) * self.width

    def points_with(self, counts: Sequence[int]) -> list[tuple[float, tuple[int, ...]]]:
        """Return (seconds since the origin, counts) of all points, the last of them with the present *counts*."""
        points = [*self.points]
        add_point(points, self._bin, counts)
        return [(number * self.width, each) for number, each in points]

    def _widen(self) -> None:
        """Make bins twice as wide; of two points in one bin the later is kept."""
        self.width *= 2
        self._bin //= 2
        self.points = [*{number // 2: (number // 2, counts) for number, counts in self.points}.values()]


def add_point(points: list[tuple[int, tuple[int, ...]]], number: int, counts: Sequence[int]) -> None:
    """Add the *counts* of a bin unless nothing has changed; of two points in one bin the later is kept."""
    if points and points[-1][0] == number:
        points.pop()  # bins that became wider may have a point already
    kept = tuple(counts)
    if not points or points[-1][1] != kept:
        points.append((number, kept))


@define(eq=False)
class HostRow:
    """A host in the latest execution of a step.

    *since* is when it was first seen running, *end* the end that the platform gave, in Unix milliseconds. *took* is how
    many seconds it ran.
    """

    code: int
    host_id: int | None
    tag: str | None = field(default=None, init=False)
    exit_code: int | None = field(default=None, init=False)
    since: float | None = field(default=None, init=False)
    end: int | None = field(default=None, init=False)
    took: float | None = field(default=None, init=False)


@define(eq=False)
class JobRow:
    """A job: *key* is its ref as text. *took* is the platform's own duration in seconds."""

    key: str
    name: str = ""
    code: int | None = None
    is_finished: bool = False
    took: float | None = None

    @property
    def status(self) -> RunStatus | None:
        """Its status, None before it was reported."""
        return None if self.code is None else RunStatus(self.code)


@define(eq=False)
class StepRow(JobRow):
    """A step, in all that a job has, and: the key of its *job*, its hosts, their *counts* by phase.

    *earlier_ends* are the ends of its hosts in executions before, by label.
    """

    job: str = field(kw_only=True)
    series: Series = field(kw_only=True)
    execute_count: int = 0
    hosts: dict[str, HostRow] = field(factory=dict)
    earlier_ends: dict[str, int] = field(factory=dict)
    counts: list[int] = field(factory=lambda: [0] * len(PHASES))
    failed: int = 0
    began: float | None = None
    ended: float | None = None
    _labels: dict[int, str] | None = field(default=None, init=False)

    def add_host(self, label: str, code: int, host_id: int | None) -> HostRow:
        """Add a host that was not seen before."""
        row = self.hosts[label] = HostRow(code, host_id)
        if self._labels is not None and host_id is not None:
            self._labels[host_id] = label
        return row

    def renamed(self, label: str, host_id: int | None) -> HostRow | None:
        """Return the row of a host that was seen under another label, and give it this one; None for a new host.

        A platform may name a host by its id alone, and by its address as well later.
        """
        if host_id is None:
            return None
        if self._labels is None:
            self._labels = {row.host_id: each for each, row in self.hosts.items() if row.host_id is not None}
        row = self.hosts.pop(self._labels.get(host_id, ""), None)
        if row is not None:
            self.hosts[label], self._labels[host_id] = row, label
        return row

    def forget_hosts(self) -> None:
        """Begin without hosts."""
        self.earlier_ends |= {label: row.end for label, row in self.hosts.items() if row.end is not None}
        self.hosts.clear()
        self._labels = None
        self.failed = 0


class Outage(NamedTuple):
    """A time in which polling failed, of one target or (None) of all; *until* is None while it lasts."""

    ref: str | None
    error: str
    message: str
    since: float
    until: float | None
