"""Nudges: a poll at once, and many of them are few polls."""

from __future__ import annotations

import asyncio

import pytest

from bkjob_async.simulator.world.plans import HANGS, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of
from tests.watch.inside import nudged_in

pytestmark = pytest.mark.looptime
PLAN = SimulatedJob(steps=(StepPlan(hosts=4, outcomes=(HANGS,)),))


async def test_a_thousand_nudges_within_a_second_are_two_polls() -> None:
    """One at once, and one when the second is over, for all others: a webhook cannot use up the quota."""
    world = World(1)
    job = world.add(PLAN)
    async with client_of(world, interval=60.0) as (client, transport), client.watch(job) as watch:
        await asyncio.sleep(70)
        before = transport.requests
        for number in range(1000):
            (watch, client)[number % 2].nudge(job)
            await asyncio.sleep(0.0005)
        await asyncio.sleep(20)
        times = transport.times[before:]

    assert [round(time, 2) for time in times] == [70.0, 71.0]


async def test_nudges_that_are_a_second_apart_are_polls_at_once() -> None:
    """And one for a job that is no target any more is none."""
    world = World(1)
    job, other = world.add(PLAN), world.add(PLAN)
    async with client_of(world, interval=60.0) as (client, transport), client.watch([job, other]) as watch:
        await asyncio.sleep(70)
        before = transport.requests
        for _ in range(3):
            watch.nudge(job)
            await asyncio.sleep(1.0)
        watch.nudge(job)
        watch.nudge(job)
        watch.drop(job)
        await asyncio.sleep(10)
        times = transport.times[before:]

    assert [round(time, 2) for time in times] == [70.0, 71.0, 72.0]


async def test_a_nudge_for_a_job_that_is_added_again_is_not_lost() -> None:
    """It waits for the end of the second like any other, and those of jobs that were nudged long ago are forgotten."""
    world = World(1)
    job, other = world.add(PLAN), world.add(PLAN)
    async with client_of(world, interval=60.0) as (client, transport), client.watch([job, other]) as watch:
        await asyncio.sleep(70)
        watch.nudge(job)
        await asyncio.sleep(0.25)
        watch.nudge(job)
        watch.drop(job)
        watch.add(job)
        await asyncio.sleep(0.25)
        before = transport.requests
        watch.nudge(job)
        await asyncio.sleep(10)
        assert [round(time, 2) for time in transport.times[before:]] == [71.0]

        watch.nudge(other)
        assert nudged_in(client) == {other}
