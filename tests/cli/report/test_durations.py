"""How long hosts ran: bins, percentiles, ticks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.report.durations import MAX_BINS, durations_of
from bkjob_async.report.formats.page import MAX_TICKS, ticks
from bkjob_async.report.times import clock


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=300))
def test_every_run_is_in_one_bin(seconds: list[float]) -> None:
    """Bins are whole seconds, and not many; what is far beyond the rest is counted apart."""
    found = durations_of(seconds)

    assert found is not None
    assert sum(found.bins) + found.beyond == found.count == len(seconds)
    assert found.width >= 1
    assert 1 <= len(found.bins) <= MAX_BINS
    assert found.begin <= found.shortest
    assert found.beyond or found.end > found.longest
    percentiles = [each.seconds for each in found.percentiles]
    assert percentiles == sorted(percentiles)
    assert all(
        sum(s <= p.seconds for s in seconds) >= len(seconds) * p.percent / 100 for p in found.percentiles
    )


def test_nothing_has_no_distribution() -> None:
    """No bar, no percentile."""
    assert durations_of([]) is None


def test_one_slow_host_does_not_flatten_the_rest() -> None:
    """The last bar counts what ran far longer."""
    found = durations_of([10.0 + n % 20 for n in range(1000)] + [7200.0])

    assert found is not None
    assert found.beyond == 1
    assert found.end < 120


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (36.4, "0:36"),
        (714, "11:54"),
        (3599.6, "1:00:00"),
        (7509, "2:05:09"),
        (274_320, "3 d 04:12"),
    ],
)
def test_durations_are_written_in_short(seconds: float, text: str) -> None:
    """Minutes and seconds; hours and days where there are any."""
    assert clock(seconds) == text


@given(st.floats(0, 1e8), st.floats(0, 1e8))
def test_ticks_are_round_and_few(begin: float, length: float) -> None:
    """At most seven, all on the axis; two at least, but of an axis of less than two seconds."""
    found = ticks(begin, begin + length)

    assert (2 if length >= 2.0 else 0) <= len(found) <= MAX_TICKS
    assert all(begin <= tick <= begin + length for tick in found)
