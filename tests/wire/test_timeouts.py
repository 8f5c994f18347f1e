"""Timeouts of many requests with one timer: the same as with one timer each."""

from __future__ import annotations

import asyncio

import pytest

from bkjob_async.wire.timeouts import TimeoutManager

pytestmark = pytest.mark.looptime


class Work:
    """Something that takes until loop time *done*, unless it expires *at*; `ended` is when it did, and how."""

    def __init__(self, timeouts: TimeoutManager, at: float, done: float) -> None:
        """Begin."""
        self.at = at
        self.ended: list[str] = []
        self._timeouts = timeouts
        timeouts.add(self)
        asyncio.get_running_loop().call_at(done, self._end)

    def _end(self) -> None:
        if not self.ended:
            self._timeouts.discard(self)
            self.ended.append(f"done at {asyncio.get_running_loop().time():g}")

    def expire(self) -> None:
        """Note when."""
        self.ended.append(f"too late at {asyncio.get_running_loop().time():g}")


async def test_only_what_takes_too_long_expires() -> None:
    """Each at its own time, whatever was begun before it."""
    timeouts = TimeoutManager()
    works = [Work(timeouts, *times) for times in ((30, 1), (5, 7), (2, 9), (8, 9))]
    await asyncio.sleep(40)

    assert [each.ended for each in works] == [
        ["done at 1"],
        ["too late at 5"],
        ["too late at 2"],
        ["too late at 8"],
    ]


async def test_a_timer_set_for_what_is_done_ends_nothing_else() -> None:
    """Which was begun later, and expires later."""
    timeouts = TimeoutManager()
    Work(timeouts, 3, 1)
    await asyncio.sleep(2)
    in_time, late = Work(timeouts, 5, 4.5), Work(timeouts, 5.5, 6)
    await asyncio.sleep(10)

    assert (in_time.ended, late.ended) == (["done at 4.5"], ["too late at 5.5"])


async def test_something_may_begin_where_another_expires() -> None:
    """And has its own time."""
    timeouts = TimeoutManager()
    begun: list[Work] = []

    class First(Work):
        def expire(self) -> None:
            super().expire()
            begun.append(Work(timeouts, 4, 9))

    First(timeouts, 2, 9)
    await asyncio.sleep(10)

    assert [each.ended for each in begun] == [["too late at 4"]]


async def test_an_error_of_what_expires_keeps_nothing_else_from_ending() -> None:
    """Whatever expires at the same time, or later."""
    timeouts, reported = TimeoutManager(), list[str]()
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: reported.append(type(context["exception"]).__name__)
    )

    class Failing(Work):
        def expire(self) -> None:
            raise ZeroDivisionError

    Failing(timeouts, 2, 9)
    works = [Work(timeouts, at, 9) for at in (2, 2, 5)]
    Failing(timeouts, 2, 9)
    await asyncio.sleep(10)

    assert [each.ended for each in works] == [["too late at 2"]] * 2 + [["too late at 5"]]
    assert reported == ["ZeroDivisionError"] * 2
