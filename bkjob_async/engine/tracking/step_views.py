"""Results, snapshots and events made from the state of a step."""

from __future__ import annotations

from collections.abc import Iterator

from bkjob_async.engine.tracking.step_state import NOT_STARTED, StepState
from bkjob_async.model.events import Event, HostChanged, HostCounts, StepChanged
from bkjob_async.model.result import StepResult
from bkjob_async.model.snapshot import HostSnapshot, StepSnapshot
from bkjob_async.model.status import host_status, run_status


def step_changed(step: StepState, before: int | None, cursor: str, *, skipped: bool = False) -> StepChanged:
    """Return the event that the step has the status that was announced; *before* is the code before it."""
    assert step.announced is not None  # noqa: S101 - called for announced statuses only
    code, execute_count, finished = step.announced
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


def host_counts(step: StepState, cursor: str) -> HostCounts:
    """Return the event with the number of hosts of the step in each phase."""
    return HostCounts(
        ref=step.ref, execute_count=step.execute_count, hosts=step.hosts.counts(), cursor=cursor
    )


def failure_at(step: StepState, place: int) -> HostSnapshot | None:
    """Return the details of the host at *place* in the table, None if it did not fail."""
    return step.failures.get(place) if step.failures is not None else None


def present_step(step: StepState, cursor: str, *, since: int = 0, skipped: bool = False) -> Iterator[Event]:
    """Yield the present state of hosts and step as events, for a reader that missed how they got there.

    Without *skipped* all statuses are new to the reader. With it, only changes in batch *since* or later are
    events, with the status before.
    """
    finished = step.finished
    has_changed = step.announced is not None and step.announced_sequence >= since
    if has_changed and not finished:
        yield step_changed(step, None, cursor, skipped=skipped)
    for place, before, code in step.hosts.changed_since(since):
        details = failure_at(step, place)
        yield HostChanged(
            ref=step.ref,
            host=step.hosts.key(place),
            execute_count=step.execute_count,
            before=host_status(before) if skipped and before is not None else None,
            after=host_status(code),
            tag=details.tag if details else None,
            exit_code=details.exit_code if details else None,
            epoch=step.epoch,
            skipped=skipped,
            cursor=cursor,
        )
    if skipped and step.hosts.has_changed(since):
        yield host_counts(step, cursor)
    if has_changed and finished:
        yield step_changed(step, None, cursor, skipped=skipped)


def step_result(step: StepState) -> StepResult:
    """Return the step's result so far."""
    failed = [
        failure_at(step, place) or HostSnapshot(host=step.hosts.key(place), status=host_status(code))
        for place, code in step.hosts.unsuccessful()
    ]
    return StepResult(
        ref=step.ref,
        status=run_status(step.status_code if step.status_code is not None else NOT_STARTED),
        is_finished=step.finished,
        name=step.name,
        execute_count=step.execute_count,
        times=step.times,
        hosts=step.hosts.counts(),
        failed=tuple(failed),
        hosts_visible=step.hosts_visible,
    )


def step_snapshot(step: StepState) -> StepSnapshot:
    """Return the step as last seen, with all hosts that any response named."""
    code = step.status_code if step.status_code is not None else NOT_STARTED
    return StepSnapshot(
        ref=step.ref,
        status=run_status(code),
        is_finished=step.finished,
        name=step.name,
        type=step.type,
        execute_count=step.execute_count,
        times=step.times,
        hosts=tuple(
            failure_at(step, place) or HostSnapshot(host=step.hosts.key(place), status=host_status(status))
            for place, _, status in step.hosts.changed_since()
        )
        if step.hosts_visible
        else None,
    )
