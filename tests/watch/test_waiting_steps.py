"""Steps that wait for a user: each wait is an event, also where no poll saw the step run in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from msgspec.structs import replace

import bkjob_async as bkjob
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.journal.store import Holder, Opened
from bkjob_async.simulator.world.codes import CONFIRM, FILE
from bkjob_async.simulator.world.plans import HostOutcome, Rolling, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import ALL_DIALECTS, client_of, keeps_its_promise

pytestmark = pytest.mark.looptime
EVERY_CHANGE, END_ONLY = bkjob.DetailLevel.EVERY_CHANGE, bkjob.DetailLevel.END_ONLY
CONTINUE = bkjob.StepOperation.ROLLING_CONTINUE
# A batch is over before the next poll: requests are scarce.
SCARCE = {"interval": 5.0, "requests_per_second": 0.3}
QUICK = HostOutcome(duration=exactly(0.1), start_delay=exactly(0.0))
INTERVAL = 5.0
ROLLING = StepPlan(hosts=50, outcomes=(QUICK,), rolling=Rolling(sizes=(5,) * 10, mode=3))
NINE_WAITS = [(n, 5 * n) for n in range(1, 10)]


async def confirm(client: bkjob.JobClient, world: World, step: bkjob.StepRef) -> None:
    """Have a rolling step go on, elsewhere where the client's dialect has no operations."""
    if client._session.dialect.name == "gateway-v4":
        world.operate_step(world.jobs[step.job.job_instance_id].steps[0], 13)
    else:
        await client.operate_step_instance(step, operation_code=CONTINUE)


async def confirm_each(
    world: World, job: bkjob.JobRef, dialect: str = "gateway-v3", level: bkjob.DetailLevel = EVERY_CHANGE
) -> tuple[list[bkjob.StepWaiting], list[bkjob.Batch]]:
    """Watch a job to its end, and confirm each wait; return the waits, and all batches."""
    waits: list[bkjob.StepWaiting] = []
    async with (
        client_of(world, dialect, **SCARCE) as (client, _),
        client.watch(job, deadline=900, detail_level=level) as watch,
    ):
        async for event in watch.events():
            if isinstance(event, bkjob.StepWaiting):
                waits.append(event)
                await confirm(client, world, event.ref)
        batches = [batch async for batch in watch.batches()]
    return waits, batches


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
async def test_a_program_that_confirms_each_wait_gets_through_batches_shorter_than_a_poll(
    dialect: str,
) -> None:
    """Each wait is an event, after the hosts of its batch, although the step shows the same status."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(ROLLING,)))

    waits, batches = await confirm_each(world, job, dialect)

    assert [(event.wait, event.hosts_done) for event in waits] == NINE_WAITS
    changes = [event for batch in batches for event in batch.events if isinstance(event, bkjob.StepChanged)]
    assert sum(event.after.code == 7 for event in changes) < len(waits)
    assert keeps_its_promise(batches, world)


async def test_waits_of_a_large_step_are_seen_in_its_counts() -> None:
    """More than a hundred hosts are read group by group, and not all of them in each poll."""
    world = World(1)
    large = StepPlan(hosts=600, outcomes=(QUICK,), rolling=Rolling(sizes=(150,) * 4, mode=3))
    job = world.add(SimulatedJob(steps=(large,)))

    waits, batches = await confirm_each(world, job)

    assert [(event.wait, event.hosts_done) for event in waits] == [(1, 150), (2, 300), (3, 450)]
    assert keeps_its_promise(batches, world)


async def test_waits_go_on_where_the_watch_that_wanted_the_hosts_has_ended() -> None:
    """Only the counts of a large step are requested then: they are compared with no group's hosts any more."""
    world = World(1)
    slow = HostOutcome(duration=exactly(8.0), start_delay=exactly(0.0))
    large = StepPlan(hosts=600, outcomes=(slow,), rolling=Rolling(sizes=(150,) * 4, mode=3))
    step = world.jobs[world.add(SimulatedJob(steps=(large,))).job_instance_id].steps[0].ref
    waits = []
    async with (
        client_of(world, interval=1.0) as (client, _),
        client.watch(step, deadline=900, detail_level=END_ONLY) as watch,
    ):
        async with client.watch(step) as changes:
            async for event in changes.events():
                if isinstance(event, bkjob.HostChanged) and event.after.code == 5:
                    break
        async for event in watch.events():
            if isinstance(event, bkjob.StepWaiting):
                waits.append((event.wait, event.hosts_done))
                await confirm(client, world, event.ref)
        batches = [batch async for batch in watch.batches()]

    assert waits == [(1, 150), (2, 300), (3, 450)]
    assert keeps_its_promise(batches, world)


