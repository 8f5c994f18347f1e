"""Responses that show just the present state: they are found by comparison, and nothing else is done."""

from __future__ import annotations

from bkjob_async.engine.group_polling.group_poller import CountsOnly, ReadMode
from bkjob_async.engine.responses.step_hosts import has_same_counts
from bkjob_async.engine.responses.unwanted_rows import without_open_rows, without_open_step_rows
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.next_request import goes_on, is_steady, is_undisturbed
from bkjob_async.engine.tracking.step_state import NO_HOSTS, NO_PROGRESS, StepState
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.poll_view import JobPollView, StepPollView


def note_unchanged_job(job: JobState, view: JobPollView, now: float) -> bool:
    """Note a response about the whole job that shows just its present state; return False, and do nothing, for another."""
    if job.detail_level is DetailLevel.END_ONLY:
        view = without_open_rows(job, view)
    if not (view.has_known_rows or (is_undisturbed(job) and shows_same_job(job, view))):
        return False
    if job.detail_level is not DetailLevel.END_ONLY:
        job.digest = view.digest
    job.seen_at = job.job_seen_at = job.active_at = now
    for step in job.steps:
        note_seen_again(step, now)
    return True


def note_unchanged_step(job: JobState, view: StepPollView, now: float, read_mode: ReadMode = None) -> bool:
    """Note a response about one step, requested in *read_mode*, if it shows just the present state; else return False."""
    step = job.step(view.step_instance_id)
    if job.detail_level is DetailLevel.END_ONLY:
        view = without_open_step_rows(job, step, view)
    if not is_undisturbed(job) or job.has_settling_step() or not shows_same_step(step, view, read_mode):
        return False
    job.seen_at = now
    step.host_refusals = 0
    if view.complete:
        step.digest = view.digest
    note_seen_again(step, now)
    return True


def shows_same_job(job: JobState, view: JobPollView) -> bool:
    """Return True if a response shows just the present state of the job and all its steps, and the job goes on."""
    if view.status != job.status_code or view.finished or view.name != job.name or not goes_on(job):
        return False
    if len(view.steps) != len(job.steps):
        return False
    for step, step_view in zip(job.steps, view.steps, strict=True):
        if step.ref.step_instance_id != step_view.step_instance_id or not shows_same_step(step, step_view):
            return False
    return True


def shows_same_step(step: StepState, view: StepPollView, read_mode: ReadMode = None) -> bool:
    """Return True if a response, requested in *read_mode*, shows just the present state, and no status settles."""
    code, execute_count, finished = step.announced
    if (
        code != view.status
        or execute_count != view.execute_count
        or view.name != step.name
        or view.finished not in (None, finished)
        or not is_steady(step)
    ):
        return False
    if read_mode is not None:
        return (
            isinstance(read_mode, CountsOnly)
            and view.groups is not None
            and has_same_counts(step, view.groups)
        )
    if view.has_known_rows or step.progress.group_poller is not None or step.failures is not None:
        return view.has_known_rows and view.digest == step.digest
    if view.groups is None:
        return True
    return view.complete and step.hosts is not NO_HOSTS and step.hosts.is_unchanged(view.groups)


def note_seen_again(step: StepState, now: float) -> None:
    """Note that a response showed the present state of a step."""
    if not step.announced.finished:
        step.active_at = now
    if step.progress is not NO_PROGRESS:
        step.progress.outdated_since = None
