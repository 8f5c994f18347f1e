"""Reading with reads that are cancelled at any of their awaits, and begun again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import TypeVar

T = TypeVar("T")

# A read is cancelled after so many turns of the event loop, or after so many seconds.
TURNS, SECONDS = 6, 5.0


async def interrupted(
    reader: AsyncIterator[T], dice: Random, *, seconds: float = SECONDS
) -> AsyncIterator[T]:
    """Yield what a *reader* yields; every second read or so is cancelled first, after up to so many *seconds*."""
    while True:
        reading = asyncio.ensure_future(next_of(reader))
        match dice.randrange(4):
            case 0:
                for _ in range(dice.randrange(TURNS)):
                    await asyncio.sleep(0)
                reading.cancel()
            case 1:
                await asyncio.wait([reading], timeout=dice.uniform(0.0, seconds))
                reading.cancel()
            case _:
                pass
        try:
            await asyncio.wait([reading])
        finally:
            reading.cancel()
        if reading.cancelled():
            continue
        found = reading.result()
        if not found:
            return
        yield found[0]


async def next_of(reader: AsyncIterator[T]) -> tuple[T, ...]:
    """Return the next item, nothing at the end."""
    async for item in reader:
        return (item,)
    return ()
