"""Work on large responses is spread over several turns of the event loop."""

import asyncio

from bkjob_async.wire.large_bodies import LARGE_BODY, LargeBodyTurns


async def turns_of(*sizes: int) -> list[int]:
    """Return the turns of the event loop in which bodies of these sizes, there at once, could be worked on."""
    turns, now, found = LargeBodyTurns(), 0, list[int]()

    async def handle(size: int) -> None:
        await turns.next_turn(size)
        found.append(now)

    handling = asyncio.gather(*map(handle, sizes))
    while not handling.done():
        now += 1
        await asyncio.sleep(0)
    return found


async def test_each_large_body_has_a_turn_of_its_own() -> None:
    """Small ones do not wait."""
    found = await turns_of(LARGE_BODY, LARGE_BODY, LARGE_BODY)

    assert len(set(found)) == 3
    assert len(set(await turns_of(*[LARGE_BODY - 1] * 3))) == 1


async def test_one_that_is_cancelled_does_not_hold_up_the_others() -> None:
    """Whoever waited behind it has its turn."""
    turns = LargeBodyTurns()
    first, second = (asyncio.create_task(turns.next_turn(LARGE_BODY)) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()

    await asyncio.wait_for(second, 1.0)
    assert first.cancelled()
