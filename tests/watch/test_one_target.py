"""An open watch waits for one of its targets, and says how it is."""

from __future__ import annotations

import asyncio

import pytest

import bkjob_async as bkjob
from bkjob_async.engine.journaling.inbox_entries import entries_of
from bkjob_async.engine.tracking.step_state import SETTLE_BOUND
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.simulator.world.plans import FAILS, SUCCEEDS, HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of
from tests.watch.inside import note_operation

pytestmark = pytest.mark.looptime
LONG = HostOutcome(duration=exactly(60.0))
AGAIN = SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(FAILS,), retry_outcomes=(SUCCEEDS,)),))


async def test_a_target_that_has_ended_is_not_waited_for_until_it_runs_again() -> None:
    """The end from before is the result at once; once it is reopened, the next end is."""
    world = World(1)
    job = world.add(AGAIN)
    async with client_of(world) as (client, _), client.watch(job, linger=None) as watch:
        first = await watch.wait(job)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        same = await watch.wait(job)
        assert loop.time() == begun
        await client.operate_step_instance(first.steps[0].ref, operation_code=2)
        async for event in watch:
            if isinstance(event, bkjob.Reopened):
                break
        again = await watch.wait(job)

    assert (first.ok, same, again.ok) == (False, first, True)


async def test_a_wait_is_for_one_target_of_many() -> None:
    """Others go on, and a condition is about its hosts alone."""
    world = World(1)
    short, long = world.add(AGAIN), world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(LONG,)),)))
    async with client_of(world) as (client, _), client.watch([short, long], linger=None) as watch:
        failed = await watch.wait(short, until=bkjob.FirstFailure())
        seen = watch.snapshot(long)
        assert seen is None or not seen.is_finished
        with pytest.raises(bkjob.ConditionUnreachable):
            await watch.wait(long, until=bkjob.FirstFailure())
        done = await watch.wait(long, until=bkjob.HostsDone(1.0))

    assert [result.ref for result in (failed, done)] == [short, long]


async def test_what_cannot_be_waited_for_says_why() -> None:
    """What is no target, what is lost, what is no condition, and a watch that is not open."""
    world = World(1)
    job, missing = world.add(AGAIN), bkjob.JobRef(bkjob.Scope.biz(2), 99)
    async with client_of(world) as (client, _):
        watch = client.watch([job, missing], linger=None)
        with pytest.raises(bkjob.UsageError, match="open the watch first"):
            await watch.wait(job)
        async with watch:
            with pytest.raises(bkjob.UsageError, match="no target"):
                await watch.wait(job.step(5))
            with pytest.raises(bkjob.UsageError, match="is a condition"):
                await watch.wait(job, until=bkjob.FirstFailure)  # type: ignore[arg-type]
            for _ in range(2):
                with pytest.raises(bkjob.TargetLost):
                    await watch.wait(missing)


async def test_a_wait_in_a_watch_that_is_closed_says_so() -> None:
    """It is the program that closes a watch."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(LONG,)),)))
    async with client_of(world) as (client, _):
        async with client.watch(job) as watch:
            wait = asyncio.create_task(watch.wait(job))
            await asyncio.sleep(1)
        with pytest.raises(bkjob.UsageError, match=r"the watch was closed while a wait for .* went on"):
            await asyncio.wait_for(wait, 1)


@pytest.mark.parametrize("linger", [0.0, None])
async def test_a_wait_for_a_target_that_is_dropped_says_so(linger: float | None) -> None:
    """At once, and with the error of a wait that begins behind the drop, whether the watch goes on or ends."""
    world = World(1)
    plan = SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(LONG,)),))
    kept, dropped = world.add(plan), world.add(plan)
    async with client_of(world) as (client, _):
        for targets in ([kept, dropped], [dropped]):
            async with client.watch(targets, linger=linger) as watch:
                wait = asyncio.create_task(watch.wait(dropped))
                await asyncio.sleep(1)
                watch.drop(dropped)
                with pytest.raises(bkjob.UsageError) as error:
                    await asyncio.wait_for(wait, 1)
                assert (
                    str(error.value) == f"{dropped} was dropped from this watch while a wait for it went on"
                )


async def test_a_wait_goes_on_for_a_target_that_is_dropped_and_added_again() -> None:
    """It is a target as before."""
    world = World(1)
    job = world.add(AGAIN)
    async with client_of(world) as (client, _), client.watch(job, linger=None) as watch:
        wait = asyncio.create_task(watch.wait(job))
        await asyncio.sleep(0.1)
        watch.drop(job)
        watch.add(job)
        result = await asyncio.wait_for(wait, 600)

    assert result.ref == job


async def test_a_watch_that_is_paused_polls_nothing_until_it_goes_on() -> None:
    """With a journal or without."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(LONG,)),)))
    async with client_of(world, interval=1.0) as (client, transport), client.watch(job) as watch:
        await asyncio.sleep(5.0)
        watch.is_paused = True
        await asyncio.sleep(1.0)
        asked = transport.requests
        await asyncio.sleep(30.0)
        assert (transport.requests, watch.is_paused) == (asked, True)
        watch.is_paused = False

        assert (await watch.wait(job)).ok


