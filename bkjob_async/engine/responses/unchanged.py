"""Responses that show just the present state: they are found by comparison, and nothing else is done."""

from __future__ import annotations

from bkjob_async.engine.group_polling.group_poller import ReadMode
from bkjob_async.engine.responses.step_hosts import has_same_counts
from bkjob_async.engine.responses.unwanted_rows import without_open_rows, without_open_step_rows
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.next_request import PollRequest
from bkjob_async.engine.tracking.poll_state import NO_FAILURES
from bkjob_async.engine.tracking.run_state import WAITING
from bkjob_async.engine.tracking.step_state import NO_HOSTS, NO_PROGRESS, StepState
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.poll_view import NOTHING_READ, JobPollView, KnownRows, StepPollView
from bkjob_async.model.status import FINISHED_RUN_CODES, RUN_CODES, UNFINISHED_RUN_CODES

# A response about a job with so few hosts is decoded nearly as fast as hashed, and a hundred thousand digests take memory.
FEW_HOSTS = 5


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


def known_rows(job: JobState, request: PollRequest) -> KnownRows | None:
    """Return what is known of the rows that *request* asks for; None where they are to be decoded in any case."""
    if isinstance(request, GetStepInstanceStatus):
        step = job.find_step(request.ref.step_instance_id)
        return None if step is None or request.max_host_num_per_group else known_of_step(step)
    if job.detail_level is DetailLevel.END_ONLY:
        return None
    if job.status_code is None:
        return NOTHING_READ
    if not (is_undisturbed(job) and goes_on(job)):
        return None
    hosts = 0
    for step in job.steps:
        if not is_steady(step):
            return None
        hosts += len(step.hosts.keys)
    return KnownRows(job.status_code, 0, job.name, job.digest) if hosts > FEW_HOSTS else None


def known_of_step(step: StepState) -> KnownRows | None:
    """Return what is known of the rows of a step; None where it is read by groups, and at its end.

    With an unknown status it ends with its job.
    """
    if step.progress.group_poller is not None or step.progress.settling is not None:
        return None
    if step.status_code is None:
        return NOTHING_READ
    if step.hosts is NO_HOSTS or step.announced.finished or step.status_code not in RUN_CODES:
        return None
    return KnownRows(step.status_code, step.execute_count, step.name, step.digest)


def is_undisturbed(job: JobState) -> bool:
    """Return True if no poll failed and the job's status does not settle."""
    return job.poll_failures is NO_FAILURES and job.settling_since is None


def goes_on(job: JobState) -> bool:
    """Return True if a job is watched and not over, and its present status was announced."""
    code, _, finished = job.announced
    return job.is_target and not finished and code == job.status_code and code in UNFINISHED_RUN_CODES


def is_steady(step: StepState) -> bool:
    """Return True if the present status of a step was announced and does not settle, and its wait, if any, was reported."""
    code, _, finished = step.announced
    return (
        code == step.status_code
        and code in (FINISHED_RUN_CODES if finished else UNFINISHED_RUN_CODES)
        and step.progress.settling is None
        and (code != WAITING or step.waits.is_present)
    )


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
        return view.groups is not None and has_same_counts(step, view.groups)
    if view.has_known_rows or step.progress.group_poller is not None or step.failures is not None:
        return view.has_known_rows and view.digest == step.digest
    if view.groups is None:
        return True
    return view.complete and step.hosts.is_unchanged(view.groups)


def note_seen_again(step: StepState, now: float) -> None:
    """Note that a response showed the present state of a step."""
    if not step.announced.finished:
        step.active_at = now
    if step.progress is not NO_PROGRESS:
        step.progress.outdated_since = None
