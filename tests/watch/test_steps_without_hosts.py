"""Steps that have no hosts end when they are seen to, in every dialect."""

import asyncio

import pytest

from bkjob_async.simulator.world.codes import CONFIRM
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import ALL_DIALECTS, client_of

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
@pytest.mark.parametrize(("operation", "code"), [(9, 13), (6, 3)], ids=["refused", "confirmed"])
async def test_a_confirmation_that_ended_is_told_at_once(dialect: str, operation: int, code: int) -> None:
    """It has no hosts, and version 4 has no list of them."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(kind=CONFIRM, hosts=0),)))
    async with client_of(world, dialect, interval=1.0) as (client, transport):
        transport.clock.now()
        await asyncio.sleep(3.0)
        world.advance(3.0)
        world.operate_step(world.jobs[job.job_instance_id].current_step, operation)
        result = await client.wait(job, deadline=20.0)

    assert result.status.code == code