async def test_a_watch_says_whether_it_is_open_and_what_ended_it() -> None:
    """Before, during, and behind a deadline."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(LONG,)),)))
    async with client_of(world) as (client, _):
        watch = client.watch(job, deadline=5.0)
        assert (watch.is_open, watch.recording) == (False, None)
        async with watch:
            assert (watch.is_open, watch.error, watch.active) == (True, None, 1)
            with pytest.raises(bkjob.DeadlineExceeded) as raised:
                await watch.results()
            assert (watch.is_open, watch.error) == (False, raised.value)


async def test_recording_tells_what_waits_and_why() -> None:
    """While the store takes nothing, and when it does again."""
    store, world = MemoryStore(), World(1)
    job = world.add(AGAIN)
    append = store.append

    async def be_away(*_arguments: object, **_named: object) -> None:
        raise bkjob.JournalUnavailable("away")

    async with (
        client_of(world) as (client, _),
        client.watch(job, journal=Journal(store), name="night", linger=None) as watch,
    ):
        store.append = be_away  # type: ignore[method-assign]
        await asyncio.sleep(30.0)
        said = watch.recording
        assert said is not None
        assert (said.name, said.term, said.unstored > 0, type(said.trouble)) == (
            "night",
            1,
            True,
            bkjob.JournalUnavailable,
        )
        store.append = append  # type: ignore[method-assign]
        await asyncio.sleep(5.0)

        assert watch.recording == bkjob.RecordingState(name="night", term=1, targets=1)


@pytest.mark.parametrize(("name", "taken_up"), [("night/3", 1), ("night", 0)])
async def test_a_watch_of_a_shard_takes_up_its_inbox(name: str, taken_up: int) -> None:
    """Whoever records under the name of a shard has what was added to it; others have no inbox."""
    store, world = MemoryStore(), World(1)
    job = world.add(AGAIN)
    await store.put(name, [*entries_of([job], added=True)])
    async with (
        client_of(world) as (client, _),
        client.watch(journal=Journal(store), name=name, linger=None) as watch,
    ):
        await asyncio.sleep(5.0)

        assert len(watch.targets) == taken_up
        assert await store.inbox_size(name) == 1 - taken_up


async def test_an_inbox_that_cannot_be_read_ends_its_watch() -> None:
    """It says who wrote it."""
    store, world = MemoryStore(), World(1)
    await store.put("night/3", [b"\xc1"])
    async with (
        client_of(world) as (client, _),
        client.watch(journal=Journal(store), name="night/3", linger=None) as watch,
    ):
        with pytest.raises(bkjob.JournalDamaged):
            await watch.results()
        assert isinstance(watch.error, bkjob.JournalDamaged)


async def test_a_wait_that_follows_a_retry_is_for_its_end() -> None:
    """The end that was reported is one from before."""
    world = World(1)
    job = world.add(AGAIN)
    async with client_of(world) as (client, _), client.watch(job, linger=None) as watch:
        first = await watch.wait(job)
        await client.operate_step_instance(first.steps[0].ref, operation_code=2)
        with pytest.raises(bkjob.ConditionUnreachable):
            await watch.wait(job, until=bkjob.FirstFailure())
        again = await watch.wait(job)

    assert (first.ok, again.ok) == (False, True)


@pytest.mark.parametrize("linger", [5.0, None])
async def test_a_wait_that_follows_an_operation_without_effect_ends_behind_the_bound(
    linger: float | None,
) -> None:
    """Then it is sure that the end stands; nothing is reported of that."""
    world = World(1)
    job = world.add(AGAIN)
    async with client_of(world) as (client, _), client.watch(job, linger=linger) as watch:
        first = await watch.wait(job)
        note_operation(client, job)
        begun = asyncio.get_running_loop().time()
        same = await watch.wait(job)
        seconds = asyncio.get_running_loop().time() - begun
        with pytest.raises(bkjob.ConditionUnreachable):
            await watch.wait(job, until=bkjob.Waiting())
        note_operation(client, job)
        held = await watch.wait(job, until=bkjob.FirstFailure())

    assert same == held == first
    assert SETTLE_BOUND <= seconds < SETTLE_BOUND + 5.0
