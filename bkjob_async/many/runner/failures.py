"""Store the error that ended a runner, for the status of its fleet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bkjob_async.errors import BkJobError, FleetBusy, JournalError
from bkjob_async.journal.shards import ShardStore
from bkjob_async.many.status import ShardCondition, shortened

# The store has so many seconds to take it.
STORE_SECONDS = 3.0

logger = logging.getLogger("bkjob_async")


@asynccontextmanager
async def failures_noted(store: ShardStore, fleet: str, shard: int) -> AsyncIterator[None]:
    """Store what ends the context, if it is an error, and raise it."""
    try:
        yield
    except FleetBusy:  # another runner has it, and works
        raise
    except Exception as error:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await store.put_failure(fleet, shard, ShardCondition(failure=described(error)).encode())
        except (JournalError, TimeoutError) as not_stored:
            logger.debug("what ended shard %s/%d was not stored: %s", fleet, shard, not_stored)
        raise


def described(error: BaseException) -> str:
    """Return an error in words; of one that is not this package's, which may hold a secret, its kind alone."""
    kind = type(error).__name__
    return (
        shortened(f"{kind}: {error}")
        if isinstance(error, BkJobError)
        else f"{kind} (see the log of its runner)"
    )
