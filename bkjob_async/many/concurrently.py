"""Run the same coroutine for many shards, a limited number of them at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

# The number of shards that are asked at the same time.
CONCURRENT_SHARDS = 32


async def run_concurrently(work: Iterable[Awaitable[None]], limit: int = CONCURRENT_SHARDS) -> None:
    """Await all *work*, so many at the same time as *limit* says; raise the first error when all that began has ended."""
    waiting = iter(work)
    errors: list[BaseException] = []

    async def do_next() -> None:
        for each in waiting:
            try:
                await each
            except Exception as error:  # noqa: BLE001 - raised below
                errors.append(error)

    await asyncio.gather(*(do_next() for _ in range(limit)))
    if errors:
        raise errors[0]
