"""Decide when a final status of a step is announced: after its details have settled.

Details lag behind a final status. The platform writes host rows after it, and shows the old status for a
moment after an operation. A rolling step shows a final code between two batches. So a final status settles
first: it is announced when all hosts were read and are finished and nothing says that the status is
provisional, or after a bound.
"""

from __future__ import annotations

from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.run_state import announced_state
from bkjob_async.engine.tracking.step_state import HOSTS_HIDDEN, NO_PROGRESS, Settling, StepState
from bkjob_async.engine.tracking.step_views import step_changed
from bkjob_async.model.events import Event

# Rows that do not settle are waited for SETTLE_BOUND seconds; where none can be read at all, because polls
# fail, UNREAD_BOUND seconds. A settling step is polled every SETTLE_INTERVAL seconds.
SETTLE_BOUND = 15.0
UNREAD_BOUND = 120.0
SETTLE_INTERVAL = 1.0

# A rolling step that ignores errors shows code 6 between two batches, although 6 is a final code.
PROVISIONAL = 6


def begin_settling(step: StepState, stamp: PollStamp) -> None:
    """Begin to settle a final status, unless it settles already or was announced."""
    if step.finished or step.progress.settling is not None:
        return
    step.own_progress().settling = Settling(stamp.now)
    if step.host_refusals < HOSTS_HIDDEN:
        # The refusals to list hosts may have been a passing error: request them once more.
        step.host_refusals = 0


def on_rows_read(step: StepState, stamp: PollStamp, *, moved: bool) -> None:
    """Record a response with hosts while a final status settles."""
    settling = step.progress.settling
    if settling is None:
        return
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


def finish_if_settled(step: StepState, stamp: PollStamp, *, doubtful: bool) -> list[Event]:
    """Announce a settling status if its details have settled or the bound has passed; return the events.

    No status of a step that the job has passed is provisional. *doubtful*: an operation was just made, and
    the platform may still show the status from before it.
    """
    progress, settling = step.progress, step.progress.settling
    if settling is None:
        return []
    if not is_overdue(step, settling, stamp.now):
        provisional = step.status_code == PROVISIONAL or progress.is_first_of_execution
        if (
            doubtful
            or (provisional and not progress.is_passed)
            or (step.hosts_visible and not settling.rows_settled)
        ):
            return []
    return finish(step, stamp)


def is_overdue(step: StepState, settling: Settling, now: float) -> bool:
    """Return True if the details of a final status were waited for long enough."""
    if now - settling.since >= UNREAD_BOUND:
        return True
    since = settling.first_rows_at if step.hosts_visible else settling.since
    return since is not None and now - since >= SETTLE_BOUND


def finish(step: StepState, stamp: PollStamp) -> list[Event]:
    """Announce the step finished with the status that it shows; return the events."""
    if step.progress.group_poller is not None:
        step.progress.group_poller.release_response()
    if step.failures is not None:
        step.failures.release_response()
    step.progress = NO_PROGRESS
    step.running_since = step.start_seen_at = None
    return announce(step, stamp, finished=True)


def announce(step: StepState, stamp: PollStamp, *, finished: bool) -> list[Event]:
    """Announce the status that was seen last; return no event if it was announced already."""
    assert step.status_code is not None  # noqa: S101 - only what was seen is announced
    state = announced_state(step.status_code, step.execute_count, finished=finished)
    if state == step.announced:
        return []
    before = step.announced[0] if step.announced else None
    step.announced = state
    step.announced_sequence = stamp.sequence
    return [step_changed(step, before, stamp.cursor)]


def stop_settling(step: StepState) -> None:
    """Forget what is in progress: the step is no longer a target."""
    progress = step.progress
    if progress is not NO_PROGRESS:
        if progress.group_poller is not None:
            progress.group_poller.release_response()
        progress.settling = progress.group_poller = progress.outdated_since = None
