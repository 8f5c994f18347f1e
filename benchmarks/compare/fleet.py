"""A simulated platform with many running jobs, in a process of its own."""

from __future__ import annotations

import asyncio
import gc
import json
import sys

from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.http import SimulatorServer
from bkjob_async.simulator.world.plans import HANGS, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World

SMALL, LARGE = StepPlan(hosts=1, outcomes=(HANGS,)), StepPlan(hosts=10, outcomes=(HANGS,))


def plan(number: int) -> SimulatedJob:
    """Return the plan of the job with this number."""
    if number % 100 == 0:
        return SimulatedJob(name="many hosts", steps=(LARGE,))
    return (
        SimulatedJob(name="five steps", steps=(SMALL,) * 5)
        if number % 10 == 0
        else SimulatedJob(steps=(SMALL,))
    )


async def serve(jobs: int) -> None:
    """Serve *jobs* jobs until stdin ends; print the URL and the ids of the first and the last job."""
    world = World(1)
    refs = [world.add(plan(number)) for number in range(jobs)]
    gc.freeze()
    async with SimulatorServer(Platform(world)) as server:
        print(json.dumps([server.url, refs[0].job_instance_id, refs[-1].job_instance_id]), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main(jobs: int) -> None:
    """Serve in this process."""
    asyncio.run(serve(jobs))
