"""A fleet whose Redis dies goes on at the replica that Sentinel promotes."""

from __future__ import annotations

import asyncio
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
