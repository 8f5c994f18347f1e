"""Rows of a response that are left out: nobody wants them yet, or they lack the names of their hosts."""

from __future__ import annotations

from msgspec.structs import replace

from bkjob_async.engine.group_polling.group_poller import MAX_FULL_READ_HOSTS
from bkjob_async.engine.responses.step_tracker import is_final, shows_end
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.step_state import NO_HOSTS, StepState
from bkjob_async.model.poll_view import JobPollView, StepPollView


def without_open_rows(job: JobState, view: JobPollView) -> JobPollView:
    """Return a response without the hosts of steps that are not over: for the end only, they are not followed."""
    finished = is_final(view)
    steps = [
        step_view
        if step_view.groups is None or is_final(step_view, job_finished=finished)
        else without_unknown_rows(job, step_view)
        for step_view in view.steps
    ]
    return replace(view, steps=steps)


def without_open_step_rows(job: JobState, step: StepState, view: StepPollView) -> StepPollView:
    """Return a response about one step without its hosts if it is not over: for the end only, they are not followed."""
    return view if shows_end(step, view, job_finished=None) else without_unknown_rows(job, view)


def without_unnamed_rows(job: JobState, view: JobPollView) -> tuple[JobPollView, tuple[int, ...]]:
    """Return a response without the rows of steps that have unknown hosts, and the ids of these steps.

    For a response that lacks addresses, where the steps' own responses have them: hosts keep the names of their first row.
    Where the platform refuses a step's own response again and again, these rows are all there is.
    """
    unnamed = tuple(each.step_instance_id for each in view.steps if has_unnamed_rows(job, each))
    if not unnamed:
        return view, ()
    steps = [
        replace(each, groups=None, complete=False) if each.step_instance_id in unnamed else each
        for each in view.steps
    ]
    return replace(view, steps=steps, digest=0), unnamed


def has_unnamed_rows(job: JobState, view: StepPollView) -> bool:
    """Return whether a response names hosts of a watched step that are not known yet, and may not have their addresses."""
    rows = [row for group in view.groups or () for row in group.rows or ()]
    if not rows or not (job.is_target or job.ref.step(view.step_instance_id) in job.target_steps):
        return False
    step = job.find_step(view.step_instance_id)
    if step is None or not step.hosts.size:
        return step is None or step.hosts_visible
    if not step.hosts_visible:
        return False
    ids = [row.bk_host_id for row in rows if not row.ip]
    return not step.hosts.has_ids(ids)


def without_unknown_rows(job: JobState, view: StepPollView) -> StepPollView:
    """Return the response about a step that is not over without its hosts, unless they were read for another watch."""
    is_watched = job.is_target or job.ref.step(view.step_instance_id) in job.target_steps
    step = job.step(view.step_instance_id) if is_watched else None
    if step is None or step.hosts is NO_HOSTS:
        if step is not None and sum(group.size for group in view.groups or ()) > MAX_FULL_READ_HOSTS:
            step.own_progress().is_large = True
        return replace(view, groups=None)
    return view
