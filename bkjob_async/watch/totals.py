"""How many hosts of everything watched stand in each phase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from bkjob_async.model.refs import JobRef
from bkjob_async.model.status import Phase


class Totals:
    """The counts of all jobs together: every job is counted once at first, and again only when something moved in it.

    Nothing is kept before somebody asks.
    """

    __slots__ = ("_by_job", "_changed", "_total")

    def __init__(self) -> None:
        self._by_job: dict[JobRef, Mapping[Phase, int]] | None = None
        self._changed: set[JobRef] = set()
        self._total: Counter[Phase] = Counter()

    def changed(self, job: JobRef) -> None:
        """Take note that the hosts of *job* may be counted otherwise by now."""
        if self._by_job is not None:
            self._changed.add(job)

    def now(self, jobs: Iterable[JobRef], count: Callable[[JobRef], Mapping[Phase, int]]) -> dict[Phase, int]:
        """Return the counts of all *jobs*, by a *count* of each that has changed."""
        by_job = self._by_job
        if by_job is None:
            by_job = self._by_job = {}
            self._changed.update(jobs)
        for job in self._changed:
            counts = count(job)
            self._total.subtract(by_job.pop(job, {}))
            self._total.update(counts)
            if counts:
                by_job[job] = counts
        self._changed = set()
        return {phase: number for phase, number in self._total.items() if number}
