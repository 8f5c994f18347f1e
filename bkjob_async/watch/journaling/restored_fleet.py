"""The jobs that a journal recorded of a fleet, kept until the restored watch polls each of them."""

from __future__ import annotations

from collections.abc import Mapping

from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.refs import JobRef, Ref
from bkjob_async.watch.polling.target_registry import PollTarget


class RestoredFleet:
    """The recorded jobs of a fleet that are not polled yet, and an outage whose end was not recorded.

    `recorded_until` is when the last of it was recorded, on the loop's clock; `joining` are steps of followed jobs whose end was not.
    """

    __slots__ = ("_jobs", "_outage", "joining", "recorded_until")

    def __init__(self, fold: Fold, recorded_until: float) -> None:
        """Keep the jobs of *fold*, each of which is a `PollTarget`, until they are watched."""
        self._jobs: Mapping[JobRef, JobState] = fold.jobs
        self._outage = fold.facts.outage
        self.joining = frozenset(fold.facts.joining)
        self.recorded_until = recorded_until

    def job_of(self, ref: Ref) -> PollTarget | None:
        """Return what was reported of the job of a target, None for a target that is new."""
        job = self._jobs.get(ref.job)
        return job if isinstance(job, PollTarget) and ref in job.targets else None

    def forget(self) -> None:
        """Drop the jobs: all of them are watched."""
        self._jobs = {}

    def end_outage(self) -> bool:
        """Forget the recorded outage, and return True if there was one: it is over, or others report it from now on."""
        was_reported, self._outage = self._outage is not None, None
        return was_reported
