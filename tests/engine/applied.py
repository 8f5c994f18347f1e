"""Apply any response, as a poll does: in full unless it shows just the present state."""

from __future__ import annotations

from collections.abc import Sequence

from bkjob_async.engine.group_polling.group_poller import ReadMode
from bkjob_async.engine.responses import job_tracker
from bkjob_async.engine.responses.unchanged import note_unchanged_job, note_unchanged_step
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.events import Event
from bkjob_async.model.poll_view import JobPollView, StepPollView

NO_EVENTS: Sequence[Event] = ()


def apply_job(job: JobState, view: JobPollView, stamp: PollStamp) -> Sequence[Event]:
    """Apply a response about the whole job; return the events, `NO_EVENTS` if it shows just the present state."""
    return NO_EVENTS if note_unchanged_job(job, view, stamp.now) else job_tracker.apply_job(job, view, stamp)


def apply_step(
    job: JobState, view: StepPollView, stamp: PollStamp, read_mode: ReadMode = None
) -> Sequence[Event]:
    """Apply a response about one step; return the events, `NO_EVENTS` if it shows just the present state."""
    if note_unchanged_step(job, view, stamp.now, read_mode):
        return NO_EVENTS
    return job_tracker.apply_step(job, view, stamp, read_mode)
