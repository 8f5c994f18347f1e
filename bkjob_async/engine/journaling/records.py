"""Records: one batch each, as bytes; written without making an event of a host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import msgspec

from bkjob_async.engine.host_table.failure_details import FailureDetails
from bkjob_async.engine.host_table.host_names import unpacked_numbers
from bkjob_async.engine.journaling.columns import (
    column,
    expanded,
    failure_form,
    names_form,
    names_from,
)
from bkjob_async.engine.journaling.forms import (
    FIRST_VERSION,
    VERSION,
    EventForm,
    FailureForm,
    HostsForm,
    RecordForm,
    StepFacts,
    TargetsForm,
)
from bkjob_async.engine.stream.event_list import (
    LAZY,
    BatchPart,
    EventOrLazy,
    LazyEventList,
    last_index,
    parts_of,
)
from bkjob_async.engine.stream.host_columns import HostEventColumns, columns_of
from bkjob_async.engine.stream.lazy_events import HostEventsCopy, LazyHostEvents, events_from
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.packed_times import unpacked_moments
from bkjob_async.engine.tracking.step_hosts import is_failure
from bkjob_async.engine.tracking.step_state import StepState
from bkjob_async.errors import JournalDamaged
from bkjob_async.model.events import (
    Batch,
    Event,
    HostChanged,
    JobChanged,
    StepChanged,
    StepWaiting,
    give_index,
    index_of,
)
from bkjob_async.model.events_json import event_from_json, event_to_json
from bkjob_async.model.refs import Ref, StepRef

_encoder = msgspec.msgpack.Encoder()


# Writing --------------------------------------------------------------------------------------------------------------


def encode_record(
    sequence: int,
    *,
    time: float,
    term: int,
    client: str,
    batch: Batch | None = None,
    job: JobState | None = None,
    targets: Sequence[tuple[Ref, bool]] = (),
    durations: Mapping[str, Any] | None = None,
    behind: int | None = None,
) -> bytes:
    """Return a record of *batch*, which is about *job*, as bytes.

    *targets* are those that were added (True) or dropped before it, in this order; *durations* what was learnt; *behind* is
    the number of the record before it, for the first record of a term.
    """
    parts = [] if batch is None else part_forms(parts_of(batch.events), job)
    form = RecordForm(
        version_of(parts),
        sequence,
        time,
        term,
        client,
        0 if batch is None else last_index(batch.events),
        parts,
        targets_form(targets) if targets else None,
        None if job is None else order_of_steps(job, parts),
        None if durations is None else dict(durations),
        behind,
    )
    try:
        return _encoder.encode(form)
    except OverflowError:
        return _encoder.encode(in_range(msgspec.to_builtins(form)))


def version_of(parts: Sequence[HostsForm | EventForm]) -> int:
    """Return the first version that understands a record of *parts*."""
    is_new = any(isinstance(part, EventForm) and part.event["kind"] == StepWaiting.kind for part in parts)
    return VERSION if is_new else FIRST_VERSION


def in_range(value: Any) -> Any:
    """Return plain *value* with the nearest number of 64 bits in place of larger ones: a platform may send anything."""
    if isinstance(value, dict):
        return {key: in_range(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [in_range(each) for each in value]
    return max(-(1 << 63), min((1 << 63) - 1, value)) if type(value) is int else value


def order_of_steps(job: JobState, parts: Sequence[HostsForm | EventForm]) -> tuple[str, list[int]] | None:
    """Return the ids of all steps of a job that is a target, where *parts* are about more than hosts, or of a new step."""
    if not job.is_target or len(job.steps) < 2:
        return None
    is_new = any(step.announced.code is None for step in job.steps)
    if not is_new and not any(isinstance(part, EventForm) for part in parts):
        return None
    return str(job.ref), [step.ref.step_instance_id for step in job.steps]


def targets_form(targets: Sequence[tuple[Ref, bool]]) -> TargetsForm:
    """Return targets that were added (True) or dropped in their form."""
    return TargetsForm([str(ref) for ref, _ in targets], [added for _, added in targets])


def part_forms(parts: Sequence[BatchPart], job: JobState | None) -> list[HostsForm | EventForm]:
    """Return the forms of the *parts* of a batch; single events of hosts are written together where they can be."""
    if len(parts) == 1 and isinstance(parts[0], LAZY):  # as of most polls
        return [hosts_form(parts[0], job)]
    return list(grouped_forms(parts, job))


def grouped_forms(parts: Sequence[BatchPart], job: JobState | None) -> Iterator[HostsForm | EventForm]:
    """Yield the forms of parts of several kinds."""
    for run, group in groupby(enumerate(parts), key=run_of):
        if run is None:
            for _, part in group:
                yield hosts_form(part, job) if isinstance(part, LAZY) else event_form(part, job)
        else:
            events = [part for _, part in group if isinstance(part, HostChanged)]
            before = max(0, index_of(events[0]) - 1)
            yield hosts_form_of(events[0].ref, before, columns_of(events), job)


def run_of(numbered: tuple[int, BatchPart]) -> tuple[object, ...] | None:
    """Return what single events of hosts have in common that are written together; None for other parts."""
    number, part = numbered
    if not isinstance(part, HostChanged):
        return None
    return part.ref, part.execute_count, part.epoch, part.skipped, index_of(part) - number


def hosts_form(events: LazyHostEvents | HostEventsCopy, job: JobState | None) -> HostsForm:
    """Return the form of the events of one step."""
    return hosts_form_of(events.ref, events.events_before or 0, events.columns(), job)


def hosts_form_of(
    ref: StepRef, events_before: int, columns: HostEventColumns, job: JobState | None
) -> HostsForm:
    """Return the form of events of hosts of step *ref*."""
    step = None if job is None else job.find_step(ref.step_instance_id)
    return HostsForm(
        events_before,
        step_text(ref),
        columns.execute_count,
        columns.epoch,
        columns.skipped,
        names_form(columns.hosts),
        column(columns.befores),
        column(columns.afters),
        column(columns.tags),
        column(columns.exit_codes),
        [] if step is None or step.failures is None else failures_among(columns, step, step.failures),
    )


@lru_cache(maxsize=4096)
def step_text(ref: StepRef) -> str:
    """Return the name of a step; records name few steps, and each many times."""
    return str(ref)


def failures_among(columns: HostEventColumns, step: StepState, failures: FailureDetails) -> list[FailureForm]:
    """Return the details of the hosts that failed, as the *step* has them."""
    failed = {code for code in set(columns.afters) if is_failure(code)}
    if not failed:
        return []
    numbers = [number for number, code in enumerate(columns.afters) if code in failed]
    if columns.places:
        places = unpacked_numbers(columns.places, len(columns.afters))
    else:
        places = step.hosts.find_hosts(columns.hosts.host_keys())
    kept = ((number, failures.get(places[number])) for number in numbers)
    return [
        failure_form(number, details, step.hosts.key(places[number]))
        for number, details in kept
        if details is not None
    ]


def event_form(event: Event, job: JobState | None) -> EventForm:
    """Return the form of an event that is not of a host; *job* has what the event does not say."""
    data = event_to_json(event)
    del data["cursor"]
    facts = None
    if job is not None and isinstance(event, StepChanged):
        step = job.find_step(event.ref.step_instance_id)
        facts = None if step is None else facts_of_step(step)
    elif job is not None and isinstance(event, StepWaiting):
        step = job.find_step(event.ref.step_instance_id)
        facts = None if step is None else StepFacts(rows=step.waits.rows)
    elif job is not None and isinstance(event, JobChanged):
        facts = StepFacts(times=unpacked_moments(job.raw_times))
    return EventForm(index_of(event), data, facts)


def facts_of_step(step: StepState) -> StepFacts:
    """Return what a journal keeps of a step beside its events; the details of failed hosts once it is over."""
    failed, forms = None, list[FailureForm]()
    if step.announced.finished and step.failures is not None:
        places = [place for place in step.hosts.statuses.failed()[0] if place in step.failures]
        details = [step.failures.get(place) for place in places]
        failed = names_form(step.hosts.names_at(places))
        forms = [
            failure_form(n, host, step.hosts.key(places[n]))
            for n, host in enumerate(details)
            if host is not None
        ]
    return StepFacts(step.type, unpacked_moments(step.raw_times), step.host_refusals, failed, forms)


# Reading --------------------------------------------------------------------------------------------------------------


def batch_of(record: RecordForm) -> Batch | None:
    """Return the batch of a record, None where it has none; raise `JournalDamaged` where it makes no sense.

    The events of hosts are made when they are read.
    """
    if not record.parts:
        return None
    cursor = record.cursor
    try:
        parts: list[EventOrLazy] = [
            lazy_events_from(part, cursor) if isinstance(part, HostsForm) else event_from(part, cursor)
            for part in record.parts
        ]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise JournalDamaged(f"a record of the journal makes no sense: {error}") from error
    return Batch(record.sequence, LazyEventList(parts, last_index=record.last_index), cursor)


def event_from(form: EventForm, cursor: str) -> Event:
    """Return an event from its form."""
    event = event_from_json({**form.event, "cursor": cursor})
    give_index(event, form.index)
    return event


@lru_cache(maxsize=4096)
def step_ref(text: str) -> StepRef:
    """Return a step by its name; records name few steps, and each many times."""
    return StepRef.parse(text)


def lazy_events_from(form: HostsForm, cursor: str) -> LazyHostEvents:
    """Return the events of hosts from their form."""
    size = form.hosts.size
    columns = HostEventColumns(
        hosts=names_from(form.hosts),
        befores=expanded(form.befores, size),
        afters=expanded(form.afters, size),
        tags=expanded(form.tags, size),
        exit_codes=expanded(form.exit_codes, size),
        execute_count=form.execute_count,
        epoch=form.epoch,
        skipped=form.skipped,
        cursor=cursor,
    )
    return events_from(step_ref(form.step), columns, form.events_before)
