"""Bodies share the memory for bodies, and none waits for ever."""

import asyncio
from contextlib import closing
from random import Random

import pytest

from bkjob_async.wire.bodies.budget import MIB, UNCOUNTED_BYTES, BodyBudget, Reservation

pytestmark = pytest.mark.looptime


async def test_small_bodies_are_not_counted() -> None:
    """Most bodies are small."""
    budget = BodyBudget(4 * MIB)
    with closing(Reservation(budget)) as reservation:
        await reservation.wait_for_total(UNCOUNTED_BYTES)

        assert budget.reserved == 0


async def test_a_body_waits_until_another_is_done() -> None:
    """The oldest does not wait, so that one always makes progress."""
    budget = BodyBudget(4 * MIB)
    first, second = Reservation(budget), Reservation(budget)
    await first.wait_for_total(3 * MIB)
    waiting = asyncio.create_task(second.wait_for_total(2 * MIB))
    await first.wait_for_total(4 * MIB)
    await asyncio.sleep(1)
    assert not waiting.done()
    first.close()
    await waiting

    assert budget.reserved == 2 * MIB - UNCOUNTED_BYTES


async def test_a_cancelled_wait_is_skipped() -> None:
    """Its bytes go to the next."""
    budget = BodyBudget(4 * MIB)
    with closing(Reservation(budget)) as first:
        await first.wait_for_total(3 * MIB)
        for _ in range(3):
            with closing(Reservation(budget)) as other, pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await other.wait_for_total(3 * MIB)

    assert budget.reserved == 0
    assert not budget.reservations


@pytest.mark.parametrize("seed", range(20))
async def test_bodies_of_any_size_all_complete_within_the_budget(seed: int) -> None:
    """In any order, and with timeouts among them."""
    budget, dice = BodyBudget(8 * MIB), Random(seed)

    async def body() -> None:
        size, held = dice.randrange(8 * MIB), 0
        with closing(Reservation(budget)) as reservation:
            async with asyncio.timeout(dice.choice([5.0, 10_000.0])):
                while held < size:
                    held = min(size, held + dice.randrange(1, MIB))
                    await reservation.wait_for_total(held)
                    assert budget.reserved <= budget.size + budget.max_body_size
                    await asyncio.sleep(dice.random())

    ends = await asyncio.gather(*(body() for _ in range(40)), return_exceptions=True)

    assert {type(end) for end in ends} <= {type(None), TimeoutError}
    assert type(None) in {type(end) for end in ends}
    assert (budget.reserved, len(budget.reservations)) == (0, 0)
