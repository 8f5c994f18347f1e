"""Fleets on a real Dask scheduler with two worker processes, and a real Redis."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import HANGS, SimulatedJob, StepPlan
from tests.journal.redis_server import RedisServer, running
from tests.many.dask_cluster import ROOT, DaskCluster, require_dask, running_dask
from tests.many.fleets import OWN_CREDENTIALS
from tests.many.test_fleet import QUICK
from tests.watch.clients import CREDENTIALS

pytestmark = pytest.mark.deep

SHARDS = 4
ENDLESS = SimulatedJob(name="endless", steps=(StepPlan(hosts=1, outcomes=(HANGS,)),))
PASSWORD = "open-sesame"
EXAMPLE = Path(__file__).parent / "examples" / "keep_on_dask.py"


@frozen
class Place:
    """A platform, a fleet, a scheduler with its workers, and a store."""

    simulator: Simulator
    fleet: bkjob.Fleet
    dask: DaskCluster
    redis: RedisServer

    async def has_runners(self, count: int = SHARDS) -> bkjob.FleetStatus:
        """Wait until so many shards have runners; return the status."""
        async with asyncio.timeout(60):
            while len((status := await self.fleet.status()).held) < count:  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.2)
        return status

    async def add_jobs(self, plan: SimulatedJob, count: int) -> list[bkjob.JobRef]:
        """Add so many jobs of several scopes."""
        jobs = [
            self.simulator.add(evolve(plan, scope=bkjob.Scope.biz(2 + number % 7))) for number in range(count)
        ]
        await self.fleet.add(*jobs)
        return jobs


@asynccontextmanager
async def place_in(folder: Path, *, password: str = "", **options: Any) -> AsyncIterator[Place]:
    """Run all of it."""
    require_dask()
    simulator = Simulator(seed=1, speed=5.0, at_once=True)
    with running(folder) as redis:
        if password:
            with redis.client() as client:
                client.config_set("requirepass", password)
        journal = redis.url.replace("//", f"//:{password}@") if password else redis.url
        environment = {"BKJOB_JOURNAL": journal} if password else {}
        with running_dask(folder, **{"slots": SHARDS, **options, **environment}) as dask:
            async with (
                simulator.serve() as platform,
                bkjob.Fleet("night", journal=journal, shards=SHARDS) as fleet,
            ):
                await fleet.create(url=platform.url, credentials=OWN_CREDENTIALS, interval=0.2)
                yield Place(simulator, fleet, dask, redis)


async def workers_of(place: Place) -> None:
    """Wait until all workers have registered."""
    from bkjob_async.many.on_dask import distributed  # noqa: PLC0415 - only where Dask is installed

    async with distributed.Client(place.dask.address, asynchronous=True, set_as_default=False) as client:
        await client.wait_for_workers(len(place.dask.processes) - 1)


async def keep_soon(place: Place) -> None:
    """Keep the fleet placed, once the workers have registered."""
    from bkjob_async.many.on_dask import keep_placed  # noqa: PLC0415 - only where Dask is installed

    await workers_of(place)
    await keep_placed(place.fleet, place.dask.address)


async def test_a_fleet_is_run_by_workers_and_no_secret_travels(tmp_path: Path) -> None:
    """From the first event to the stop; two launchers start each shard once."""
    async with place_in(tmp_path) as place:
        launchers = [asyncio.create_task(keep_soon(place)) for _ in range(2)]
        status = await place.has_runners()
        assert len({shard.holder.pid for shard in status.shards if shard.holder}) >= 1
        jobs = await place.add_jobs(QUICK, 14)
        finished: set[bkjob.Ref] = set()
        async with asyncio.timeout(60), place.fleet.reader() as reader:
            async for batch in reader:
                finished |= {event.ref for event in batch.events if isinstance(event, bkjob.Finished)}
                if len(finished) == len(jobs):
                    break
        shown = await what_dask_shows(place.dask.address)
        assert [shard.term for shard in (await place.fleet.status()).shards] == [1] * SHARDS

        loop = asyncio.get_running_loop()
        stopped_at = loop.time()
        await place.fleet.stop()
        await asyncio.gather(*launchers)
        print(f"stopped after {loop.time() - stopped_at:.1f} s")
        shown += "".join(map(place.dask.log, place.dask.processes))

    assert "bkjob-night-3" in shown
    assert not isinstance(CREDENTIALS, bkjob.AccessToken)
    assert CREDENTIALS.bk_app_secret not in shown


async def what_dask_shows(address: str) -> str:
    """Return what the scheduler says of its tasks: keys, where they run, how they are called."""
    from bkjob_async.many.on_dask import distributed  # noqa: PLC0415 - only where Dask is installed

    def everything(dask_scheduler: Any) -> str:
        return str([(key, task.run_spec, task.annotations) for key, task in dask_scheduler.tasks.items()])

    async with distributed.Client(address, asynchronous=True, set_as_default=False) as client:
        return f"{await client.processing()} {await client.run_on_scheduler(everything)}"


async def test_a_password_of_the_journal_stays_where_it_is(tmp_path: Path) -> None:
    """Workers read the URL from their own environment."""
    async with place_in(tmp_path, password=PASSWORD) as place:
        launcher = asyncio.create_task(keep_soon(place))
        await place.has_runners()
        shown = await what_dask_shows(place.dask.address)
        await place.fleet.stop()
        await launcher
        shown += "".join(map(place.dask.log, place.dask.processes))

    assert "bkjob-night-3" in shown
    assert PASSWORD not in shown


async def test_a_launcher_that_dies_stops_nothing(tmp_path: Path) -> None:
    """The example of the guide is killed; the next launcher finds its tasks, and starts none."""
    async with place_in(tmp_path) as place:
        await place.add_jobs(ENDLESS, 7)
        await workers_of(place)
        with (tmp_path / "launch.log").open("wb") as log:
            first = await asyncio.create_subprocess_exec(
                sys.executable,
                str(EXAMPLE),
                "night",
                place.dask.address,
                env={**os.environ, "BKJOB_JOURNAL": place.redis.url, "PYTHONPATH": str(ROOT)},
                stderr=log,
            )
        await place.has_runners()
        first.kill()
        await first.wait()
        await asyncio.sleep(3)
        second = asyncio.create_task(keep_soon(place))
        await asyncio.sleep(3)
        status = await place.fleet.status()
        assert [(shard.term, shard.has_runner) for shard in status.shards] == [(1, True)] * SHARDS
        await place.fleet.stop()
        await second


async def test_workers_without_room_are_a_usage_error(tmp_path: Path) -> None:
    """With the numbers, before anything is submitted."""
    async with place_in(tmp_path, slots=1) as place:
        with pytest.raises(bkjob.UsageError, match=r"2 worker\(s\) have 2 slot\(s\) for 4 shard\(s\)"):
            await keep_soon(place)
        assert "bkjob-night" not in await what_dask_shows(place.dask.address)


async def test_journals_that_workers_cannot_open_are_usage_errors() -> None:
    """Those in memory, and those that were opened here."""
    require_dask()
    from bkjob_async.many.on_dask import journal_for_workers  # noqa: PLC0415 - only where Dask is installed

    with pytest.raises(bkjob.UsageError, match="redis://HOST"):
        journal_for_workers(bkjob.Fleet("night", journal="memory:"))
    async with bkjob.open_journal("redis://localhost") as journal:
        with pytest.raises(bkjob.UsageError, match="journal=URL"):
            journal_for_workers(bkjob.Fleet("night", journal=journal))
