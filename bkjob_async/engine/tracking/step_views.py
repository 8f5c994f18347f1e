"""Results, snapshots and events made from the state of a step."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from msgspec.structs import replace

from bkjob_async.engine.tracking.run_state import NOT_STARTED
from bkjob_async.engine.tracking.step_state import NO_PROGRESS, StepState
from bkjob_async.model.events import HostCounts, StepChanged, StepWaiting
from bkjob_async.model.result import StepResult
from bkjob_async.model.snapshot import HostSnapshot, StepSnapshot, Times
from bkjob_async.model.status import Phase, host_status, run_status

NO_TIMES = Times()
UNFINISHED = frozenset({Phase.PENDING, Phase.RUNNING})


def step_changed(step: StepState, before: int | None, *, skipped: bool = False) -> StepChanged:
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
    )


def step_waiting(step: StepState, *, skipped: bool = False) -> StepWaiting:
    """Return the event that the step waits for a user."""
    return StepWaiting(
        ref=step.ref,
        execute_count=step.execute_count,
        wait=step.waits.count,
        hosts_done=hosts_done(step),
        skipped=skipped,
    )


def hosts_done(step: StepState) -> int:
    """Return how many hosts of the step have ended; of a large step, whose hosts are read later, as its counts say."""
    if step.progress.group_poller is not None and step.waits.rows is not None:
        return step.waits.rows[0]
    counts = step.hosts.statuses.counts()
    return sum(count for phase, count in counts.items() if phase not in UNFINISHED)


def host_counts(step: StepState) -> HostCounts:
    """Return the event with the number of hosts of the step in each phase."""
    return HostCounts(ref=step.ref, execute_count=step.execute_count, hosts=step.hosts.statuses.counts())


def copy_of_step(step: StepState) -> StepState:
    """Return a copy of a step's state without what is in progress."""
    new = copy(step)
    new.hosts, new.progress = step.hosts.copy(), NO_PROGRESS
    new.failures = None if step.failures is None else step.failures.copy()
    return new


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
        failed=tuple(host_snapshots(step, *step.hosts.statuses.failed())),
        unfinished=tuple(host_snapshots(step, *step.hosts.statuses.unfinished())),
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
        hosts=tuple(host_snapshots(step, seen.places, seen.afters)) if step.hosts_visible else None,
    )


def hosts_at(step: StepState, places: Sequence[int]) -> list[HostSnapshot]:
    """Return the snapshots of the hosts at *places*, which were seen, as they are now."""
    return host_snapshots(step, places, step.hosts.statuses.codes_at(places))


def host_snapshots(step: StepState, places: Sequence[int], codes: Sequence[int]) -> list[HostSnapshot]:
    """Return the snapshots of the hosts at *places* with these status codes."""
    keys = step.hosts.keys_at(places)
    made = [HostSnapshot(host=key, status=host_status(code)) for key, code in zip(keys, codes, strict=True)]
    if not step.failures:
        return made
    details = map(step.failure_at, places)
    return [with_details(host, each) for host, each in zip(made, details, strict=True)]


def with_details(host: HostSnapshot, details: HostSnapshot | None) -> HostSnapshot:
    """Return the *details* of a failed host, with the names that its events have; the *host* where there are none."""
    if details is None or details.host == host.host:
        return details or host
    return replace(details, host=host.host)
