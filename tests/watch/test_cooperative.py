"""Much work is done in order, and in slices."""

from collections.abc import Iterator

import pytest

from bkjob_async.model.refs import JobRef, Scope
from bkjob_async.watch.cooperative import (
    MAX_SLICE_SECONDS,
    MAX_SLICE_STEPS,
    CooperativeIterator,
    PendingChanges,
    slice_is_over,
)

A, B, C = (JobRef(Scope.biz(2), number) for number in (1, 2, 3))


def test_changes_are_made_in_the_order_of_the_calls() -> None:
    """A target that is added, dropped and added again ends as one that is watched."""
    changes = PendingChanges()
    changes.put((), add=True)
    changes.put((A, B), add=True)
    changes.put((A,), add=False)
    changes.put((), add=False)
    changes.put((C, A), add=True)

    made = [changes.pop() for _ in range(5)]

    assert made == [(A, True), (B, True), (A, False), (C, True), (A, True)]
    assert not changes


def test_cleared_changes_leave_nothing_behind() -> None:
    """Later changes are not taken for earlier ones."""
    changes = PendingChanges()
    changes.put((A, B), add=True)
    changes.clear()
    changes.put((C,), add=False)

    assert changes.pop() == (C, False)
    assert not changes


def test_a_slice_ends_by_time_or_by_number() -> None:
    """Whichever comes first."""
    assert not slice_is_over(1, 0.0)
    assert slice_is_over(1, MAX_SLICE_SECONDS)
    assert slice_is_over(MAX_SLICE_STEPS, 0.0)


async def test_a_step_may_start_another_iterator() -> None:
    """The one that it starts is run behind the step, and nothing more of its own."""
    runner, made = CooperativeIterator(), list[str]()

    def first() -> Iterator[None]:
        made.append("first")
        runner.start(second())
        made.append("rest of the step")
        yield
        made.append("never")
        yield

    def second() -> Iterator[None]:
        made.append("second")
        yield

    runner.start(first())
    await runner.wait()

    assert made == ["first", "rest of the step", "second"]


async def test_the_end_of_an_iterator_may_start_another_one() -> None:
    """It is run, too."""
    runner, made = CooperativeIterator(), list[str]()

    def first() -> Iterator[None]:
        yield
        runner.start(second())
        made.append("end")

    def second() -> Iterator[None]:
        made.append("second")
        yield

    runner.start(first())
    await runner.wait()

    assert made == ["end", "second"]


async def test_after_an_error_another_iterator_is_run() -> None:
    """The error of the first step is raised where it was started."""
    runner, made = CooperativeIterator(), list[str]()

    def failing() -> Iterator[None]:
        made.remove("a step")
        yield

    def next_one() -> Iterator[None]:
        made.append("next")
        yield

    with pytest.raises(ValueError, match="not in list"):
        runner.start(failing())
    runner.start(next_one())

    assert made == ["next"]
