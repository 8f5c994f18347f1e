"""Whole jobs, watched through both dialects in virtual time."""

import asyncio

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.world.codes import CONFIRM
from bkjob_async.simulator.world.plans import (
    FAILS,
    SUCCEEDS,
    HostOutcome,
    Rolling,
    SimulatedJob,
    StepPlan,
    exactly,
)
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import observed_codes
from tests.watch.clients import DIALECTS, client_of, keeps_its_promise, moves_of, watched

pytestmark = pytest.mark.looptime
FAST = HostOutcome(duration=exactly(3.0), start_delay=exactly(1.0), tag="ok")
SLOW = HostOutcome(duration=exactly(45.0))
FAILS_SLOWLY = HostOutcome(status=104, exit_code=3, duration=exactly(5.0))


def two_steps(**changes: object) -> SimulatedJob:
    """Return a job of two steps, some of whose hosts are slow and one of which fails."""
    first = StepPlan(name="fetch", hosts=4, outcomes=(FAST,), pinned={1: SLOW})
    second = StepPlan(name="install", hosts=5, outcomes=(FAST,), pinned={2: FAILS_SLOWLY})
    return SimulatedJob(name="deploy", steps=(first, second))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_host_is_seen_to_move_and_end(dialect: str) -> None:
    """Minutes of a job pass in milliseconds, and the stream is true to it."""
    world = World(1)
    job = world.add(two_steps())
    async with client_of(world, dialect) as (client, _):
        batches = await watched(client, job)

    assert keeps_its_promise(batches, world)
    finished = batches[-1].events[-1]
    assert isinstance(finished, bkjob.Finished)
    assert not finished.result.ok
    assert finished.result.hosts == {bkjob.Phase.SUCCESS: 8, bkjob.Phase.FAILED: 1}
    assert [host.host.label for _, host in finished.result.failed] == ["0:10.0.0.3"]


async def test_the_same_scenario_gives_the_same_events_in_both_dialects() -> None:
    """Looked at at the same times, every host makes the same moves; what both dialects have agrees."""
    reported = {}
    results = {}
    for dialect in DIALECTS:
        world = World(1)
        job = world.add(two_steps())
        async with client_of(world, dialect, interval=1.0) as (client, _):
            batches = await watched(client, job)
        reported[dialect] = sorted(moves_of(batches), key=str)
        results[dialect] = next(e.result for e in batches[-1].events if isinstance(e, bkjob.Finished))

    gateway, esb = reported["gateway-v3"], reported["esb-job"]
    assert gateway == esb
    assert len(gateway) > 20
    ours, theirs = results["gateway-v3"], results["esb-job"]
    assert (ours.status, ours.name, ours.hosts) == (theirs.status, theirs.name, theirs.hosts)
    assert [(s.ref, s.status, s.name, s.execute_count) for s in ours.steps] == [
        (s.ref, s.status, s.name, s.execute_count) for s in theirs.steps
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_jobs_and_single_steps_are_watched_together(dialect: str) -> None:
    """Targets of both kinds, mixed, added and dropped while it runs."""
    world = World(2)
    first, second, third = (world.add(two_steps()) for _ in range(3))
    step = next(s.ref for s in world.jobs[second.job_instance_id].steps)
    async with client_of(world, dialect) as (client, _), client.watch([first, step]) as watch:
        batches = []
        async for batch in watch.batches():
            batches.append(batch)
            if len(batches) == 3:
                watch.add(third)
            if len(batches) == 6:
                watch.drop(third)
        ended = await watch.results()

    assert keeps_its_promise(batches, world)
    assert set(ended) == {first, step}
    reported = {event.ref for batch in batches for event in batch.events}
    assert third in reported
    assert not any(isinstance(ref, bkjob.JobRef) and ref == second for ref in reported)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_second_round_starts_over(dialect: str) -> None:
    """A retry of failed hosts during a watch reopens the step; its hosts run again in their own execution."""
    world = World(3)
    plan = SimulatedJob(
        steps=(StepPlan(hosts=3, outcomes=(SUCCEEDS,), pinned={0: FAILS}, retry_outcomes=(SUCCEEDS,)),)
    )
    job = world.add(plan)
    async with client_of(world, dialect) as (client, _), client.watch(job, linger=None) as watch:
        batches = []
        async for batch in watch.batches():
            batches.append(batch)
            ends = [e for e in batch.events if isinstance(e, bkjob.Finished)]
            if ends and not ends[0].result.ok:
                step = ends[0].result.steps[0].ref
                await client.operate_step_instance(
                    step, operation_code=bkjob.StepOperation.RETRY_FAILED_HOSTS
                )
            elif ends:
                break

    assert keeps_its_promise(batches, world)
    kinds = [e.kind for batch in batches for e in batch.events if not isinstance(e, bkjob.HostChanged)]
    assert kinds.count("finished") == 2
    assert "reopened" in kinds
    runs = observed_codes(batches)
    first = next(label for (_, run, label), codes in runs.items() if run == 0 and codes[-1] == 104)
    assert [codes[-1] for (_, run, label), codes in runs.items() if label == first and run == 1] == [9]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_wait_after_an_operation_never_returns_the_old_result(dialect: str) -> None:
    """The platform still shows the failed run for a moment after a retry was taken on."""
    world = World(4)
    plan = SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(FAILS,), retry_outcomes=(SUCCEEDS,)),))
    job = world.add(plan)
    async with client_of(world, dialect) as (client, _):
        failed = await client.wait(job)
        await client.operate_step_instance(failed.steps[0].ref, operation_code=2)
        again = await client.wait(job)

    assert (failed.ok, again.ok) == (False, True)
    assert again.steps[0].execute_count == 1


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_confirmation_waits_and_goes_on(dialect: str) -> None:
    """A step that shows no hosts holds nothing up but itself."""
    world = World(5)
    job = world.add(
        SimulatedJob(
            steps=(
                StepPlan(hosts=2, outcomes=(FAST,)),
                StepPlan(kind=CONFIRM, hosts=(), confirmers=("admin",)),
                StepPlan(hosts=2, outcomes=(FAST,)),
            )
        )
    )
    async with client_of(world, dialect) as (client, _), client.watch(job) as watch:
        batches = []
        async for batch in watch.batches():
            batches.append(batch)
            for event in batch.events:
                if isinstance(event, bkjob.StepChanged) and event.after.phase is bkjob.Phase.WAITING:
                    await client.operate_step_instance(event.ref, operation_code=6)

    assert keeps_its_promise(batches, world)
    finished = batches[-1].events[-1]
    assert isinstance(finished, bkjob.Finished)
    assert finished.result.ok


