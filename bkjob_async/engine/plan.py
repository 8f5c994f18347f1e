"""Which question to ask next about a job."""

from __future__ import annotations

from collections.abc import Iterator

from bkjob_async.engine.job_story import JobStory
from bkjob_async.engine.step_tracker import StepTracker
from bkjob_async.model.capabilities import Capabilities
from bkjob_async.model.operations import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.refs import JobRef, StepRef

Question = GetJobInstanceStatus | GetStepInstanceStatus

# One answer with all rows of all steps is cheaper than several requests as long as it stays small.
SMALL_JOB = 200
REFUSALS = 3


def next_question(story: JobStory, capabilities: Capabilities) -> Question:
    """Return the cheapest question that can bring news of *story*.

    A round begins with the job, or with the single steps that are watched; steps whose rows are still to be read
    follow one by one (`begin_follow_ups`).
    """
    if not story.pending and not needs_job(story, capabilities):
        story.pending = tuple(t.ref.step_instance_id for t in askable_targets(story, capabilities))
    if story.pending:
        step, *others = story.pending
        story.pending = tuple(others)
        return ask_step(story.ref.step(step))
    return ask_job(story.ref, with_rows=wants_job_rows(story, capabilities))


def ask_step(ref: StepRef) -> GetStepInstanceStatus:
    """Ask for all hosts of a step, in all its batches."""
    return GetStepInstanceStatus(ref=ref, batch=0)


def ask_job(ref: JobRef, *, with_rows: bool) -> GetJobInstanceStatus:
    """Ask for a job, with or without its host rows."""
    return GetJobInstanceStatus(ref=ref, return_ip_result=with_rows)


def begin_follow_ups(story: JobStory, question: Question, capabilities: Capabilities) -> None:
    """After an answer about the job, note which steps must be asked for their rows."""
    if isinstance(question, GetStepInstanceStatus) or question.return_ip_result:
        return
    if capabilities.step_status:
        story.pending = tuple(
            tracker.ref.step_instance_id for tracker in story.open_steps() if tracker.needs_rows
        )
    elif story.job_rows_refused >= REFUSALS:
        # Neither the job nor the step can be asked for hosts: nothing of them will ever be seen.
        for tracker in story.open_steps():
            tracker.visible = False


def needs_job(story: JobStory, capabilities: Capabilities) -> bool:
    """Whether a round must ask for the job, because a step cannot speak for itself."""
    if story.whole or not capabilities.step_status:
        return True
    return any(not tracker.visible for tracker in story.open_steps()) or not any(story.open_steps())


def askable_targets(story: JobStory, capabilities: Capabilities) -> Iterator[StepTracker]:
    """Yield the watched steps that can be asked for themselves."""
    if capabilities.step_status:
        yield from (tracker for tracker in story.open_steps() if tracker.visible)


def wants_job_rows(story: JobStory, capabilities: Capabilities) -> bool:
    """Whether to ask for host rows with the job; a dialect that always sends them is not asked to."""
    if not capabilities.job_rows_on_request:
        return False
    if not capabilities.step_status:
        return story.job_rows_refused < REFUSALS
    trackers = story.steps.values()
    known = bool(trackers) and all(len(tracker.hosts) > 0 for tracker in trackers if tracker.needs_rows)
    small = sum(len(tracker.hosts) for tracker in trackers) <= SMALL_JOB
    started = any(len(tracker.hosts) for tracker in trackers)
    return known and started and small and story.job_rows_refused < REFUSALS
