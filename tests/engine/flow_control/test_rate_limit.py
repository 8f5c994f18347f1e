"""The rate limiter, with given times."""

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.flow_control.rate_limit import RateLimiter


def test_no_more_in_flight_than_allowed() -> None:
    """The next one waits until another comes back."""
    limit = RateLimiter(max_in_flight=2)
    limit.acquire(0.0)
    limit.acquire(0.0)
    was_full = limit.is_full
    limit.in_flight -= 1

    assert was_full
    assert not limit.is_full
    assert limit.next_allowed_at <= 0.0


@given(st.lists(st.floats(0, 3), max_size=40))
def test_a_rate_is_kept_in_every_window(gaps: list[float]) -> None:
    """No second holds more requests than the rate and one more, however they arrive."""
    limit = RateLimiter(rate=4.0, max_in_flight=1000)
    now, sent = 0.0, []
    for gap in gaps:
        now += gap
        now = max(now, limit.next_allowed_at)
        limit.acquire(now)
        sent.append(now)

    for start in sent:
        assert sum(start <= time < start + 0.999 for time in sent) <= 4 + 1


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0.1, 50)), min_size=1, max_size=40), st.floats(0.05, 50))
def test_a_rate_that_changes_is_never_exceeded(steps: list[tuple[float, float]], first: float) -> None:
    """Two requests are as far apart as the rate of the second says, or that of the first."""
    limit, now, last, spacing = RateLimiter(rate=first, max_in_flight=1000), 0.0, None, 0.0
    for gap, rate in steps:
        now += gap
        limit.set_rate(rate, now)
        assert limit.next_allowed_at <= now + 1.0 / rate + 1e-9
        at = max(now, limit.next_allowed_at)
        if last is not None:
            assert at - last >= min(spacing, 1.0 / rate) - 1e-9
        limit.acquire(at)
        now, last, spacing = at, at, 1.0 / rate


def test_a_rate_that_is_lifted_holds_up_nothing() -> None:
    """Not even for what went out before."""
    limit = RateLimiter(rate=0.001)
    limit.acquire(0.0)
    limit.set_rate(None, 1.0)

    assert limit.next_allowed_at <= 1.0
