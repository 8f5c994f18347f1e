"""What is done after a failed poll."""

from typing import Any

import pytest
from msgspec.structs import replace

from bkjob_async.engine.tracking.error_policy import ErrorAction, classify_poll_error, lose_target
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.next_request import step_request
from bkjob_async.engine.tracking.poll_state import PollFailures
from bkjob_async.engine.tracking.step_state import REFUSALS
from bkjob_async.errors import (
    ApiNotFound,
    ApplicationNotAllowed,
    CallFailed,
    ErrorDetails,
    InvalidResponse,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PlatformTrouble,
    RequestTimedOut,
    Throttled,
    WrongState,
)
from bkjob_async.model.events import LostReason, Trouble
from bkjob_async.model.operations.base import GetJobInstanceStatus
from tests.engine.applied import apply_job, apply_step
from tests.engine.poll_views import JOB, at, host, job, step

STEP = JOB.step(200)
INTERNAL = PlatformTrouble(ErrorDetails(code=1240002, http_status=200))


def watched_job() -> JobState:
    """Return a state of a job with one running step whose hosts were never read."""
    state = JobState(JOB)
    state.add_target(JOB)
    apply_job(state, job(2, step(2)), at(0))
    return state


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (NotAuthenticated(ErrorDetails()), ErrorAction.CLIENT_TROUBLE),
        (ApplicationNotAllowed(ErrorDetails()), ErrorAction.CLIENT_TROUBLE),
        (ApiNotFound(ErrorDetails()), ErrorAction.CLIENT_TROUBLE),
        (RequestTimedOut(ErrorDetails()), ErrorAction.GATEWAY_TROUBLE),
        (PlatformTrouble(ErrorDetails(http_status=502)), ErrorAction.GATEWAY_TROUBLE),
        (PlatformTrouble(ErrorDetails(code=1306201, http_status=200)), ErrorAction.GATEWAY_TROUBLE),
        (Throttled(ErrorDetails()), ErrorAction.THROTTLED),
        (NotFound(ErrorDetails()), ErrorAction.RETRY_ONCE),
        (NotAllowed(ErrorDetails()), ErrorAction.TARGET_TROUBLE),
        (InvalidResponse(ErrorDetails(http_status=200)), ErrorAction.TARGET_TROUBLE),
        (INTERNAL, ErrorAction.TARGET_TROUBLE),
    ],
    ids=lambda value: value.name if isinstance(value, ErrorAction) else type(value).__name__,
)
def test_who_is_in_trouble(error: CallFailed, action: ErrorAction) -> None:
    """One target, everybody, or nobody yet."""
    assert classify_poll_error(error, GetJobInstanceStatus(ref=JOB), watched_job(), 0.0) is action


def test_unknown_twice_is_unknown() -> None:
    """Once may be a database that is behind; a response in between starts over."""
    state, request = JobState(JOB, is_target=True), GetJobInstanceStatus(ref=JOB)
    assert classify_poll_error(NotFound(ErrorDetails()), request, state, 0.0) is ErrorAction.RETRY_ONCE
    state.poll_failures = state.poll_failures.found(JOB).after_response()
    assert classify_poll_error(NotFound(ErrorDetails()), request, state, 0.0) is ErrorAction.RETRY_ONCE

    assert classify_poll_error(NotFound(ErrorDetails()), request, state, 0.0) is ErrorAction.LOSE_TARGET


@pytest.mark.parametrize(
    "error",
    [NotFound(ErrorDetails()), NotAllowed(ErrorDetails(code=9900403))],
    ids=["not found", "not allowed"],
)
def test_what_was_read_is_lost_after_a_while(error: CallFailed) -> None:
    """Half a minute without any other response, however often it was asked for meanwhile."""
    state, request = watched_job(), GetJobInstanceStatus(ref=JOB)
    apply_job(state, job(2), at(1))
    actions = [classify_poll_error(error, request, state, float(now)) for now in range(10, 45, 5)]

    assert ErrorAction.LOSE_TARGET not in actions[:6]
    assert actions[6] is ErrorAction.LOSE_TARGET

    apply_job(state, job(2), at(50))
    again = [classify_poll_error(error, request, state, float(now)) for now in range(60, 90, 5)]

    assert ErrorAction.LOSE_TARGET not in again


def test_a_confirmation_is_asked_about_through_its_job() -> None:
    """1241003 to a step request is the response of a step that has no hosts."""
    state = watched_job()

    assert (
        classify_poll_error(WrongState(ErrorDetails(code=1241003)), step_request(STEP), state, 0.0)
        is ErrorAction.USE_OTHER_REQUEST
    )
    assert not state.step(200).hosts_visible


def test_a_container_step_is_believed_when_it_repeats() -> None:
    """1240002 may be a passing error as well: at its end the step is requested once more."""
    state = watched_job()
    actions = [classify_poll_error(INTERNAL, step_request(STEP), state, 0.0) for _ in range(3)]
    assert actions == [ErrorAction.RETRY_ONCE, ErrorAction.RETRY_ONCE, ErrorAction.USE_OTHER_REQUEST]
    assert not state.step(200).needs_rows

    apply_job(state, job(2, step(3)), at(9))
    assert state.step(200).needs_rows


