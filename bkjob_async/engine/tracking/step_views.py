"""Results, snapshots and events made from the state of a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from itertools import repeat

from msgspec.structs import replace

from bkjob_async.engine.host_table.changes import StatusChanges
from bkjob_async.engine.host_table.failure_details import FailureDetails
from bkjob_async.engine.host_table.host_identity import merged_keys
from bkjob_async.engine.stream.event_list import EventOrLazy
from bkjob_async.engine.stream.lazy_events import LazyHostEvents, host_events
from bkjob_async.engine.tracking.run_state import NOT_STARTED
from bkjob_async.engine.tracking.step_state import NO_PROGRESS, StepState
from bkjob_async.model.events import HostChanged, HostCounts, StepChanged, StepWaiting
from bkjob_async.model.result import StepResult
from bkjob_async.model.snapshot import HostSnapshot, StepSnapshot, Times
from bkjob_async.model.status import Phase, host_status, run_status
from bkjob_async.model.structures.lazy_tuple import MAX_PLAIN, lazy_tuple

NO_TIMES = Times()
UNFINISHED = frozenset({Phase.PENDING, Phase.RUNNING})
NO_FAILURE_DETAILS = FailureDetails()


def step_changed(step: StepState, before: int | None, cursor: str, *, skipped: bool = False) -> StepChanged:
    """Return the event that the step has the status that was announced; *before* is the code before it."""
    code, execute_count, finished = step.announced
    assert code is not None  # noqa: S101 - called for announced statuses only
    return StepChanged(
        ref=step.ref,
        execute_count=execute_count,
        before=None if before is None else run_status(before),
        after=run_status(code),
        is_finished=finished,
        name=step.name,
        epoch=step.epoch,
        skipped=skipped,
        cursor=cursor,
    )


def step_waiting(step: StepState, cursor: str, *, skipped: bool = False) -> StepWaiting:
    """Return the event that the step waits for a user."""
    return StepWaiting(
        ref=step.ref,
        execute_count=step.execute_count,
        wait=step.waits.count,
        hosts_done=hosts_done(step),
        skipped=skipped,
        cursor=cursor,
    )


def hosts_done(step: StepState) -> int:
    """Return how many hosts of the step have ended; of a large step, whose hosts are read later, as its counts say."""
    if step.progress.group_poller is not None and step.waits.rows is not None:
        return step.waits.rows[0]
    counts = step.hosts.statuses.counts()
    return sum(count for phase, count in counts.items() if phase not in UNFINISHED)


def host_counts(step: StepState, cursor: str) -> HostCounts:
    """Return the event with the number of hosts of the step in each phase."""
    return HostCounts(
        ref=step.ref, execute_count=step.execute_count, hosts=step.hosts.statuses.counts(), cursor=cursor
    )


def present_step(
    step: StepState, cursor: str, *, since: int = 0, skipped: bool = False
) -> Iterator[EventOrLazy]:
    """Yield the present state of hosts and step as events, for a reader that missed how they got there.

    Without *skipped* all statuses are new to the reader. With it, only changes in batch *since* or later are
    events, with the status before.
    """
    finished = step.announced.finished
    has_changed = step.announced.code is not None and step.announced_sequence >= since
    if has_changed and not finished:
        yield step_changed(step, None, cursor, skipped=skipped)
    changes = step.hosts.statuses.changes_since(since)
    if changes:
        if not skipped:
            befores = [None] * len(changes)
            changes = StatusChanges(changes.places, befores, changes.afters, changes.rows)
        # Another response may change the step before the events are read: keep what they say now.
        ref, hosts, failures = step.ref, step.hosts, failures_of(step)
        execute_count, epoch = step.execute_count, step.epoch

        def make(changes: StatusChanges, indexes: Iterable[int]) -> list[HostChanged]:
            details = [failures.get(place) for place in changes.places] if failures else [None] * len(changes)
            return host_events(
                ref,
                hosts.keys(changes.places),
                changes,
                indexes,
                tags=[None if each is None else each.tag for each in details],
                exit_codes=[None if each is None else each.exit_code for each in details],
                execute_count=execute_count,
                epoch=epoch,
                cursor=cursor,
                skipped=skipped,
            )

        if len(changes) > MAX_PLAIN:
            yield LazyHostEvents(step.ref, changes, make)
        else:
            yield from make(changes, repeat(0))
    if skipped and step.hosts.statuses.has_changed(since):
        yield host_counts(step, cursor)
    if step.waits.is_present and step.waits.sequence >= since:
        yield step_waiting(step, cursor, skipped=skipped)
    if has_changed and finished:
        yield step_changed(step, None, cursor, skipped=skipped)


def copy_of_step(step: StepState) -> StepState:
    """Return a copy of a step's state without what is in progress."""
    new = copy(step)
    new.hosts, new.progress = step.hosts.copy(), NO_PROGRESS
    new.failures = None if step.failures is None else step.failures.copy()
    return new


