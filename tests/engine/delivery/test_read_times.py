"""A target is read since a time if every part of it was answered by a request that was sent after it."""

from __future__ import annotations

import pytest

from bkjob_async import JobRef, Ref, Scope
from bkjob_async.engine.delivery.read_times import REFUSED_SECONDS, ReadTimes

JOB = JobRef(Scope.biz(2), 1)
STEP, OTHER = JOB.step(1), JOB.step(2)

# When requests were sent, at 5 and again at 8, what the second ones were refused, and whether what is known of the target
# was requested after 3, 6 and 9.
ROWS = [
    pytest.param(STEP, (), [True, True, False], id="step"),
    pytest.param(STEP, (STEP,), [True, False, False], id="step-refused"),
    pytest.param(STEP, (OTHER,), [True, True, False], id="step-beside-a-refused-one"),
    pytest.param(STEP, (JOB,), [True, False, False], id="step-of-a-refused-job"),
    pytest.param(JOB, (), [True, True, False], id="job"),
    pytest.param(JOB, (OTHER,), [True, False, False], id="job-with-a-refused-step"),
]


@pytest.mark.parametrize(("ref", "refused", "expected"), ROWS)
def test_each_part_was_requested_after_the_time(
    ref: Ref, refused: tuple[Ref, ...], expected: list[bool]
) -> None:
    """What is refused has what was read before; requests that are under way count for nothing."""
    times = ReadTimes()
    for sent, without in ((5, ()), (8, refused)):
        times.requested = sent
        times.complete(float(sent), without)
    times.requested = 10

    assert [times.shows(ref, since, 8.0) for since in (3, 6, 9)] == expected


def test_what_is_refused_for_long_is_not_waited_for() -> None:
    """A watch would never end; an answer in between begins the time anew."""
    times, later = ReadTimes(requested=5), 5.0 + REFUSED_SECONDS
    times.complete(5.0, (STEP,))

    assert [times.shows(ref, 3, now) for ref in (JOB, STEP) for now in (later - 1, later)] == [
        False,
        True,
        False,
        True,
    ]

    times.requested = 6
    times.complete(20.0, ())
    times.requested = 8
    times.complete(21.0, (STEP,))

    assert [times.shows(JOB, 7, now) for now in (later, 21.0 + REFUSED_SECONDS)] == [False, True]
