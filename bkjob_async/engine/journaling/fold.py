"""The state of a fleet: what its records amount to, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, KeysView, Sequence
from typing import assert_never

import msgspec
from msgspec.structs import replace

from bkjob_async.engine.folding.diff import Missed, diff
from bkjob_async.engine.folding.job_events import RunEvent, apply_event, apply_hosts
from bkjob_async.engine.host_table.id_lookups import IdLookups
from bkjob_async.engine.journaling.columns import expanded, failures_from
from bkjob_async.engine.journaling.decoding import damage_if_senseless, decode_form, decode_record
from bkjob_async.engine.journaling.fleet_facts import FleetFacts, is_since, position_in
from bkjob_async.engine.journaling.forms import (
    EventForm,
    HostsForm,
    PartForm,
    StepFacts,
    TargetsForm,
    Term,
)
from bkjob_async.engine.journaling.host_names import KnownKeys, keys_from
from bkjob_async.engine.journaling.jobs import (
    MakeJob,
    encode_part,
    job_form,
    job_from,
    note_loss,
    note_trouble,
    parts_of,
)
from bkjob_async.engine.journaling.records import event_from
from bkjob_async.engine.responses.step_hosts import is_failure
from bkjob_async.engine.stream.cursor import CursorPosition
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import target_snapshot
from bkjob_async.engine.tracking.packed_times import packed_times, times_from
from bkjob_async.engine.tracking.step_state import StepState
from bkjob_async.model.events import (
    UNKNOWN_TIME,
    Event,
    Finished,
    HostChanged,
    HostCounts,
    InSync,
    JobChanged,
    Lost,
    Recovered,
    Reopened,
    Resumed,
    Stalled,
    StepChanged,
    StepWaiting,
    Trouble,
)
from bkjob_async.model.refs import JobRef, Ref, StepRef, parse_ref
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot

_decoder = msgspec.msgpack.Decoder(PartForm)


class Fold:
    """The state of a fleet: its targets, and what was reported of each, up to record number `sequence`.

    A checkpoint is loaded part by part, records are applied in their order. Jobs that a caller takes out of `jobs` are
    the caller's own.
    """

    def __init__(self, make_job: MakeJob = JobState) -> None:
        """Begin before the first record; *make_job* makes the states of jobs."""
        self.jobs: dict[JobRef, JobState] = {}
        self.facts = FleetFacts()
        self.sequence = 0
        self._make_job = make_job
        self._keys: KnownKeys = {}
        self._lookups = IdLookups()
        # Jobs of the checkpoint that have later records in them, with the number of the last one.
        self._ahead: dict[JobRef, int] = {}

    # Checkpoints ----------------------------------------------------------------------------------------------------

    def load(self, part: bytes) -> None:
        """Read one part of a checkpoint; raise `JournalDamaged` or `JournalTooNew` where that cannot be."""
        form: PartForm = decode_form(part, _decoder)
        with damage_if_senseless():
            self.sequence = form.sequence
            self.facts.load(form)
            for job in form.jobs:
                state = job_from(job, self._make_job, self._keys)
                self.jobs[state.ref] = state
                if job.sequence > form.sequence:
                    self._ahead[state.ref] = job.sequence

    def parts(self) -> Iterator[bytes]:
        """Yield a checkpoint of the present state, part by part; nothing may be applied meanwhile."""
        yield encode_part(self.facts.part(self.sequence))
        yield from parts_of(self.sequence, map(job_form, self.jobs.values()))

    # Records --------------------------------------------------------------------------------------------------------

    def apply(self, data: bytes) -> None:
        """Apply the next record; one that is not behind `sequence` is passed over.

        Raise `JournalDamaged` or `JournalTooNew` where it cannot be read.
        """
        record = decode_record(data)
        if record.sequence <= self.sequence:
            return
        term = Term(record.term, record.client, self.sequence, record.sequence)
        self.facts.note_term(term, begins=record.behind is not None)
        self.sequence, self.facts.time = record.sequence, record.time
        if record.durations is not None:
            self.facts.durations = record.durations
        with damage_if_senseless():
            if record.targets is not None:
                self._change_targets(record.targets)
            if record.steps is not None:
                self._order_steps(*record.steps)
            for part in record.parts:
                if isinstance(part, HostsForm):
                    self._apply_hosts(part)
                else:
                    self._apply_event(part, record.cursor)

    def _change_targets(self, form: TargetsForm) -> None:
        for text, added in zip(form.refs, form.added, strict=True):
            ref = parse_ref(text)
            job = self._find(ref.job)
            if job is None and ref.job in self.jobs:
                continue
            if added:
                if job is None:
                    job = self.jobs[ref.job] = self._make_job(ref.job)
                elif job.is_target and is_reported(job):
                    self.facts.joining.add(ref)
                job.add_target(ref)
            elif job is not None:
                job.remove_target(ref)
                note_trouble(job, ref, None)
                self.facts.forget(ref)
                if not job.targets:
                    del self.jobs[ref.job]

    def _order_steps(self, ref: str, order: Sequence[int]) -> None:
        """Keep the steps of a job in the order in which the platform lists them; some may not have been reported."""
        job = self._find(JobRef.parse(ref))
        if job is not None and job.is_target:
            listed = tuple(job.step(number) for number in order)
            job.steps = (*listed, *(step for step in job.steps if step not in listed))

    def _apply_hosts(self, form: HostsForm) -> None:
        step = self._step(StepRef.parse(form.step))
        if step is None:
            return
        codes = expanded(form.afters, form.hosts.size)
        places = apply_hosts(
            step,
            keys_from(form.hosts, self._keys),
            codes,
            self.sequence,
            execute_count=form.execute_count,
            epoch=form.epoch,
            lookups=self._lookups,
        )
        if any(is_failure(code) for code in set(codes)):
            failures = step.failures = step.failures or {}
            keys = step.hosts.keys_at(places) if form.failures else ()
            for number, details in failures_from(form.failures, keys):
                failures[places[number]] = details

    def _apply_event(self, form: EventForm, cursor: str) -> None:
        event = event_from(form, cursor, UNKNOWN_TIME)
        match event:
            case StepChanged() | JobChanged() | StepWaiting() | HostCounts() | Reopened():
                job = self._find(event.ref.job)
                if job is not None:
                    apply_event(job, event, self.sequence)
                    if form.facts is not None:
                        note_facts(job, event, form.facts)
            case Trouble() | Recovered() | Lost():
                self._note_signal(event)
            case Finished():
                self.facts.joining.discard(event.ref)  # of the others statuses say what is finished
            case HostChanged() | InSync() | Resumed() | Stalled():
                pass  # hosts have parts of their own
            case _:
                assert_never(event)

    def _note_signal(self, event: Trouble | Recovered | Lost) -> None:
        if not isinstance(event, Lost):
            self.facts.note_signal(event)
        if event.ref is None:
            return
        job = self._find(event.ref.job)
        if job is None:
            return
        if isinstance(event, Lost):
            note_loss(job, event)
        else:
            note_trouble(job, event.ref, event if isinstance(event, Trouble) else None)

    def _step(self, ref: StepRef) -> StepState | None:
        job = self._find(ref.job)
        return None if job is None else job.step(ref.step_instance_id)

    def _find(self, ref: JobRef) -> JobState | None:
        """Return a job that the present record may change, None where there is none, or the record is in it already."""
        return None if self._ahead.get(ref, 0) >= self.sequence else self.jobs.get(ref)

    # Reading --------------------------------------------------------------------------------------------------------

    @property
    def targets(self) -> KeysView[Ref]:
        """All targets, job by job in the order of their addition."""
        return {ref: None for job in self.jobs.values() for ref in job.targets}.keys()

    def snapshot(self, ref: Ref) -> JobSnapshot | StepSnapshot | None:
        """Return a target or a part of one as it was last reported, None where nothing was."""
        job = self.jobs.get(ref.job)
        return None if job is None else target_snapshot(job, ref)

    def present(self, since: int, *, skipped: bool = True) -> Iterator[Event]:
        """Yield the newest of each host, step and job that changed in record *since* or later."""
        for job in self.jobs.values():
            events = diff(Missed(since, skipped), job, job.targets)
            yield from (event for event in events if not self._is_early(event))
            losses = job.poll_failures.lost.values()
            yield from (replace(loss) for loss in losses if is_since(loss, since))
        yield from self.facts.signals(since, skipped=skipped)

    def _is_early(self, event: Event) -> bool:
        """Return whether *event* is an end that was not given yet."""
        return isinstance(event, Finished) and event.ref in self.facts.joining

    def position(self, cursor: str) -> CursorPosition:
        """Return the place behind which a reader continues; raise `UsageError` for a cursor of no holder."""
        return position_in(self.facts.terms, self.sequence, cursor)


def is_reported(job: JobState) -> bool:
    """Return whether anything was reported of a job."""
    return job.status_code is not None or any(step.status_code is not None for step in job.steps)


def note_facts(job: JobState, event: RunEvent, facts: StepFacts) -> None:
    """Keep what an event does not say of the job or step that it is about."""
    if isinstance(event, JobChanged):
        job.raw_times = packed_times(times_from(facts.times))
    elif isinstance(event, StepWaiting):
        step = job.step(event.ref.step_instance_id)
        step.waits = replace(step.waits, rows=facts.rows)
    elif isinstance(event, StepChanged):
        step = job.step(event.ref.step_instance_id)
        step.raw_times = packed_times(times_from(facts.times))
        step.type, step.host_refusals = facts.type, facts.host_refusals
        if facts.failed is not None and facts.failures:
            keys = keys_from(facts.failed)
            places = step.hosts.find_hosts(keys)
            step.failures = {places[number]: it for number, it in failures_from(facts.failures, keys)}
