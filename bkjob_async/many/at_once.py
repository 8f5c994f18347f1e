"""Doing the same for many shards, some of them at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

# So many shards are asked at the same time.
SHARDS_AT_ONCE = 32


async def some_at_once(work: Iterable[Awaitable[None]], at_once: int = SHARDS_AT_ONCE) -> None:
    """Do all *work*, some of it at the same time; raise the first error when all that began has ended."""
    waiting = iter(work)
    errors: list[BaseException] = []

    async def do_next() -> None:
        for each in waiting:
            try:
                await each
            except Exception as error:  # noqa: BLE001 - raised below
                errors.append(error)

    await asyncio.gather(*(do_next() for _ in range(at_once)))
    if errors:
        raise errors[0]
