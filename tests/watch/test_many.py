"""Thousands of targets at once: few connections, few tasks, nothing left behind."""

import asyncio
import subprocess
import sys
import textwrap

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.world import World
from bkjob_async.simulator.world_plans import Fate, JobPlan, Span, StepPlan
from tests.watch.stage import client_of, keeps_its_promise

BUSY = Fate(runs=Span(5.0, 30.0))


def fleet(jobs: int) -> tuple[World, list[bkjob.JobRef]]:
    """Return a world of so many small jobs."""
    world = World(1)
    return world, [world.add(JobPlan(steps=(StepPlan(hosts=3, fates=(BUSY,)),))) for _ in range(jobs)]


@pytest.mark.looptime
async def test_two_thousand_targets_need_no_task_each() -> None:
    """The number of tasks follows the requests allowed in flight, not the targets."""
    world, jobs = fleet(2000)
    most_tasks = 0
    async with (
        client_of(world, latency=0.05, max_in_flight=16) as (client, door),
        client.watch(jobs) as watch,
    ):
        batches = []
        async for batch in watch.batches():
            batches.append(batch)
            if len(batches) % 100 == 0:
                most_tasks = max(most_tasks, len(asyncio.all_tasks()))
        stats = watch.stats()

    assert keeps_its_promise(batches, world)
    assert (stats.targets, stats.over) == (2000, 2000)
    assert door.most_in_flight <= 16
    # The workers, their supervisor, and this test.
    assert most_tasks <= 16 + 2


@pytest.mark.looptime
async def test_adding_thousands_lets_others_run_in_between() -> None:
    """Targets come in by slices: the loop has its turn between them."""
    world, jobs = fleet(1000)
    turns = 0
    async with client_of(world, latency=1.0) as (client, _), client.watch([], linger=None) as watch:
        watch.add(*jobs)
        while watch.stats().targets < 1000:
            turns += 1
            await asyncio.sleep(0)

    assert turns >= 10


LEAVING_EARLY = """
    import asyncio, warnings
    import bkjob_async as bkjob
    from bkjob_async.simulator.simulator import Simulator
    from bkjob_async.simulator.world_plans import HANGS, JobPlan, StepPlan

    async def main():
        asyncio.get_running_loop().slow_callback_duration = 60  # how long things take is not the question
        simulator = Simulator()
        jobs = [simulator.add(JobPlan(steps=(StepPlan(hosts=2, fates=(HANGS,)),))) for _ in range(2000)]
        credentials = bkjob.AppCredentials(bk_app_code="tests", bk_app_secret="secret", bk_username="admin")
        async with simulator.serve() as server:
            options = dict(max_in_flight=24, interval=0.5)
            async with bkjob.connect(server.url, credentials, dialect="DIALECT", **options) as client:
                async with client.watch(jobs) as watch:
                    told = 0
                    async for event in watch:
                        told += 1
                        if told > 3000:
                            break
                    connector = client._session.transport._session.connector
                    open_connections = sum(map(len, connector._conns.values())) + len(connector._acquired)
                    assert open_connections <= 24, open_connections
                assert told > 3000
                mine = {t for t in asyncio.all_tasks() if "bkjob_async watch" in t.get_name()}
                assert not mine, mine
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    asyncio.run(main())
    import gc; gc.collect()
"""


@pytest.mark.parametrize("dialect", ["gateway-v3", "esb-job"])
def test_leaving_early_leaves_no_task_no_socket_no_warning(dialect: str) -> None:
    """Over real sockets, with every warning an error."""
    program = textwrap.dedent(LEAVING_EARLY).replace("DIALECT", dialect)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
