"""Which question to ask next about a job."""

from __future__ import annotations

from functools import lru_cache

from bkjob_async.engine.group_polling.group_poller import (
    COUNTS_ONLY,
    CountsOnly,
    ReadMode,
    SingleGroup,
    is_large,
)
from bkjob_async.engine.tracking.job_tracker import JobTracker
from bkjob_async.engine.tracking.step_state import HIDDEN, NOT_STARTED, REFUSALS, RUNNING
from bkjob_async.engine.tracking.step_tracker import StepTracker
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.refs import JobRef, StepRef

Question = GetJobInstanceStatus | GetStepInstanceStatus

# The job itself, where steps are named by their ids.
THE_JOB = 0

# A running step speaks for its job no longer than this, should the job be over without it. (seconds)
LONGEST_PROXY = 15.0

# The same few questions are asked again and again: so many of either kind are made once.
KEPT = 4096


def next_request(
    story: JobTracker, capabilities: Capabilities, *, requests_are_scarce: bool = False
) -> Question:
    """Return the cheapest question that can bring news of *story*.

    A round begins with the job, or with the single steps that are watched, or with the step that speaks for the job;
    steps whose hosts are still to be read follow one by one (`begin_follow_ups`). *requests_are_scarce*: one larger
    answer is better than two small ones.
    """
    if not story.pending:
        speaker = representative_step(story, capabilities) if story.whole else None
        story.polled_via_step = speaker is not None
        steps = askable_steps(story, capabilities) if speaker is None else [speaker]
        tracker = steps[0] if steps else None
        story.pending = tuple(each.ref.step_instance_id for each in steps[1:])
    else:
        first, story.pending = story.pending[0], story.pending[1:]
        tracker = None if first == THE_JOB else story.tracker(first)
    if tracker is None:
        story.polled_via_step = False
        return ask_job(story.ref, with_rows=wants_job_rows(story, capabilities))
    return ask_step(tracker.ref, how_to_read(story, tracker, capabilities, guess=requests_are_scarce))


def how_to_read(
    story: JobTracker, tracker: StepTracker, capabilities: Capabilities, *, guess: bool
) -> ReadMode:
    """Return how a step is to be read: by counts, by one group, or in full."""
    if not capabilities.groups:
        return None
    if not wants_rows(story, tracker):
        return COUNTS_ONLY
    if tracker.group_poller is None or tracker.wants_end or not tracker.hosts.is_countable:
        return None
    now = story.seen_at if story.seen_at is not None else 0.0
    return tracker.group_poller.next_read(
        now, single_request=guess and story.detail_level is DetailLevel.EVERY_CHANGE
    )


def wants_rows(story: JobTracker, tracker: StepTracker) -> bool:
    """Whether hosts of a step are to be read now; a watch for the end reads them at the end only."""
    return story.detail_level > DetailLevel.END_ONLY or tracker.closing_since is not None


@lru_cache(KEPT)
def ask_step(ref: StepRef, reading: ReadMode = None) -> GetStepInstanceStatus:
    """Ask for the hosts of a step in this *reading*, in all its batches."""
    match reading:
        case CountsOnly(limit):
            return GetStepInstanceStatus(ref=ref, batch=0, max_host_num_per_group=limit)
        case SingleGroup(status, tag):
            return GetStepInstanceStatus(ref=ref, batch=0, status=status, tag=tag or None)
        case None:
            return GetStepInstanceStatus(ref=ref, batch=0)


@lru_cache(KEPT)
def ask_job(ref: JobRef, *, with_rows: bool) -> GetJobInstanceStatus:
    """Ask for a job, with or without its host rows."""
    return GetJobInstanceStatus(ref=ref, return_ip_result=with_rows)


def begin_follow_ups(story: JobTracker, question: Question, capabilities: Capabilities) -> None:
    """After an answer, note which steps must be asked, or asked on, for their hosts."""
    if isinstance(question, GetStepInstanceStatus):
        tracker = story.tracker(question.ref.step_instance_id)
        if tracker.group_poller is not None and tracker.group_poller.needs_another_request:
            story.pending = (question.ref.step_instance_id, *story.pending)
        elif story.polled_via_step and not can_speak(tracker):
            story.pending = (THE_JOB,)
    elif question.return_ip_result:
        return
    elif capabilities.step_status:
        story.pending = tuple(
            tracker.ref.step_instance_id
            for tracker in story.open_steps()
            if tracker.needs_rows and wants_rows(story, tracker)
        )
    elif story.poll_failures.job_rows_refused >= REFUSALS:
        # Neither the job nor the step can be asked for hosts: nothing of them will ever be seen.
        for tracker in story.open_steps():
            tracker.refusals = HIDDEN


def representative_step(story: JobTracker, capabilities: Capabilities) -> StepTracker | None:
    """Return the one large step that runs, as long as there is no more to say of its watched job than of it.

    Its hosts have to be asked for anyway, and a job whose steps take turns does nothing else meanwhile.
    """
    if not (capabilities.step_status and capabilities.groups) or story.detail_level is DetailLevel.END_ONLY:
        return None
    seen_at, job_seen_at = story.seen_at, story.job_seen_at
    if seen_at is None or job_seen_at is None or seen_at - job_seen_at >= LONGEST_PROXY:
        return None
    if story.seen != RUNNING or story.is_settling(seen_at):
        return None
    begun = [tracker for tracker in story.open_steps() if tracker.started]
    return begun[0] if len(begun) == 1 and can_speak(begun[0]) else None


def can_speak(tracker: StepTracker) -> bool:
    """Whether a step is large and simply runs."""
    return tracker.group_poller is not None and tracker.seen == RUNNING and tracker.visible


def askable_steps(story: JobTracker, capabilities: Capabilities) -> list[StepTracker]:
    """Return the watched steps; none where the job must be asked, because a step cannot speak for itself.

    Nor does a step that has not begun: it never will where its job is over. One whose end is in doubt speaks with its
    job, and with all others.
    """
    if story.whole or not capabilities.step_status or story.has_doubtful_step():
        return []
    steps = story.open_steps()
    for tracker in steps:
        if not tracker.visible or tracker.seen == NOT_STARTED:
            return []
    return steps


def wants_job_rows(story: JobTracker, capabilities: Capabilities) -> bool:
    """Whether to ask for host rows with the job; a dialect that always sends them is not asked to."""
    if not capabilities.job_rows_on_request:
        return False
    if not capabilities.step_status:
        wanted = story.detail_level > DetailLevel.END_ONLY or any(
            t.closing_since is not None for t in story.open_steps()
        )
        return wanted and story.poll_failures.job_rows_refused < REFUSALS
    trackers = [tracker for tracker in story.steps if wants_rows(story, tracker)]
    known = bool(trackers) and all(len(tracker.hosts) > 0 for tracker in trackers if tracker.needs_rows)
    # One answer with all rows of all steps is cheaper than several requests as long as it stays small.
    small = not is_large(sum(len(tracker.hosts) for tracker in trackers))
    started = any(len(tracker.hosts) for tracker in trackers)
    return known and started and small and story.poll_failures.job_rows_refused < REFUSALS
