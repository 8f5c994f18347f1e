"""Figures of polling: how far it keeps up, and how many targets and hosts are in each phase."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec import Struct

from bkjob_async.engine.scheduling.list_polling import ListPoller
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import count_hosts
from bkjob_async.model.refs import JobRef
from bkjob_async.model.status import Phase, run_status
from bkjob_async.watch.cooperative import CooperativeIterator
from bkjob_async.watch.phase_totals import PhaseTotals
from bkjob_async.watch.polling.list_pollers import Polled
from bkjob_async.watch.polling.poll_runner import PollRunner
from bkjob_async.watch.polling.stalls import unseen_since
from bkjob_async.watch.polling.target_registry import Subscriber, TargetRegistry

# The most jobs that have changed and wait to be counted again: a few microseconds each when the figures are asked for.
MOST_UNCOUNTED = 512
# When there are more, so many are counted at once.
COUNTED_TOGETHER = 32


class PollingLoad(Struct, frozen=True):
    """How many polls are *due* and *in_flight*, the age of the *oldest_unseen* job, and how many are *in_trouble*."""

    due: int
    in_flight: int
    oldest_unseen: float | None
    in_trouble: int


def polling_load(
    registry: TargetRegistry,
    runner: PollRunner[Polled],
    now: float,
    subscriber: Subscriber | None = None,
) -> PollingLoad:
    """Return the load that all jobs are, or those of one *subscriber*."""
    busy = runner.busy
    due = in_trouble = 0
    oldest = now
    for target in tuple(registry.targets.values()):  # may be called from another thread
        if subscriber is not None and subscriber not in registry.subscribers_of(target):
            continue
        at, late = target.due, target.urgent is not None
        if late or (at is not None and at <= now):
            due += 1
        elif at is None and target not in busy:
            continue  # it is over
        oldest = min(oldest, unseen_since(target))
        in_trouble += bool(target.poll_failures.troubled)
    in_flight = sum(
        subscriber is None
        or (not isinstance(polled, ListPoller) and subscriber in registry.subscribers_of(polled))
        for polled in busy
    )
    is_followed = due or in_flight or oldest < now
    return PollingLoad(due, in_flight, now - oldest if is_followed else None, in_trouble)


class PhaseCounts:
    """How many targets and hosts of all jobs are in each phase, counted again for each job that has changed.

    Nothing is counted before `start`. Jobs that have changed are counted when the figures are asked for, some of them
    earlier where many change: a job that changes at every poll is counted once for many polls. `targets` and `hosts` are
    the sums.
    """

    def __init__(self, jobs: Mapping[JobRef, JobState]) -> None:
        """Count *jobs*, once started."""
        self.targets = PhaseTotals()
        self.hosts = PhaseTotals()
        self._jobs = jobs
        self._changed: set[JobRef] = set()
        self._first_count = CooperativeIterator()
        self.is_started = False

    def start(self) -> None:
        """Begin to count; the jobs there are by now are counted in slices."""
        if not self.is_started:
            self.is_started = True
            if self._jobs:  # else there may be no event loop yet
                self._first_count.start(self._count_all(tuple(self._jobs)))

    def _count_all(self, jobs: tuple[JobRef, ...]) -> Iterator[None]:
        for job in jobs:
            self._count(job)
            yield

    def mark_changed(self, job: JobRef) -> None:
        """Count *job* again before the figures are read."""
        if self.is_started:
            self._changed.add(job)
            if len(self._changed) > MOST_UNCOUNTED:
                self.update(COUNTED_TOGETHER)

    def update(self, most: int = sys.maxsize) -> None:
        """Count the jobs that have changed, at most *most* of them."""
        for _ in range(min(most, len(self._changed))):
            self._count(self._changed.pop())

    def _count(self, job: JobRef) -> None:
        state = self._jobs.get(job)
        self.targets.replace(job, {} if state is None else count_targets(state))
        self.hosts.replace(job, {} if state is None else count_hosts_of_targets(state))


def count_targets(job: JobState) -> Mapping[Phase, int]:
    """Count the targets of a job by the phase that readers were given; those that were not seen are UNKNOWN."""
    counts: dict[Phase, int] = {}
    for ref in job.targets:
        run = job.run_of(ref)
        code = None if run is None else run.announced.code
        phase = Phase.UNKNOWN if code is None else run_status(code).phase
        counts[phase] = counts.get(phase, 0) + 1
    return counts


def count_hosts_of_targets(job: JobState) -> Mapping[Phase, int]:
    """Count the hosts of a job's targets by phase; a host counts once for each step."""
    if job.is_target:
        return count_hosts(job, job.ref)
    if len(job.target_steps) == 1:
        return count_hosts(job, job.target_steps[0])
    return sum((Counter(count_hosts(job, ref)) for ref in job.target_steps), Counter())
