"""Readers let other tasks run, however much there is to read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.world.plans import SUCCEEDS, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of

pytestmark = pytest.mark.looptime

MANY = 5000


async def read_with_others(reader: AsyncIterator[Any], until: int) -> tuple[list[Any], int]:
    """Return the first events or batches that are there, and how often another task could run while they were read."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    found = [await anext(reader) for _ in range(until)]
    running.cancel()
    return found, turns


async def test_a_reader_of_many_events_lets_other_tasks_run() -> None:
    """In the middle of a large batch; a few events are read at once."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=MANY, outcomes=(SUCCEEDS,)),)))
    async with client_of(world) as (client, _), client.watch(job) as watch:
        await watch.results()
        many, of_many = await read_with_others(aiter(watch.hosts()), MANY)
        _, of_few = await read_with_others(aiter(watch.hosts()), 9)

    assert len({event.host for event in many}) == MANY
    assert of_many >= 2
    assert of_few == 0


async def test_a_reader_that_is_cancelled_in_a_large_batch_loses_nothing() -> None:
    """It continues where it was."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=MANY, outcomes=(SUCCEEDS,)),)))
    async with client_of(world) as (client, _), client.watch(job) as watch:
        await watch.results()
        whole = [event async for event in watch]
        reader, found = aiter(watch), list[bkjob.Event]()
        while True:
            waiting = asyncio.ensure_future(anext(reader, None))
            if len(found) % 64 == 0:
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait([waiting])
            event = await (anext(reader, None) if waiting.cancelled() else waiting)
            if event is None:
                break
            found.append(event)

    assert found == whole


async def test_tasks_that_share_a_reader_are_given_each_event_once() -> None:
    """Also where several of them wait for the next batch, and some are cancelled meanwhile."""
    world = World(1)
    jobs = [world.add(SimulatedJob(steps=(StepPlan(hosts=5), StepPlan(hosts=5)))) for _ in range(3)]
    given: list[bkjob.Event] = []
    async with client_of(world) as (client, _), client.watch(jobs) as watch:
        reader = watch.events()

        async def work() -> None:
            async for event in reader:
                given.append(event)
                await asyncio.sleep(0)

        workers = [asyncio.create_task(work()) for _ in range(4)]
        await asyncio.sleep(2.5)
        workers.pop().cancel()
        await asyncio.gather(*workers)
        whole = [event async for event in watch]

    assert given == whole
