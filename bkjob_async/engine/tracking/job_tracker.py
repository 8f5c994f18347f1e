"""Apply a response to the state of a job and its steps, and return the events.

`apply_job` and `apply_step` take every response. One that shows just the present state is found by
comparison, and nothing else is done. Another one goes on to the steps (`step_tracker.apply_step_view`) and their
hosts (`step_hosts.apply_groups`). Then what has settled is announced: hosts before their step, steps before
the job.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern

from msgspec.structs import replace

from bkjob_async.engine.group_polling.group_poller import (
    MAX_FULL_READ_HOSTS,
    CountsOnly,
    ReadMode,
)
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import finished_event, job_changed
from bkjob_async.engine.tracking.next_request import PollRequest, steps_to_read_again
from bkjob_async.engine.tracking.packed_times import packed_times
from bkjob_async.engine.tracking.poll_state import NO_FAILURES
from bkjob_async.engine.tracking.run_state import NOT_STARTED, WAITING, Stage, announced_state, stage_of
from bkjob_async.engine.tracking.step_hosts import has_same_counts
from bkjob_async.engine.tracking.step_state import (
    CONFIRMATION,
    NO_HOSTS,
    NO_PROGRESS,
    NO_WAITS,
    SETTLE_BOUND,
    UNREAD_BOUND,
    WAIT_CONFIRMED,
    StepState,
)
from bkjob_async.engine.tracking.step_tracker import (
    apply_step_view,
    finish,
    finish_if_settled,
    note_wait,
)
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Event, Reopened
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.poll_view import NOTHING_READ, JobPollView, KnownRows, StepPollView, times_of
from bkjob_async.model.refs import Ref, StepRef
from bkjob_async.model.status import RUN_CODES, run_status

NO_EVENTS: Sequence[Event] = ()

# Codes of a job or step that is over, and of one that is not, whatever flag comes with them.
FINAL_CODES = frozenset(code for code in RUN_CODES if run_status(code).is_finished())
OPEN_CODES = frozenset(RUN_CODES) - FINAL_CODES

# A response about a job with so few hosts is decoded nearly as fast as hashed, and a hundred thousand digests take memory.
FEW_HOSTS = 5

# An earlier execution is believed when no other was shown for so many seconds, in so many responses at least.
RESTORED_AFTER_SECONDS, RESTORED_AFTER_RESPONSES = 30.0, 5


def apply_job(job: JobState, view: JobPollView, stamp: PollStamp) -> Sequence[Event]:
    """Apply a response about the whole job; return the events, `NO_EVENTS` if it shows just the present state."""
    if job.detail_level is DetailLevel.END_ONLY:
        view = without_open_rows(job, view)
    if view.has_known_rows or (is_undisturbed(job) and shows_same_job(job, view)):
        if job.detail_level is not DetailLevel.END_ONLY:
            job.digest = view.digest
        job.seen_at = job.job_seen_at = job.active_at = stamp.now
        for step in job.steps:
            note_seen_again(step, stamp)
        return NO_EVENTS
    return apply_changed_job(job, view, stamp)


def apply_step(
    job: JobState, view: StepPollView, stamp: PollStamp, read_mode: ReadMode = None
) -> Sequence[Event]:
    """Apply a response about one step; return the events, `NO_EVENTS` if it shows just the present state.

    *read_mode* is how the step was requested.
    """
    step = job.step(view.step_instance_id)
    if job.detail_level is DetailLevel.END_ONLY and not shows_end(step, view, job_finished=None):
        view = without_unknown_rows(job, view)
    if is_undisturbed(job) and not job.has_settling_step() and shows_same_step(step, view, read_mode):
        job.seen_at = stamp.now
        step.host_refusals = 0
        if view.complete:
            step.digest = view.digest
        note_seen_again(step, stamp)
        return NO_EVENTS
    return apply_changed_step(job, step, view, stamp, read_mode)


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


def without_unnamed_rows(job: JobState, view: JobPollView) -> tuple[JobPollView, tuple[int, ...]]:
    """Return a response without the rows of steps whose hosts are not known yet, and the ids of these steps.

    For a response that lacks addresses, where the steps' own responses have them: hosts keep the names of their first row.
    Where the platform has refused a step's own response, these rows are all there is.
    """
    unnamed = tuple(
        each.step_instance_id
        for each in view.steps
        if each.groups
        and any(group.size for group in each.groups)
        and (job.is_target or job.ref.step(each.step_instance_id) in job.target_steps)
        and (
            (step := job.find_step(each.step_instance_id)) is None
            or not (step.hosts.size or step.host_refusals)
        )
    )
    steps = [
        replace(each, groups=None, complete=False) if each.step_instance_id in unnamed else each
        for each in view.steps
    ]
    return replace(view, steps=steps, digest=0), unnamed


def without_unknown_rows(job: JobState, view: StepPollView) -> StepPollView:
    """Return the response about a step that is not over without its hosts, unless they were read for another watch."""
    is_watched = job.is_target or job.ref.step(view.step_instance_id) in job.target_steps
    step = job.step(view.step_instance_id) if is_watched else None
    if step is None or step.hosts is NO_HOSTS:
        if step is not None and sum(group.size for group in view.groups or ()) > MAX_FULL_READ_HOSTS:
            step.own_progress().is_large = True
        return replace(view, groups=None)
    return view


# Responses that change nothing -------------------------------------------------------------------------------------


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
    return job.is_target and not finished and code == job.status_code and code in OPEN_CODES


def is_steady(step: StepState) -> bool:
    """Return True if the present status of a step was announced and does not settle, and its wait, if any, was reported."""
    code, _, finished = step.announced
    return (
        code == step.status_code
        and code in (FINAL_CODES if finished else OPEN_CODES)
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


def note_seen_again(step: StepState, stamp: PollStamp) -> None:
    """Note that a response showed the present state of a step."""
    if not step.announced.finished:
        step.active_at = stamp.now
    if step.progress is not NO_PROGRESS:
        step.progress.outdated_since = None


# Responses that change something ----------------------------------------------------------------------------


def apply_changed_job(job: JobState, view: JobPollView, stamp: PollStamp) -> list[Event]:
    """Apply a response about the whole job in full; return the events."""
    job.job_seen_at, job.digest = stamp.now, 0
    step_views = without_duplicates(view.steps)
    if job.poll_failures is not NO_FAILURES:
        job.poll_failures = job.poll_failures.found(job.ref).after_response()
    steps = [job.find_step(each.step_instance_id) for each in step_views]
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
    last_started = last_started_index(step_views)
    read = sum(step.status_code is not None for step in job.steps)
    for index, (known, step_view) in enumerate(zip(steps, step_views, strict=True)):
        if job.is_target or job.ref.step(step_view.step_instance_id) in job.target_steps:
            step = known or job.step(step_view.step_instance_id)
            passed = finished or index < last_started
            is_over = shows_end(step, step_view, job_finished=finished)
            events += apply_step_view(step, step_view, stamp, finished=is_over, passed=passed)
            note_hosts_read(job, step, step_view)
            events += note_wait_of(job, step, step_view, stamp, finished=is_over)
            events += finish_settled_step(job, step, stamp)
    if job.is_target and read < len(job.steps):
        order_steps(job, step_views)
    if job.announced.finished and any(
        isinstance(event, Reopened) and event.ref != job.ref for event in events
    ):
        events.insert(0, reopen_job(job, stamp))
        job.settling_since = stamp.now
    return events + finish_settled(job, stamp)


def apply_changed_step(
    job: JobState, step: StepState, view: StepPollView, stamp: PollStamp, read_mode: ReadMode = None
) -> list[Event]:
    """Apply a response about one step in full; return the events."""
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
    is_over = shows_end(step, view, job_finished=job_finished)
    if is_over and step.announced.finished and view.status == NOT_STARTED:
        view = replace(
            view, groups=None
        )  # it never began: hosts that only its own response lists wait for ever
    events = apply_step_view(
        step,
        view,
        stamp,
        finished=is_over,
        read_mode=read_mode,
        may_defer=job.detail_level < DetailLevel.EVERY_CHANGE and not job.reads_all,
    )
    note_hosts_read(job, step, view)
    events += note_wait_of(job, step, view, stamp, finished=is_over, read_mode=read_mode)
    if job.announced.finished and any(isinstance(event, Reopened) for event in events):
        events.insert(0, reopen_job(job, stamp))
    return events + finish_settled(job, stamp)


def note_wait_of(
    job: JobState,
    step: StepState,
    view: StepPollView,
    stamp: PollStamp,
    *,
    finished: bool,
    read_mode: ReadMode = None,
) -> list[Event]:
    """Note whether a step of the job waits for a user; return the event of a new wait. See `note_wait`."""
    if view.status != WAITING and step.waits is NO_WAITS:
        return []
    return note_wait(
        step,
        view,
        stamp,
        finished=finished,
        read_mode=read_mode,
        reads_hosts=job.detail_level is not DetailLevel.END_ONLY,
        is_doubtful=job.operated_at is not None,
    )


def note_hosts_read(job: JobState, step: StepState, view: StepPollView) -> None:
    """Note that a response which lists a step's hosts shows them as they are at the end of its job, if that is over."""
    if view.groups is not None and job.settling_since is not None and step.progress.is_unread:
        step.progress.is_unread = False


