"""The operations on steps and jobs, allowed exactly where the platform allows them.

Sources: bk-job's StepOperationEnum, TaskOperationEnum, TaskExecuteServiceImpl.doStepOperation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import frozen

from bkjob_async.simulator.world.codes import (
    BLANK,
    CONFIRM,
    CONFIRM_TERMINATED,
    FAIL,
    IGNORE_ERROR,
    RUNNING,
    SKIPPED,
    STOP_SUCCESS,
    STOPPING,
    SUCCESS,
    WAITING_USER,
)
from bkjob_async.simulator.world.lifecycle import Lifecycle
from bkjob_async.simulator.world.records import Job, Step

NOT_NOW, NO_SUCH_OPERATION, NOT_A_CONFIRMER, STARTED_ALREADY = 1241003, 1241002, 1244016, 1241015
Handler = Callable[[Lifecycle, Step], None]


class OperationNotAllowed(Exception):
    """The platform does not allow this; *code* is the error in its response."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@frozen(kw_only=True)
class Rule:
    """When a step operation is allowed, which function handles it, and whether the job runs again at once."""

    states: frozenset[int]
    handle: Handler
    confirm: bool = False
    rolling: bool = False
    repeats: bool = False
    job_runs: bool = True


def ignore_error(lifecycle: Lifecycle, step: Step) -> None:
    """Ignore a failure; an abnormal step is not handled, and its job never ends."""
    if step.status == FAIL:
        step.set_status(IGNORE_ERROR, lifecycle.queue.now)
        lifecycle.refresh_job(step.job)


def ending(before: int, after: int) -> Handler:
    """Return what ends a step that is still *before* with the status *after*, and goes on with its job."""

    def handle(lifecycle: Lifecycle, step: Step) -> None:
        if step.status == before:
            step.mark_ended(lifecycle.queue.now)
            step.set_status(after, lifecycle.queue.now)
            lifecycle.refresh_job(step.job)

    return handle


def terminate_confirm(lifecycle: Lifecycle, step: Step) -> None:
    """End step and job after a user has refused; no callback is sent."""
    if step.status == WAITING_USER:
        step.mark_ended(lifecycle.queue.now)
        step.set_status(CONFIRM_TERMINATED, lifecycle.queue.now)
        lifecycle.finish_job(step.job, CONFIRM_TERMINATED, without_callback=True)


def restart_confirm(lifecycle: Lifecycle, step: Step) -> None:
    """Wait for the user again."""
    if step.status == CONFIRM_TERMINATED:
        lifecycle.wait_for_user(step)


def start_next_batch(lifecycle: Lifecycle, step: Step) -> None:
    """Start the next batch after a user has confirmed."""
    if step.status == WAITING_USER:
        lifecycle.start_next_batch(step)


ENDED_UNSUCCESSFULLY = frozenset({4, 9, 11})
STEP_RULES: dict[int, Rule] = {
    2: Rule(
        states=ENDED_UNSUCCESSFULLY, handle=partial(Lifecycle.repeat_step, all_hosts=False), repeats=True
    ),
    3: Rule(states=frozenset({4, 9}), handle=ignore_error),
    6: Rule(states=frozenset({WAITING_USER}), handle=ending(WAITING_USER, SUCCESS), confirm=True),
    8: Rule(states=ENDED_UNSUCCESSFULLY, handle=partial(Lifecycle.repeat_step, all_hosts=True), repeats=True),
    9: Rule(states=frozenset({WAITING_USER}), handle=terminate_confirm, confirm=True, job_runs=False),
    10: Rule(states=frozenset({CONFIRM_TERMINATED}), handle=restart_confirm, confirm=True, job_runs=False),
    11: Rule(states=frozenset({STOP_SUCCESS}), handle=ending(STOP_SUCCESS, SKIPPED)),
    12: Rule(states=frozenset({STOPPING}), handle=Lifecycle.skip_step, job_runs=False),
    13: Rule(states=frozenset({WAITING_USER}), handle=start_next_batch, rolling=True),
}


def operate_step(lifecycle: Lifecycle, step: Step, operation: int, user: str) -> None:
    """Accept an operation, or raise `OperationNotAllowed`; most of it happens one event later."""
    rule = STEP_RULES.get(operation)
    if rule is None:
        raise OperationNotAllowed(NO_SUCH_OPERATION)
    is_confirm = step.plan.kind == CONFIRM
    wrong_kind = rule.confirm != is_confirm or (rule.rolling and step.plan.rolling is None)
    if wrong_kind or step.status not in rule.states:
        raise OperationNotAllowed(NOT_NOW)
    if rule.confirm and step.plan.confirmers and user not in step.plan.confirmers:
        raise OperationNotAllowed(NOT_A_CONFIRMER)
    if rule.repeats:
        step.execute_count += 1
    if rule.job_runs:
        mark_running(step.job, lifecycle.queue.now)
    lifecycle.queue.after(lifecycle.delays.event, rule.handle, lifecycle, step)


def mark_running(job: Job, now: float) -> None:
    """Set a job to running, before any event is handled."""
    job.ended = job.total = None
    job.set_status(RUNNING, now)


def operate_job(lifecycle: Lifecycle, job: Job, operation: int) -> None:
    """Terminate (1) or start (2) a job, or raise `OperationNotAllowed`."""
    if operation == 1:
        if job.status not in (RUNNING, WAITING_USER):
            raise OperationNotAllowed(NOT_NOW)
        job.set_status(STOPPING, lifecycle.queue.now)
        lifecycle.queue.after(lifecycle.delays.event, stop_current, lifecycle, job)
    elif operation == 2:
        if job.status != BLANK:
            raise OperationNotAllowed(STARTED_ALREADY)
        lifecycle.queue.after(lifecycle.delays.event, lifecycle.start_job, job)
    else:
        raise OperationNotAllowed(NO_SUCH_OPERATION)


def stop_current(lifecycle: Lifecycle, job: Job) -> None:
    """Send the stop to the step that the job is at by now."""
    lifecycle.stop_step(job.current_step)