def failures_of(step: StepState) -> FailureDetails:
    """Return the details of the hosts that failed, as they are now; those of other hosts are not kept."""
    return step.failures.copy() if step.failures is not None else FailureDetails()


def step_result(step: StepState) -> StepResult:
    """Return the step's result so far."""
    return StepResult(
        ref=step.ref,
        status=run_status(step.status_code if step.status_code is not None else NOT_STARTED),
        is_finished=step.announced.finished,
        name=step.name,
        execute_count=step.execute_count,
        times=step.times,
        hosts=step.hosts.statuses.counts(),
        failed=host_snapshots(step, *step.hosts.statuses.failed()),
        unfinished=host_snapshots(step, *step.hosts.statuses.unfinished()),
        hosts_visible=step.hosts_visible,
        execution_seconds=step.execution_seconds if step.announced.finished else None,
    )


def step_snapshot(step: StepState) -> StepSnapshot:
    """Return the step as last seen, with all hosts that any response named."""
    code, seen = (
        step.status_code if step.status_code is not None else NOT_STARTED,
        step.hosts.statuses.changes_since(),
    )
    return StepSnapshot(
        ref=step.ref,
        status=run_status(code),
        is_finished=step.announced.finished,
        name=step.name,
        type=step.type,
        execute_count=step.execute_count,
        times=step.times,
        hosts=host_snapshots(step, seen.places, seen.afters) if step.hosts_visible else None,
    )


def hosts_at(step: StepState, places: Sequence[int]) -> list[HostSnapshot]:
    """Return the snapshots of the hosts at *places*, which were seen, as they are now."""
    failures = step.failures or NO_FAILURE_DETAILS
    return [
        with_names(failures.get(place), HostSnapshot(host=key, status=host_status(code)))
        for place, key, code in zip(
            places, step.hosts.keys(places), step.hosts.statuses.codes_at(places), strict=True
        )
    ]


def with_names(details: HostSnapshot | None, host: HostSnapshot) -> HostSnapshot:
    """Return the *details* of a failed host, which may be from a row with fewer names, or the *host* where there are none."""
    if details is None or details.host == host.host:
        return details or host
    return replace(details, host=merged_keys(host.host, details.host))


def host_snapshots(step: StepState, places: Sequence[int], codes: Sequence[int]) -> Sequence[HostSnapshot]:
    """Return the snapshots of the hosts at *places* with these status codes; those of many are made when they are read."""
    hosts, failures = step.hosts, failures_of(step)

    def make(begin: int, end: int) -> list[HostSnapshot]:
        some, statuses = places[begin:end], map(host_status, codes[begin:end])
        made = [
            HostSnapshot(host=key, status=status)
            for key, status in zip(hosts.keys(some), statuses, strict=True)
        ]
        if failures:
            made = [with_names(failures.get(place), host) for place, host in zip(some, made, strict=True)]
        return made

    return lazy_tuple(len(places), make)
