"""Compressed responses are asked for where that is worth it."""

from __future__ import annotations

import asyncio

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest
from bkjob_async.simulator.world.plans import HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of

pytestmark = pytest.mark.looptime


def running(hosts: int) -> SimulatedJob:
    """Return a job that goes on."""
    return SimulatedJob(steps=(StepPlan(hosts=hosts, outcomes=(HostOutcome(status=None),)),))


async def test_a_new_job_is_taken_to_be_like_the_last_new_one() -> None:
    """Of the first one a compressed response is asked for; later polls go by the hosts that are known."""
    sizes = (2, 150, 2, 150, 150)
    world = World(3)
    jobs = [world.add(running(hosts)) for hosts in sizes]
    ids = {str(job.job_instance_id): number for number, job in enumerate(jobs)}
    accepted: list[list[bool]] = [[] for _ in jobs]

    def asked(request: HttpRequest, _now: float) -> None:
        accepted[ids[request.url.query["job_instance_id"]]].append(request.accept_compressed)

    async with client_of(world, "esb-job", interval=10.0) as (client, transport):
        await client.get_job_instance_status(jobs[0])
        await asyncio.sleep(10.0)  # until all run
        transport.spoil = asked
        async with client.watch([], linger=None) as watch:
            for job in jobs:
                watch.add(job)
                await asyncio.sleep(1.0)
            await asyncio.sleep(30.0)

    assert [first for first, *_ in accepted] == [True, False, True, False, True]
    assert [rest[1:3] for rest in accepted] == [[size == 150] * 2 for size in sizes]


async def test_the_response_to_renewed_credentials_is_asked_for_in_the_same_way() -> None:
    """What was refused says nothing of the size."""
    world = World(3)
    job = world.add(running(150))
    accepted: list[bool] = []

    def refused_once(request: HttpRequest, _now: float) -> bkjob.BkJobError | None:
        accepted.append(request.accept_compressed)
        return bkjob.NotAuthenticated(bkjob.ErrorDetails()) if len(accepted) == 3 else None

    async def renewed() -> bkjob.AppCredentials:
        return bkjob.AppCredentials(bk_app_code="tests", bk_app_secret="not-to-be-seen", bk_username="admin")

    async with client_of(world, "esb-job", interval=10.0, credentials=renewed) as (client, transport):
        transport.spoil = refused_once
        async with client.watch(job):
            await asyncio.sleep(45.0)

    assert accepted == [True] * len(accepted)
    assert len(accepted) >= 6
