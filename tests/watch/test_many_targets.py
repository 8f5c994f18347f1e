"""Thousands of targets at once: few connections, few tasks, nothing left behind."""

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import CREDENTIALS, client_of, keeps_its_promise

pytestmark = pytest.mark.slow

BUSY = HostOutcome(duration=DurationRange(5.0, 30.0))


def fleet(jobs: int) -> tuple[World, list[bkjob.JobRef]]:
    """Return a world of so many small jobs."""
    world = World(1)
    return world, [world.add(SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(BUSY,)),))) for _ in range(jobs)]


@pytest.mark.looptime
async def test_two_thousand_targets_need_no_task_each() -> None:
    """The number of tasks follows the requests allowed in flight, not the targets."""
    world, jobs = fleet(2000)
    most_tasks = 0
    async with (
        client_of(world, latency=0.05, max_in_flight=16) as (client, transport),
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
    assert transport.most_in_flight <= 16
    # The workers, their supervisor, and this test.
    assert most_tasks <= 16 + 2


async def test_a_deadline_names_targets_that_were_not_added_yet() -> None:
    """Nothing is known of them, and what becomes of them is as unknown."""
    world, jobs = fleet(1000)
    async with client_of(world, latency=1.0) as (client, _), client.watch(jobs, deadline=1e-9) as watch:
        with pytest.raises(bkjob.DeadlineExceeded) as caught:
            await watch.results()

    assert [*caught.value.snapshots] == jobs
    assert set(caught.value.snapshots.values()) == {None}
    assert str(caught.value).startswith("1000 targets not over")


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


async def turns_until(done: Callable[[], bool]) -> int:
    """Count the turns of the loop that others have until something is done."""
    turns = 0
    while not done():
        turns += 1
        await asyncio.sleep(0)
    return turns


@pytest.mark.looptime
async def test_dropping_thousands_lets_others_run_in_between() -> None:
    """Targets leave as they came; what is added again afterwards is watched."""
    world, jobs = fleet(1000)
    async with client_of(world, latency=1.0) as (client, _), client.watch(jobs, linger=None) as watch:
        await turns_until(lambda: watch.stats().targets == 1000)
        watch.drop(*jobs)
        watch.add(jobs[0])
        turns = await turns_until(lambda: watch.stats().targets == 1)

    assert turns >= 10
    assert watch.targets == {jobs[0]}


@pytest.mark.looptime
async def test_closing_a_watch_of_thousands_lets_others_run_in_between() -> None:
    """It is over at once, and let go of in slices; afterwards nothing is asked, and all can still be looked up."""
    world, jobs = fleet(1000)
    async with client_of(world, latency=0.01) as (client, transport):
        watch = client.watch(jobs)
        async with watch:
            await asyncio.sleep(4.0)
            known = [watch.snapshot(job) for job in jobs]
            closing = asyncio.ensure_future(watch.aclose())
            turns = await turns_until(closing.done)
        asked = transport.requests
        await asyncio.sleep(60.0)

    assert turns >= 10
    assert all(known)
    assert [watch.snapshot(job) for job in jobs] == known
    assert transport.requests == asked


@pytest.mark.looptime
async def test_what_was_seen_outlives_the_client() -> None:
    """A client that is closed under a large watch leaves it its last look at every target."""
    world, jobs = fleet(1000)
    async with client_of(world, latency=0.01) as (client, _):
        watch = await client.watch(jobs).__aenter__()
        await asyncio.sleep(4.0)
        known = [watch.snapshot(job) for job in jobs]
    with pytest.raises(bkjob.ClientClosed):
        await watch.results()

    assert all(known)
    assert [watch.snapshot(job) for job in jobs] == known


@pytest.mark.looptime
async def test_a_large_watch_is_left_even_by_a_task_that_is_cancelled() -> None:
    """Nothing is polled any more, however impatient its owner was."""
    world, jobs = fleet(1000)
    async with client_of(world, latency=0.01) as (client, transport):
        watch = await client.watch(jobs).__aenter__()
        await asyncio.sleep(4.0)
        closing = asyncio.ensure_future(watch.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        asked = transport.requests
        await asyncio.sleep(60.0)
        workers = [task for task in asyncio.all_tasks() if "bkjob_async watch" in task.get_name()]

    assert transport.requests == asked
    assert workers == []


LEAVING_EARLY = """
    import asyncio, warnings
    import bkjob_async as bkjob
    from bkjob_async.simulator.simulator import Simulator
    from bkjob_async.simulator.world.plans import HANGS, SimulatedJob, StepPlan

    async def main():
        asyncio.get_running_loop().slow_callback_duration = 60  # how long things take is not the question
        simulator = Simulator()
        jobs = [simulator.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HANGS,)),))) for _ in range(2000)]
        credentials = bkjob.AppCredentials(bk_app_code="tests", bk_app_secret="secret", bk_username="admin")
        async with simulator.serve() as server:
            options = dict(max_in_flight=24, interval=0.5)
            async with bkjob.connect(server.url, credentials, dialect="DIALECT", **options) as client:
                async with client.watch(jobs) as watch:
                    events = 0
                    async for event in watch:
                        events += 1
                        if events > 3000:
                            break
                    pool = client._session.transport._fast._pool
                    open_connections = sum(each.is_open for each in pool._connections)
                    assert 0 < open_connections <= 24, open_connections
                assert events > 3000
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


@pytest.mark.looptime
async def test_targets_that_wait_for_credentials_need_no_task_each() -> None:
    """While a provider takes its time, no more requests wait for it than may be under way; then all targets are read."""
    world, jobs = fleet(200)
    tasks: list[int] = []

    async def provider() -> bkjob.Credentials:
        await asyncio.sleep(5.0)
        tasks.append(len(asyncio.all_tasks()))
        return CREDENTIALS

    async with (
        client_of(world, credentials=provider, max_in_flight=16) as (client, _),
        client.watch(jobs) as watch,
    ):
        batches = [batch async for batch in watch.batches()]

    assert keeps_its_promise(batches, world)
    assert tasks[0] < 40
