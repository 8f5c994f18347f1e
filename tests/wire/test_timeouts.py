"""Timeouts of many requests with one timer: the same as with one timer each."""

from __future__ import annotations

import asyncio

import pytest

from bkjob_async.wire.timeouts import TimeoutManager

pytestmark = pytest.mark.looptime


async def limited(timeouts: TimeoutManager, seconds: float, work: float) -> str:
    """Work for so long within a timeout; return the outcome."""
    timeout = timeouts.start(seconds)
    try:
        await asyncio.sleep(work)
    except asyncio.CancelledError:
        if timeouts.cancel(timeout):
            return f"too late at {asyncio.get_running_loop().time():g}"
        raise
    finally:
        timeouts.cancel(timeout)
    return "done"


async def test_only_what_takes_too_long_is_cancelled() -> None:
    """Each by its own timeout, whatever was begun before it."""
    timeouts = TimeoutManager()
    ended = await asyncio.gather(*(limited(timeouts, *times) for times in ((30, 1), (5, 7), (2, 9), (8, 9))))

    assert ended == ["done", "too late at 5", "too late at 2", "too late at 8"]


async def test_a_limit_begins_when_it_is_begun() -> None:
    """A timer that was set for somebody who is done is no reason to cancel the next."""
    timeouts = TimeoutManager()
    await limited(timeouts, 3, 1)
    await asyncio.sleep(1)

    assert await limited(timeouts, 3, 2.5) == "done"
    assert await limited(timeouts, 3, 3.5) == "too late at 7.5"


async def test_a_cancellation_from_outside_passes_through() -> None:
    """Before the timeout, and in the same breath as it."""
    timeouts = TimeoutManager()
    early = asyncio.create_task(limited(timeouts, 3, 9))
    at_once = asyncio.create_task(limited(timeouts, 2, 9))
    asyncio.get_running_loop().call_later(1, early.cancel)
    asyncio.get_running_loop().call_at(2, at_once.cancel)
    await asyncio.wait([early, at_once])

    assert early.cancelled()
    assert at_once.cancelled()


async def test_who_is_limited_can_go_on_afterwards() -> None:
    """The task is not left behind as one that is being cancelled."""

    async def twice() -> list[str]:
        return [await limited(timeouts, 1, 2), await limited(timeouts, 2, 1), await limited(timeouts, 1, 2)]

    timeouts = TimeoutManager()
    task = asyncio.create_task(twice())

    assert await task == ["too late at 1", "done", "too late at 3"]
    assert task.cancelling() == 0


async def test_an_error_of_its_own_is_not_taken_for_lateness() -> None:
    """Whoever fails on being cancelled has failed, and is not being cancelled any more."""
    timeouts = TimeoutManager()

    async def fail() -> None:
        timeout = timeouts.start(1)
        try:
            await asyncio.sleep(2)
        except asyncio.CancelledError:
            raise ValueError("broken") from None
        finally:
            timeouts.cancel(timeout)

    task = asyncio.create_task(fail())
    with pytest.raises(ValueError, match="broken"):
        await task
    assert task.cancelling() == 0
