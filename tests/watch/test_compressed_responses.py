"""Compressed responses are asked for where that is worth it."""

from __future__ import annotations

import asyncio

import pytest

from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.world.plans import HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of

pytestmark = pytest.mark.looptime
RUNS = SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HostOutcome(status=None),)),))


async def test_the_size_of_the_last_response_predicts_that_of_the_next() -> None:
    """That of each job; the first one of a job is taken to be like the last one of another, and at first worth it."""
    sizes = {1: [100, 100, 100_000, 100_000, 5_000_000], 2: [100_000]}
    world = World(3)
    jobs = [world.add(RUNS) for _ in sizes]
    ids = {str(job.job_instance_id): number for number, job in enumerate(jobs, 1)}
    accepted: dict[int, list[bool]] = {1: [], 2: []}

    def asked(request: HttpRequest, _now: float) -> None:
        accepted[ids[request.url.query["job_instance_id"]]].append(request.accept_compressed)

    def padded(request: HttpRequest, response: HttpResponse, _now: float) -> HttpResponse:
        number = ids[request.url.query["job_instance_id"]]
        size = sizes[number][min(len(accepted[number]), len(sizes[number])) - 1]
        return HttpResponse(status=200, headers=response.headers, body=response.body.ljust(size))

    async with client_of(world, interval=10.0) as (client, transport):
        transport.spoil, transport.outdate = asked, padded
        async with client.watch(jobs[0]) as watch:
            await asyncio.sleep(5.0)
            watch.add(jobs[1])
            await asyncio.sleep(70.0)

    assert accepted[1][:6] == [True, False, False, True, True, False]
    assert accepted[2][:4] == [False, True, True, True]
