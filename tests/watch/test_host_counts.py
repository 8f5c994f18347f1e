"""A gauge of ten lines agrees with the watch, whatever happens to the hosts that it counts."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bkjob_async as bkjob
from bkjob_async.simulator.world.plans import (
    FAILS,
    HANGS,
    HostOutcome,
    Rolling,
    SimulatedJob,
    StepPlan,
    exactly,
)
from bkjob_async.simulator.world.world import World
from bkjob_async.watch.stream import target_states
from tests.watch.clients import client_of
from tests.watch.gauge import Gauge, has_read_all
from tests.watch.inside import jobs_to_count, limit_log
from tests.watch.test_event_cursors import a_few, all_of, in_virtual_time, operate, operations, plans

pytestmark = pytest.mark.looptime
SLOW = HostOutcome(duration=exactly(20.0))
TWO_RED = StepPlan(hosts=4, outcomes=(SLOW,), pinned={0: FAILS, 1: FAILS}, retry_outcomes=(SLOW,))


async def follow(gauge: Gauge, watch: bkjob.Watch, after: str | None = None, until: float = 1e9) -> str:
    """Count what is reported, comparing with the watch whenever all was read; return where it was left."""
    reader, cursor = watch.batches(after=after), after or ""
    try:
        while True:
            async with asyncio.timeout_at(until):
                batch = await anext(reader)
            for event in batch.events:
                gauge.count(event)
            cursor = batch.cursor
            if has_read_all(reader, watch):
                assert gauge.total(watch.targets) == watch.counts()
    except (TimeoutError, StopAsyncIteration, bkjob.DeadlineExceeded):
        return cursor


@pytest.mark.parametrize("operation", [2, 8])
async def test_a_retry_takes_the_hosts_of_the_execution_before_out_of_their_phases(operation: int) -> None:
    """Of failed hosts only, or of all: each host counts once."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(TWO_RED,)))
    gauge = Gauge()
    async with client_of(world) as (client, _), client.watch(job, linger=None) as watch:
        await follow_for(40, gauge, watch)
        assert gauge.total(watch.targets) == {bkjob.Phase.SUCCESS: 2, bkjob.Phase.FAILED: 2}
        step = world.jobs[job.job_instance_id].steps[0].ref
        await client.operate_step_instance(step, operation_code=operation)
        reader_at = await follow_for(60, gauge2 := Gauge(), watch)

        assert watch.counts() == {bkjob.Phase.SUCCESS: 4}
        assert gauge2.total(watch.targets) == watch.counts()
        assert reader_at


async def follow_for(seconds: float, gauge: Gauge, watch: bkjob.Watch) -> str:
    """Count what is reported from the beginning until so long from now."""
    return await follow(gauge, watch, until=asyncio.get_running_loop().time() + seconds)


async def test_all_targets_are_counted_once_wherever_they_overlap() -> None:
    """A job and its step are the same hosts; what is dropped counts no more, what is lost as it was last seen."""
    world = World(1)
    jobs = [world.add(SimulatedJob(steps=(StepPlan(hosts=4, outcomes=(HANGS,)),) * 2)) for _ in range(3)]
    step = world.jobs[jobs[0].job_instance_id].steps[0].ref
    async with client_of(world) as (client, _), client.watch([*jobs, step], linger=None) as watch:
        await asyncio.sleep(20)
        whole = Counter(watch.counts())
        each = sum((Counter(watch.counts(job)) for job in jobs), Counter[bkjob.Phase]())
        watch.drop(jobs[0])
        await asyncio.sleep(1)
        left = Counter(watch.counts())

    assert whole == each
    assert whole - left == Counter(watch.counts(jobs[1])) - Counter(watch.counts(step))
    assert Counter(watch.counts()) == left


@a_few
@given(
    plans,
    operations,
    st.sampled_from([12, 100_000]),
    st.floats(0.1, 100.0),
    st.just(0.0) | st.floats(0.1, 60.0),
)
def test_the_gauge_agrees_with_the_watch(
    plans: tuple[SimulatedJob, ...],
    operations: list[tuple[float, int, int]],
    log_limit: int,
    pause: float,
    head_start: float,
) -> None:
    """Through retries, rolling, ignored errors, compaction, late readers, in a later watch too."""

    async def act(client: bkjob.JobClient, world: World, refs: list[bkjob.JobRef]) -> None:
        watch = client.watch(refs, deadline=150.0, linger=None)
        limit_log(watch, log_limit)
        gauge = Gauge()
        loop = asyncio.get_running_loop()
        async with watch:
            acting = asyncio.create_task(operate(client, world, refs, operations))
            cursor = await follow(gauge, watch, until=loop.time() + head_start) if head_start else ""
            await asyncio.sleep(pause)
            cursor = await follow(gauge, watch, cursor, until=loop.time() + 60.0)
        async with client.watch(refs, deadline=100.0, linger=None) as later:
            await follow(Gauge(), later, cursor)
            fresh = Gauge()
            for event in await all_of(later.events()):
                fresh.count(event)
        await acting

        assert later.counts() == fresh.total(later.targets)

    in_virtual_time(plans, act)


async def test_the_gauge_agrees_through_rolling_batches() -> None:
    """Hosts come batch by batch; a retry begins with the counts of nothing."""
    world = World(1)
    step = StepPlan(
        hosts=6, outcomes=(FAILS, SLOW), retry_outcomes=(SLOW,), rolling=Rolling(sizes=(2, 2, 2), mode=1)
    )
    job = world.add(SimulatedJob(steps=(step,)))
    gauge = Gauge()
    async with client_of(world) as (client, _), client.watch(job, linger=None, deadline=300.0) as watch:
        ref = world.jobs[job.job_instance_id].steps[0].ref
        following = asyncio.create_task(follow(gauge, watch))
        await asyncio.sleep(100)
        await client.operate_step_instance(ref, operation_code=8)
        await following
        assert gauge.steps[ref].total() > 0

        assert gauge.total(watch.targets) == watch.counts()


@pytest.mark.looptime
async def test_jobs_that_come_and_go_are_not_noted_for_counts_that_nobody_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A watch may be open for weeks, and its counts be read once."""
    monkeypatch.setattr(target_states, "FEW_CHANGED", 20)
    world = World(4)
    jobs = [world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(SLOW,)),))) for _ in range(100)]
    noted = list[int]()
    async with client_of(world) as (client, _), client.watch(linger=None) as watch:
        before = watch.counts()
        for number, job in enumerate(jobs):
            watch.add(job)
            watch.drop(*jobs[max(0, number - 10) : number - 9])
            await asyncio.sleep(1.0)
            noted.append(jobs_to_count(watch))
        counts = watch.counts()

    assert before == {}
    assert max(noted) <= 20
    assert sum(counts.values()) == 2 * 10
