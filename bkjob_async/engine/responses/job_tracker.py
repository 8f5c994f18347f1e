"""Apply a response to the state of a job and its steps, and return the events.

`apply_job` and `apply_step` take what does not just show the present state (`unchanged`). It goes on to the
steps (`step_tracker.apply_step_view`) and their hosts (`step_hosts.apply_groups`). Then what has settled is announced:
hosts before their step, steps before the job.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern

from msgspec.structs import replace

from bkjob_async.engine.group_polling.group_poller import ReadMode
from bkjob_async.engine.responses.step_tracker import apply_step_view, finish, finish_if_settled, is_final
from bkjob_async.engine.responses.unwanted_rows import without_open_rows, without_open_step_rows
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import finished_event, job_changed
from bkjob_async.engine.tracking.next_request import PollRequest, steps_to_read_again
from bkjob_async.engine.tracking.packed_times import packed_times
from bkjob_async.engine.tracking.poll_state import NO_FAILURES
from bkjob_async.engine.tracking.run_state import NOT_STARTED, Stage, announced_state, stage_of
from bkjob_async.engine.tracking.step_state import (
    CONFIRMATION,
    SETTLE_BOUND,
    UNREAD_BOUND,
    WAIT_CONFIRMED,
    StepState,
)
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Event, Reopened
from bkjob_async.model.operations.base import GetJobInstanceStatus
from bkjob_async.model.poll_view import JobPollView, StepPollView, times_of
from bkjob_async.model.refs import Ref, StepRef

# An earlier execution is believed when no other was shown for so many seconds, in so many responses at least.
RESTORED_AFTER_SECONDS, RESTORED_AFTER_RESPONSES = 30.0, 5


def apply_job(job: JobState, view: JobPollView, stamp: PollStamp) -> list[Event]:
    """Apply a response about the whole job in full; return the events."""
    if job.detail_level is DetailLevel.END_ONLY:
        view = without_open_rows(job, view)
    job.job_seen_at, job.digest = stamp.now, 0
    step_views = without_duplicates(view.steps)
    if job.poll_failures is not NO_FAILURES:
        over = [step.ref for step in job.steps if step.announced.finished]
        job.poll_failures = job.poll_failures.found(job.ref).after_response(over)
    by_id = {step.ref.step_instance_id: step for step in job.steps}
    steps = [by_id.get(each.step_instance_id) for each in step_views]
    outdated = [
        step is not None and is_outdated(step, each.execute_count, stamp.now)
        for step, each in zip(steps, step_views, strict=True)
    ]
    if any(outdated):  # then all of the response is ignored
        return [*finish_settled(job, stamp)]
    job.seen_at = stamp.now
    events: list[Event] = []
    if view.name and view.name != job.name:
        job.name = intern(view.name)
    finished = is_final(view)
    if finished or view.status != job.status_code:
        job.raw_times = packed_times(times_of(view))
    events += apply_status(job, view.status, stamp, finished=finished)
    note_later_execution(job, steps, step_views, stamp.now)
    last_started = last_started_index(step_views)
    read = sum(step.status_code is not None for step in job.steps)
    believed = 0
    for index, (known, step_view) in enumerate(zip(steps, step_views, strict=True)):
        if job.is_target or job.ref.step(step_view.step_instance_id) in job.target_steps:
            step = known or job.step(step_view.step_instance_id)
            passed = finished or index < last_started
            events += apply_step_view(job, step, step_view, stamp, job_finished=finished, passed=passed)
            believed += believes_rows(step, step_view)  # what finishes does not say any more
            events += finish_settled_step(job, step, stamp)
    note_unlisted(job, step_views, stamp.now)
    if job.is_target and read < len(job.steps):
        order_steps(job, step_views)
    job.digest = believed_digest(job, view, believed)
    if job.announced.finished and any(
        isinstance(event, Reopened) and event.ref != job.ref for event in events
    ):
        events.insert(0, reopen_job(job, stamp))
        job.settling_since = stamp.now
    return events + finish_settled(job, stamp)


def apply_step(
    job: JobState, view: StepPollView, stamp: PollStamp, read_mode: ReadMode = None
) -> list[Event]:
    """Apply a response about one step, requested in *read_mode*, in full; return the events."""
    step = job.step(view.step_instance_id)
    if job.detail_level is DetailLevel.END_ONLY:
        view = without_open_step_rows(job, step, view)
    job.seen_at, job.digest = stamp.now, 0
    if job.poll_failures is not NO_FAILURES:
        job.poll_failures = job.poll_failures.found(step.ref).after_response()
    step.host_refusals = 0
    if is_outdated(step, view.execute_count, stamp.now):
        if step.progress.group_poller is not None:
            step.progress.group_poller.abandon_round()  # or the same group would be requested again at once
        return [*finish_settled(job, stamp)]
    job_finished = (
        None if job.status_code is None else job.settling_since is not None or job.announced.finished
    )
    before = step.status_code, step.execute_count
    events = apply_step_view(job, step, view, stamp, job_finished=job_finished, read_mode=read_mode)
    if job.settling_since is not None and before != (step.status_code, step.execute_count):
        job.settling_since = stamp.now  # the job may go on: its final status is to be shown again
    if job.announced.finished and any(isinstance(event, Reopened) for event in events):
        events.insert(0, reopen_job(job, stamp))
    return events + finish_settled(job, stamp)


def believed_digest(job: JobState, view: JobPollView, believed: int) -> int:
    """Return the digest of a response that was *believed* of so many steps, 0 if it might change anything when it came again."""
    is_of_use = job.is_target and job.detail_level is not DetailLevel.END_ONLY
    return view.digest if is_of_use and believed == len(view.steps) == len(job.steps) else 0


def believes_rows(step: StepState, view: StepPollView) -> bool:
    """Return True if every row of a response about a step, which was applied just now, was believed."""
    hosts, progress = step.hosts, step.progress
    if progress.distrusted_since is not None or progress.group_poller is not None:
        return False
    return view.groups is None or (view.complete and (not hosts.keys or hosts.is_countable))


def note_unlisted(job: JobState, step_views: Sequence[StepPollView], now: float) -> None:
    """Note that hosts of steps which settle, and which a response about the job does not list, are not waited for without end."""
    if not job.has_settling_step():
        return
    listed = {view.step_instance_id for view in step_views}
    for step in job.steps:
        settling = step.progress.settling
        if settling is not None and step.ref.step_instance_id not in listed:
            settling.tried_at = now


def order_steps(job: JobState, step_views: Sequence[StepPollView]) -> None:
    """Put the steps, some of them new, in the order in which the platform lists them.

    Those that are targets by themselves may have been added in another order.
    """
    listed = [view.step_instance_id for view in step_views]
    if len(listed) == len(job.steps):
        job.steps = tuple(map(job.step, listed))


def note_later_execution(
    job: JobState, steps: Sequence[StepState | None], step_views: Sequence[StepPollView], now: float
) -> None:
    """Note that a job ran again where a response shows another execution of a known step: its status may be as before."""
    for step, view in zip(steps, step_views, strict=True):
        if step is not None and step.status_code is not None and view.execute_count > step.execute_count:
            job.active_at = now


def is_outdated(step: StepState, execute_count: int, now: float) -> bool:
    """Return True if a response with this *execute_count* is outdated: it shows an earlier execution of the step.

    A replica of the database may lag behind: an old response between new ones is ignored. A database that was
    restored from a backup never shows the later execution again: after `RESTORED_AFTER_SECONDS` and so many
    responses without any other between them, the earlier execution is believed, and this returns False.
    """
    progress = step.progress
    if step.status_code is None or execute_count >= step.execute_count:
        if progress.outdated_since is not None:
            progress.outdated_since = None
        return False
    if progress.outdated_since is None:
        progress = step.own_progress()
        progress.outdated_since, progress.outdated_responses = now, 0
    progress.outdated_responses += 1
    return (
        progress.outdated_responses < RESTORED_AFTER_RESPONSES
        or now - progress.outdated_since < RESTORED_AFTER_SECONDS
    )


def apply_status(job: JobState, code: int, stamp: PollStamp, *, finished: bool) -> list[Event]:
    """Keep the status that a response shows of the job itself; return the events."""
    events: list[Event] = []
    is_same = code == job.status_code
    if (
        job.announced.finished
        and stage_of(was_over=True, is_final=finished, is_same=is_same) is Stage.REOPENED
    ):
        events.append(reopen_job(job, stamp))
        for step in job.steps:
            if step.announced.finished and step.started and step.type != CONFIRMATION:
                step.own_progress().is_unread = True
    if not finished or (job.status_code is not None and not is_same):
        job.active_at = stamp.now
    if not finished:
        job.settling_since = None
    elif job.settling_since is None or not is_same:
        job.settling_since = stamp.now
    if job.is_target and not finished:
        if code != NOT_STARTED and job.running_since is None:
            job.running_since = stamp.now
            job.first_polled_at = None  # needed for what is pending only
            job.start_seen_at = stamp.now if job.status_code == NOT_STARTED else None
        events += announce_job(job, code, stamp, finished=False)
    job.status_code = code
    return events


def reopen_job(job: JobState, stamp: PollStamp) -> Event:
    """Begin another epoch: the job is not finished any more."""
    job.retract_end(stamp.sequence)
    job.epoch += 1
    job.settling_since = job.running_since = job.start_seen_at = None
    return Reopened(ref=job.ref, epoch=job.epoch)


def announce_job(job: JobState, code: int, stamp: PollStamp, *, finished: bool) -> list[Event]:
    """Announce a status of the job; return no event if it was announced already."""
    state = announced_state(code, finished=finished)
    if state == job.announced:
        return []
    before = job.announced.code
    job.announced, job.announced_sequence = state, stamp.sequence
    return [job_changed(job, before)]


# What is over -----------------------------------------------------------------------------------------------


def finish_settled(job: JobState, stamp: PollStamp) -> list[Event]:
    """Announce finished what has settled, steps before the job; return the events.

    A step that never started is finished with its job. So is one that keeps an open status, after a longer
    bound.
    """
    events: list[Event] = []
    for step in job.steps:
        events += finish_settled_step(job, step, stamp)
    if job.settling_since is None or job.status_code is None:
        return events
    started = [step for step in job.open_steps() if step.started]
    # A step with a final status has its own bound; one with an open status may keep it for ever.
    settling = any(step.progress.settling is not None for step in started)
    stage = stage_of(
        was_over=False,
        is_final=True,
        has_details=not (started or steps_to_read_again(job)),
        is_doubtful=job.is_doubtful(job.active_at),
        is_overdue=not settling and stamp.now - job.settling_since >= SETTLE_BOUND,
    )
    if stage is not Stage.OVER:
        return events
    abandoned = stamp.now - job.settling_since >= UNREAD_BOUND
    for step in job.open_steps():
        if step.ref in job.target_steps and (step.status_code == NOT_STARTED or (step.started and abandoned)):
            events += finish(step, stamp)
            events.append(finished_event(job, step.ref))
    if job.is_target and not job.announced.finished:
        events += announce_job(job, job.status_code, stamp, finished=True)
        events.append(finished_event(job, job.ref))
        began_at = job.start_seen_at
        job.ended += ((job.ref, None if began_at is None else job.settling_since - began_at),)
    return events


def finish_settled_step(job: JobState, step: StepState, stamp: PollStamp) -> list[Event]:
    """Announce a step finished if its final status has settled; return the events."""
    settling = step.progress.settling
    if settling is None:
        return []
    events = finish_if_settled(step, settling, stamp, doubtful=job.is_doubtful(step.active_at))
    if events:
        job.ended += ((step.ref, step.execution_seconds),)
        if step.ref in job.target_steps:
            events.append(finished_event(job, step.ref))
    return events


# Operations and rounds --------------------------------------------------------------------------------------


def expect_change(job: JobState, operated_at: float) -> None:
    """Note that an operation was made: final statuses are provisional until they change or are shown again."""
    job.operated_at, job.was_operated = operated_at, True


def waits_of(job: JobState | None, ref: StepRef) -> int | None:
    """Return how many waits for a user were reported of a step in its execution, None where it was not read."""
    step = None if job is None else job.find_step(ref.step_instance_id)
    return None if step is None or step.status_code is None else step.waits.count


def confirm_wait(job: JobState, ref: StepRef, waits: int | None) -> None:
    """Note that an operation was accepted which ends a step's wait for a user: number *waits*, None if it is not known.

    If another wait was reported since the operation was sent, by this process or in a journal, it ended the one before. A
    response that shows the wait for the first time may be under way.
    """
    step = job.step(ref.step_instance_id)
    if step.status_code is None:
        step.waits = WAIT_CONFIRMED
    elif step.waits.count == waits:
        step.waits = replace(step.waits, is_shown=True, is_due=False, is_confirmed=True)


def put_off_operation(job: JobState, requested_at: float, now: float) -> None:
    """Let the last operation count as made after a response that is applied *now*, if that was requested before it.

    What such a response shows is from before the operation, also where it is news.
    """
    if job.operated_at is not None and requested_at < job.operated_at:
        job.operated_at = now


def forget_old_operation(job: JobState, requested_at: float) -> bool:
    """Forget the last operation, before a response about the job is applied that shows what became of it; whether so.

    One that was requested earlier than SETTLE_BOUND after the operation may show a status from before it. The time that
    passes proves nothing: while polls fail, nothing was seen.
    """
    if not job.must_read_after_operation(requested_at):
        return False
    job.operated_at = None
    return True


def abandon_step(job: JobState, ref: Ref) -> None:
    """Drop a step that the platform refuses to show from the present round of requests."""
    for step in job.steps:
        if step.ref == ref:
            job.pending = tuple(number for number in job.pending if number != step.ref.step_instance_id)
            if step.progress.group_poller is not None:
                step.progress.group_poller.abandon_round()


def note_unread(job: JobState, request: PollRequest, now: float) -> None:
    """Note that a *request* failed: hosts that cannot be read are not waited for without end."""
    with_rows = isinstance(request, GetJobInstanceStatus) and request.return_ip_result
    for step in job.steps:
        settling = step.progress.settling
        if settling is not None and (with_rows or step.ref == request.ref):
            settling.tried_at = now


def abandon_round(job: JobState) -> None:
    """Drop what is left of a round of requests, one of which failed."""
    job.pending = ()
    for step in job.steps:
        if step.progress.group_poller is not None:
            step.progress.group_poller.abandon_round()


def without_duplicates(step_views: Sequence[StepPollView]) -> Sequence[StepPollView]:
    """Return the first view of each step: a second, different one would reopen the step at each poll."""
    first = {view.step_instance_id: view for view in reversed(step_views)}
    if len(first) == len(step_views):
        return step_views
    return [view for view in step_views if first[view.step_instance_id] is view]


def last_started_index(step_views: Sequence[StepPollView]) -> int:
    """Return the index of the last step that has started: the job has passed those before it."""
    return max((index for index, view in enumerate(step_views) if view.status != NOT_STARTED), default=0)
