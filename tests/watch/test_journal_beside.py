"""A fleet beside another watch of the same client, which follows the same jobs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from unittest import mock

import pytest

import bkjob_async as bkjob
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.keep import Keep
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.world.plans import (
    HANGS,
    DurationRange,
    HostOutcome,
    Rolling,
    SimulatedJob,
    StepPlan,
)
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of
from tests.watch.history_faults import FORBIDDEN_BY_CODE
from tests.watch.test_journal import reading

pytestmark = pytest.mark.looptime

# A step whose hosts are left running when it is abnormal, and one that never begins.
STUCK = SimulatedJob(
    steps=(
        StepPlan(hosts=2, outcomes=(HANGS,), abnormal_after=5.0),
        StepPlan(hosts=2, outcomes=(HostOutcome(duration=DurationRange(1.0, 2.0)),)),
    )
)


async def lives_beside(
    world: World, targets: Sequence[bkjob.Ref], beside: Sequence[bkjob.Ref]
) -> list[list[bkjob.Event]]:
    """Watch *targets* to their end; then in a second process in which another watch follows *beside*."""
    store = MemoryStore()
    async with client_of(Platform(world)) as (client, _):
        watch = client.watch(targets, journal=Journal(store), name="night", linger=None)
        async with watch, reading(watch) as first:
            await asyncio.sleep(180.0)
    async with client_of(Platform(world)) as (client, _), client.watch(beside, linger=None):
        await asyncio.sleep(2.0)
        watch = client.watch(journal=Journal(store), name="night", linger=None)
        async with watch, reading(watch, first[-1].cursor) as second:
            await asyncio.sleep(180.0)
    return [first, second]


PARTS = {"job": (), "first": (0,), "last": (-1,), "steps": (0, 1)}


def parts_of(world: World, job: bkjob.JobRef, what: str) -> list[bkjob.Ref]:
    """Return the job, or the steps of it that are meant."""
    steps = world.jobs[job.job_instance_id].steps
    return [steps[number].ref for number in PARTS[what]] or [job]


@pytest.mark.parametrize("beside", PARTS)
@pytest.mark.parametrize("targets", PARTS)
async def test_an_end_is_reported_once(targets: str, beside: str) -> None:
    """Whatever the other watch follows, and while it waits for steps of the job to settle."""
    world = World(1)
    job = world.add(STUCK)
    world.advance(1.0)

    first, second = await lives_beside(world, parts_of(world, job, targets), parts_of(world, job, beside))

    assert first[-1].kind == "finished"
    assert second[-1].kind == "in_sync"
    assert not {"reopened", "finished", "job_changed"} & {event.kind for event in second}


async def test_what_has_ended_is_not_lost_later() -> None:
    """The other watch reads the job anew, and gets an error; the fleet has the result from before."""
    world, store = World(1), MemoryStore()
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2),)))
    async with client_of(Platform(world)) as (client, _):
        watch = client.watch(job, journal=Journal(store), name="night", linger=None)
        async with watch, reading(watch) as first:
            await asyncio.sleep(60.0)
            before = watch.progress(job)
    async with client_of(Platform(world)) as (client, transport), client.watch(job, linger=None) as beside:
        transport.spoil = lambda _request, _now: FORBIDDEN_BY_CODE
        watch = client.watch(journal=Journal(store), name="night", linger=None)
        async with watch, reading(watch, first[-1].cursor) as second, reading(beside) as other:
            await asyncio.sleep(60.0)
            after = watch.progress(job)
            results = {event.ref: event for event in second if isinstance(event, bkjob.Finished | bkjob.Lost)}

    assert [event.kind for event in other] == ["trouble", "in_sync", "lost"]
    assert [event.kind for event in second] == ["resumed", "in_sync"]
    assert after == before
    assert results == {}


@pytest.mark.parametrize("seconds", [16.0, 18.0, 20.0, 22.0, 24.0])
async def test_the_status_before_is_what_was_reported(seconds: float) -> None:
    """Batches run on the same hosts; where none is listed when the other watch reads the step, it has no host."""
    world, store = World(1), MemoryStore()
    batches = StepPlan(hosts=1, rolling=Rolling(sizes=(1, 1, 1), mode=2, kind=2))
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=1), batches)))
    async with client_of(Platform(world)) as (client, _):
        watch = client.watch(job, journal=Journal(store), name="night", linger=None)
        async with watch, reading(watch) as first:
            await asyncio.sleep(seconds)
    async with client_of(Platform(world)) as (client, _), client.watch(job, linger=None):
        watch = client.watch(journal=Journal(store), name="night", linger=None)
        async with watch, reading(watch, first[-1].cursor) as second:
            await asyncio.sleep(60.0)

    reported: dict[object, bkjob.HostStatus | None] = {}
    for change in (event for event in [*first, *second] if isinstance(event, bkjob.HostChanged)):
        assert change.before == reported.get((change.ref, change.host))
        assert change.before != change.after
        reported[change.ref, change.host] = change.after


async def test_a_checkpoint_knows_when_the_fleet_was_given_a_host() -> None:
    """The state that another watch began has numbers of its own for what the fleet was given earlier."""
    world, store = World(1), MemoryStore(Keep(bytes=1))
    late = HostOutcome(duration=DurationRange(40.0, 100.0))
    job = world.add(
        SimulatedJob(steps=(StepPlan(hosts=2), StepPlan(hosts=12, outcomes=(late,), pinned={0: HANGS})))
    )
    with mock.patch("bkjob_async.watch.journaling.checkpoints.SMALLEST_WEIGHT", 0):
        async with client_of(Platform(world)) as (client, _):
            watch = client.watch(job, journal=Journal(store), name="night", linger=None)
            async with watch, reading(watch) as first:
                await asyncio.sleep(30.0)
        async with client_of(Platform(world)) as (client, _):
            async with client.watch(job, linger=None):
                await asyncio.sleep(2.0)
                watch = client.watch(journal=Journal(store), name="night", linger=None)
                await watch.__aenter__()
                await asyncio.sleep(2.0)
            await asyncio.sleep(100.0)
            await watch.aclose()
        # From here on the reader has not had the hosts of the second step.
        before = first[
            [event.ref for event in first].index(world.jobs[job.job_instance_id].steps[1].ref, 4) - 1
        ]
        async with client_of(Platform(world)) as (client, _):
            watch = client.watch(journal=Journal(store), name="night", linger=None)
            async with watch, reading(watch, before.cursor) as second:
                await asyncio.sleep(10.0)

    given = Counter(event.host for event in second if isinstance(event, bkjob.HostChanged))
    assert len(given) == 12
