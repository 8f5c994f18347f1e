"""Apply a response to the state of a step, and return the events.

Details lag behind a final status. The platform writes host rows after it, and shows the old status for a
moment after an operation. A rolling step shows a final code between two batches. So a final status settles
first: it is announced when all hosts were read and are finished and nothing says that the status is
provisional, or after a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern

from msgspec.structs import replace

from bkjob_async.engine.group_polling.group_poller import CountsOnly, ReadMode
from bkjob_async.engine.responses.step_hosts import apply_groups, reopen_step
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.next_request import wants_rows
from bkjob_async.engine.tracking.packed_times import packed_times
from bkjob_async.engine.tracking.run_state import NOT_STARTED, WAITING, Stage, announced_state, stage_of
from bkjob_async.engine.tracking.step_state import (
    CONFIRMATION,
    HOSTS_HIDDEN,
    NO_PROGRESS,
    NO_WAITS,
    PROVISIONAL,
    SETTLE_BOUND,
    UNREAD_BOUND,
    Settling,
    StepState,
    StepWaits,
)
from bkjob_async.engine.tracking.step_views import host_counts, step_changed, step_waiting
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Event
from bkjob_async.model.poll_view import GroupPollView, PollView, StepPollView, times_of
from bkjob_async.model.status import (
    FINISHED_RUN_CODES,
    RUN_CODES,
    UNFINISHED_HOST_CODES,
    UNFINISHED_RUN_CODES,
)


def apply_step_view(
    job: JobState,
    step: StepState,
    view: StepPollView,
    stamp: PollStamp,
    *,
    job_finished: bool | None,
    read_mode: ReadMode = None,
    passed: bool | None = None,
) -> list[Event]:
    """Apply a response about a step of a job; return the events that are due at once.

    *job_finished* is whether the job is, None if unknown. *read_mode* is how the step was requested. *passed* is whether the
    job has gone on to a later step, None for a response about the step alone, which does not show it.
    """
    finished = shows_end(step, view, job_finished=job_finished)
    if finished and step.announced.finished and view.status == NOT_STARTED:
        # It never began: its hosts wait for ever, and a response that shows more of them is ahead of its status.
        view = replace(view, groups=None)
    before = step.status_code
    is_new_execution = before is not None and view.execute_count != step.execute_count
    events = note_activity(step, view, stamp, finished=finished, is_new_execution=is_new_execution)
    if passed is not None and not step.announced.finished:
        note_passed(step, stamp, passed=passed)
    if step.progress.settling is not None and (view.status != before or not finished):
        step.progress.settling = None
    apply_status(step, view, finished=finished)
    if is_new_execution and step.hosts.size:
        events.append(host_counts(step))  # the hosts of the execution before no longer count
    if finished:
        begin_settling(step, stamp)
    else:
        if view.status != NOT_STARTED:
            if before == NOT_STARTED or is_new_execution or step.progress.is_first_of_execution:
                step.execution_began_at = stamp.now
            on_running(step, stamp)
        events += announce(step, stamp, finished=False)
    if view.groups is not None:
        step.host_refusals = 0
        moves = apply_rows(job, step, view, view.groups, stamp, read_mode=read_mode)
        on_rows_read(job, step, stamp, moved=bool(moves))
        events += moves
    if view.status == WAITING or step.waits is not NO_WAITS:
        events += note_wait(job, step, view, stamp, finished=finished, read_mode=read_mode)
    return events


def apply_rows(
    job: JobState,
    step: StepState,
    view: StepPollView,
    groups: Sequence[GroupPollView],
    stamp: PollStamp,
    *,
    read_mode: ReadMode,
) -> list[Event]:
    """Apply the *groups* of a response, but counts where no host is wanted: no request would list the hosts that moved."""
    group_poller = step.progress.group_poller
    if group_poller is not None and isinstance(read_mode, CountsOnly) and not wants_rows(job, step):
        group_poller.abandon_round()
        return []
    may_defer = job.detail_level < DetailLevel.EVERY_CHANGE and not job.reads_all
    return apply_groups(step, view, groups, stamp, read_mode=read_mode, may_defer=may_defer)


def shows_end(step: StepState, view: StepPollView, *, job_finished: bool | None) -> bool:
    """Return True if a response shows a step over; *job_finished* is whether its job is, None if unknown.

    A step that was announced finished with an open status, because its job is, stays so as long as nothing changes.
    """
    return is_final(view, job_finished=job_finished) or (
        step.announced.finished
        and job_finished is not False
        and view.status in UNFINISHED_RUN_CODES
        and (view.status, view.execute_count) == (step.status_code, step.execute_count)
    )


def is_final(view: PollView, *, job_finished: bool | None = None) -> bool:
    """Return True if a response shows a final status; an unknown code of a step without a flag is final if its job is."""
    if view.finished is not None:
        return view.finished
    return view.status in FINISHED_RUN_CODES if view.status in RUN_CODES else bool(job_finished)


def note_activity(
    step: StepState, view: StepPollView, stamp: PollStamp, *, finished: bool, is_new_execution: bool
) -> list[Event]:
    """Note whether the step is active; reopen it where it goes on or began anew. Return the events."""
    events: list[Event] = []
    before = step.status_code
    if is_new_execution or (
        step.announced.finished
        and stage_of(was_over=True, is_final=finished, is_same=view.status == before) is Stage.REOPENED
    ):
        events += reopen_step(step, stamp, new_execution=is_new_execution)
    if not finished or is_new_execution or (before is not None and view.status != before):
        step.active_at = stamp.now
    return events


def apply_status(step: StepState, view: StepPollView, *, finished: bool) -> None:
    """Store the status of the step itself from a response."""
    if not view.has_known_rows and (finished or view.status != step.status_code):
        step.raw_times = packed_times(times_of(view))
    step.status_code = view.status
    step.execute_count = view.execute_count
    if view.name and view.name != step.name:
        step.name = intern(view.name)
    step.type = view.type if view.type is not None else step.type


def on_running(step: StepState, stamp: PollStamp) -> None:
    """Record that the step runs."""
    if step.progress is not NO_PROGRESS:
        step.progress.is_first_of_execution = False
    if step.running_since is None:
        step.running_since = stamp.now


# Waits for a user --------------------------------------------------------------------------------------------------


def note_wait(
    job: JobState,
    step: StepState,
    view: StepPollView,
    stamp: PollStamp,
    *,
    finished: bool,
    read_mode: ReadMode,
) -> list[Event]:
    """Note, after *view* was applied, whether the step waits for a user; return the event of a wait that is new.

    A step that is seen waiting again waits anew if more of its host rows have ended, or if a response from long enough
    after an accepted confirmation shows it.
    """
    waits = step.waits
    if finished or view.status != WAITING:
        if waits.is_shown:
            step.waits = replace(waits, is_shown=False, is_due=False, is_confirmed=False)
        return []
    rows = rows_ended(view, read_mode, waits)
    known = waits.rows
    if rows is not None and known is not None and (rows[0] < known[0] or rows[1] < known[1]):
        rows = None  # rows are missing, or outdated
    has_rows = rows is not None
    if step.progress.distrusted_since is not None:
        rows = None  # a host may stand in two groups, and count twice: they are no measure
    if not waits.is_shown:
        # Else the hosts of the wait are about to be read.
        is_read = (
            has_rows
            or view.has_known_rows
            or not (
                job.detail_level is not DetailLevel.END_ONLY and step.needs_rows and step.type != CONFIRMATION
            )
        )
        waits = replace(waits, is_shown=True, is_due=True, rows=rows)
    else:
        is_read = True
        has_more = rows is not None and known is not None and rows[0] > known[0]
        # After an operation the platform may still show the status from before it.
        is_proved = waits.is_confirmed and job.operated_at is None
        # Without rows those of the wait before are no measure for the rows that come next.
        kept = rows or (None if is_proved else known)
        waits = replace(waits, is_due=waits.is_due or has_more or is_proved, rows=kept)
    poller = step.progress.group_poller
    if poller is not None and poller.needs_another_request:
        is_read = False
    step.waits = waits
    if not (waits.is_due and is_read):
        return []
    step.waits = StepWaits(waits.count + 1, stamp.sequence, is_shown=True, rows=waits.rows)
    return [step_waiting(step)]


def rows_ended(view: StepPollView, read_mode: ReadMode, waits: StepWaits) -> tuple[int, int] | None:
    """Return how many host rows of a response have ended, and how many there are; None where it does not list all."""
    if view.has_known_rows:
        return waits.rows
    groups = view.groups
    if groups is None:
        return None
    if read_mode is not None:  # the counts are those of all groups, whichever is listed
        sizes = [(group.status not in UNFINISHED_HOST_CODES, group.size) for group in groups]
    elif view.complete:
        sizes = [
            ((row.status if group.status is None else group.status) not in UNFINISHED_HOST_CODES, 1)
            for group in groups
            for row in group.rows or ()
        ]
    else:
        return None
    return sum(size for has_ended, size in sizes if has_ended), sum(size for _, size in sizes)


# Final statuses that settle ----------------------------------------------------------------------------------------


def begin_settling(step: StepState, stamp: PollStamp) -> None:
    """Begin to settle a final status, unless it settles already or was announced."""
    if step.announced.finished or step.progress.settling is not None:
        return
    step.own_progress().settling = Settling(stamp.now)
    if step.host_refusals < HOSTS_HIDDEN:
        # The refusals to list hosts may have been a passing error: request them once more.
        step.host_refusals = 0


def on_rows_read(job: JobState, step: StepState, stamp: PollStamp, *, moved: bool) -> None:
    """Record a response with hosts while a final status of the step, or of its job, settles."""
    settling = step.progress.settling
    if job.settling_since is not None and step.progress.is_unread:
        step.progress.is_unread = False
    if settling is None:
        return
    settling.tried_at = stamp.now
    if moved and step.status_code == PROVISIONAL:
        # Hosts moved since the last poll: this is the end of another batch.
        settling.since, settling.first_rows_at = stamp.now, None
    if settling.all_rows_read and settling.first_rows_at is None:
        settling.first_rows_at = stamp.now


def note_passed(step: StepState, stamp: PollStamp, *, passed: bool) -> None:
    """Record whether the job has gone on to a later step.

    Host rows that were read while code 6 could be provisional do not prove the end: a whole batch may have
    run since.
    """
    if passed == step.progress.is_passed:
        return
    progress = step.own_progress()
    progress.is_passed = passed
    if passed and progress.settling is not None and step.status_code == PROVISIONAL:
        progress.settling = Settling(stamp.now)


def finish_if_settled(
    step: StepState, settling: Settling, stamp: PollStamp, *, doubtful: bool
) -> list[Event]:
    """Announce a *settling* status if its details have settled or the bound has passed; return the events.

    No status of a step that the job has passed is provisional. *doubtful*: an operation was just made, and
    the platform may still show the status from before it.
    """
    stage = stage_of(
        was_over=False,
        is_final=True,
        has_details=not step.is_provisional and (settling.rows_settled or not step.hosts_visible),
        is_doubtful=doubtful,
        is_overdue=is_overdue(step, settling, stamp.now),
    )
    return finish(step, stamp) if stage is Stage.OVER else []


def is_overdue(step: StepState, settling: Settling, now: float) -> bool:
    """Return True if the details of a final status were waited for long enough, and are not about to be read."""
    if not step.hosts_visible:
        return now - settling.since >= SETTLE_BOUND
    rows_at, tried_at = settling.first_rows_at, settling.tried_at
    if tried_at is None:
        return False
    return tried_at - settling.since >= UNREAD_BOUND or (
        rows_at is not None and tried_at - rows_at >= SETTLE_BOUND
    )


def finish(step: StepState, stamp: PollStamp) -> list[Event]:
    """Announce the step finished with the status that it shows; return the events."""
    began_at, settling = step.execution_began_at, step.progress.settling
    if began_at is not None and settling is not None:
        step.execution_seconds = settling.since - began_at
    step.progress = NO_PROGRESS
    step.running_since = None
    return announce(step, stamp, finished=True)


def announce(step: StepState, stamp: PollStamp, *, finished: bool) -> list[Event]:
    """Announce the status that was seen last; return no event if it was announced already."""
    assert step.status_code is not None  # noqa: S101 - only what was seen is announced
    state = announced_state(step.status_code, step.execute_count, finished=finished)
    if state == step.announced:
        return []
    before = step.announced.code
    step.announced, step.announced_sequence = state, stamp.sequence
    return [step_changed(step, before)]
