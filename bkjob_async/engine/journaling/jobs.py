"""The state of a job in the form of a checkpoint, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.journaling.columns import (
    column,
    expanded,
    failure_forms,
    failures_from,
)
from bkjob_async.engine.journaling.fleet_facts import signal_from
from bkjob_async.engine.journaling.forms import (
    FIRST_VERSION,
    JobForm,
    PartForm,
    StepForm,
    TableForm,
    WaitsForm,
)
from bkjob_async.engine.journaling.host_names import KnownKeys, keys_from, names_form
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.packed_times import packed_times, times_from, unpacked_moments
from bkjob_async.engine.tracking.poll_state import without
from bkjob_async.engine.tracking.run_state import RUNNING, WAITING, announced_state
from bkjob_async.engine.tracking.step_state import NO_HOSTS, NO_WAITS, WAIT_DUE, StepState, StepWaits
from bkjob_async.model.events import Event, Lost, Trouble
from bkjob_async.model.json_values import event_to_json
from bkjob_async.model.refs import JobRef, Ref

# A part of a checkpoint ends after so many hosts, and a job counts as some: it is made in a few milliseconds.
HOSTS_IN_PART, HOSTS_OF_JOB = 1000, 10

_encoder = msgspec.msgpack.Encoder()

MakeJob = Callable[[JobRef], JobState]


def encode_part(part: PartForm) -> bytes:
    """Return a part of a checkpoint as bytes."""
    return _encoder.encode(part)


def parts_of(sequence: int, jobs: Iterable[JobForm]) -> Iterator[bytes]:
    """Yield *jobs* as parts of a checkpoint of the records up to number *sequence*."""
    part, size = list[JobForm](), 0
    for job in jobs:
        part.append(job)
        size += HOSTS_OF_JOB + sum(step.table.hosts.size for step in job.steps if step.table is not None)
        if size >= HOSTS_IN_PART:
            yield encode_part(PartForm(FIRST_VERSION, sequence, part))
            part, size = [], 0
    if part:
        yield encode_part(PartForm(FIRST_VERSION, sequence, part))


def job_form(job: JobState) -> JobForm:
    """Return what is known of a job in its form."""
    return form_of(job, map(step_form, job.steps))


def form_of(job: JobState, steps: Iterable[StepForm]) -> JobForm:
    """Return what is known of a job itself in its form, with *steps* in theirs."""
    code, _, finished = job.announced
    return JobForm(
        job=str(job.ref),
        is_target=job.is_target,
        target_steps=[ref.step_instance_id for ref in job.target_steps],
        status_code=job.status_code,
        announced=None if code is None else (code, finished),
        announced_sequence=job.announced_sequence,
        epoch=job.epoch,
        name=job.name,
        times=unpacked_moments(job.raw_times),
        signals=signals_of(job),
        steps=[*steps],
    )


def reported_form(job: JobState, sequence: int) -> JobForm:
    """Return what the only watch of a job was given of it, in records up to number *sequence*.

    Beside that a state has what settles, and what is left of targets that were dropped.
    """
    steps = [step for step in job.steps if job.is_target or step.ref in job.target_steps]
    code = job.announced.code if job.is_target else None
    form = replace(form_of(job, map(reported_step_form, steps)), status_code=code, sequence=sequence)
    if code is None:
        return replace(form, announced=None, announced_sequence=0, epoch=0, name="", times=None)
    return form


def signals_of(job: JobState) -> list[dict[str, Any]]:
    """Return the trouble and the losses that were reported of a job."""
    signals: list[Event] = [*job.poll_failures.troubled.values(), *job.poll_failures.lost.values()]
    return list(map(event_to_json, signals))


def reported_step_form(step: StepState) -> StepForm:
    """Return what was reported of a step: not a status that settles, nor an execution of which that is all."""
    code, execute_count, _ = step.announced
    if code is None and not step.hosts.size:
        return StepForm(step.ref.step_instance_id)
    form = step_form(step)
    if code is None:
        return replace(form, status_code=RUNNING)
    count = step.execute_count if step.hosts.size else execute_count
    return replace(form, status_code=code, execute_count=count)


def step_form(step: StepState) -> StepForm:
    """Return what is known of a step in its form."""
    code, execute_count, finished = step.announced
    return StepForm(
        id=step.ref.step_instance_id,
        status_code=step.status_code,
        announced=None if code is None else (code, execute_count, finished),
        announced_sequence=step.announced_sequence,
        execute_count=step.execute_count,
        epoch=step.epoch,
        name=step.name,
        type=step.type,
        times=unpacked_moments(step.raw_times),
        host_refusals=step.host_refusals,
        table=table_form(step) if step.hosts.size else None,
        waits=waits_form(step.waits),
    )


def waits_form(waits: StepWaits) -> WaitsForm | None:
    """Return the waits of a step for a user in their form, None for none."""
    if waits is NO_WAITS:
        return None
    return WaitsForm(waits.count, waits.sequence, waits.is_shown, waits.is_due, waits.rows)


def table_form(step: StepState) -> TableForm:
    """Return the hosts of a step in their form."""
    hosts, statuses = step.hosts.keys, step.hosts.statuses
    failed = sorted(step.failures or ())
    failures = failure_forms(step, zip(failed, failed, strict=True))
    codes, befores = column(statuses.codes()), column(statuses.codes(before=True))
    return TableForm(names_form(hosts), codes, befores, column(statuses.sequences()), failures)


def job_from(form: JobForm, make_job: MakeJob, known: KnownKeys) -> JobState:
    """Return the state of a job from its form; *known* hosts were read before."""
    job = make_job(JobRef.parse(form.job))
    job.status_code = form.status_code
    if form.announced is not None:
        job.announced = announced_state(form.announced[0], finished=form.announced[1])
    job.announced_sequence, job.epoch, job.name = form.announced_sequence, form.epoch, form.name
    job.raw_times = packed_times(times_from(form.times))
    job.steps = tuple(step_from(step, job.ref, known) for step in form.steps)
    job.is_target = form.is_target
    job.target_steps = tuple(job.step(number).ref for number in form.target_steps)
    for signal in map(signal_from, form.signals):
        if isinstance(signal, Trouble) and signal.ref is not None:
            note_trouble(job, signal.ref, signal)
        elif isinstance(signal, Lost):
            note_loss(job, signal)
    return job


def step_from(form: StepForm, job: JobRef, known: KnownKeys) -> StepState:
    """Return the state of a step of *job* from its form."""
    step = StepState(job.step(form.id), form.name, form.status_code, type=form.type)
    if form.announced is not None:
        code, execute_count, finished = form.announced
        step.announced = announced_state(code, execute_count, finished=finished)
    step.announced_sequence, step.execute_count = form.announced_sequence, form.execute_count
    step.epoch, step.host_refusals = form.epoch, form.host_refusals
    step.raw_times = packed_times(times_from(form.times))
    if form.waits is not None:
        waits = form.waits
        is_shown = waits.is_shown and form.status_code == WAITING  # not one that was only confirmed
        step.waits = StepWaits(waits.count, waits.sequence, is_shown, waits.is_due, rows=waits.rows)
    elif step.announced.code == WAITING:
        step.waits = WAIT_DUE  # a version that did not report waits wrote this
    if form.table is not None:
        step.hosts = table_from(form.table, known)
        step.failures = dict(failures_from(form.table.failures, step.hosts.keys)) or None
    return step


def table_from(form: TableForm, known: KnownKeys) -> HostTable:
    """Return the hosts of a step from their form; *known* hosts were read before."""
    size, hosts = form.hosts.size, keys_from(form.hosts, known)
    if not size:
        return NO_HOSTS
    return HostTable.of(
        hosts, expanded(form.codes, size), expanded(form.befores, size), expanded(form.sequences, size)
    )


def note_trouble(job: JobState, ref: Ref, trouble: Trouble | None) -> None:
    """Keep the *trouble* that readers were given of a target, None for its end."""
    troubled = without(job.poll_failures.troubled, ref)
    if trouble is not None:
        troubled = {**troubled, ref: trouble}
    job.poll_failures = replace(job.poll_failures, troubled=troubled).or_none()


def note_loss(job: JobState, loss: Lost) -> None:
    """Keep that a target is lost."""
    lost = {**without(job.poll_failures.lost, loss.ref), loss.ref: loss}
    job.poll_failures = replace(job.poll_failures, lost=lost)
