"""Bodies share what memory there is, and none waits for ever."""

import asyncio
from random import Random

import pytest

from bkjob_async.wire.body_budget import FREE, MIB, BodyBudget

pytestmark = pytest.mark.looptime


async def test_small_bodies_are_not_counted() -> None:
    """They are nearly all there are."""
    budget = BodyBudget(4 * MIB)
    with budget.share() as share:
        await share.hold(FREE)

        assert budget.taken == 0


async def test_a_body_waits_until_another_is_done() -> None:
    """The oldest does not wait, so that one always gets on."""
    budget = BodyBudget(4 * MIB)
    first, second = budget.share(), budget.share()
    await first.hold(3 * MIB)
    waiting = asyncio.create_task(second.hold(2 * MIB))
    await first.hold(4 * MIB)
    await asyncio.sleep(1)
    assert not waiting.done()
    first.release()
    await waiting

    assert budget.taken == 2 * MIB - FREE


async def test_whoever_gives_up_is_passed_over() -> None:
    """Its turn goes to the next."""
    budget = BodyBudget(4 * MIB)
    with budget.share() as first:
        await first.hold(3 * MIB)
        for _ in range(3):
            with budget.share() as other, pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await other.hold(3 * MIB)

    assert budget.taken == 0
    assert not budget._shares
    assert not budget._waiting


@pytest.mark.parametrize("seed", range(20))
async def test_bodies_of_any_size_all_get_through_within_bounds(seed: int) -> None:
    """However they come and go, and whoever gives up."""
    budget, dice = BodyBudget(8 * MIB), Random(seed)

    async def body() -> None:
        size, held = dice.randrange(8 * MIB), 0
        with budget.share() as share:
            async with asyncio.timeout(dice.choice([5.0, 10_000.0])):
                while held < size:
                    held = min(size, held + dice.randrange(1, MIB))
                    await share.hold(held)
                    assert budget.taken <= budget.size + budget.largest
                    await asyncio.sleep(dice.random())

    ends = await asyncio.gather(*(body() for _ in range(40)), return_exceptions=True)

    assert {type(end) for end in ends} <= {type(None), TimeoutError}
    assert type(None) in {type(end) for end in ends}
    assert (budget.taken, len(budget._shares)) == (0, 0)
