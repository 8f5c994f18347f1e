"""A fleet whose Redis dies goes on at the replica that Sentinel promotes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.world.world import World
from tests.journal.redis_sentinel import running_sentinel
from tests.many.fleets import site_of
from tests.many.test_shard import SLOW, jobs_of

JOBS = 12


@pytest.mark.deep
async def test_nothing_is_lost_when_redis_fails_over_while_a_fleet_is_watched_and_read(
    tmp_path: Path,
) -> None:
    """Runners and a live reader find the promoted server by themselves; what it had not received is stored again."""
    world = World(1)
    with running_sentinel(tmp_path) as sentinel:
        async with site_of(world, shards=2, journal=sentinel.url, interval=0.3) as site:
            finished: set[bkjob.Ref] = set()

            async def read() -> None:
                async with site.fleet.reader() as reader:
                    async for batch in reader:
                        finished.update(e.ref for e in batch.events if isinstance(e, bkjob.Finished))
                        if len(finished) == JOBS:
                            return

            reading = asyncio.create_task(read())
            for shard in range(2):
                site.run(shard)
            await site.fleet.add(*jobs_of(world, SLOW, JOBS))
            await asyncio.sleep(3)
            before = len(finished)
            sentinel.first.kill()
            async with asyncio.timeout(90):
                await reading

            assert before < JOBS
            assert not any(runner.done() for runner in site.runners.values())
            assert await site.is_as_it_was()


@pytest.mark.deep
async def test_a_copy_that_a_failover_interrupts_is_forgotten_and_repeated(tmp_path: Path) -> None:
    """Nobody can use what is there of it; settings are changed as soon as a server is promoted, and runners follow."""
    world = World(1)
    with running_sentinel(tmp_path) as sentinel:
        async with site_of(world, shards=4, journal=sentinel.url, interval=0.3) as site:
            for shard in range(4):
                site.run(shard)
            await site.fleet.add(*jobs_of(world, SLOW, JOBS))
            await asyncio.sleep(3)
            other = bkjob.Fleet("night-2", journal=site.fleet.journal, shards=200)
            copying = asyncio.create_task(site.fleet.copy(other))
            while (await site.fleet.journal.shards.record("night-2")) is None:  # noqa: ASYNC110 - the store sets no event
                await asyncio.sleep(0.001)
            sentinel.first.kill()
            with pytest.raises(bkjob.JournalUnavailable):
                await copying

            await repeated(lambda: site.fleet.update(requests_per_second=50.0))
            with pytest.raises(bkjob.FleetNotFound):
                await other.status()
            with suppress(bkjob.FleetNotFound):  # where the replica had not heard of it
                await other.forget()
            await site.fleet.copy(other)

            assert (await other.status()).targets == JOBS
            assert not any(runner.done() for runner in site.runners.values())
            assert (await site.fleet.settings()).requests_per_second == 50.0


async def repeated(call: Callable[[], Awaitable[None]]) -> None:
    """Call until the store answers."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await call()
            except bkjob.JournalUnavailable:
                await asyncio.sleep(0.1)
