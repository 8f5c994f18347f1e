"""The jobs of the simulated platform, advanced to any given time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from random import Random
from typing import Self

from attrs import field, frozen

from bkjob_async.model.refs import JobRef, Scope
from bkjob_async.simulator.world.codes import BLANK, HOST_SUCCESS
from bkjob_async.simulator.world.event_queue import EventQueue
from bkjob_async.simulator.world.history import History, history_of
from bkjob_async.simulator.world.lifecycle import Lifecycle, sample
from bkjob_async.simulator.world.operations import operate_job, operate_step
from bkjob_async.simulator.world.plans import (
    Arrivals,
    HostOutcome,
    PlatformDelays,
    SimulatedJob,
    StepPlan,
    hosts_of,
)
from bkjob_async.simulator.world.records import Job, Step

FIRST_JOB_ID = 20_000_000_001
FIRST_STEP_ID = 30_000_000_001
EPOCH_MS = 1_767_225_600_000


@frozen(kw_only=True)
class PendingCallback:
    """A callback that the platform has to send; its URL may hold a token and is not in the repr."""

    at: float
    url: str = field(repr=False)
    job_instance_id: int
    status: int
    steps: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, job: Job, at: float) -> Self:
        """Return the callback of a job that requested one, with its state at a time."""
        steps = tuple((step.id, step.status) for step in job.steps)
        url = job.plan.callback_url or ""
        return cls(at=at, url=url, job_instance_id=job.id, status=job.status, steps=steps)


class World:
    """Jobs, their steps and hosts, which change with time; the same *seed* gives the same changes.

    Time is seconds from the world's beginning; callers `advance` it before they read. *epoch_ms* is the Unix
    time of its beginning. With *at_once* the platform sees changes of hosts at once, not at its engine's
    polls.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        delays: PlatformDelays | None = None,
        epoch_ms: int = EPOCH_MS,
        at_once: bool = False,
    ) -> None:
        self.seed = seed
        self.epoch_ms = epoch_ms
        self.jobs: dict[int, Job] = {}
        self.callbacks: list[PendingCallback] = []
        self._queue = EventQueue()
        self.lifecycle = Lifecycle(
            self._queue, delays or PlatformDelays(), seed, self._job_finished, at_once=at_once
        )
        self._job_ids = count(FIRST_JOB_ID)
        self._step_ids = count(FIRST_STEP_ID)

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self._queue.now

    @property
    def next_at(self) -> float | None:
        """When the next event is due; None when none is scheduled."""
        return self._queue.next_at

    def advance(self, now: float) -> None:
        """Run all events until *now*."""
        self._queue.advance(now)

    def advance_to_end(self, limit: float = 1e9) -> float:
        """Run all scheduled events, until *limit*; return the time of the last one."""
        while (at := self._queue.next_at) is not None and at <= limit:
            self._queue.advance(at)
        return self.now

    # Making jobs --------------------------------------------------------------------------------------------

    def add(self, plan: SimulatedJob) -> JobRef:
        """Create a job at its time, or now when that is past; return its name."""
        job_id = plan.job_instance_id or next(self._job_ids)
        if job_id in self.jobs:
            raise ValueError(f"there is a job {job_id} already")
        ref = JobRef(plan.scope, job_id)
        created = max(plan.created, self.now)
        job = Job(id=job_id, ref=ref, plan=plan, created=created, epoch_ms=self.epoch_ms)
        step_id = plan.first_step_id
        for order, step in enumerate(plan.steps, start=1):
            number = next(self._step_ids) if step_id is None else step_id + order - 1
            job.steps.append(self._step(job, step, number, order))
        if job.created <= self.now:
            self._create(job)
        else:
            self._queue.at(job.created, self._create, job)
        return ref

    def _step(self, job: Job, plan: StepPlan, number: int, order: int) -> Step:
        name = plan.name or f"step {order}"
        return Step(number, job, plan, hosts_of(plan), order, job.created, name, log=[(job.created, BLANK)])

    def _create(self, job: Job) -> None:
        self.jobs[job.id] = job
        job.log.append((self.now, BLANK))
        if job.plan.start_task:
            self._queue.after(self.lifecycle.delays.event, self.lifecycle.start_job, job)

    def add_arrivals(self, arrivals: Arrivals) -> None:
        """Start jobs repeatedly."""
        rng = Random(f"{self.seed}/arrivals/{len(self._queue)}")
        self._queue.at(max(arrivals.first, self.now), self._arrive, arrivals, rng, 0)

    def _arrive(self, arrivals: Arrivals, rng: Random, made: int) -> None:
        if arrivals.count is not None and made >= arrivals.count:
            return
        self.add(sample(arrivals.plans, rng))
        self._queue.after(arrivals.every.sample(rng), self._arrive, arrivals, rng, made + 1)

    # Looking and touching -----------------------------------------------------------------------------------

    def job(self, job_instance_id: int, scope: Scope | None = None) -> Job | None:
        """Return a job by its id, None for one that is unknown, archived, or in another scope."""
        job = self.jobs.get(job_instance_id)
        return job if job is not None and scope in (None, job.ref.scope) else None

    def operate_step(self, step: Step, operation: int, user: str = "admin") -> None:
        """Accept an operation on a step, or raise `OperationNotAllowed`."""
        operate_step(self.lifecycle, step, operation, user)

    def operate_job(self, job: Job, operation: int) -> None:
        """Terminate or start a job, or raise `OperationNotAllowed`."""
        operate_job(self.lifecycle, job, operation)

    def end_host(self, step: Step, label: str, outcome: HostOutcome | None = None) -> None:
        """End a host's open rows now, well or as *outcome* says; KeyError for a host that has not been dispatched."""
        chosen = outcome or HostOutcome()
        named = [row for row in step.rows if row.host.label == label and not row.is_idle]
        if not named:
            raise KeyError(label)
        code = chosen.status if chosen.status is not None else HOST_SUCCESS
        for row in named:
            if not row.is_finished:
                row.execution.override_outcome(row, chosen, code, self.now)
        self.lifecycle.engine.check_finished(named[0].execution)

    def refs(self) -> tuple[JobRef, ...]:
        """Return the refs of all jobs."""
        return tuple(job.ref for job in self.jobs.values())

    def history(self, jobs: Iterable[JobRef] | None = None) -> History:
        """Return the true history of all jobs or of some."""
        if jobs is None:
            return history_of(self.jobs.values())
        return history_of(self.jobs[ref.job_instance_id] for ref in jobs)

    # Endings ------------------------------------------------------------------------------------------------

    def _job_finished(self, job: Job) -> None:
        if job.plan.callback_url:
            self.callbacks.append(PendingCallback.of(job, self.now))
        if job.plan.archived_after is not None:
            self._queue.after(job.plan.archived_after, self._archive, job, job.ended)

    def _archive(self, job: Job, ended: float | None) -> None:
        if job.ended == ended:
            self.jobs.pop(job.id, None)