def order_steps(job: JobState, step_views: Sequence[StepPollView]) -> None:
    """Put the steps, some of them new, in the order in which the platform lists them.

    Those that are targets by themselves may have been added in another order.
    """
    listed = [view.step_instance_id for view in step_views]
    if len(listed) == len(job.steps):
        job.steps = tuple(map(job.step, listed))


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


def shows_end(step: StepState, view: StepPollView, *, job_finished: bool | None) -> bool:
    """Return True if a response shows a step over; *job_finished* is whether its job is, None if unknown.

    A step that was announced finished with an open status, because its job is, stays so as long as nothing changes.
    """
    return is_final(view, job_finished=job_finished) or (
        step.announced.finished
        and job_finished is not False
        and view.status in OPEN_CODES
        and (view.status, view.execute_count) == (step.status_code, step.execute_count)
    )


def is_final(view: JobPollView | StepPollView, *, job_finished: bool | None = None) -> bool:
    """Return True if a response shows a final status; an unknown code without a flag is final if the job is."""
    if view.finished is not None:
        return view.finished
    return view.status in FINAL_CODES if view.status in RUN_CODES else bool(job_finished)


def apply_status(job: JobState, code: int, stamp: PollStamp, *, finished: bool) -> list[Event]:
    """Keep the status that a response shows of the job itself; return the events."""
    events: list[Event] = []
    stage = stage_of(was_over=job.announced.finished, is_final=finished, is_same=code == job.status_code)
    if stage is Stage.REOPENED:
        events.append(reopen_job(job, stamp))
        for step in job.steps:
            if step.announced.finished and step.started and step.type != CONFIRMATION:
                step.own_progress().is_unread = True
    if not finished or (job.status_code is not None and code != job.status_code):
        job.active_at = stamp.now
    if not finished:
        job.settling_since = None
    elif job.settling_since is None or code != job.status_code:
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
        job.ended += ((job.ref, job.duration(job.settling_since)),)
    return events


def finish_settled_step(job: JobState, step: StepState, stamp: PollStamp) -> list[Event]:
    """Announce a step finished if its final status has settled; return the events."""
    settling = step.progress.settling
    if settling is None:
        return []
    duration = step.duration(settling.since)
    events = finish_if_settled(step, settling, stamp, doubtful=job.is_doubtful(step.active_at))
    if events:
        job.ended += ((step.ref, duration),)
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

    If another wait was reported since the operation was sent, by this process or in a journal, it ended the one before.
    """
    step = job.step(ref.step_instance_id)
    if step.status_code is None:
        step.waits = WAIT_CONFIRMED
    elif step.waits.is_shown and step.waits.count == waits:
        step.waits = replace(step.waits, is_due=False, is_confirmed=True)


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
