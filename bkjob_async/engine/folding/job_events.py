"""How what was reported of a job changes its state; the numbers of batches only rise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from msgspec.structs import replace

from bkjob_async.engine.host_table.id_lookups import IdLookups
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.run_state import RUNNING, WAITING, announced_state
from bkjob_async.engine.tracking.step_state import NO_HOSTS, NO_WAITS, StepState, StepWaits
from bkjob_async.model.events import HostCounts, JobChanged, Reopened, StepChanged, StepWaiting
from bkjob_async.model.refs import HostKey, StepRef

RunEvent = StepChanged | StepWaiting | JobChanged | HostCounts | Reopened
"""The events that change the state of a job or of a step; those of hosts are applied together."""


def apply_event(job: JobState, event: RunEvent, sequence: int) -> None:
    """Apply what batch number *sequence* reported of a job or of a step of it."""
    if isinstance(event, JobChanged):
        apply_status(job, event, sequence)
        return
    ref = event.ref
    run = job.step(ref.step_instance_id, ref) if isinstance(ref, StepRef) else job
    if isinstance(event, Reopened):
        run.epoch = event.epoch
        run.retract_end(sequence)
    elif isinstance(run, StepState):
        apply_to_step(run, event, sequence)


def apply_to_step(step: StepState, event: StepChanged | StepWaiting | HostCounts, sequence: int) -> None:
    """Apply what was reported of a step."""
    match event:
        case StepChanged():
            begin_execution(step, event.execute_count, sequence)
            apply_status(step, event, sequence, execute_count=event.execute_count)
            waits = event.after.code == WAITING and not event.is_finished
            step.waits = replace(step.waits, is_shown=waits, is_due=waits)
        case StepWaiting():
            begin_execution(step, event.execute_count, sequence)
            step.waits = StepWaits(event.wait, sequence, is_shown=True)
        case HostCounts() if step.execute_count != event.execute_count or not event.hosts:
            # Without hosts it is another execution, or that one anew, after a database was restored from before it.
            if step.announced_sequence != sequence:  # else it was reopened just before
                step.epoch += 1
            begin_execution(step, event.execute_count, sequence, anew=True)
        case HostCounts():
            pass  # the hosts of an execution that is known
        case _:
            assert_never(event)


def apply_status(
    run: JobState | StepState, event: JobChanged | StepChanged, sequence: int, *, execute_count: int = 0
) -> None:
    """Apply what was reported of the status of a job or step."""
    code = event.after.code
    run.announced = announced_state(code, execute_count, finished=event.is_finished)
    run.announced_sequence, run.status_code, run.epoch = sequence, code, event.epoch
    run.name = event.name or run.name


def apply_hosts(
    step: StepState,
    hosts: Sequence[HostKey],
    codes: Sequence[int],
    sequence: int,
    *,
    execute_count: int,
    epoch: int,
    lookups: IdLookups | None = None,
) -> Sequence[int]:
    """Apply the *codes* that were reported of *hosts*, each named once; return their places in the step's table."""
    begin_execution(step, execute_count, sequence)
    step.epoch = epoch
    if step.hosts is NO_HOSTS:
        step.hosts = HostTable()
    places = step.hosts.set_codes(hosts, codes, sequence, lookups)
    step.forget_failures(places)
    return places


def begin_execution(step: StepState, execute_count: int, sequence: int, *, anew: bool = False) -> None:
    """Begin another execution of a step where *execute_count* is another one, or the same one *anew*."""
    if step.status_code is None:
        # Hosts are reported before the status of their step: it was seen, and not reported yet.
        step.status_code = RUNNING
    elif anew or step.execute_count != execute_count:
        if step.hosts is not NO_HOSTS:
            step.hosts.begin_execution(sequence)
        step.failures, step.waits = None, NO_WAITS
        step.retract_end(sequence)
    step.execute_count = execute_count
