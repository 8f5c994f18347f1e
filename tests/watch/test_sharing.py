"""Several readers and several watches of the same job, which is polled once."""

import asyncio
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.world.plans import FAILS, HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import broken_promises, observed_codes, truth_of
from tests.watch.clients import DIALECTS, client_of, keeps_its_promise, moves_of, watched
from tests.watch.inside import limit_log

pytestmark = pytest.mark.looptime
PLAN = SimulatedJob(
    steps=(
        StepPlan(hosts=4, outcomes=(HostOutcome(duration=exactly(6.0)), HostOutcome(duration=exactly(20.0)))),
    )
)


async def test_the_same_target_in_two_watches_is_polled_once() -> None:
    """Both get all events, for the price of one."""
    prices = []
    for watches in (1, 2):
        world = World(1)
        job = world.add(PLAN)
        async with client_of(world, interval=1.0) as (client, transport):
            reported = await asyncio.gather(*(watched(client, job) for _ in range(watches)))
        prices.append(transport.requests)
        assert all(keeps_its_promise(batches, world) for batches in reported)
        assert all(moves_of(batches) == moves_of(reported[0]) for batches in reported)

    assert prices[0] == prices[1]


async def test_a_watch_that_joins_late_gets_the_present_first() -> None:
    """Where everything stands, at first sight; then that it is in sync; then what is new."""
    world = World(1)
    job = world.add(PLAN)
    async with client_of(world) as (client, _), client.watch(job) as early:
        await asyncio.sleep(10)
        async with client.watch(job) as late:
            batches = [batch async for batch in late.batches()]
        first = [batch async for batch in early.batches()]

    assert keeps_its_promise(batches, world)
    assert keeps_its_promise(first, world)
    events = [event for batch in batches for event in batch.events]
    synced = next(n for n, event in enumerate(events) if isinstance(event, bkjob.InSync))
    before = [event for event in events[:synced] if isinstance(event, bkjob.HostChanged)]
    assert len(before) == 4
    assert all(event.before is None for event in before)
    assert {event.after.code for event in before} == {7, 9}


async def test_a_watch_that_was_left_shows_the_state_at_that_time() -> None:
    """Also while another watch of the same job goes on."""
    world = World(1)
    job = world.add(PLAN)
    step = world.jobs[job.job_instance_id].steps[0].ref

    def shown(watch: bkjob.Watch) -> Any:
        return watch.snapshot(job), watch.progress(job), watch.counts(), watch.hosts_of(step)

    async with client_of(world) as (client, _), client.watch(job) as other:
        async with client.watch(job) as left:
            await asyncio.sleep(10)
        then = shown(left)
        assert then == shown(other)
        await other.results()

        assert shown(left) == then != shown(other)


async def test_every_reader_sees_everything_in_its_own_time() -> None:
    """One that is a thousand times slower than the other delays nothing and misses nothing."""
    world = World(2)
    jobs = [world.add(PLAN) for _ in range(30)]
    seen: dict[str, list[bkjob.Batch]] = {"quick": [], "slow": []}
    ended: dict[str, float] = {}

    async def read(name: str, watch: bkjob.Watch, pause: float) -> None:
        async for batch in watch.batches():
            seen[name].append(batch)
            await asyncio.sleep(pause)
        ended[name] = asyncio.get_running_loop().time()

    async with client_of(world) as (client, _), client.watch(jobs) as watch:
        await asyncio.gather(read("quick", watch, 0.001), read("slow", watch, 1.0))

    assert keeps_its_promise(seen["quick"], world)
    assert keeps_its_promise(seen["slow"], world)
    assert [b.sequence for b in seen["quick"]] == [b.sequence for b in seen["slow"]]
    assert ended["quick"] < 60 < ended["slow"]


