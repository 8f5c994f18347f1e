"""What the batches of a stream amount to: jobs, steps and hosts as they were reported last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import assert_never, cast

from attrs import evolve

from bkjob_async.engine.folding.job_events import RunEvent, apply_event, apply_hosts
from bkjob_async.engine.host_table.id_lookups import IdLookups
from bkjob_async.engine.responses.step_hosts import is_failure
from bkjob_async.engine.stream.batches import run_of
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import count_hosts, target_result, target_snapshot
from bkjob_async.engine.tracking.packed_times import packed_times
from bkjob_async.engine.tracking.step_state import StepState
from bkjob_async.model.events import (
    Batch,
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
from bkjob_async.model.ref_input import RefLike, as_ref
from bkjob_async.model.refs import HostKey, JobRef, Ref, StepRef
from bkjob_async.model.result import JobResult, StepResult
from bkjob_async.model.snapshot import HostSnapshot, JobSnapshot, StepSnapshot, Times
from bkjob_async.model.status import Phase, RunStatus

# The error of trouble that says nothing about polling: the journal of the watch is away.
JOURNAL_AWAY = "JournalUnavailable"


class StreamState:
    """What a stream amounts to: its jobs, steps and hosts as they were reported last.

    A `Watch` knows its present state itself. This is for whoever has the stream alone: the follower of a journal, the
    reader of a fleet, a program that wants the state as of a certain batch. It does no I/O, and needs no event loop.

    >>> state = bkjob.StreamState()
    >>> async with client.watch(job) as watch:
    ...     async for batch in watch.batches():
    ...         state.apply(batch)
    >>> print(state.snapshot(job).status, state.counts(job)[bkjob.Phase.SUCCESS], state.ends[job].result.ok)
    FAIL 2 False

    Batches are applied whole and in their order, from a reader's first on; what a reader begins with is its present state.
    With *hosts* False no hosts are kept, and with *jobs* False neither jobs nor hosts: only what `ends`, `waiting`,
    `trouble`, `journal_trouble` and `is_in_sync` say. A job of one step takes about 700 bytes, and 15 to 30 for each host.

    The end of a target in `ends` depends on the last of these events about it:

    | event | the target |
    | --- | --- |
    | `Finished`, `Lost` | ended as this event says |
    | `Reopened` | has not ended |
    | `JobChanged`, `StepChanged` that is not final | has not ended: a late reader may be given it in place of `Reopened` |
    """

    def __init__(self, *, hosts: bool = True, jobs: bool = True) -> None:
        self._has_hosts = hosts and jobs
        self._has_jobs = jobs
        self._jobs: dict[JobRef, JobState] = {}
        self._lookups = IdLookups()
        self._ends: dict[Ref, Finished | Lost] = {}
        self._trouble: dict[Ref | None, Trouble] = {}
        self._waiting: dict[Ref, RunStatus] = {}
        self._journal_trouble: Trouble | None = None
        self._is_in_sync = False
        self._cursor = ""

    def __repr__(self) -> str:
        return f"<StreamState of {len(self._jobs)} jobs at {self._cursor or 'the beginning'}>"

    # Changes --------------------------------------------------------------------------------------------------------

    def apply(self, batch: Batch) -> None:
        """Apply the next batch.

        >>> state = bkjob.StreamState()
        >>> async with client.watch(job) as watch:
        ...     state.apply(await anext(watch.batches()))
        >>> print(*state.jobs)
        2:20000000001
        """
        for run, events in groupby(batch.events, key=run_of):
            if run is None:
                for event in events:
                    self._apply_event(event, batch.sequence)
            elif self._has_hosts:
                self._apply_hosts(cast("list[HostChanged]", [*events]), batch.sequence)
        self._cursor = batch.cursor

    def forget(self, ref: RefLike) -> None:
        """Forget a job with its steps, or a step: no event says that a target was dropped.

        >>> state = bkjob.StreamState()
        >>> async with client.watch(job) as watch:
        ...     state.apply(await anext(watch.batches()))
        >>> state.forget(job)
        >>> len(state.jobs)
        0
        """
        ref = as_ref(ref)
        for each in self._parts_of(ref):
            self._ends.pop(each, None)
            self._trouble.pop(each, None)
            self._waiting.pop(each, None)
        job = self._jobs.get(ref.job)
        if job is not None and isinstance(ref, StepRef):
            job.steps = tuple(step for step in job.steps if step.ref != ref)
        else:
            self._jobs.pop(ref.job, None)

    def _parts_of(self, ref: Ref) -> list[Ref]:
        """Return a step, or a job and its steps as far as they are known."""
        job = None if isinstance(ref, StepRef) else self._jobs.get(ref)
        return [ref] if job is None else [ref, *(step.ref for step in job.steps)]

    def _apply_event(self, event: Event, sequence: int) -> None:
        match event:
            case StepChanged() | JobChanged():
                self._apply_to_job(event, sequence)
                self._note_status(event)
            case StepWaiting() | HostCounts():
                self._apply_to_job(event, sequence)
            case Reopened():
                self._apply_to_job(event, sequence)
                self._ends.pop(event.ref, None)
            case Finished():
                self._apply_result(event.result)
                self._ends[event.ref] = event
                self._trouble.pop(event.ref, None)  # nothing more of it is to be read
            case Lost():
                self._note_ref(event.ref)
                self._ends[event.ref] = event
                for each in self._parts_of(event.ref):
                    self._trouble.pop(each, None)
                    self._waiting.pop(each, None)
            case Trouble() | Recovered():
                self._note_trouble(event)
            case InSync() | Resumed():
                self._is_in_sync = isinstance(event, InSync)
            case HostChanged() | Stalled():
                pass  # hosts are applied together, and what is not seen is in trouble as well
            case _:
                assert_never(event)

    def _apply_to_job(self, event: RunEvent, sequence: int) -> None:
        if self._has_jobs:
            apply_event(self._job(event.ref.job), event, sequence)

    def _note_status(self, event: StepChanged | JobChanged) -> None:
        if not event.is_finished:
            self._ends.pop(event.ref, None)
        if isinstance(event, StepChanged) and event.after.phase is Phase.WAITING and not event.is_finished:
            self._waiting[event.ref] = event.after
        else:
            self._waiting.pop(event.ref, None)

    def _note_trouble(self, event: Trouble | Recovered) -> None:
        trouble = event if isinstance(event, Trouble) else None
        if event.ref is None and event.error == JOURNAL_AWAY:
            self._journal_trouble = trouble
        elif trouble is None:
            self._trouble.pop(event.ref, None)
        else:
            self._trouble[event.ref] = trouble
            if event.ref is not None:
                self._note_ref(event.ref)

    def _apply_hosts(self, changes: Sequence[HostChanged], sequence: int) -> None:
        """Apply changes of hosts of one step, all of one execution."""
        ref, newest = changes[0].ref, changes[-1]
        step = self._job(ref.job).step(ref.step_instance_id, ref)
        places = apply_hosts(
            step,
            [change.host for change in changes],
            [change.after.code for change in changes],
            sequence,
            execute_count=newest.execute_count,
            epoch=newest.epoch,
            lookups=self._lookups,
        )
        for place, change in zip(places, changes, strict=True):
            if is_failure(change.after.code):
                step.failures = step.failures or {}
                step.failures[place] = failed_host(step.hosts.keys[place], change)

    def _apply_result(self, result: JobResult) -> None:
        """Apply what no event before it has: times, and what was read late of hosts that failed."""
        if not self._has_jobs:
            return
        job = self._job(result.job)
        if not isinstance(result.ref, StepRef):
            job.raw_times, job.name = packed_times(result.times), result.name or job.name
        for each in result.steps:
            step = job.step(each.ref.step_instance_id, each.ref)
            step.raw_times, step.name = packed_times(each.times), each.name or step.name
            if self._has_hosts and each.failed and each.execute_count == step.execute_count:
                note_failures(step, each)

    def _note_ref(self, ref: Ref) -> None:
        """Know a job or step of which nothing else was reported yet."""
        if self._has_jobs:
            job = self._job(ref.job)
            if isinstance(ref, StepRef):
                job.step(ref.step_instance_id, ref)

    def _job(self, ref: JobRef) -> JobState:
        job = self._jobs.get(ref)
        if job is None:
            job = self._jobs[ref] = JobState(ref)
        return job

    # The state ------------------------------------------------------------------------------------------------------

    @property
    def cursor(self) -> str:
        """The place behind the last batch, where a reader continues; empty text before the first.

        A `FleetReader` continues behind its own cursor: that of a batch names a place in one shard.
        """
        return self._cursor

    @property
    def is_in_sync(self) -> bool:
        """Whether the present state of all targets was reported, and a journal not resumed since.

        With the batches of a `FleetReader` it is about the shard that said so last.
        """
        return self._is_in_sync

    @property
    def jobs(self) -> Collection[JobRef]:
        """The jobs of which anything was reported, or of a step of them, in the order of their first events."""
        return self._jobs.keys()

    @property
    def ends(self) -> Mapping[Ref, Finished | Lost]:
        """How each target ended that has not run since."""
        return MappingProxyType(self._ends)

    @property
    def waiting(self) -> Mapping[Ref, RunStatus]:
        """The steps that wait, for a user or for their next batch, and the status that says so."""
        return MappingProxyType(self._waiting)

    @property
    def trouble(self) -> Mapping[Ref | None, Trouble]:
        """What keeps each target, or all of them (None), from being polled."""
        return MappingProxyType(self._trouble)

    @property
    def journal_trouble(self) -> Trouble | None:
        """What keeps the watch from recording in its journal, None for nothing."""
        return self._journal_trouble

    def snapshot(self, ref: RefLike) -> JobSnapshot | StepSnapshot | None:
        """Return a job or a step as it was reported last, None before that.

        Hosts are in the order of their first events; without them `hosts` is None. Raises `UsageError` for a *ref* that does
        not name its scope, as all methods that take one.
        """
        ref = as_ref(ref)
        job = self._jobs.get(ref.job)
        found = None if job is None else target_snapshot(job, ref)
        if found is None or self._has_hosts:
            return found
        if isinstance(found, StepSnapshot):
            return evolve(found, hosts=None)
        return evolve(found, steps=tuple(evolve(step, hosts=None) for step in found.steps))

    def progress(self, ref: RefLike) -> JobResult | None:
        """Return how a job or a step ended, or the result that it would have if it ended now; None before it was reported."""
        ref = as_ref(ref)
        end, job = self._ends.get(ref), self._jobs.get(ref.job)
        if isinstance(end, Finished):
            return end.result
        return target_result(job, ref) if job is not None and job.was_read(ref) else None

    def counts(self, ref: RefLike | None = None) -> Mapping[Phase, int]:
        """Count the hosts of a job or a step, or of all jobs, by phase, in the present execution of each step."""
        if ref is None:
            total: Counter[Phase] = Counter()
            for each in self._jobs.values():
                total.update(count_hosts(each, each.ref))
            return dict(total)
        ref = as_ref(ref)
        job = self._jobs.get(ref.job)
        return {} if job is None else count_hosts(job, ref)


def failed_host(host: HostKey, change: HostChanged) -> HostSnapshot:
    """Return what the *change* of a host says of its failure."""
    return HostSnapshot(
        host=host,
        status=change.after,
        tag=change.tag,
        exit_code=change.exit_code,
        times=Times(start_time=change.start_time, end_time=change.end_time),
    )


def note_failures(step: StepState, result: StepResult) -> None:
    """Keep the details of failed hosts that the *result* of their step has; some are read after its last host."""
    keys = [host.host for host in result.failed]
    failures = step.failures = step.failures or {}
    for place, host in zip(step.hosts.find_hosts(keys), result.failed, strict=True):
        if place >= 0 and step.hosts.statuses.code(place) == host.status.code:
            failures[place] = host
