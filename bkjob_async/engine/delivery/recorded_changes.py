"""Events for what has changed between the recorded state of a job and the present one."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import finished_event, job_changed
from bkjob_async.engine.tracking.step_state import StepState
from bkjob_async.engine.tracking.step_views import (
    host_counts,
    present_step,
    step_changed,
    step_waiting,
)
from bkjob_async.model.events import Event, HostChanged, Reopened
from bkjob_async.model.refs import Ref
from bkjob_async.model.status import host_status


def changes_since(
    recorded: JobState, job: JobState, targets: Collection[Ref], known: Collection[Ref] = ()
) -> Iterator[Event]:
    """Yield what has changed of *targets* since *recorded*, as ordinary changes: hosts before step before job.

    Of steps that belong to *known* targets the watch was given all but `Finished`.
    """
    steps = [step for step in job.steps if job.ref in targets or step.ref in targets]
    changed = {step.ref: list(step_changes(recorded, step)) for step in steps}
    has_job, before = job.ref in targets, recorded.announced.code
    went_on = any(changed[step.ref] and not has_same_status(recorded, step) for step in steps)
    is_reopened = recorded.announced.finished and (recorded.announced != job.announced or went_on)
    has_changed = job.announced.code is not None and (is_reopened or recorded.announced != job.announced)
    if has_job and is_reopened:
        yield Reopened(ref=job.ref, epoch=job.epoch)
    if has_job and has_changed and not job.announced.finished:
        yield job_changed(job, before)
    for step in steps:
        if step.ref not in known and job.ref not in known:
            yield from changed[step.ref]
        if step.ref in targets and step.announced.finished and changed[step.ref]:
            yield finished_event(job, step.ref)
    if has_job and has_changed and job.announced.finished:
        yield job_changed(job, before)
        yield finished_event(job, job.ref)


def has_same_status(recorded: JobState, step: StepState) -> bool:
    """Return True if a step was announced in its recorded status and execution, and only whether it is over differs.

    That is announced where the step is followed by itself, and not where the job alone is.
    """
    known = recorded.find_step(step.ref.step_instance_id)
    if known is None or known.announced.code is None:
        return False
    return known.announced[:2] == step.announced[:2] and known.announced.finished != step.announced.finished


def step_changes(recorded: JobState, step: StepState) -> Iterator[Event]:
    """Yield what has changed of one step since *recorded*."""
    known = recorded.find_step(step.ref.step_instance_id)
    if known is None or known.status_code is None:
        yield from present_step(step)
        return
    is_new_execution = known.execute_count != step.execute_count
    hosts = list(host_changes(known, step, is_new_execution=is_new_execution))
    is_reopened = known.announced.finished and (
        is_new_execution or known.announced != step.announced or bool(hosts)
    )
    has_changed = step.announced.code is not None and (is_reopened or known.announced != step.announced)
    if is_reopened:
        yield Reopened(ref=step.ref, epoch=step.epoch)
    if is_new_execution and known.hosts.size:
        yield host_counts(StepState(step.ref, execute_count=step.execute_count))
    if has_changed and not step.announced.finished:
        yield step_changed(step, known.announced.code)
    yield from hosts
    if step.waits.is_present and not is_same_wait(known, step):
        yield step_waiting(step)
    if has_changed and step.announced.finished:
        yield step_changed(step, known.announced.code)


def continue_waits(recorded: JobState, job: JobState) -> None:
    """Count the waits of steps for a user on from those that were *recorded*."""
    for step in job.steps:
        known = recorded.find_step(step.ref.step_instance_id)
        if known is not None and known.execute_count == step.execute_count and known.waits.count:
            is_next = step.waits.is_present and not is_same_wait(known, step)
            count = max(step.waits.count, known.waits.count + is_next)
            step.waits = replace(step.waits, count=count)


def is_same_wait(known: StepState, step: StepState) -> bool:
    """Return True if a step still waits for a user as it was reported: no more of its host rows have ended."""
    if not known.waits.is_present or known.execute_count != step.execute_count:
        return False
    before, rows = known.waits.rows, step.waits.rows
    return before is None or rows is None or rows[0] <= before[0]


def host_changes(known: StepState, step: StepState, *, is_new_execution: bool) -> Iterator[HostChanged]:
    """Yield which hosts of a step have another status than they were reported with."""
    recorded, present = known.hosts.statuses.changes_since(), step.hosts.statuses.changes_since()
    codes = {} if is_new_execution else dict(zip(recorded.places, recorded.afters, strict=True))
    keys = step.hosts.keys_at(present.places)
    places = known.hosts.find_hosts(keys)
    for place, code, key, known_place in zip(present.places, present.afters, keys, places, strict=True):
        before = codes.get(known_place)
        if before == code:
            continue
        details = None if step.failures is None else step.failures.get(place)
        yield HostChanged(
            ref=step.ref,
            host=key,
            execute_count=step.execute_count,
            before=None if before is None else host_status(before),
            after=host_status(code),
            tag=details.tag if details else None,
            exit_code=details.exit_code if details else None,
            epoch=step.epoch,
            start_time=details.times.start_time if details else None,
            end_time=details.times.end_time if details else None,
        )
