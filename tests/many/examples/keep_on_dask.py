"""Keep the shards of a fleet on the workers of Dask: as many of these processes as you like, at least one."""

from __future__ import annotations

import asyncio
import os
import sys

import bkjob_async as bkjob
from bkjob_async.many.on_dask import keep_placed


async def keep(name: str, scheduler: str) -> None:
    """Return when the fleet is stopped."""
    async with bkjob.Fleet(name, journal=os.environ["BKJOB_JOURNAL"]) as fleet:
        await keep_placed(fleet, scheduler)


if __name__ == "__main__":
    asyncio.run(keep(*sys.argv[1:3]))
