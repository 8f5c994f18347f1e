"""What is known of how fast one job changes."""

import pytest

from bkjob_async.engine.tracking.poll_state import NEWEST_WEIGHT, PollState


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
