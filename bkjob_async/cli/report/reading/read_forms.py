"""Events of lines and records, applied to the model of a run."""

from __future__ import annotations

from typing import assert_never

from bkjob_async.cli.report.reading.event_forms import (
    EventForm,
    FinishedForm,
    HostChangedForm,
    HostCountsForm,
    InSyncForm,
    JobChangedForm,
    LostForm,
    RecoveredForm,
    ReopenedForm,
    ResumedForm,
    StalledForm,
    StepChangedForm,
    TroubleForm,
)
from bkjob_async.cli.report.reading.run_model import RunModel


def apply_form(run: RunModel, form: EventForm) -> None:  # noqa: C901 - one case a kind of event
    """Apply an event that was reported at the time that *run* has."""
    run.events += 1
    match form:
        case HostChangedForm():
            host_changed(run, form)
        case HostCountsForm():
            run.host_counts(form.ref, form.execute_count, form.hosts)
        case StepChangedForm():
            run.step_changed(
                form.ref, form.execute_count, form.after.code, is_finished=form.is_finished, name=form.name
            )
        case JobChangedForm():
            run.job_changed(form.ref, form.after.code, is_finished=form.is_finished, name=form.name)
        case FinishedForm():
            finished(run, form)
        case ResumedForm():
            run.resumed(form.gap)
        case InSyncForm():
            run.in_sync()
        case LostForm():
            run.was_lost(form.ref, form.reason)
        case TroubleForm():
            run.trouble(form.ref, form.error, form.message)
        case RecoveredForm():
            run.recovered(form.ref)
        case ReopenedForm() | StalledForm():
            pass  # the watch reports what changed, and `trouble`, as well
        case _:
            assert_never(form)


def host_changed(run: RunModel, form: HostChangedForm) -> None:
    """Apply the change of one host."""
    before, host = form.before, form.host
    was = None if before is None else before.code
    change = (host.label, host.bk_host_id, was, form.after.code, form.tag, form.exit_code)
    run.hosts_changed(form.ref, form.execute_count, (change,), skipped=form.skipped)


def finished(run: RunModel, form: FinishedForm) -> None:
    """Apply the result of a target: what it says of steps and failed hosts, changes of hosts may not."""
    run.finished(form.ref, took=form.result.times.total_time)
    for step in form.result.steps:
        run.step_result(
            step.ref,
            step.status.code,
            is_finished=step.is_finished,
            name=step.name,
            took=step.times.total_time,
        )
        for host in step.failed:
            run.failed_host(step.ref, host.host.label, host.status.code, host.tag, host.exit_code)
