"""Apply a response to the state of a step, and return the events."""

from __future__ import annotations

from sys import intern

from bkjob_async.engine.group_polling.group_poller import CountsOnly, ReadMode
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.stream.event_list import EventOrLazy
from bkjob_async.engine.tracking.packed_times import packed_times
from bkjob_async.engine.tracking.settling import (
    announce,
    begin_settling,
    note_passed,
    on_rows_read,
)
from bkjob_async.engine.tracking.step_hosts import apply_groups, has_same_counts, reopen_step
from bkjob_async.engine.tracking.step_state import (
    NO_HOSTS,
    NO_PROGRESS,
    NOT_STARTED,
    StepState,
)
from bkjob_async.engine.tracking.step_views import host_counts
from bkjob_async.model.poll_view import StepPollView
from bkjob_async.model.status import RUN_CODES, run_status

# Codes of a step that is over, and of one that is not, whatever flag comes with them.
FINAL_CODES = frozenset(code for code in RUN_CODES if run_status(code).is_finished())
OPEN_CODES = frozenset(RUN_CODES) - FINAL_CODES

# An earlier execution is believed when no other was shown for so many seconds, in so many responses at least.
RESTORED_AFTER_SECONDS, RESTORED_AFTER_RESPONSES = 30.0, 5


def shows_same_step(step: StepState, view: StepPollView, read_mode: ReadMode = None) -> bool:
    """Return True if a response, requested in *read_mode*, shows just the present state: nothing is to be done."""
    announced = step.announced
    if announced is None:
        return False
    code, execute_count, finished = announced
    if (
        code != view.status
        or code != step.status_code
        or execute_count != view.execute_count
        or view.name != step.name
        or view.finished not in (None, finished)
        or code not in (FINAL_CODES if finished else OPEN_CODES)
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


def note_execution(step: StepState, execute_count: int, now: float) -> bool:
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


def observe(
    step: StepState,
    view: StepPollView,
    stamp: PollStamp,
    *,
    job_finished: bool | None,
    read_mode: ReadMode = None,
    may_defer: bool = False,
    passed: bool | None = None,
) -> list[EventOrLazy]:
    """Apply a response about a step; return the events that are due at once.

    *job_finished* is whether the job is finished, None if unknown. *read_mode* is how the step was requested.
    *may_defer*: moves of few hosts may wait for a later poll. *passed* is whether the job has gone on to a
    later step, None if the response does not show it. An outdated response changes nothing.
    """
    if note_execution(step, view.execute_count, stamp.now):
        if step.progress.group_poller is not None:
            step.progress.group_poller.abandon_round()  # or the same group would be requested again at once
        return []
    before = step.status_code
    is_new_execution = before is not None and view.execute_count != step.execute_count
    finished = is_final(view, job_finished=job_finished) or (
        not is_new_execution and is_over_with_job(step, view.status, job_finished=job_finished)
    )
    events = note_activity(step, view, stamp, finished=finished, is_new_execution=is_new_execution)
    if passed is not None and not step.finished:
        note_passed(step, stamp, passed=passed)
    if step.progress.settling is not None and (view.status != before or not finished):
        step.progress.settling = None
    apply_status(step, view, finished=finished)
    if is_new_execution and step.hosts.size:
        events.append(host_counts(step, stamp.cursor))  # the hosts of the execution before no longer count
    if finished:
        begin_settling(step, stamp)
    else:
        if step.started:
            on_running(step, stamp, begins=before == NOT_STARTED)
        events += announce(step, stamp, finished=False)
    if view.groups is not None:
        moves = apply_groups(step, view, view.groups, stamp, read_mode=read_mode, may_defer=may_defer)
        on_rows_read(step, stamp, moved=bool(moves))
        events += moves
    return events


def note_activity(
    step: StepState, view: StepPollView, stamp: PollStamp, *, finished: bool, is_new_execution: bool
) -> list[EventOrLazy]:
    """Note whether the step is active; reopen it where it goes on or began anew. Return the events."""
    events: list[EventOrLazy] = []
    before = step.status_code
    if is_new_execution or (step.finished and (not finished or view.status != before)):
        events += reopen_step(step, stamp, new_execution=is_new_execution)
    if not finished or is_new_execution or (before is not None and view.status != before):
        step.active_at = stamp.now
    return events


def apply_status(step: StepState, view: StepPollView, *, finished: bool) -> None:
    """Store the status of the step itself from a response."""
    if finished or view.status != step.status_code:
        step.raw_times = packed_times(view.when())
    step.status_code = view.status
    step.execute_count = view.execute_count
    if view.name and view.name != step.name:
        step.name = intern(view.name)
    step.type = view.type if view.type is not None else step.type


def on_running(step: StepState, stamp: PollStamp, *, begins: bool) -> None:
    """Record that the step runs; *begins*: it was seen pending before."""
    if step.progress is not NO_PROGRESS:
        step.progress.is_first_of_execution = False
    if step.running_since is None:
        step.running_since = stamp.now
        step.start_seen_at = stamp.now if begins else None


def is_final(view: StepPollView, *, job_finished: bool | None) -> bool:
    """Return True if a response shows the step over; for unknown codes without a flag, if the job is."""
    flag = view.finished
    if flag is None and view.status not in RUN_CODES:
        flag = job_finished
    return run_status(view.status).is_finished(flag=flag)


def is_over_with_job(step: StepState, code: int, *, job_finished: bool | None) -> bool:
    """Return True if a step with an open status was announced finished because its job is, and nothing changed."""
    return job_finished is not False and code == step.status_code and code in OPEN_CODES and step.finished
