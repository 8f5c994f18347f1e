"""What can be done to steps and jobs, exactly where the platform allows it.

Sources: bk-job's StepOperationEnum, TaskOperationEnum, TaskExecuteServiceImpl.doStepOperation.
"""

from __future__ import annotations

from collections.abc import Callable

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


class Refused(Exception):
    """The platform does not do this; *code* is what it answers."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@frozen(kw_only=True)
class Rule:
    """When a step operation is allowed, what it sets off, and whether the job runs again at once."""

    states: frozenset[int]
    handle: Callable[[Lifecycle, Step], None]
    confirm: bool = False
    rolling: bool = False
    repeats: bool = False
    job_runs: bool = True


def ignore_error(life: Lifecycle, step: Step) -> None:
    """Take a failure for good enough; an abnormal step is not handled, the job then runs on for ever."""
    if step.status == FAIL:
        step.put(IGNORE_ERROR, life.agenda.now)
        life.refresh_job(step.job)


def confirm(life: Lifecycle, step: Step) -> None:
    """Go on after a person's yes."""
    if step.status == WAITING_USER:
        step.close(life.agenda.now)
        step.put(SUCCESS, life.agenda.now)
        life.refresh_job(step.job)


def terminate_confirm(life: Lifecycle, step: Step) -> None:
    """End step and job after a person's no; nobody is called back."""
    if step.status == WAITING_USER:
        step.close(life.agenda.now)
        step.put(CONFIRM_TERMINATED, life.agenda.now)
        life.finish_job(step.job, CONFIRM_TERMINATED, silently=True)


def restart_confirm(life: Lifecycle, step: Step) -> None:
    """Ask the person again."""
    if step.status == CONFIRM_TERMINATED:
        life.ask_person(step)


def next_step(life: Lifecycle, step: Step) -> None:
    """Leave a stopped step behind."""
    if step.status == STOP_SUCCESS:
        step.close(life.agenda.now)
        step.put(SKIPPED, life.agenda.now)
        life.refresh_job(step.job)


def roll_on(life: Lifecycle, step: Step) -> None:
    """Start the next batch after a person's yes."""
    if step.status == WAITING_USER:
        life.roll_on(step)


def retry_failed(life: Lifecycle, step: Step) -> None:
    """Run the failed hosts again."""
    life.repeat_step(step, all_hosts=False)


def retry_all(life: Lifecycle, step: Step) -> None:
    """Run all hosts again."""
    life.repeat_step(step, all_hosts=True)


def skip(life: Lifecycle, step: Step) -> None:
    """Give a step up that does not stop."""
    life.skip_step(step)


ENDED_BADLY = frozenset({4, 9, 11})
STEP_RULES: dict[int, Rule] = {
    2: Rule(states=ENDED_BADLY, handle=retry_failed, repeats=True),
    3: Rule(states=frozenset({4, 9}), handle=ignore_error),
    6: Rule(states=frozenset({WAITING_USER}), handle=confirm, confirm=True),
    8: Rule(states=ENDED_BADLY, handle=retry_all, repeats=True),
    9: Rule(states=frozenset({WAITING_USER}), handle=terminate_confirm, confirm=True, job_runs=False),
    10: Rule(states=frozenset({CONFIRM_TERMINATED}), handle=restart_confirm, confirm=True, job_runs=False),
    11: Rule(states=frozenset({STOP_SUCCESS}), handle=next_step),
    12: Rule(states=frozenset({STOPPING}), handle=skip, job_runs=False),
    13: Rule(states=frozenset({WAITING_USER}), handle=roll_on, rolling=True),
}


def operate_step(life: Lifecycle, step: Step, operation: int, user: str) -> None:
    """Take an operation on, or raise `Refused`; most of it happens one event later."""
    rule = STEP_RULES.get(operation)
    if rule is None:
        raise Refused(NO_SUCH_OPERATION)
    is_confirm = step.plan.kind == CONFIRM
    wrong_kind = rule.confirm != is_confirm or (rule.rolling and step.plan.rolling is None)
    if wrong_kind or step.status not in rule.states:
        raise Refused(NOT_NOW)
    if rule.confirm and step.plan.confirmers and user not in step.plan.confirmers:
        raise Refused(NOT_A_CONFIRMER)
    if rule.repeats:
        step.execute_count += 1
    if rule.job_runs:
        run_again(step.job, life.agenda.now)
    life.agenda.after(life.lags.event, rule.handle, life, step)


def run_again(job: Job, now: float) -> None:
    """Write a job down as running, before any event is handled."""
    job.ended = job.total = None
    job.put(RUNNING, now)


def operate_job(life: Lifecycle, job: Job, operation: int) -> None:
    """Terminate (1) or start (2) a job, or raise `Refused`."""
    if operation == 1:
        if job.status not in (RUNNING, WAITING_USER):
            raise Refused(NOT_NOW)
        job.put(STOPPING, life.agenda.now)
        life.agenda.after(life.lags.event, stop_current, life, job)
    elif operation == 2:
        if job.status != BLANK:
            raise Refused(STARTED_ALREADY)
        life.agenda.after(life.lags.event, life.start_job, job)
    else:
        raise Refused(NO_SUCH_OPERATION)


def stop_current(life: Lifecycle, job: Job) -> None:
    """Send the stop to the step that the job is at by now."""
    life.stop_step(job.current_step)
