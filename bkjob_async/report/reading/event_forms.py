"""The parts of JSON events that a report needs, as structs, and how each changes the model of a run."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, assert_never

from msgspec import Meta, Struct

from bkjob_async.engine.journaling.columns import milliseconds_from
from bkjob_async.model.status import Phase
from bkjob_async.report.reading.run_model import RunModel

if TYPE_CHECKING:
    from bkjob_async.model.events import HostChanged

# No duration is infinite; the longest that a response may have, which makes no sense, is 2^63 milliseconds.
Seconds = Annotated[float, Meta(ge=-1e16, le=1e16)]
Time = Annotated[datetime, Meta(tz=True)]


class StatusForm(Struct, frozen=True, gc=False):
    """A status, by its code."""

    code: int


class HostForm(Struct, frozen=True, gc=False):
    """A host, as far as a report needs it."""

    label: str
    bk_host_id: int | None = None


class TimedForm(Struct, frozen=True, gc=False, kw_only=True):
    """An event; *at* is the time of its line."""

    at: str | None = None


class HostChangedForm(TimedForm, tag_field="kind", tag="host_changed", frozen=True, gc=False):
    """The change of a host."""

    ref: str
    host: HostForm
    execute_count: int
    after: StatusForm
    before: StatusForm | None = None
    tag: str | None = None
    exit_code: int | None = None
    skipped: bool = False
    start_time: Time | None = None
    end_time: Time | None = None


class HostCountsForm(TimedForm, tag_field="kind", tag="host_counts", frozen=True, gc=False):
    """The hosts of a step by phase, in place of their changes."""

    ref: str
    execute_count: int
    hosts: dict[Phase, int]


class StepChangedForm(TimedForm, tag_field="kind", tag="step_changed", frozen=True, gc=False):
    """Another status or execution of a step."""

    ref: str
    execute_count: int
    after: StatusForm
    is_finished: bool
    name: str = ""


class StepWaitingForm(TimedForm, tag_field="kind", tag="step_waiting", frozen=True, gc=False):
    """A step waits for a user; its status says so, too."""


class JobChangedForm(TimedForm, tag_field="kind", tag="job_changed", frozen=True, gc=False):
    """Another status of a job."""

    ref: str
    after: StatusForm
    is_finished: bool
    name: str = ""


class TimesForm(Struct, frozen=True, gc=False):
    """How long a job or step took, in seconds."""

    total_time: Seconds | None = None


class FailedHostForm(Struct, frozen=True, gc=False):
    """A host of a result that failed."""

    host: HostForm
    status: StatusForm
    tag: str | None = None
    exit_code: int | None = None


class StepResultForm(Struct, frozen=True, gc=False):
    """How a step ended."""

    ref: str
    status: StatusForm
    is_finished: bool = True
    name: str = ""
    times: TimesForm = TimesForm()
    failed: list[FailedHostForm] = []


class ResultForm(Struct, frozen=True, gc=False):
    """How a target ended."""

    times: TimesForm = TimesForm()
    steps: list[StepResultForm] = []


class FinishedForm(TimedForm, tag_field="kind", tag="finished", frozen=True, gc=False):
    """A target is over."""

    ref: str
    result: ResultForm


class ReopenedForm(TimedForm, tag_field="kind", tag="reopened", frozen=True, gc=False):
    """A target that was over is running again."""

    ref: str


class TroubleForm(TimedForm, tag_field="kind", tag="trouble", frozen=True, gc=False):
    """Polling of a target, or of all, fails."""

    error: str
    message: str
    ref: str | None = None


class RecoveredForm(TimedForm, tag_field="kind", tag="recovered", frozen=True, gc=False):
    """Polling works again."""

    ref: str | None = None


class LostForm(TimedForm, tag_field="kind", tag="lost", frozen=True, gc=False):
    """A target cannot be read any more."""

    ref: str
    reason: str


class ResumedForm(TimedForm, tag_field="kind", tag="resumed", frozen=True, gc=False):
    """Another process continued the watch."""

    gap: Seconds


class InSyncForm(TimedForm, tag_field="kind", tag="in_sync", frozen=True, gc=False):
    """The present state was reported."""


class StalledForm(TimedForm, tag_field="kind", tag="stalled", frozen=True, gc=False):
    """A target was not seen for long; the watch reports `trouble` as well."""


EventForm = (
    HostChangedForm
    | HostCountsForm
    | StepChangedForm
    | StepWaitingForm
    | JobChangedForm
    | FinishedForm
    | ReopenedForm
    | TroubleForm
    | RecoveredForm
    | LostForm
    | ResumedForm
    | InSyncForm
    | StalledForm
)


def apply_form(run: RunModel, form: EventForm) -> None:  # noqa: C901 - one case a kind of event
    """Apply an event that was reported at the time that *run* has."""
    run.events += 1
    match form:
        case HostChangedForm():
            host_changed(run, form.ref, form)
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
        case ReopenedForm() | StalledForm() | StepWaitingForm():
            pass  # the watch reports what changed, and `trouble`, as well
        case _:
            assert_never(form)


def host_changed(run: RunModel, ref: str, event: HostChangedForm | HostChanged) -> None:
    """Apply the change of one host of the step *ref*."""
    before, host = event.before, event.host
    was = None if before is None else before.code
    run_time = milliseconds_from(event.start_time), milliseconds_from(event.end_time)
    change = (host.label, host.bk_host_id, was, event.after.code, event.tag, event.exit_code, *run_time)
    run.hosts_changed(ref, event.execute_count, (change,), skipped=event.skipped)


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
