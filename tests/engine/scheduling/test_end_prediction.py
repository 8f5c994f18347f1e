"""When a run is expected to end."""

from math import log
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.scheduling.duration_stats import DurationTable
from bkjob_async.engine.scheduling.end_prediction import NOBODY_LEFT, EndPrediction, LogNormal
from bkjob_async.engine.scheduling.request_cost import AT_REST
from bkjob_async.model.refs import Scope

ANY = LogNormal(log(30.0), 1.586)
LAWS = st.builds(
    lambda mu, sigma: EndPrediction(LogNormal(mu, sigma), ANY, 0.05),
    st.floats(-1.0, 10.0),
    st.floats(0.05, 3.0),
)
AGES = st.floats(0.0, 1e5)
STEPS = st.floats(0.01, 1e4)


def share_over(law: LogNormal, age: float) -> float:
    """Return the share of runs that are over at *age*, by the standard library's normal law."""
    return NormalDist(law.mu, law.sigma).cdf(log(age)) if age > 0 else 0.0


def mean_lag(law: EndPrediction, age: float, step: float) -> float:
    """Return the mean seconds until an end is detected by polls at *age* and *step* seconds later."""
    share, rest = law.tail(age)
    if share < NOBODY_LEFT:
        return 0.0
    return max(0.0, (share * step - rest + law.tail(age + step)[1]) / share)


@given(st.floats(1.0, 300.0), st.floats(0.5, 60.0), st.floats(0.1, 1.5))
def test_the_unseen_lag_is_the_integral_of_its_definition(age: float, step: float, sigma: float) -> None:
    """Summed up in small pieces, it is the same."""
    own = LogNormal(log(60.0), sigma)
    pieces = 2000

    def over(at: float) -> float:
        return 0.95 * share_over(own, at) + 0.05 * share_over(ANY, at)

    total = sum(over(age + (n + 0.5) * step / pieces) - over(age) for n in range(pieces)) * step / pieces
    left = 1.0 - over(age)
    assert mean_lag(EndPrediction(own, ANY, 0.05), age, step) == pytest.approx(
        total / left, rel=1e-3, abs=1e-9
    )


@given(LAWS, AGES, STEPS, st.floats(1.0, 10.0))
def test_the_unseen_lag_grows_with_the_step(
    law: EndPrediction, age: float, step: float, factor: float
) -> None:
    """It is never negative, and never more than the step itself."""
    shorter, longer = mean_lag(law, age, step), mean_lag(law, age, step * factor)

    assert 0.0 <= shorter <= step * (1.0 + 1e-6)
    assert longer >= shorter * (1.0 - 1e-6) - 1e-9


@given(LAWS, st.floats(0.0, 3e3), st.floats(1e-3, 1e2))
def test_the_wait_is_where_the_lag_reaches_the_cost(law: EndPrediction, age: float, cost: float) -> None:
    """To a few parts in a hundred, unless a bound came first."""
    wait = law.wait(age, cost, 0.05, 1e5)

    assert 0.05 <= wait <= 1e5
    if 0.05 < wait < 1e5:
        assert mean_lag(law, age, wait) == pytest.approx(cost, rel=0.1, abs=1e-6)


@given(LAWS, AGES, STEPS)
def test_an_end_was_found_within_the_step(law: EndPrediction, age: float, step: float) -> None:
    """Neither before its beginning nor after its end."""
    assert 0.0 <= law.lag_when_found(age, step) <= step


@pytest.mark.parametrize("runs", [1, 3, 20, 1000])
def test_what_is_older_than_anything_is_polled_no_more_rarely_all_at_once(runs: int) -> None:
    """A run that hangs may end at any time: its age says nothing of when, however long all others took."""
    durations = DurationTable()
    for number in range(runs):
        durations.learn(Scope.biz(2), "deploy", None, 6.0 + number % 3)
    law = durations.expectation(Scope.biz(2), "deploy", None)
    assert law is not None
    ages = [600.0 * 1.2**step for step in range(50)]  # ten minutes to two months
    waits = [law.wait(age, AT_REST, 10.0, 0.25 * age) for age in ages]

    assert law.tail(ages[-1])[0] < NOBODY_LEFT
    assert max(waits) < 120.0


def test_bounds_that_cross_give_the_shortest() -> None:
    """Faster than that shows nothing."""
    assert EndPrediction(ANY, ANY, 0.05).wait(5.0, 1.0, 10.0, 4.0) == 10.0
