"""The state of a fleet: what its records amount to, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, KeysView, Sequence
from typing import assert_never

import msgspec
from msgspec.structs import replace

from bkjob_async.engine.host_table.failure_details import FailureDetails
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.journaling.columns import expanded, failures_from
from bkjob_async.engine.journaling.decoding import decode_form, decode_record
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
from bkjob_async.engine.stream.cursor import CursorPosition
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import present_targets, target_snapshot
from bkjob_async.engine.tracking.packed_times import packed_times, times_from
from bkjob_async.engine.tracking.run_state import RUNNING, WAITING, announced_state
from bkjob_async.engine.tracking.step_hosts import is_failure
from bkjob_async.engine.tracking.step_state import NO_HOSTS, NO_WAITS, StepState, StepWaits
from bkjob_async.errors import JournalDamaged
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
        # Jobs of the checkpoint that have later records in them, with the number of the last one.
        self._ahead: dict[JobRef, int] = {}

    # Checkpoints ----------------------------------------------------------------------------------------------------

    def load(self, part: bytes) -> None:
        """Read one part of a checkpoint; raise `JournalDamaged` or `JournalTooNew` where that cannot be."""
        form: PartForm = decode_form(part, _decoder)
        with_damage(lambda: self._load(form))

    def _load(self, form: PartForm) -> None:
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
        if record.targets is not None:
            targets = record.targets
            with_damage(lambda: self._change_targets(targets))
        if record.steps is not None:
            job, steps = record.steps
            with_damage(lambda: self._order_steps(JobRef.parse(job), steps))
        for part in record.parts:
            if isinstance(part, HostsForm):
                with_damage(lambda part=part: self._apply_hosts(part))  # type: ignore[misc]
            else:
                with_damage(lambda part=part: self._apply_event(part, record.cursor))  # type: ignore[misc]

    def _change_targets(self, form: TargetsForm) -> None:
        for text, added in zip(form.refs, form.added, strict=True):
            ref = parse_ref(text)
            job = self._find(ref.job)
            if job is None and ref.job in self.jobs:
                continue
            if added:
                if job is None:
                    job = self.jobs[ref.job] = self._make_job(ref.job)
                job.add_target(ref)
            elif job is not None:
                job.remove_target(ref)
                note_trouble(job, ref, None)
                self.facts.forget_signal(ref)
                if not job.targets:
                    del self.jobs[ref.job]

    def _order_steps(self, ref: JobRef, order: Sequence[int]) -> None:
        """Keep the steps of a job in the order in which the platform lists them; some may not have been reported."""
        job = self._find(ref)
        if job is not None and job.is_target:
            listed = tuple(job.step(number) for number in order)
            job.steps = (*listed, *(step for step in job.steps if step not in listed))

    def _apply_hosts(self, form: HostsForm) -> None:
        step = self._step(StepRef.parse(form.step))
        if step is None:
            return
        size, hosts = form.hosts.size, keys_from(form.hosts, self._keys)
        afters = expanded(form.afters, size)
        begin_execution(step, form.execute_count, self.sequence)
        step.epoch = form.epoch
        if step.hosts is NO_HOSTS:
            step.hosts = HostTable()
        places = step.hosts.set_codes(hosts, afters, self.sequence)
        if step.failures is not None:
            step.failures.discard(places)
        if any(is_failure(code) for code in set(afters)):
            failures = step.failures = step.failures or FailureDetails()
            keys = step.hosts.keys_at(places) if form.failures else ()
            for number, details in failures_from(form.failures, keys):
                failures.set_inferred(places[number], details)

    def _apply_event(self, form: EventForm, cursor: str) -> None:  # noqa: C901 - one case a kind of event
        event = event_from(form, cursor, UNKNOWN_TIME)
        match event:
            case StepChanged() | StepWaiting():
                step = self._step(event.ref)
                if step is not None:
                    apply_step(step, event, form.facts, self.sequence)
            case JobChanged():
                job = self._find(event.ref)
                if job is not None:
                    apply_status(job, event, form.facts, self.sequence)
            case HostCounts():
                step = self._step(event.ref)
                if step is not None and step.execute_count != event.execute_count:
                    if step.announced_sequence != self.sequence:  # else it was reopened just before
                        step.epoch += 1
                    begin_execution(step, event.execute_count, self.sequence)
            case Reopened():
                self._reopen(event)
            case Trouble() | Recovered() | Lost():
                self._note_signal(event)
            case HostChanged() | Finished() | InSync() | Resumed() | Stalled():
                pass  # hosts have parts of their own, and statuses say what is finished
            case _:
                assert_never(event)

    def _reopen(self, event: Reopened) -> None:
        state = self._step(event.ref) if isinstance(event.ref, StepRef) else self._find(event.ref)
        if state is not None:
            state.epoch = event.epoch
            state.retract_end(self.sequence)

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
            yield from present_targets(job, job.targets, since=since, skipped=skipped)
            losses = job.poll_failures.lost.values()
            yield from (replace(loss) for loss in losses if is_since(loss, since))
        yield from self.facts.signals(since, skipped=skipped)

    def position(self, cursor: str) -> CursorPosition:
        """Return the place behind which a reader continues; raise `UsageError` for a cursor of no holder."""
        return position_in(self.facts.terms, self.sequence, cursor)


def begin_execution(step: StepState, execute_count: int, sequence: int) -> None:
    """Begin another execution of a step where *execute_count* is another one."""
    if step.status_code is None:
        # Hosts are reported before the status of their step: it was seen, and not reported yet.
        step.status_code = RUNNING
    elif step.execute_count != execute_count:
        if step.hosts is not NO_HOSTS:
            step.hosts.begin_execution(sequence)
        step.failures, step.waits = None, NO_WAITS
        step.retract_end(sequence)
    step.execute_count = execute_count


def apply_step(
    step: StepState, event: StepChanged | StepWaiting, facts: StepFacts | None, sequence: int
) -> None:
    """Apply what was reported of a step."""
    begin_execution(step, event.execute_count, sequence)
    if isinstance(event, StepWaiting):
        rows = None if facts is None else facts.rows
        step.waits = StepWaits(event.wait, sequence, is_shown=True, rows=rows)
        return
    apply_status(step, event, facts, sequence, execute_count=event.execute_count)
    waits = event.after.code == WAITING and not event.is_finished
    step.waits = replace(step.waits, is_shown=waits, is_due=waits)
    if facts is None:
        return
    step.type, step.host_refusals = facts.type, facts.host_refusals
    if facts.failed is not None and facts.failures:
        keys = keys_from(facts.failed)
        places = step.hosts.find_hosts(keys)
        failures = step.failures = FailureDetails()
        for number, details in failures_from(facts.failures, keys):
            failures.set_inferred(places[number], details)


def apply_status(
    run: JobState | StepState,
    event: JobChanged | StepChanged,
    facts: StepFacts | None,
    sequence: int,
    *,
    execute_count: int = 0,
) -> None:
    """Apply what was reported of the status of a job or step."""
    code = event.after.code
    run.announced = announced_state(code, execute_count, finished=event.is_finished)
    run.announced_sequence, run.status_code, run.epoch = sequence, code, event.epoch
    run.name = event.name or run.name
    if facts is not None:
        run.raw_times = packed_times(times_from(facts.times))


def with_damage(action: Callable[[], None]) -> None:
    """Call *action*; raise `JournalDamaged` where what it reads makes no sense."""
    try:
        action()
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, OSError) as error:
        raise JournalDamaged(f"a record of the journal makes no sense: {error}") from error
