"""What a failed poll means for the watch; never anything about the job."""

from __future__ import annotations

from enum import Enum, auto

from attrs import evolve

from bkjob_async.engine.tracking.job_tracker import JobTracker
from bkjob_async.engine.tracking.next_request import Question
from bkjob_async.engine.tracking.step_state import HIDDEN, REFUSALS
from bkjob_async.engine.tracking.step_tracker import StepTracker
from bkjob_async.errors import (
    ApiNotFound,
    ApplicationNotAllowed,
    BkJobError,
    CallFailed,
    InvalidRequest,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PlatformTrouble,
    Throttled,
    TransportFailed,
    WrongState,
)
from bkjob_async.model.operations.base import GetStepInstanceStatus

# A read right after a launch may come from a database that is behind; twice unknown is unknown.
NOT_FOUND_TWICE = 2
FORBIDDEN_AFTER = 3
INTERNAL_ERROR = 1240002


class ErrorAction(Enum):
    """What to do about a failed poll."""

    TARGET_TROUBLE = auto()
    """This target cannot be polled just now; try again later."""
    CLIENT_TROUBLE = auto()
    """No target can be polled until somebody mends credentials, grants or the URL."""
    GATEWAY_TROUBLE = auto()
    """The way to the platform is broken, perhaps for all."""
    THROTTLED = auto()
    """Too many requests: wait, it says nothing about anything."""
    USE_OTHER_REQUEST = auto()
    """This question does not suit this target; plan another."""
    RETRY_ONCE = auto()
    """It may be nothing: ask once more before anything is said."""
    NOT_FOUND = auto()
    """The target is not there."""
    FORBIDDEN = auto()
    """The target may not be read."""


BY_CLASS: dict[type[BkJobError], ErrorAction] = {
    NotAuthenticated: ErrorAction.CLIENT_TROUBLE,
    ApplicationNotAllowed: ErrorAction.CLIENT_TROUBLE,
    ApiNotFound: ErrorAction.CLIENT_TROUBLE,
    Throttled: ErrorAction.THROTTLED,
    TransportFailed: ErrorAction.GATEWAY_TROUBLE,
}
GATEWAY_STATUS = frozenset({502, 503, 504})
GATEWAY_CODES = frozenset({1306201, 1650200, 1650201, 1650300, 1650401})


def classify_poll_error(error: BkJobError, question: Question, story: JobTracker) -> ErrorAction:
    """Return what *error* in answer to *question* means.

    CountsOnly refusals in *story*, because an error is believed to be about the target only when it repeats.
    """
    refused = refusal(error, question, story)
    if refused is not None:
        return refused
    if isinstance(error, NotFound):
        twice = story.count_not_found(question.ref) >= NOT_FOUND_TWICE
        return ErrorAction.NOT_FOUND if twice else ErrorAction.RETRY_ONCE
    if isinstance(error, NotAllowed) and not isinstance(error, ApplicationNotAllowed):
        return (
            ErrorAction.FORBIDDEN
            if story.poll_failures.failures + 1 >= FORBIDDEN_AFTER
            else ErrorAction.TARGET_TROUBLE
        )
    if is_gateway_made(error):
        return ErrorAction.GATEWAY_TROUBLE
    return next(
        (verdict for kind, verdict in BY_CLASS.items() if isinstance(error, kind)), ErrorAction.TARGET_TROUBLE
    )


def refusal(error: BkJobError, question: Question, story: JobTracker) -> ErrorAction | None:
    """Return what to do when the platform cannot answer this question for this kind of step; None for other errors.

    A confirmation answers 1241003 to a step question. A container step answers 1240002, which may also be a passing
    internal error: it is believed when it repeats, and never of what was read before.
    """
    if isinstance(error, WrongState) and isinstance(question, GetStepInstanceStatus):
        story.tracker(question.ref.step_instance_id).refusals = HIDDEN
        return ErrorAction.USE_OTHER_REQUEST
    if not isinstance(error, PlatformTrouble) or error.code != INTERNAL_ERROR:
        return None
    if isinstance(question, GetStepInstanceStatus):
        tracker = story.tracker(question.ref.step_instance_id)
        return None if len(tracker.hosts) else step_refused(tracker)
    if question.return_ip_result and not any(len(tracker.hosts) for tracker in story.steps):
        refused = story.poll_failures.job_rows_refused + 1
        story.poll_failures = evolve(story.poll_failures, job_rows_refused=refused)
        return ErrorAction.USE_OTHER_REQUEST if refused >= REFUSALS else ErrorAction.RETRY_ONCE
    return None


def step_refused(tracker: StepTracker) -> ErrorAction:
    """Count a step's refusal to show hosts; believe it when it repeats."""
    tracker.refusals += 1
    return ErrorAction.RETRY_ONCE if tracker.visible else ErrorAction.USE_OTHER_REQUEST


def is_gateway_made(error: BkJobError) -> bool:
    """Whether a proxy or gateway on the way made the error, not the platform."""
    if not isinstance(error, CallFailed) or isinstance(error, InvalidRequest):
        return False
    return error.details.http_status in GATEWAY_STATUS or error.code in GATEWAY_CODES
