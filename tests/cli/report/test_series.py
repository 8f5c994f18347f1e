"""How counts changed as time passed, in few points."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from bkjob_async.report.reading.rows import Series

LIMIT = 16
changes = st.lists(st.tuples(st.floats(0, 1e5), st.integers(0, 100)), max_size=200)


def course(reported: list[tuple[float, int]]) -> tuple[Series, list[tuple[float, int]], int]:
    """Return a series of what was reported, what was reported at which time, and the last count."""
    series, now, count, held = Series(0.0, LIMIT), 0.0, 0, [(0.0, 0)]
    for pause, after in reported:
        now += pause
        series.advance(now, (count,))
        count = after
        held.append((now, count))
    return series, held, count


@example(
    [(1.0, 1), (1.0, 2), *[(1.0, 0), (1.0, 1)] * 7, (1.0, 0)]
)  # a bin that became wider changes once more
@given(changes)
def test_a_point_is_what_was_so_at_the_end_of_its_bin(reported: list[tuple[float, int]]) -> None:
    """However many changes came, and however long it took; bins are at least a second."""
    series, held, count = course(reported)
    points = series.points_with((count,))

    assert len(points) <= LIMIT + 1
    assert series.width >= 1.0
    assert [at for at, _ in points] == sorted({at for at, _ in points})
    assert points[-1][1] == (count,)
    for at, counts in points:
        before = [value for moment, value in held if moment < at + series.width]
        assert counts[0] == before[-1]


def test_a_minute_of_changes_keeps_seconds() -> None:
    """Nothing is thinned out as long as there is room."""
    series, _, count = course([(1.0, n) for n in range(1, 11)])

    assert series.points_with((count,)) == [(float(n), (n,)) for n in range(11)]