@pytest.mark.parametrize("level", [EVERY_CHANGE, END_ONLY])
async def test_an_accepted_confirmation_proves_the_wait_that_is_seen_long_after_it(
    level: bkjob.DetailLevel,
) -> None:
    """Where no host shows it: in a transfer whose files are sent in batches to every host, or where none are read."""
    world = World(1)
    sent = StepPlan(
        kind=FILE, hosts=2, outcomes=(QUICK,), rolling=Rolling(sizes=(1, 1, 1, 1), mode=3, kind=2)
    )
    job = world.add(SimulatedJob(steps=(sent,)))

    waits, batches = await confirm_each(world, job, level=level)

    assert [event.wait for event in waits] == [1, 2, 3]
    assert keeps_its_promise(batches, world)


async def test_a_wait_is_reported_once_however_often_it_is_seen() -> None:
    """A step that waits for hours is one event, be it polled a thousand times, or a host's row come late."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(kind=CONFIRM, hosts=0),)))
    async with (
        client_of(world, interval=1.0) as (client, _),
        client.watch(job, deadline=1000, linger=None) as watch,
    ):
        events = []
        with pytest.raises(bkjob.DeadlineExceeded):
            async for event in watch.events():
                events.append(event)

    assert [str(event) for event in events if isinstance(event, bkjob.StepWaiting)] == [
        f"{job.step(30000000001)} step waits for a user (1): 0 hosts done"
    ]


async def test_a_watch_that_joins_late_is_given_the_wait_that_lasts() -> None:
    """Under its number, as part of the present state; and none that was confirmed."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(ROLLING,)))
    async with client_of(world, interval=INTERVAL) as (client, _), client.watch(job, linger=None) as first:
        waits = 0
        async for event in first.events():
            waits += isinstance(event, bkjob.StepWaiting)
            if waits == 3:
                break
            if isinstance(event, bkjob.StepWaiting):
                await confirm(client, world, event.ref)
        async with client.watch(job) as late:
            present = [event async for event in up_to_sync(late)]

    found = [event for event in present if isinstance(event, bkjob.StepWaiting)]
    assert [(event.wait, event.hosts_done, event.skipped) for event in found] == [(3, 15, False)]


async def up_to_sync(watch: bkjob.Watch) -> AsyncIterator[bkjob.Event]:
    """Yield the events of a watch up to the one that says it is in sync."""
    async for event in watch.events():
        yield event
        if isinstance(event, bkjob.InSync):
            return


async def test_a_wait_until_a_step_waits_ends_at_each_wait() -> None:
    """A program may wait, confirm and wait again: each wait is one that was not confirmed yet."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(ROLLING,)))
    ended = []
    async with client_of(world, interval=INTERVAL) as (client, _):
        while True:
            try:
                result = await client.wait(job, until=bkjob.Waiting(), deadline=300)
            except bkjob.ConditionUnreachable:
                break
            ended.append(result.hosts[bkjob.Phase.SUCCESS])
            await confirm(client, world, result.steps[0].ref)

    assert ended == [done for _, done in NINE_WAITS]


async def test_a_confirmation_that_another_wait_overtook_proves_nothing() -> None:
    """Its response may come after the poll that showed the next wait: that one is not over by it."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(ROLLING,)))
    async with client_of(world, interval=1.0) as (client, _), client.watch(job, linger=None) as watch:
        waits = [event async for event in taken(watch, 1)]
        known = client._poller.waits_of(waits[0].ref)
        world.advance(asyncio.get_running_loop().time())
        world.operate_step(world.jobs[job.job_instance_id].steps[0], 13)
        waits += [event async for event in taken(watch, 1, after=waits[0].cursor)]
        client._poller.on_operation(waits[0].ref, confirms=True, waits=known)
        await asyncio.sleep(60)
        later = [event async for event in taken_now(watch)]

    assert [event.wait for event in later] == [1, 2]


