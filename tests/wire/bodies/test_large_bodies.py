"""Work on large responses is spread over several turns of the event loop."""

import asyncio

from bkjob_async.wire.bodies.large_bodies import LargeBodyTurns


async def test_each_large_body_has_a_turn_of_its_own() -> None:
    """Although all are there at once."""
    turns, now, found = LargeBodyTurns(), 0, list[int]()

    async def handle() -> None:
        await turns.next_turn()
        found.append(now)

    handling = asyncio.gather(*(handle() for _ in range(3)))
    while not handling.done():
        now += 1
        await asyncio.sleep(0)

    assert len(set(found)) == 3


async def test_one_that_is_cancelled_does_not_hold_up_the_others() -> None:
    """Whoever waited behind it has its turn."""
    turns = LargeBodyTurns()
    first, second = (asyncio.create_task(turns.next_turn()) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()

    await asyncio.wait_for(second, 1.0)
    assert first.cancelled()
