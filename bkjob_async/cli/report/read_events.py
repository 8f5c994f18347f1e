"""Events of a watch or a journal, applied to the model of a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from bkjob_async.cli.report.run_model import RunModel
from bkjob_async.model.events import (
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
    Trouble,
)
from bkjob_async.model.refs import Ref


def apply_events(run: RunModel, events: Iterable[Event]) -> None:
    """Apply events that were told at the time that *run* has."""
    ref, text, count = None, "", 0
    host_changed = run.host_changed
    for event in events:
        count += 1
        if type(event) is not HostChanged:
            apply_other(run, event)
            continue
        if event.ref is not ref:
            ref, text = event.ref, str(event.ref)
        host, before = event.host, event.before
        host_changed(
            text,
            event.execute_count,
            host.label,
            host.bk_host_id,
            None if before is None else before.code,
            event.after.code,
            event.tag,
            event.exit_code,
            event.skipped,
        )
    run.events += count


def apply_other(run: RunModel, event: Event) -> None:  # noqa: C901, PLR0912 - one case a kind of event
    """Apply an event that is not of a host."""
    match event:
        case HostCounts():
            run.host_counts(str(event.ref), event.execute_count, event.hosts)
        case StepChanged():
            run.step_changed(
                str(event.ref),
                event.execute_count,
                event.after.code,
                is_finished=event.is_finished,
                name=event.name,
            )
        case JobChanged():
            run.job_changed(str(event.ref), event.after.code, is_finished=event.is_finished, name=event.name)
        case Finished():
            apply_finished(run, event)
        case Resumed():
            run.resumed(event.gap)
        case InSync():
            run.in_sync()
        case Reopened():
            run.reopened(str(event.ref))
        case Lost():
            run.was_lost(str(event.ref), event.reason)
        case Trouble():
            run.trouble(text_of(event.ref), event.error, event.message)
        case Recovered():
            run.recovered(text_of(event.ref))
        case Stalled():
            pass  # the watch tells `Trouble` as well
        case HostChanged():
            apply_events(run, (event,))
        case _:
            assert_never(event)


def apply_finished(run: RunModel, event: Finished) -> None:
    """Apply the result of a target: what it says of steps and failed hosts, changes of hosts may not."""
    result = event.result
    run.finished(str(event.ref), is_ok=result.ok, took=result.times.total_time)
    for step in result.steps:
        ref = str(step.ref)
        run.step_result(
            ref,
            step.status.code,
            is_finished=step.is_finished,
            name=step.name,
            took=step.times.total_time,
        )
        for host in step.failed:
            run.failed_host(ref, host.host.label, host.status.code, host.tag, host.exit_code)


def text_of(ref: Ref | None) -> str | None:
    """Return the name of a target, None for all targets."""
    return None if ref is None else str(ref)