def test_what_showed_its_hosts_does_not_lose_them_to_a_bad_moment() -> None:
    """A step whose hosts were read is of a kind that shows them."""
    state = watched_job()
    apply_step(state, step(2, [host(1, 7)]), at(1))

    assert {classify_poll_error(INTERNAL, step_request(STEP), state, 0.0) for _ in range(9)} == {
        ErrorAction.TARGET_TROUBLE
    }
    assert state.step(200).hosts_visible


def test_job_rows_that_are_refused_again_and_again_are_not_asked_for() -> None:
    """Unless hosts were read before: then it is a passing error."""
    request = GetJobInstanceStatus(ref=JOB, return_ip_result=True)
    new, known = watched_job(), watched_job()
    apply_job(known, job(2, step(2, [host(1, 7)])), at(1))

    actions = [
        [classify_poll_error(INTERNAL, request, state, 0.0) for _ in range(REFUSALS)]
        for state in (new, known)
    ]

    assert actions == [
        [*[ErrorAction.RETRY_ONCE] * (REFUSALS - 1), ErrorAction.USE_OTHER_REQUEST],
        [ErrorAction.TARGET_TROUBLE] * REFUSALS,
    ]
    assert new.poll_failures.job_rows_refused == REFUSALS
    assert known.poll_failures.job_rows_refused == 0


@pytest.mark.parametrize("error", [NotFound(ErrorDetails()), NotAllowed(ErrorDetails(code=9900403))])
def test_a_lost_target_that_is_added_again_is_refused_anew(error: CallFailed) -> None:
    """Refusals from before it was added say nothing: it is lost after as many of them, and as long, as the first time."""
    state, request = watched_job(), GetJobInstanceStatus(ref=JOB)
    for now in (0.0, 20.0, 40.0):
        classify_poll_error(error, request, state, now)
    lose_target(state, JOB, LostReason.GONE, "")

    state.retry_lost(JOB)
    actions = [classify_poll_error(error, request, state, now) for now in (100.0, 115.0, 129.0, 131.0)]

    first = ErrorAction.RETRY_ONCE if isinstance(error, NotFound) else ErrorAction.TARGET_TROUBLE
    assert actions[:3] == [first, ErrorAction.TARGET_TROUBLE, ErrorAction.TARGET_TROUBLE]
    assert actions[3] is ErrorAction.LOSE_TARGET


SENT_TIMEOUT = RequestTimedOut(ErrorDetails(sent=True))
INVALID = InvalidResponse(ErrorDetails(http_status=200))
AWAY = PlatformTrouble(ErrorDetails(http_status=502))


@pytest.mark.parametrize(
    ("error", "first", "again"),
    [
        (SENT_TIMEOUT, ErrorAction.GATEWAY_TROUBLE, ErrorAction.RETRY_ONCE),
        (INVALID, ErrorAction.TARGET_TROUBLE, ErrorAction.RETRY_ONCE),
        (AWAY, ErrorAction.GATEWAY_TROUBLE, ErrorAction.GATEWAY_TROUBLE),
        (Throttled(ErrorDetails()), ErrorAction.THROTTLED, ErrorAction.THROTTLED),
    ],
    ids=["timeout", "invalid", "away", "throttled"],
)
def test_a_step_that_its_job_shows_is_in_trouble_once(
    error: CallFailed, first: ErrorAction, again: ErrorAction
) -> None:
    """It was read with its job since the last request for it failed. What concerns all is told each time."""
    state, request = watched_job(), step_request(STEP)
    assert classify_poll_error(error, request, state, 1.0) is first

    state.poll_failures = replace(state.poll_failures, unanswered=frozenset({STEP}))
    assert classify_poll_error(error, request, state, 2.0) is again


@pytest.mark.parametrize(
    "known",
    [
        {"unanswered": frozenset({JOB})},
        {"failures": 1},
        {"troubled": {STEP: Trouble(ref=STEP, error="", message="")}},
        {"job_rows_refused": 1},
    ],
    ids=lambda known: next(iter(known)),
)
def test_a_step_is_in_trouble_again_unless_its_job_shows_it(known: dict[str, Any]) -> None:
    """Another part failed, the last poll did, it is in trouble still, or the job is read without hosts."""
    state, request = watched_job(), step_request(STEP)
    state.poll_failures = PollFailures(**{"unanswered": frozenset({STEP}), **known})
    assert classify_poll_error(INVALID, request, state, 2.0) is ErrorAction.TARGET_TROUBLE


def test_a_step_whose_job_was_not_read_for_long_is_in_trouble_again() -> None:
    """What the job showed of it is old."""
    state, request = watched_job(), step_request(STEP)
    apply_step(state, step(2, [host(1, 7)]), at(20.0))
    state.poll_failures = PollFailures(unanswered=frozenset({STEP}))

    assert classify_poll_error(INVALID, request, state, 21.0) is ErrorAction.TARGET_TROUBLE
