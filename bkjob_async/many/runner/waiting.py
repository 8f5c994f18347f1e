"""Wait for a store that is away when a runner begins its next term."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bkjob_async.errors import JournalUnavailable
from bkjob_async.many.status import ShardCondition, shortened

# The store is asked again after so many seconds.
RETRY_SECONDS = 1.0

R = TypeVar("R")

logger = logging.getLogger("bkjob_async")


async def while_away(
    call: Callable[[], Awaitable[R]],
    name: str,
    seconds: float | None,
    on_condition: Callable[[ShardCondition], None] | None,
) -> R:
    """Return what *call* returns; repeat it while the store is away, for so many *seconds*, or without end."""
    loop = asyncio.get_running_loop()
    begun, is_away = loop.time(), False
    while True:
        try:
            return await call()
        except JournalUnavailable as error:
            if seconds is not None and loop.time() - begun >= seconds:
                raise
            if not is_away:
                is_away = True
                logger.warning("shard %s begins again when the journal answers: %s", name, error)
            if on_condition is not None:
                on_condition(ShardCondition(store=shortened(error)))
        await asyncio.sleep(RETRY_SECONDS)
