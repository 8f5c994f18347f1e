"""The operations on steps and jobs, allowed exactly where the platform allows them.

Sources: bk-job's StepOperationEnum, TaskOperationEnum, TaskExecuteServiceImpl.doStepOperation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter

from attrs import Factory, field, frozen

from bkjob_async.simulator.world.codes import (
    ABNORMAL,
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
    """When a step operation is allowed, which function handles it, and whether the job runs again at once.

    It is handled one event later, if the step is *still* in one of these states: by default those that allow it.
    """

    states: frozenset[int]
    handle: Handler
    still: frozenset[int] = field(default=Factory(attrgetter("states"), takes_self=True))
    confirm: bool = False
    rolling: bool = False
    repeats: bool = False
    job_runs: bool = True


def ignore_error(lifecycle: Lifecycle, step: Step) -> None:
    """Ignore a failure."""
    step.set_status(IGNORE_ERROR, lifecycle.queue.now)
    lifecycle.refresh_job(step.job)


def end_step(lifecycle: Lifecycle, step: Step, *, status: int) -> None:
    """End a step, and go on with its job."""
    step.end(status, lifecycle.queue.now)
    lifecycle.refresh_job(step.job)


def terminate_confirm(lifecycle: Lifecycle, step: Step) -> None:
    """End step and job after a user has refused; no callback is sent."""
    step.end(CONFIRM_TERMINATED, lifecycle.queue.now)
    lifecycle.finish_job(step.job, CONFIRM_TERMINATED, without_callback=True)


ENDED_UNSUCCESSFULLY = frozenset({FAIL, ABNORMAL, STOP_SUCCESS})
WAITS = frozenset({WAITING_USER})
retry_failed = partial(Lifecycle.repeat_step, all_hosts=False)
retry_all = partial(Lifecycle.repeat_step, all_hosts=True)
STEP_RULES: dict[int, Rule] = {
    2: Rule(states=ENDED_UNSUCCESSFULLY, handle=retry_failed, repeats=True),
    # That of an abnormal step is accepted and not handled: its job never ends.
    3: Rule(states=frozenset({FAIL, ABNORMAL}), still=frozenset({FAIL}), handle=ignore_error),
    6: Rule(states=WAITS, handle=partial(end_step, status=SUCCESS), confirm=True),
    8: Rule(states=ENDED_UNSUCCESSFULLY, handle=retry_all, repeats=True),
    9: Rule(states=WAITS, handle=terminate_confirm, confirm=True, job_runs=False),
    10: Rule(
        states=frozenset({CONFIRM_TERMINATED}), handle=Lifecycle.wait_for_user, confirm=True, job_runs=False
    ),
    11: Rule(states=frozenset({STOP_SUCCESS}), handle=partial(end_step, status=SKIPPED)),
    12: Rule(states=frozenset({STOPPING}), handle=Lifecycle.skip_step, job_runs=False),
    13: Rule(states=WAITS, handle=Lifecycle.start_next_batch, rolling=True),
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
    lifecycle.queue.after(lifecycle.delays.event, handle, rule, lifecycle, step)


def handle(rule: Rule, lifecycle: Lifecycle, step: Step) -> None:
    """Handle an operation that was accepted, unless the step has changed since."""
    if step.status in rule.still:
        rule.handle(lifecycle, step)


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