async def taken(watch: bkjob.Watch, count: int, after: str | None = None) -> AsyncIterator[bkjob.StepWaiting]:
    """Yield the first waits of a watch."""
    async for event in watch.events(after=after):
        if isinstance(event, bkjob.StepWaiting):
            yield event
            count -= 1
        if not count:
            return


async def taken_now(watch: bkjob.Watch) -> AsyncIterator[bkjob.StepWaiting]:
    """Yield the waits that a watch has reported by now."""
    await watch.aclose()
    async for event in watch.events():
        if isinstance(event, bkjob.StepWaiting):
            yield event


@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize("shared", [False, True])
async def test_a_watch_that_is_continued_is_given_each_wait_once(*, confirmed: bool, shared: bool) -> None:
    """The wait that was recorded is not repeated, and the next has the next number, also if nobody watched it begin.

    Nor does it matter that another watch has *shared* the job already.
    """
    world = World(1)
    job = world.add(SimulatedJob(steps=(ROLLING,)))
    journal = Journal(MemoryStore())
    numbers = []
    async with (
        client_of(world, interval=INTERVAL) as (client, _),
        client.watch(job, journal=journal, name="night", linger=None) as watch,
    ):
        numbers += [event.wait async for event in taken(watch, 1)]
    world.advance(asyncio.get_running_loop().time())
    if confirmed:
        world.operate_step(world.jobs[job.job_instance_id].steps[0], 13)
    await asyncio.sleep(60)
    async with client_of(world, interval=INTERVAL) as (client, _), AsyncExitStack() as stack:
        if shared:
            other = await stack.enter_async_context(client.watch(job, linger=None))
            assert [event.wait async for event in taken(other, 1)] == [1]
        continued = client.watch(journal=journal, name="night", linger=None)
        watch = await stack.enter_async_context(continued)
        await asyncio.sleep(60)
        numbers += [event.wait async for event in taken_now(watch)]

    assert numbers == ([1, 2] if confirmed else [1])


class QuietStore(MemoryStore):
    """A store whose last record is as old as `silence` says, in seconds of the event loop's clock."""

    silence = 0.0

    async def open(self, name: str, holder: Holder, *, take_over: bool, after_term: int = 0) -> Opened:
        """Open a fleet."""
        opened = await super().open(name, holder, take_over=take_over, after_term=after_term)
        return replace(opened, silence=self.silence)


@pytest.mark.parametrize(("silence", "numbers"), [(20.0, [1, 2]), (1.0, [1])])
async def test_an_operation_proves_the_wait_behind_it_where_nothing_was_recorded_since(
    silence: float, numbers: list[int]
) -> None:
    """Where something was, the wait that is recorded may be the one that came after the operation."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(kind=CONFIRM, hosts=0),)))
    step, store = world.jobs[job.job_instance_id].steps[0], QuietStore()
    found: list[int] = []
    async with client_of(world, interval=INTERVAL) as (client, _):
        async with client.watch(job, journal=Journal(store), name="night", linger=None) as watch:
            found += [event.wait async for event in taken(watch, 1)]
        await asyncio.sleep(10)
        world.operate_step(step, bkjob.StepOperation.CONFIRM_TERMINATE)
        await client.operate_step_instance(step.ref, operation_code=bkjob.StepOperation.RESTART_CONFIRM)
        await asyncio.sleep(10)
        store.silence = silence
        async with client.watch(journal=Journal(store), name="night", linger=None) as watch:
            await asyncio.sleep(60)
            found += [event.wait async for event in taken_now(watch)]

    assert found == numbers
