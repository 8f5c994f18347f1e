"""What a defect of the poller or an observer does to open watches and to later ones."""

from __future__ import annotations

import asyncio
import logging

import pytest
from msgspec.structs import replace

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest
from bkjob_async.observe.observer import Observation, PollCompleted
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of, keeps_its_promise, watched

pytestmark = pytest.mark.looptime

PLAN = SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HostOutcome(duration=exactly(20.0)),)),))


def world_of(jobs: int) -> tuple[World, list[bkjob.JobRef]]:
    """Return a world of short jobs."""
    world = World(1)
    return world, [world.add(PLAN) for _ in range(jobs)]


async def test_a_crash_reaches_open_watches_as_itself_and_the_next_watch_is_polled() -> None:
    """The error is the defect's own; workers start anew, for new targets and for those that crashed."""
    world, jobs = world_of(40)
    async with client_of(world, latency=0.1) as (client, transport):

        def crash(_request: HttpRequest, now: float) -> None:
            if 3.0 < now < 4.0:
                raise ZeroDivisionError("a defect")

        transport.spoil = crash
        with pytest.raises(ZeroDivisionError, match="a defect"):
            await watched(client, *jobs[:30])
        await asyncio.sleep(2.0)
        async with asyncio.timeout(100.0):
            batches = await watched(client, *jobs[20:])

    assert keeps_its_promise(batches, world)
    finished = {event.ref for batch in batches for event in batch.events if isinstance(event, bkjob.Finished)}
    assert finished == set(jobs[20:])


async def test_a_watch_that_opens_while_workers_stop_after_a_crash_is_polled() -> None:
    """Its first look comes from workers that start anew."""
    world, jobs = world_of(2)
    async with client_of(world, latency=0.1) as (client, transport):

        def crash(_request: HttpRequest, now: float) -> None:
            if 3.0 < now < 4.0:
                raise ZeroDivisionError("a defect")

        transport.spoil = crash
        async with client.watch(jobs[0], linger=None) as watch:
            with pytest.raises(ZeroDivisionError):
                async for _ in watch:
                    pass
            transport.spoil = lambda _request, _now: None
            async with asyncio.timeout(100.0):
                result = await client.wait(jobs[1])

    assert result.ok


async def test_an_observer_that_raises_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once with its error and removed, and others receive everything."""
    world, jobs = world_of(3)
    failures: list[Observation] = []
    polls: list[Observation] = []

    def broken(observation: Observation) -> None:
        failures.append(observation)
        raise LookupError("a broken observer")

    with caplog.at_level(logging.WARNING, logger="bkjob_async"):
        async with client_of(world, observers=(broken, polls.append)) as (client, _):
            batches = await watched(client, *jobs)

    assert keeps_its_promise(batches, world)
    assert failures == polls[:1]
    assert sum(isinstance(each, PollCompleted) for each in polls) > 10
    said = [record for record in caplog.records if record.exc_info is not None]
    assert len(said) == 1
    assert "a broken observer" in caplog.text


async def test_an_observer_that_cancels_is_one_that_raises() -> None:
    """A `CancelledError` of its own making is not the engine's cancellation."""
    world, jobs = world_of(1)

    def broken(_observation: Observation) -> None:
        raise asyncio.CancelledError

    async with client_of(world, observers=(broken,)) as (client, _), asyncio.timeout(100.0):
        assert (await client.wait(jobs[0])).ok


@pytest.mark.parametrize("detail_level", [bkjob.DetailLevel.EVERY_CHANGE, bkjob.DetailLevel.END_ONLY])
async def test_poll_observations_carry_the_seconds_they_took(detail_level: bkjob.DetailLevel) -> None:
    """Whatever came of them: changes, none, a failure; the same holds for lists in place of polls."""
    world = World(1)
    plan = SimulatedJob(
        steps=(StepPlan(hosts=2, outcomes=(HostOutcome(duration=DurationRange(20.0, 300.0)),)),)
    )
    jobs: list[bkjob.Ref] = [world.add(plan) for _ in range(60)]
    jobs += [world.jobs[world.add(plan).job_instance_id].steps[0].ref for _ in range(10)]
    polls: list[Observation] = []
    async with client_of(world, latency=0.25, observers=(polls.append,)) as (client, transport):
        transport.tear = lambda response, now: (
            replace(response, status=502, body=b"")
            if now < 2.0 or (60.0 < now < 80.0 and len(response.body) > 3000)  # lists are long
            else response
        )
        async with client.watch(jobs, linger=None, detail_level=detail_level):
            await asyncio.sleep(120.0)

    reported = [each for each in polls if isinstance(each, PollCompleted)]
    kinds = {(each.ref is None, each.error is None, each.events > 0) for each in reported}
    of_lists = (
        {(True, False, False), (True, True, False)} if detail_level is bkjob.DetailLevel.END_ONLY else set()
    )
    assert kinds == {(False, False, False), (False, True, False), (False, True, True)} | of_lists
    assert [each.seconds for each in reported] == pytest.approx([0.25] * len(reported))
