"""The cost of a request for all targets."""

from math import sqrt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bkjob_async.engine.scheduling.request_cost import (
    AT_REST,
    DEAREST,
    LEAST_STRAIN,
    MOST_STRAIN,
    PLANNED,
    RequestCost,
)

HAZARDS = st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=50)


def steps_at(cost: float, hazards: list[float]) -> list[float]:
    """Return the best waits where ends come evenly."""
    return [sqrt(2.0 * cost / hazard) for hazard in hazards]


@example([1.0] * 14, 0.01)
@given(HAZARDS, st.floats(0.01, 100.0))
def test_the_cost_fits_all_targets_to_the_limit_at_once(hazards: list[float], limit: float) -> None:
    """Whatever cost the waits were chosen at, the next one fits all, up to the highest cost."""
    cost = RequestCost()
    for step in steps_at(3.0, hazards):
        cost.replace(0.0, RequestCost.weight(3.0, step, 1.0))
    now = cost.value(limit)

    asked = sum(1.0 / step for step in steps_at(now, hazards))
    assert asked <= PLANNED * limit * (1.0 + 1e-6) or now == DEAREST
    assert now in (AT_REST, DEAREST) or asked == pytest.approx(PLANNED * limit)


def test_without_a_limit_it_rests() -> None:
    """However many there are."""
    cost = RequestCost()
    for _ in range(100):
        cost.replace(0.0, 5.0)

    assert cost.value(None) == AT_REST


def test_those_not_seen_yet_are_taken_to_be_like_the_others() -> None:
    """A thousand targets added at once do not begin with a rush."""
    cost = RequestCost()
    cost.unseen = 99
    cost.replace(0.0, 1.0)

    assert cost.live == 100
    assert cost.value(10.0) == pytest.approx((100.0 / (PLANNED * 10.0)) ** 2)


def test_late_polls_raise_it_and_polls_in_time_lower_it_again() -> None:
    """Within bounds."""
    cost = RequestCost()
    cost.replace(0.0, 1.0)
    for _ in range(10_000):
        cost.on_late_poll(100.0, 10.0)
    strained = cost.strain
    for _ in range(10_000):
        cost.on_late_poll(0.0, 10.0)

    assert strained == MOST_STRAIN
    assert cost.strain == LEAST_STRAIN
    assert cost.value(None) == AT_REST


def test_without_targets_nothing_is_remembered() -> None:
    """The next targets start without it."""
    cost = RequestCost()
    cost.replace(0.0, 1.0)
    for _ in range(100):
        cost.on_late_poll(100.0, 10.0)
    cost.replace(1.0, 0.0)

    assert cost == RequestCost()
