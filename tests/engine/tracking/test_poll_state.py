"""What is known of how fast one job changes."""

import pytest

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.poll_state import NEWEST_WEIGHT, NO_FAILURES, PollFailures, PollState
from tests.engine.applied import apply_job
from tests.engine.poll_views import JOB, at, host, job, step


def test_the_finish_rate_follows_the_newest_poll() -> None:
    """It is unknown until hosts finish, rises when many do, and falls when none does."""
    state, rates = PollState(), []
    for unfinished, now in ((10, 0.0), (10, 5.0), (8, 10.0), (8, 15.0), (12, 20.0), (4, 20.0)):
        state.on_unfinished(unfinished, now)
        rates.append(state.finish_rate)

    first = NEWEST_WEIGHT * 2.0 / 5.0
    second = first * (1.0 - NEWEST_WEIGHT)
    third = second * (1.0 - NEWEST_WEIGHT)
    assert rates == pytest.approx([0.0, 0.0, first, second, third, third])


def test_a_poll_is_late_by_what_was_planned() -> None:
    """Once, and not at all where nothing was planned."""
    state = PollState(due=10.0)

    assert state.take_lateness(12.5) == 2.5
    assert state.take_lateness(12.5) == 0.0
    assert PollState(due=10.0).take_lateness(9.0) == 0.0


def test_a_failed_request_for_a_step_is_forgotten_when_the_step_is_over() -> None:
    """It is not requested by itself any more; else its job would be compared in full at each poll."""
    state = JobState(JOB)
    state.add_target(JOB)
    apply_job(state, job(2, step(2, [host(1, 7)])), at(1.0))
    state.poll_failures = PollFailures(unanswered=frozenset({JOB, JOB.step(200)}))
    for now in (2.0, 3.0, 4.0):
        apply_job(state, job(2, step(3, [host(1, 9)]), step(1, number=201)), at(now))

    assert state.poll_failures is NO_FAILURES
