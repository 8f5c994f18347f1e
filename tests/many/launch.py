"""A process that keeps a fleet placed: `python -m tests.many.launch JOURNAL SCHEDULER [NAME]`, to be killed by tests."""

from __future__ import annotations

import asyncio
import logging
import sys

import bkjob_async as bkjob
from bkjob_async.many.on_dask import distributed, keep_placed


async def launch(journal: str, scheduler: str, name: str = "night") -> None:
    """Keep the fleet placed until it is stopped."""
    async with distributed.Client(scheduler, asynchronous=True, set_as_default=False) as client:
        await client.wait_for_workers(2)
    async with bkjob.Fleet(name, journal=journal) as fleet:
        await keep_placed(fleet, scheduler)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    asyncio.run(launch(*sys.argv[1:]))
