"""The platform's clock, estimated from times in responses."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.scheduling.clock_skew import LEAK, ServerClock
from bkjob_async.model.snapshot import Times

ZERO = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return a time of the platform."""
    return ZERO + timedelta(seconds=seconds)


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0.0, 1e4), st.floats(0.0, 1e4)), min_size=1, max_size=20),
    st.floats(0.0, 1e4),
)
def test_nothing_is_taken_for_older_than_it_is(
    ahead: float, seen: list[tuple[float, float]], start: float
) -> None:
    """However different the clocks are, and however old the times were when they were seen."""
    clock = ServerClock()
    for now, old in sorted(seen):
        clock.on_times(Times(end_time=at(now + ahead - old)), now)

    assert clock.age(Times(start_time=at(start + ahead)), 1e4) <= 1e4 - start + 1e-3


def test_a_fresh_time_shows_the_age_of_everything_else() -> None:
    """Also of a run that began long before the first poll."""
    clock = ServerClock()
    clock.on_times(Times(create_time=at(1000.0)), 5.0)

    assert abs(clock.age(Times(start_time=at(400.0)), 6.0) - 601.0) < 2 * LEAK
    assert clock.age(Times(), 6.0) == 0.0
    assert ServerClock().age(Times(start_time=at(0.0)), 6.0) == 0.0


def test_a_clock_that_was_set_back_is_used_after_a_while() -> None:
    """The old difference loses its weight."""
    clock = ServerClock()
    clock.on_times(Times(create_time=at(100.0)), 100.0)
    clock.on_times(Times(create_time=at(10_099.0)), 10_100.0)
    before = clock.age(Times(start_time=at(0.0)), 10_100.0)
    clock.on_times(Times(create_time=at(20_099.0)), 20_100.0)

    assert 10_098.9 < before <= 10_099.1
    assert clock.age(Times(start_time=at(20_099.0)), 20_100.0) < 1e-6
