"""Much to do comes in order, and in slices."""

from bkjob_async.engine.scheduling.slices import LARGEST_SLICE, LONGEST_SLICE, Requests, slice_is_over
from bkjob_async.model.refs import JobRef, Scope

A, B, C = (JobRef(Scope.biz(2), number) for number in (1, 2, 3))


def test_what_was_said_first_is_done_first() -> None:
    """A target that is added, dropped and added again ends as one that is wanted."""
    requests = Requests()
    requests.put((), wanted=True)
    requests.put((A, B), wanted=True)
    requests.put((A,), wanted=False)
    requests.put((), wanted=False)
    requests.put((C, A), wanted=True)

    said = [requests.pop() for _ in range(5)]

    assert said == [(A, True), (B, True), (A, False), (C, True), (A, True)]
    assert not requests


def test_what_is_forgotten_leaves_nothing_behind() -> None:
    """Later requests are not taken for earlier ones."""
    requests = Requests()
    requests.put((A, B), wanted=True)
    requests.clear()
    requests.put((C,), wanted=False)

    assert requests.pop() == (C, False)
    assert not requests


def test_a_slice_ends_by_time_or_by_number() -> None:
    """Whichever comes first."""
    assert not slice_is_over(1, 0.0)
    assert slice_is_over(1, LONGEST_SLICE)
    assert slice_is_over(LARGEST_SLICE, 0.0)
