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
    limit.release()

    assert was_full
    assert not limit.is_full
    assert limit.next_allowed_at <= 0.0


@given(st.lists(st.floats(0, 3), max_size=40), st.integers(1, 5))
def test_a_rate_is_kept_in_every_window(gaps: list[float], burst: int) -> None:
    """No second holds more than the rate and the burst together, however requests arrive."""
    limit = RateLimiter(rate=4.0, burst=burst, max_in_flight=1000)
    now, sent = 0.0, []
    for gap in gaps:
        now += gap
        now = max(now, limit.next_allowed_at)
        limit.acquire(now)
        sent.append(now)

    for start in sent:
        assert sum(start <= time < start + 0.999 for time in sent) <= 4 + burst
