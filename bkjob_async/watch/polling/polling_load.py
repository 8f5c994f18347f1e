"""How far polling keeps up, and how many targets and hosts are in each phase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

from attrs import frozen

from bkjob_async.engine.scheduling.list_polling import ListPoller
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import count_hosts
from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.model.status import Phase, run_status
from bkjob_async.watch.cooperative import CooperativeIterator
from bkjob_async.watch.polling.list_pollers import Polled
from bkjob_async.watch.polling.target_registry import PollTarget, TargetRegistry
from bkjob_async.watch.polling.worker_pool import WorkerPool

# So many changed jobs are counted again at once: some microseconds each.
COUNTED_TOGETHER = 128


@frozen
class PollingLoad:
    """How many polls are *due* and *in_flight*, the age of the *oldest_unseen* job, and how many are *in_trouble*."""

    due: int
    in_flight: int
    oldest_unseen: float | None
    in_trouble: int


def polling_load(
    registry: TargetRegistry,
    workers: WorkerPool[Polled],
    unseen_since: Callable[[PollTarget], float | None],
    now: float,
    groups: Collection[int] | None = None,
) -> PollingLoad:
    """Return the load that all jobs are, or those of some *groups* of subscribers.

    *unseen_since* is the time since when a job that was never polled is known to wait.
    """
    busy = workers.busy
    due = in_trouble = 0
    oldest = now
    for target in tuple(registry.targets.values()):  # may be called from another thread
        if groups is not None and target.group not in groups:
            continue
        at, late = target.due, target.urgent is not None
        if late or (at is not None and at <= now):
            due += 1
        elif at is None and target not in busy:
            continue  # it is over
        since = target.seen_at if target.seen_at is not None else target.first_polled_at
        if since is None:
            since = unseen_since(target)
        if since is not None and since < oldest:
            oldest = since
        in_trouble += bool(target.poll_failures.troubled)
    in_flight = sum(
        groups is None or (not isinstance(polled, ListPoller) and polled.group in groups) for polled in busy
    )
    is_followed = due or in_flight or oldest < now
    return PollingLoad(due, in_flight, now - oldest if is_followed else None, in_trouble)


class PhaseCounts:
    """How many targets and hosts of all jobs are in each phase, counted again for each job that has changed.

    Nothing is counted before `start`. A job that changes is counted a little later, together with others.
    """

    def __init__(self, jobs: Mapping[JobRef, JobState]) -> None:
        """Count *jobs*, once started."""
        self.targets: Counter[Phase] = Counter()
        self.hosts: Counter[Phase] = Counter()
        self._jobs = jobs
        self._counted: dict[JobRef, tuple[Mapping[Phase, int], Mapping[Phase, int]]] = {}
        self._changed: set[JobRef] = set()
        self._first_count = CooperativeIterator()
        self.is_started = False

    def start(self) -> None:
        """Begin to count; the jobs there are by now are counted in slices."""
        if not self.is_started:
            self.is_started = True
            if not self._jobs:
                return
            self._first_count.start(self._count_all(tuple(self._jobs)))

    def _count_all(self, jobs: tuple[JobRef, ...]) -> Iterator[None]:
        for job in jobs:
            self._count(job)
            yield

    def mark_changed(self, job: JobRef) -> None:
        """Count *job* again soon."""
        if self.is_started:
            self._changed.add(job)
            if len(self._changed) >= COUNTED_TOGETHER:
                self.update()

    def update(self) -> None:
        """Count the jobs that have changed."""
        while self._changed:
            self._count(self._changed.pop())

    def _count(self, job: JobRef) -> None:
        old_targets, old_hosts = self._counted.pop(job, ({}, {}))
        self.targets.subtract(old_targets)
        self.hosts.subtract(old_hosts)
        state = self._jobs.get(job)
        if state is not None:
            counts = self._counted[job] = count_targets(state), count_hosts_of_targets(state)
            self.targets.update(counts[0])
            self.hosts.update(counts[1])


def count_targets(job: JobState) -> Mapping[Phase, int]:
    """Count the targets of a job by the phase that readers were given; those that were not seen are UNKNOWN."""
    counts: Counter[Phase] = Counter()
    for ref in job.targets:
        step = job.find_step(ref.step_instance_id) if isinstance(ref, StepRef) else None
        announced = job.announced if step is None else step.announced
        counts[Phase.UNKNOWN if announced is None else run_status(announced[0]).phase] += 1
    return counts


def count_hosts_of_targets(job: JobState) -> Mapping[Phase, int]:
    """Count the hosts of a job's targets by phase; a host counts once for each step."""
    if job.is_target:
        return count_hosts(job, job.ref)
    return sum((Counter(count_hosts(job, ref)) for ref in job.target_steps), Counter())