async def test_a_thousand_hosts_are_asked_for_with_their_job_only_until_they_were_read() -> None:
    """A large step is read by itself from then on; a job's answer with all rows is for small ones."""
    world = World(6)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=1000, outcomes=(FAST, SLOW)),)))
    async with client_of(world) as (client, transport):
        batches = await watched(client, job)

    assert keeps_its_promise(batches, world)
    with_rows = ["return_ip_result=true" in url for url in transport.urls]
    assert with_rows[0]
    assert "return_ip_result=true" not in "".join(transport.urls[with_rows.index(False) :])
    assert transport.request_counts["get_step_instance_status"] > 5


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_hosts_that_stand_once_per_batch_hold_nothing_up(dialect: str) -> None:
    """A step that rolls over its source files is over when its rows are, not when a bound has passed."""
    world = World(8)
    rolling = Rolling(sizes=(1, 1), kind=2)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(FAST,), rolling=rolling),)))
    async with client_of(world, dialect, interval=1.0) as (client, _):
        batches = await watched(client, job)
        reported_at = asyncio.get_running_loop().time()

    assert keeps_its_promise(batches, world)
    assert reported_at - world.history().jobs[job][-1][0] < 5.0


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_failure_in_one_batch_of_files_is_told_while_the_next_one_runs(dialect: str) -> None:
    """A host has a row for each batch of source files; it has failed once one of them has."""
    world = World(8)
    rolling = Rolling(sizes=(2, 2), kind=2, mode=2)
    plan = StepPlan(kind=2, hosts=2, outcomes=(SLOW,), rolling=rolling)
    job = world.add(SimulatedJob(steps=(plan,)))
    async with client_of(world, dialect, interval=1.0) as (client, _), client.watch(job) as watch:
        await asyncio.sleep(10)
        world.advance(10)
        world.end_host(world.jobs[job.job_instance_id].steps[0], "0:10.0.0.1", FAILS_SLOWLY)
        told = []
        async for batch in watch.batches():
            now = asyncio.get_running_loop().time()
            told += [
                (now, e.after.phase)
                for e in batch.events
                if isinstance(e, bkjob.HostChanged) and e.host.ip == "10.0.0.1"
            ]
        (result,) = [r for r in (await watch.results()).values() if isinstance(r, bkjob.JobResult)]

    failed_at = [at for at, phase in told if phase is bkjob.Phase.FAILED]
    assert len(failed_at) == 1
    assert failed_at[0] < 20
    assert told[-1] == (failed_at[0], bkjob.Phase.FAILED)
    assert [(each.host.ip, each.status.code) for _, each in result.failed] == [("10.0.0.1", 104)]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", [1, 2])
async def test_batches_that_never_start_hold_nothing_up_for_long(dialect: str, kind: int) -> None:
    """Their hosts wait for ever in a step that failed before; the end is told after the usual settling."""
    world = World(8)
    plan = StepPlan(hosts=4, outcomes=(FAILS_SLOWLY,), rolling=Rolling(sizes=(2, 2), kind=kind))
    job = world.add(SimulatedJob(steps=(plan,)))
    async with client_of(world, dialect, interval=1.0) as (client, _):
        batches = await watched(client, job)
        reported_at = asyncio.get_running_loop().time()

    assert keeps_its_promise(batches, world)
    assert reported_at - world.history().jobs[job][-1][0] < 20.0
