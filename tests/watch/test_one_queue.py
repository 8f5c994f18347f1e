"""Polls and calls wait in one queue: what a permit costs when nothing, or something else, is sent with it."""

import asyncio
from itertools import pairwise

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.world.plans import HANGS, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import CREDENTIALS, client_of

pytestmark = pytest.mark.looptime

LONG = SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HANGS,)),))


async def test_polls_that_wait_for_credentials_hold_up_no_call_with_its_own() -> None:
    """The provider has a vault that does not answer; there is one permit."""
    world, goes_on = World(1, at_once=True), asyncio.Event()
    jobs = [world.add(LONG) for _ in range(3)]

    async def provide() -> bkjob.Credentials:
        await goes_on.wait()
        return CREDENTIALS

    async with (
        client_of(world, credentials=provide, max_in_flight=1) as (client, _),
        client.watch(jobs, linger=None) as watch,
    ):
        await asyncio.sleep(5)
        own = client.with_options(credentials=CREDENTIALS)
        async with asyncio.timeout(1):
            found = await own.get_job_instance_status(jobs[0])
        assert watch.snapshot(jobs[0]) is None
        goes_on.set()
        waiting = []
        for _ in range(50):
            await asyncio.sleep(0.1)
            waiting.append(client.stats().queue)
        seen = [watch.snapshot(job) for job in jobs]

    assert found.ref == jobs[0]
    assert None not in seen
    assert min(waiting) == 0  # all are due together, and go one by one


async def test_a_poll_whose_credentials_were_refused_is_sent_again_within_the_rate() -> None:
    """The secret is changed while the watch runs; each request needs a permit of its own, where there is one at a time."""
    world, given = World(1, at_once=True), ["old", "new"]
    platform, job = Platform(world, SiteConfig(app_secret="old")), world.add(LONG)

    async def provide() -> bkjob.Credentials:
        return bkjob.AppCredentials(bk_app_code="tests", bk_app_secret=given.pop(0), bk_username="admin")

    async with (
        client_of(platform, credentials=provide, max_in_flight=1, requests_per_second=0.5, interval=1.0) as (
            client,
            transport,
        ),
        client.watch(job, linger=None),
    ):
        await asyncio.sleep(9.5)
        platform.site = SiteConfig(app_secret="new")
        await asyncio.sleep(11.5)
        in_flight = client.stats().in_flight

    assert given == []
    assert min(later - earlier for earlier, later in pairwise(transport.times)) >= 1.99
    assert in_flight == 0
