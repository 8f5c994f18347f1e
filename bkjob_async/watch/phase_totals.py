"""Sums of counts by phase over all jobs; the counts of a job that has changed are replaced."""

from __future__ import annotations

from collections.abc import Mapping

from bkjob_async.model.refs import JobRef
from bkjob_async.model.status import Phase


class PhaseTotals:
    """The sum of the counts of all jobs by phase; a phase that nothing is in may be missing or 0."""

    __slots__ = ("_by_job", "total")

    def __init__(self) -> None:
        self.total: dict[Phase, int] = {}
        self._by_job: dict[JobRef, Mapping[Phase, int]] = {}

    def replace(self, job: JobRef, counts: Mapping[Phase, int]) -> None:
        """Let *counts* be those of *job* from now on; empty ones remove it."""
        # `Counter.update` and `subtract` cost more than the counting of a small job.
        total = self.total
        if before := self._by_job.pop(job, None):
            for phase, count in before.items():
                total[phase] -= count
        if counts:
            self._by_job[job] = counts
            for phase, count in counts.items():
                total[phase] = total.get(phase, 0) + count
