"""A platform that was restored from a backup shows an earlier execution of a step, and never the later one again."""

import asyncio
from random import Random

import pytest

import bkjob_async as bkjob
from bkjob_async.journal.journal import open_journal
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.world.plans import HANGS, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import broken_promises
from tests.watch.clients import ALL_DIALECTS, client_of
from tests.watch.histories import FAILS

pytestmark = pytest.mark.looptime

JOB = SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(FAILS,), retry_outcomes=(HANGS,)),))


def old_platform() -> Platform:
    """Return the platform as it was before the retry: the same job, which nobody retries."""
    world = World(1)
    world.add(JOB)
    return Platform(world)


async def batches_of(watch: bkjob.Watch, batches: list[bkjob.Batch], times: list[float]) -> None:
    """Read a watch to its end."""
    async for batch in watch.batches():
        batches.append(batch)
        times.append(asyncio.get_running_loop().time())


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
async def test_an_earlier_execution_that_stays_is_a_new_look(dialect: str) -> None:
    """After half a minute its statuses are reported in a new epoch, and the end that the job had; a journal has the same."""
    world = World(1)
    job = world.add(JOB)
    batches: list[bkjob.Batch] = []
    times: list[float] = []
    async with (
        client_of(world, dialect) as (client, transport),
        open_journal(f"memory:restored-{dialect}") as journal,
    ):
        old = old_platform()
        transport.outdate = lambda request, response, now: (
            old.respond(request, now) if now > 60.0 else response
        )
        async with client.watch(job, linger=100.0, deadline=900.0, journal=journal, name="fleet") as watch:
            reading = asyncio.create_task(batches_of(watch, batches, times))
            await asyncio.sleep(30.0)
            world.operate_step(world.jobs[job.job_instance_id].current_step, 2)
            await reading
            counts, (result,) = watch.counts(), (await watch.results()).values()
            snapshot = watch.snapshot(job)
        async with client.watch(journal=journal, name="fleet", deadline=100.0) as later:
            (again,) = (await later.results()).values()

    events = [event for batch in batches for event in batch.events]
    steps = [event for event in events if isinstance(event, bkjob.StepChanged)]
    reported = next(time for time, batch in zip(times, batches, strict=True) if time > 60.0 and batch.events)
    assert broken_promises(batches) == []
    assert 90.0 <= reported <= 115.0
    assert [event.execute_count for event in steps][-1] == 0
    assert [event.epoch for event in steps] == sorted(event.epoch for event in steps)
    assert counts == {bkjob.Phase.FAILED: 3}
    assert isinstance(result, bkjob.JobResult)
    assert result.status.code == 4
    assert snapshot is not None
    assert isinstance(again, bkjob.JobResult)
    assert again.steps[0].hosts == {bkjob.Phase.FAILED: 3}


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
async def test_a_replica_that_lags_now_and_then_changes_nothing(dialect: str) -> None:
    """Four of ten responses are old for minutes, and nothing is reported of them."""
    world = World(1)
    job = world.add(JOB)
    batches: list[bkjob.Batch] = []
    times: list[float] = []
    async with client_of(world, dialect) as (client, transport):
        old, dice = old_platform(), Random(1)
        transport.outdate = lambda request, response, now: (
            old.respond(request, now) if 60.0 < now < 360.0 and dice.random() < 0.4 else response
        )
        async with client.watch(job, linger=100.0, deadline=400.0) as watch:
            reading = asyncio.create_task(batches_of(watch, batches, times))
            await asyncio.sleep(30.0)
            world.operate_step(world.jobs[job.job_instance_id].current_step, 2)
            with pytest.raises(bkjob.DeadlineExceeded):
                await reading

    assert broken_promises(batches) == []
    assert not [time for time in times if 65.0 < time < 395.0]
