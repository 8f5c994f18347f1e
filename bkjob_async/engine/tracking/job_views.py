"""Results, snapshots, host counts and events made from the state of a job."""

from __future__ import annotations

from collections import Counter
from copy import copy

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.run_state import NOT_STARTED
from bkjob_async.engine.tracking.step_views import copy_of_step, step_result, step_snapshot
from bkjob_async.model.events import Finished, JobChanged
from bkjob_async.model.refs import Ref, StepRef
from bkjob_async.model.result import JobResult
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot
from bkjob_async.model.status import Phase, run_status


def job_changed(job: JobState, before: int | None, *, skipped: bool = False) -> JobChanged:
    """Return the event that the job has the status that was announced; *before* is the code before it."""
    code, _, finished = job.announced
    assert code is not None  # noqa: S101 - called for announced statuses only
    return JobChanged(
        ref=job.ref,
        before=None if before is None else run_status(before),
        after=run_status(code),
        is_finished=finished,
        name=job.name,
        epoch=job.epoch,
        skipped=skipped,
    )


def finished_event(job: JobState, ref: Ref, *, skipped: bool = False) -> Finished:
    """Return the event that target *ref* is finished, with its result."""
    epoch = job.step(ref.step_instance_id).epoch if isinstance(ref, StepRef) else job.epoch
    return Finished(ref=ref, result=target_result(job, ref), epoch=epoch, skipped=skipped)


def target_result(job: JobState, ref: Ref) -> JobResult:
    """Return the result so far of the job, or of one step of it."""
    if isinstance(ref, StepRef):
        result = step_result(job.step(ref.step_instance_id))
        return JobResult(ref=ref, status=result.status, name=result.name, times=result.times, steps=(result,))
    code = job.status_code if job.status_code is not None else NOT_STARTED
    return JobResult(
        ref=ref,
        status=run_status(code),
        name=job.name,
        times=job.times,
        steps=tuple(map(step_result, job.steps)),
    )


def copy_of(job: JobState) -> JobState:
    """Return a copy of a job's state that keeps what readers are given of it, whatever happens to the job later."""
    new = copy(job)
    new.poll_state = None
    new.steps = tuple(map(copy_of_step, job.steps))
    return new


def target_snapshot(job: JobState, ref: Ref) -> JobSnapshot | StepSnapshot | None:
    """Return the job, or one step of it, as last seen; None before its first response."""
    if not job.was_read(ref):
        return None
    if isinstance(ref, StepRef):
        return step_snapshot(job.step(ref.step_instance_id))
    assert job.status_code is not None  # noqa: S101 - it was read
    return JobSnapshot(
        ref=job.ref,
        status=run_status(job.status_code),
        is_finished=job.announced.finished,
        name=job.name,
        times=job.times,
        steps=tuple(map(step_snapshot, job.steps)),
    )


def count_hosts(job: JobState, ref: Ref) -> dict[Phase, int]:
    """Count the hosts of the job, or of one step, by phase in the present execution of each step."""
    steps = job.steps if ref == job.ref else [step for step in job.steps if step.ref == ref]
    if len(steps) == 1:
        return steps[0].hosts.statuses.counts()
    total: Counter[Phase] = Counter()
    for step in steps:
        total.update(step.hosts.statuses.counts())
    return dict(total)


def count_hosts_not_begun(job: JobState) -> Counter[Phase]:
    """Count the hosts of steps that have not begun, by phase: the platform lists them where such a step is read by itself."""
    total: Counter[Phase] = Counter()
    for step in job.steps:
        if not step.started:
            total.update(step.hosts.statuses.counts())
    return total


def are_all_counted(job: JobState, ref: Ref) -> bool:
    """Return True if every host that the job, or one step, has shown is counted; rows that are not trusted yet are not."""
    steps = job.steps if ref == job.ref else [step for step in job.steps if step.ref == ref]
    return all(sum(step.hosts.statuses.counts().values()) == step.hosts.size for step in steps)
