"""Records: one batch each, as bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any, cast

import msgspec
from msgspec.structs import force_setattr

from bkjob_async.engine.journaling.columns import (
    column,
    expanded,
    expanded_times,
    failure_forms,
    time_column,
)
from bkjob_async.engine.journaling.decoding import damage_if_senseless
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
from bkjob_async.engine.journaling.host_names import keys_from, names_form
from bkjob_async.engine.responses.step_hosts import is_failure
from bkjob_async.engine.stream.batches import last_place, place_of, run_of
from bkjob_async.engine.stream.cursor import place
from bkjob_async.engine.stream.host_events import host_events
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.packed_times import unpacked_moments
from bkjob_async.engine.tracking.step_state import StepState
from bkjob_async.model.events import Batch, Event, HostChanged, JobChanged, StepChanged, StepWaiting
from bkjob_async.model.json_values import event_from_json, event_to_json
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
    parts = [] if batch is None else [*part_forms(batch.events, job)]
    form = RecordForm(
        version_of(parts),
        sequence,
        time,
        term,
        client,
        0 if batch is None else last_place(batch),
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


def part_forms(events: Sequence[Event], job: JobState | None) -> Iterator[HostsForm | EventForm]:
    """Yield the forms of the *events* of a batch; those of hosts of one step are written together."""
    for run, some in groupby(events, key=run_of):
        if run is None:
            yield from (event_form(event, job) for event in some)
        else:
            yield from hosts_forms(cast("list[HostChanged]", [*some]), job)


def hosts_forms(events: list[HostChanged], job: JobState | None) -> Iterator[HostsForm]:
    """Yield the forms of events of one step and execution: one, unless events between them are another watch's."""
    first, last = place_of(events[0]), place_of(events[-1])
    if last - first != (len(events) - 1 if first else 0):
        split = next(n for n, event in enumerate(events) if place_of(event) != first + n)
        yield from hosts_forms(events[:split], job)
        yield from hosts_forms(events[split:], job)
        return
    afters = [event.after.code for event in events]
    yield HostsForm(
        max(0, first - 1),
        step_text(events[0].ref),
        events[0].execute_count,
        events[0].epoch,
        events[0].skipped,
        names_form([event.host for event in events]),
        column([None if event.before is None else event.before.code for event in events]),
        column(afters),
        column([event.tag for event in events]),
        column([event.exit_code for event in events]),
        failures_among(events, afters, job),
        time_column([event.start_time for event in events]),
        time_column([event.end_time for event in events]),
    )


@lru_cache(maxsize=4096)
def step_text(ref: StepRef) -> str:
    """Return the name of a step; records name few steps, and each many times."""
    return str(ref)


def failures_among(
    events: Sequence[HostChanged], afters: Sequence[int], job: JobState | None
) -> list[FailureForm]:
    """Return the details of the hosts that failed, as the *job* has them."""
    failed = {code for code in set(afters) if is_failure(code)}
    step = job.find_step(events[0].ref.step_instance_id) if failed and job is not None else None
    if step is None or not step.failures:
        return []
    places = {step.hosts.keys[place]: place for place in sorted(step.failures)}
    hosts = ((number, events[number].host) for number, code in enumerate(afters) if code in failed)
    return failure_forms(step, [(number, places[host]) for number, host in hosts if host in places])


def event_form(event: Event, job: JobState | None) -> EventForm:
    """Return the form of an event that is not of a host; *job* has what the event does not say."""
    data = event_to_json(event)
    del data["cursor"]
    data.pop("at", None)  # records have it
    facts = None
    if job is not None and isinstance(event, StepChanged):
        step = job.find_step(event.ref.step_instance_id)
        facts = None if step is None else facts_of_step(step)
    elif job is not None and isinstance(event, StepWaiting):
        step = job.find_step(event.ref.step_instance_id)
        facts = None if step is None else StepFacts(rows=step.waits.rows)
    elif job is not None and isinstance(event, JobChanged):
        facts = StepFacts(times=unpacked_moments(job.raw_times))
    return EventForm(place_of(event), data, facts)


def facts_of_step(step: StepState) -> StepFacts:
    """Return what a journal keeps of a step beside its events; the details of failed hosts once it is over."""
    failed, forms = None, list[FailureForm]()
    if step.announced.finished and step.failures is not None:
        places = [place for place in step.hosts.statuses.failed()[0] if place in step.failures]
        failed, forms = names_form(step.hosts.keys_at(places)), failure_forms(step, enumerate(places))
    return StepFacts(step.type, unpacked_moments(step.raw_times), step.host_refusals, failed, forms)


# Reading --------------------------------------------------------------------------------------------------------------


def batch_of(record: RecordForm) -> Batch | None:
    """Return the batch of a record, None where it has none; raise `JournalDamaged` where it makes no sense."""
    if not record.parts:
        return None
    cursor, events = record.cursor, list[Event]()
    with damage_if_senseless():
        at = datetime.fromtimestamp(record.time, UTC)
        for part in record.parts:
            if isinstance(part, HostsForm):
                changes = host_changes_from(part)
                place(changes, cursor, at, before=part.events_before)
                events += changes
            else:
                events.append(event_from(part, cursor, at))
    return Batch(record.sequence, tuple(events), cursor, at=at, size=record.last_index)


def event_from(form: EventForm, cursor: str, at: datetime) -> Event:
    """Return an event from its form."""
    event = event_from_json({**form.event, "cursor": f"{cursor}.{form.index}" if form.index else cursor})
    force_setattr(event, "at", at)
    return event


@lru_cache(maxsize=4096)
def step_ref(text: str) -> StepRef:
    """Return a step by its name; records name few steps, and each many times."""
    return StepRef.parse(text)


def host_changes_from(form: HostsForm) -> list[HostChanged]:
    """Return the events of hosts from their form."""
    size = form.hosts.size
    return host_events(
        step_ref(form.step),
        keys_from(form.hosts),
        expanded(form.befores, size),
        expanded(form.afters, size),
        tags=expanded(form.tags, size),
        exit_codes=expanded(form.exit_codes, size),
        start_times=expanded_times(form.starts, size),
        end_times=expanded_times(form.ends, size),
        execute_count=form.execute_count,
        epoch=form.epoch,
        skipped=form.skipped,
    )