async def test_a_reader_that_fell_behind_a_bounded_log_knows_every_end() -> None:
    """Memory is bounded; what was compacted away comes as the newest change of each host."""
    world = World(2)
    jobs = [world.add(PLAN) for _ in range(30)]
    async with client_of(world) as (client, _):
        watch = client.watch(jobs)
        limit_log(watch, 50)
        async with watch:
            slow: list[bkjob.Batch] = []
            async for batch in watch.batches():
                slow.append(batch)
                await asyncio.sleep(3.0)
            held = sum(len(batch.events) for batch in watch._stream.log._batches)

    assert broken_promises(slow, truth=truth_of(world.history())) == []
    assert held <= 50 + 10
    skipped = [e for b in slow for e in b.events if isinstance(e, bkjob.HostChanged) and e.skipped]
    assert skipped
    assert {e.result.ok for b in slow for e in b.events if isinstance(e, bkjob.Finished)} == {True}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_results_come_as_jobs_end(dialect: str) -> None:
    """Like `asyncio.as_completed`: the quick ones first; `results` waits for all."""
    world = World(3)
    lengths = (30.0, 5.0, 15.0)
    jobs = [
        world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HostOutcome(duration=exactly(t)),)),)))
        for t in lengths
    ]
    async with client_of(world, dialect) as (client, _), client.watch(jobs) as watch:
        order = [result.ref async for result in watch.as_finished()]
        results = await watch.results()

    assert order == [jobs[1], jobs[2], jobs[0]]
    assert set(results) == set(jobs)


async def test_waiting_for_less_than_the_end() -> None:
    """A share of the hosts, or the first failure; and an error at once when it can no longer come."""
    world = World(4)
    slow = HostOutcome(duration=exactly(60.0))
    plan = SimulatedJob(
        steps=(
            StepPlan(hosts=4, outcomes=(slow,), pinned={0: FAILS, 1: HostOutcome(duration=exactly(10.0))}),
        )
    )
    job = world.add(plan)
    green = world.add(PLAN)
    loop = asyncio.get_running_loop()
    async with client_of(world) as (client, _):
        failed = await client.wait(job, until=bkjob.FirstFailure())
        first = loop.time()
        half = await client.wait(job, until=bkjob.HostsDone(0.5))
        second = loop.time()
        with pytest.raises(bkjob.ConditionUnreachable):
            await client.wait(green, until=bkjob.FirstFailure())

    assert [host.host.label for _, host in failed.failed if host.status.is_finished] == ["0:10.0.0.1"]
    assert sum(count for phase, count in half.hosts.items() if phase is not bkjob.Phase.RUNNING) == 2
    assert first < second < 60


async def test_cancelling_a_waiter_hurts_nobody() -> None:
    """The other waiter of the same job gets its result; the job is not touched."""
    world = World(5)
    job = world.add(PLAN)
    async with client_of(world) as (client, transport):
        waiters = [asyncio.create_task(client.wait(job)) for _ in range(2)]
        await asyncio.sleep(5)
        waiters[0].cancel()
        result = await waiters[1]

    assert waiters[0].cancelled()
    assert result.ok
    assert not any("operate" in url for url in transport.urls)


async def test_lingering_sees_a_second_round_started_by_somebody_else() -> None:
    """For a while after the end the job is looked at again, though seldom."""
    world = World(6)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(FAILS,)),)))
    async with client_of(world) as (client, _), client.watch(job, linger=60.0) as watch:
        batches = []
        async for batch in watch.batches():
            batches.append(batch)
            if len([e for b in batches for e in b.events if isinstance(e, bkjob.Finished)]) == 1:
                step = world.jobs[job.job_instance_id].steps[0]
                if step.execute_count == 0 and step.status == 4:
                    world.operate_step(step, 2)

    assert keeps_its_promise(batches, world)
    results = [e.result.ok for b in batches for e in b.events if isinstance(e, bkjob.Finished)]
    assert results == [False, True]


async def test_a_reader_reads_what_it_asked_for() -> None:
    """By target, by scope, by phase; trouble of everything concerns every reader."""
    world = World(7)
    first, second = world.add(PLAN), world.add(SimulatedJob(steps=PLAN.steps, scope=bkjob.Scope.biz(3)))
    async with client_of(world) as (client, _), client.watch([first, second]) as watch:
        one = [event async for event in watch.events(ref=first)]
        other = [event async for event in watch.events(scope=bkjob.Scope.biz(3))]
        good = [event async for event in watch.hosts(ref=second, phase=bkjob.Phase.SUCCESS)]

    assert {e.ref.job for e in one if e.ref} == {first}
    assert {e.ref.job for e in other if e.ref} == {second}
    assert [type(e) for e in good] == [bkjob.HostChanged] * 4
    assert {e.ref.job for e in good} == {second}


