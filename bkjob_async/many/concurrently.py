"""Run the same coroutine for many shards, a limited number of them at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

# The number of shards that are asked at the same time.
CONCURRENT_SHARDS = 32

R = TypeVar("R")


async def run_concurrently(work: Iterable[Awaitable[R]], limit: int = CONCURRENT_SHARDS) -> list[R]:
    """Await all *work*, so many at the same time as *limit* says, and return the results in its order.

    Raises the first error when all that began has ended.
    """
    waiting, results = enumerate(work), dict[int, R]()
    errors: list[BaseException] = []

    async def do_next() -> None:
        for number, each in waiting:
            try:
                results[number] = await each
            except Exception as error:  # noqa: BLE001 - raised below
                errors.append(error)

    await asyncio.gather(*(do_next() for _ in range(limit)))
    if errors:
        raise errors[0]
    return [results[number] for number in sorted(results)]
