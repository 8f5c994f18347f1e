"""The longest turn of the event loop while large steps are followed, with the public API and with the strong competitor."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence

import aiohttp

import bkjob_async as bkjob
from benchmarks.compare import strong
from benchmarks.compare.following import CREDENTIALS, HEADERS, begin, url_of
from benchmarks.compare.heartbeat import Heartbeat
from benchmarks.compare.life_server import Life, running_life
from benchmarks.compare.processes import print_figures

# A late reader begins to read when this share of the life is over.
LATE = 0.6


async def stall_of_ours(server: str, refs: Sequence[bkjob.StepRef], late: float) -> Heartbeat:
    """Follow steps to their end; read all events, the first after *late* seconds."""
    async with bkjob.connect(server, CREDENTIALS, interval=1.0) as client:
        begin(server)
        async with Heartbeat() as heart, client.watch(refs) as watch:
            await asyncio.sleep(late)
            async for _ in watch:
                pass
    return heart


async def stall_of_strong(server: str, refs: Sequence[bkjob.StepRef], late: float) -> Heartbeat:
    """Do the same with the competitor."""
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        poller, over = strong.StrongPoller(session, 1.0), 0
        begin(server)
        async with Heartbeat() as heart:
            task = asyncio.create_task(poller.follow_all(url_of(server, ref) for ref in refs))
            await asyncio.sleep(late)
            while over < len(refs):
                _, host, _, after = await poller.changes.get()
                over += host is None and after not in strong.OPEN
            await task
    return heart


def child(way: str, life: Life, *, late: bool) -> None:
    """Measure one way in this process, in milliseconds of CPU."""
    stall = {"ours": stall_of_ours, "strong": stall_of_strong}[way]
    with running_life(life) as (server, refs):
        gc.collect()
        heart = asyncio.run(stall(server, refs, LATE * life.seconds if late else 0.0))
        print_figures(stall=heart.cpu)