async def test_waits_and_results_need_no_reader() -> None:
    """They are made of what ended, whether anybody reads what moved or not."""
    world = World(8)
    first, second = world.add(PLAN), world.add(PLAN)
    async with client_of(world) as (client, _), client.watch(second) as watch:
        result = await client.wait(first)
        ended = [result.ref async for result in watch.as_finished()]
        results = await watch.results()

    assert (result.ok, ended, set(results)) == (True, [second], {second})


async def test_a_watch_receives_events_of_its_own_targets_only() -> None:
    """Two watches of two steps of one job share its state, and each is given its part."""
    world = World(9)
    job = world.add(SimulatedJob(steps=PLAN.steps * 2))
    steps = [step.ref for step in world.jobs[job.job_instance_id].steps]
    async with client_of(world) as (client, _):
        first, second, both = await asyncio.gather(
            watched(client, steps[0]), watched(client, steps[1]), watched(client, *steps)
        )

    reported = [
        {event.ref for batch in batches for event in batch.events if event.ref} for batches in (first, second)
    ]
    assert reported == [{steps[0]}, {steps[1]}]
    assert sorted(moves_of(first) + moves_of(second), key=str) == sorted(moves_of(both), key=str)
    assert keeps_its_promise(both, world)


async def test_results_list_the_steps_as_the_platform_does() -> None:
    """In whatever order they became targets."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=1),) * 3))
    world.advance(0.5)
    steps = [step.ref for step in world.jobs[job.job_instance_id].steps]
    async with client_of(world) as (client, _), client.watch([steps[2], steps[1], job]) as watch:
        results = await watch.results()

    result = results[job]
    assert isinstance(result, bkjob.JobResult)
    assert [step.ref for step in result.steps] == steps


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("order", ["closest last", "closest first", "closest stays"])
async def test_the_closest_of_two_watches_decides_how_hosts_are_followed(dialect: str, order: str) -> None:
    """Whichever was opened first, and also when the other one has left."""
    world = World(3)
    slow = HostOutcome(duration=exactly(40.0), start_delay=exactly(20.0))
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(slow,)),)))
    async with client_of(world, dialect) as (client, _):
        end_only = client.watch(job, linger=None, detail_level=bkjob.DetailLevel.END_ONLY)
        every_change = client.watch(job, detail_level=bkjob.DetailLevel.EVERY_CHANGE)
        first, second = (every_change, end_only) if order == "closest first" else (end_only, every_change)
        async with first, second:
            await asyncio.sleep(5.0)
            if order == "closest stays":
                await end_only.aclose()
            batches = [batch async for batch in every_change.batches()]

    assert [codes for codes in observed_codes(batches).values() if 7 not in codes] == []
    assert all(codes[-1] == 9 for codes in observed_codes(batches).values())


async def test_hosts_are_followed_as_closely_as_somebody_wants() -> None:
    """When who wanted more has left, hosts are read no more."""

    async def reads_of_hosts(*levels: bkjob.DetailLevel) -> int:
        world = World(3)
        plan = StepPlan(hosts=2, outcomes=(HostOutcome(duration=exactly(300.0)),))
        job = world.add(SimulatedJob(steps=(plan,)))
        async with client_of(world, interval=2.0) as (client, transport):
            async with client.watch(job, linger=None, detail_level=bkjob.DetailLevel.END_ONLY):
                for level in levels:
                    async with client.watch(job, linger=None, detail_level=level):
                        await asyncio.sleep(20.0)
                await asyncio.sleep(5.0)
                before = len(transport.urls)
                await asyncio.sleep(60.0)
            return sum("return_ip_result=true" in url or "step" in url for url in transport.urls[before:])

    assert await reads_of_hosts(bkjob.DetailLevel.EVERY_CHANGE) == await reads_of_hosts() == 0
