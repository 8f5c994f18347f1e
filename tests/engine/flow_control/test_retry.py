"""Which failures are retried, and after how many seconds."""

import pytest

from bkjob_async.engine.flow_control.retry import Retries, RetryBudget
from bkjob_async.errors import (
    CallFailed,
    ErrorDetails,
    InvalidRequest,
    InvalidResponse,
    NotFound,
    OutcomeUnknown,
    PlatformTrouble,
    RequestTimedOut,
    Throttled,
    TransportFailed,
)

NEVER_SENT = ErrorDetails(sent=False)


@pytest.mark.parametrize(
    ("error", "read", "command"),
    [
        (PlatformTrouble(ErrorDetails()), True, False),
        (Throttled(ErrorDetails()), True, True),
        (TransportFailed(ErrorDetails()), True, False),
        (TransportFailed(NEVER_SENT), True, True),
        (RequestTimedOut(ErrorDetails()), True, False),
        (OutcomeUnknown(ErrorDetails()), False, False),
        (InvalidResponse(ErrorDetails()), False, False),
        (NotFound(ErrorDetails()), False, False),
        (InvalidRequest(ErrorDetails()), False, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, CallFailed) else str(value),
)
def test_only_what_can_help_is_tried_again(error: CallFailed, *, read: bool, command: bool) -> None:
    """A command is sent a second time only when the first certainly did nothing."""
    retries = Retries()

    assert (retries.next_wait(error, attempt=1, repeatable=True) is not None) is read
    assert (retries.next_wait(error, attempt=1, repeatable=False) is not None) is command


def test_waits_double_up_to_the_longest_and_end() -> None:
    """Jitter takes at most half of a wait away."""
    retries = Retries(attempts=9, first=1.0, longest=4.0)
    error = PlatformTrouble(ErrorDetails())

    waits = [retries.next_wait(error, attempt=n, repeatable=True, jitter=1.0) for n in range(1, 10)]
    assert waits == [1, 2, 4, 4, 4, 4, 4, 4, None]
    assert retries.next_wait(error, attempt=1, repeatable=True, jitter=0.0) == 0.5


def test_the_servers_own_waiting_time_wins() -> None:
    """The server's time is never shortened."""
    wait = Retries(first=0.5).next_wait(
        Throttled(ErrorDetails(retry_after=7.0)), attempt=1, repeatable=True, jitter=0.5
    )

    assert wait == 7.25


def test_further_tries_are_shared_and_come_back() -> None:
    """By time and by calls that work; a refusal of too many requests costs none."""
    budget = RetryBudget(size=2.0, earned_per_success=0.5, refilled_per_second=0.1)
    trouble, refusal = PlatformTrouble(ErrorDetails()), Throttled(ErrorDetails())

    assert [budget.try_spend(trouble, 0.0) for _ in range(3)] == [True, True, False]
    assert budget.try_spend(refusal, 0.0)
    assert [budget.try_spend(trouble, 10.0) for _ in range(2)] == [True, False]
    budget.on_success()
    budget.on_success()
    assert [budget.try_spend(trouble, 10.0) for _ in range(2)] == [True, False]
    assert [budget.try_spend(trouble, 1e6) for _ in range(3)] == [True, True, False]
