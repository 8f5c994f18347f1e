"""How often to poll."""

from collections import Counter
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.scheduling.end_prediction import EndPrediction, LogNormal
from bkjob_async.engine.scheduling.poll_interval import (
    NEIGHBOURS,
    RHYTHM,
    STRAGGLERS,
    PollIntervals,
    slot_after,
    spread,
)
from bkjob_async.model.refs import JobRef, Scope

ANY = LogNormal(log(30.0), 1.586)
HALF_A_MINUTE = EndPrediction(LogNormal(log(30.0), 0.2), ANY, 0.05)
AGES = st.floats(0.0, 1e6)
PRICES = st.floats(1e-4, 1e4)
LAWS = st.builds(
    lambda mu, sigma: EndPrediction(LogNormal(mu, sigma), ANY, 0.05),
    st.floats(-1.0, 12.0),
    st.floats(0.05, 3.0),
)


def test_it_follows_the_platforms_own_rhythm() -> None:
    """The platform polls its hosts every 1, 2, 5, then 10 s; polling more often shows nothing."""
    ages = [0.0, 9.9, 10.0, 59.0, 60.0, 299.0, 300.0, 86_400.0]
    waits = [PollIntervals().next_wait(age=age) for age in ages]

    assert waits == [1, 1, 2, 2, 5, 5, 10, 10]


def test_a_settling_target_is_polled_every_second() -> None:
    """Whatever its age."""
    assert PollIntervals().while_settling == 1.0
    assert PollIntervals(interval=0.2).while_settling == 0.2


def test_a_job_that_waits_for_a_user_is_polled_rarely() -> None:
    """A user does not confirm within a second."""
    assert PollIntervals().next_wait(age=0.0, waiting=True) == 5.0


def test_a_run_that_should_not_end_yet_is_polled_less_often() -> None:
    """Half a minute is expected: polls are rare at first, frequent near the end, and rare again much later."""
    waits = [
        PollIntervals().next_wait(age=age, expectation=HALF_A_MINUTE, cost=0.01) for age in (5.0, 29.0, 200.0)
    ]

    assert waits[0] > 3.0
    assert waits[1:] == [2.0, 5.0]


@given(AGES, PRICES, LAWS, st.floats(0.0, 1e3), st.tuples(st.integers(0, 10_000), st.floats(0.0, 1e4)))
def test_no_step_is_shorter_than_the_rhythm_or_longer_than_the_cap(
    age: float, cost: float, law: EndPrediction, usual: float, moving: tuple[int, float]
) -> None:
    """Whatever is expected, and however hosts move."""
    intervals, (hosts, moves) = PollIntervals(), moving
    wait = intervals.next_wait(age=age, expectation=law, cost=cost, usual=usual, hosts=hosts, moves=moves)

    assert intervals.shortest(age) <= wait <= intervals.longest(age, usual)


@given(AGES, PRICES, st.floats(1.0, 100.0), LAWS)
def test_a_higher_cost_makes_longer_waits(age: float, cost: float, factor: float, law: EndPrediction) -> None:
    """Up to the precision of the search."""
    cheap = PollIntervals().next_wait(age=age, expectation=law, cost=cost, usual=10.0)
    dear = PollIntervals().next_wait(age=age, expectation=law, cost=cost * factor, usual=10.0)

    assert dear >= cheap * 0.97


@given(st.integers(2, 10_000), st.floats(1e-3, 1e3), st.floats(1.0, 100.0))
def test_hosts_that_change_faster_are_polled_more_often(hosts: int, moves: float, factor: float) -> None:
    """With the root of the rate; and the last hosts are polled often enough."""
    slow = PollIntervals.for_hosts(hosts, moves, 0.01, 0.0)
    fast = PollIntervals.for_hosts(hosts, moves * factor, 0.01, 0.0)

    assert fast <= slow <= STRAGGLERS
    assert slow == STRAGGLERS or fast == pytest.approx(slow / factor**0.5)
    assert PollIntervals.for_hosts(hosts, 0.0, 0.01, 0.0) == STRAGGLERS


def test_a_lag_that_is_requested_bounds_every_step() -> None:
    """Four times the mean that was requested, as long as there is room for that."""
    assert PollIntervals(target_lag=2.0).next_wait(age=250.0, expectation=HALF_A_MINUTE, cost=1e4) == 8.0
    assert (
        PollIntervals(target_lag=2.0).next_wait(age=250.0, expectation=HALF_A_MINUTE, cost=1e4, usual=20.0)
        == 20.0
    )


def test_few_targets_keep_their_time_and_many_spread() -> None:
    """The first time over one more step, later over a tenth; no step gets shorter, and it is not random."""
    refs = [JobRef(Scope.biz(2), number) for number in range(20_000_000_001, 20_000_001_001)]
    first = [spread(2.0, ref, polls=0, live=2000) for ref in refs]
    later = [spread(2.0, ref, polls=7, live=2000) for ref in refs]
    slots = [sum(2.0 + n / 5 <= wait < 2.2 + n / 5 for wait in first) for n in range(10)]

    assert [spread(2.0, ref, polls=0, live=30) for ref in refs] == [2.0] * 1000
    assert min(slots) > 90
    assert max(slots) < 110
    assert min(later) >= 2.0
    assert 2.19 < max(later) <= 2.2
    assert first == [spread(2.0, ref, polls=0, live=2000) for ref in refs]


def test_the_rhythm_has_no_end() -> None:
    """Every age has an interval."""
    assert RHYTHM[-1][0] == float("inf")


def test_neighbours_are_polled_together_at_a_fixed_interval() -> None:
    """A few share a slot, because they lie together in memory; all of them still spread over the whole interval."""
    blocks = [
        {slot_after(JobRef(Scope.biz(2), NEIGHBOURS * block + n), 10.0, 100.0) for n in range(NEIGHBOURS)}
        for block in range(1, 1001)
    ]
    counts = Counter(slot for (slot,) in blocks)

    assert len(counts) == 100
    assert max(counts.values()) <= 12
