"""Waiting for a turn, in virtual time."""

import asyncio

import pytest

from bkjob_async.engine.limit import Limit
from bkjob_async.wire.admission import Admission

pytestmark = pytest.mark.looptime


async def pass_through(admission: Admission, done: list[str], name: str, *, urgent: bool = False) -> None:
    """Enter, hold the place for a second, leave."""
    await admission.enter(urgent=urgent)
    await asyncio.sleep(1)
    done.append(name)
    admission.leave()


async def test_first_come_first_served_and_urgent_before_both() -> None:
    """A user's own call does not queue behind a thousand polls."""
    admission = Admission(Limit(max_in_flight=1))
    done: list[str] = []

    async with asyncio.TaskGroup() as group:
        for name in ("a", "b", "c"):
            group.create_task(pass_through(admission, done, name))
        await asyncio.sleep(0.5)
        group.create_task(pass_through(admission, done, "user", urgent=True))

    assert done == ["a", "user", "b", "c"]
    assert (admission.limit.in_flight, admission.waiting) == (0, 0)


async def test_a_rate_spreads_requests_over_time() -> None:
    """Ten requests at five a second take two seconds, not one burst."""
    admission = Admission(Limit(rate=5.0, max_in_flight=100))
    times = []
    for _ in range(11):
        await admission.enter()
        times.append(asyncio.get_running_loop().time())
        admission.leave()

    assert times[-1] - times[0] == pytest.approx(2.0)


async def test_a_pause_holds_all_and_ends_by_itself() -> None:
    """Nobody has to come back for the waiting to go on."""
    admission = Admission(Limit())
    admission.pause(30.0)
    start = asyncio.get_running_loop().time()
    await admission.enter()

    assert asyncio.get_running_loop().time() - start == pytest.approx(30.0)


async def test_whoever_is_cancelled_leaves_no_hole() -> None:
    """A cancelled waiter neither keeps a place nor blocks those behind it."""
    admission = Admission(Limit(max_in_flight=1))
    await admission.enter()
    waiters = [asyncio.create_task(admission.enter()) for _ in range(3)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    admission.leave()
    waiters[1].cancel()  # its turn came just now
    await asyncio.wait(waiters)

    assert [task.cancelled() for task in waiters] == [True, True, False]
    assert admission.limit.in_flight == 1
