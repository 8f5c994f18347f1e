"""When watches end: with their targets, no later, and not before."""

from __future__ import annotations

import asyncio

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest
from bkjob_async.simulator.world.plans import (
    FAILS,
    HANGS,
    SUCCEEDS,
    HostOutcome,
    SimulatedJob,
    StepPlan,
    exactly,
)
from bkjob_async.simulator.world.world import World
from tests.watch.clients import ALL_DIALECTS, DIALECTS, client_of, keeps_its_promise, watched
from tests.watch.test_joining import of_type, retry

pytestmark = pytest.mark.looptime

LONG = HostOutcome(duration=exactly(40.0))
FAILS_FIRST = SimulatedJob(
    steps=(
        StepPlan(hosts=2, outcomes=(FAILS,), retry_outcomes=(LONG,)),
        StepPlan(hosts=2, outcomes=(SUCCEEDS,)),
    )
)


def steps_of(world: World, job: bkjob.JobRef) -> list[bkjob.StepRef]:
    """Return the steps of a job."""
    return [step.ref for step in world.jobs[job.job_instance_id].steps]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("with_job", [True, False])
async def test_a_step_that_never_begins_is_over_with_its_job(dialect: str, *, with_job: bool) -> None:
    """The job fails at its first step; the second one stays pending, and is over."""
    world = World(1)
    job = world.add(FAILS_FIRST)
    step = steps_of(world, job)[1]
    async with client_of(world, dialect) as (client, transport):
        batches = await watched(client, *([job] if with_job else []), step, deadline=300.0)
        ended_at = asyncio.get_running_loop().time()

    assert keeps_its_promise(batches, world)
    assert ended_at < 40
    ends = {event.ref: event.result for event in of_type(batches, bkjob.Finished)}
    assert ends[step].status.phase is bkjob.Phase.PENDING
    assert not ends[step].ok
    assert set(ends) == ({job, step} if with_job else {step})
    assert transport.requests < 60


async def test_a_step_that_never_began_is_reopened_with_its_job() -> None:
    """After a retry of the first step it has its turn after all."""
    world = World(2)
    job = world.add(FAILS_FIRST)
    step = steps_of(world, job)[1]
    async with client_of(world) as (client, _), client.watch([job, step], linger=60.0) as watch:
        batches = []
        async for batch in watch.batches():
            batches.append(batch)
            if any(isinstance(e, bkjob.Finished) and e.ref == job and not e.result.ok for e in batch.events):
                retry(world, job)

    assert keeps_its_promise(batches, world)
    ends = [(event.ref, event.result.ok) for event in of_type(batches, bkjob.Finished)]
    assert ends == [(step, False), (job, False), (step, True), (job, True)]


async def test_a_watch_ends_though_another_goes_on_with_the_same_job() -> None:
    """Its only target has finished; what else is watched of the job is not its business."""
    world = World(3)
    job = world.add(
        SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(SUCCEEDS,)), StepPlan(hosts=2, outcomes=(HANGS,))))
    )
    first, second = steps_of(world, job)
    for other in (job, second):
        async with client_of(world) as (client, _), client.watch(other):
            batches = await asyncio.wait_for(watched(client, first), 60)
            assert len(of_type(batches, bkjob.Finished)) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("linger", [None, 100.0])
async def test_ones_own_retry_of_one_of_several_steps_is_seen(dialect: str, linger: float | None) -> None:
    """Another step of the same job is still to come meanwhile."""
    world = World(4)
    job = world.add(FAILS_FIRST)
    first, second = steps_of(world, job)
    ends: list[tuple[bkjob.Ref, bool]] = []
    async with (
        client_of(world, dialect) as (client, _),
        client.watch([first, second], linger=linger) as watch,
    ):
        async for event in watch:
            if isinstance(event, bkjob.Finished):
                ends.append((event.ref, event.result.ok))
                if ends == [(first, False)]:
                    await client.operate_step_instance(first, operation_code=2)
                elif (second, True) in ends:
                    break

    assert [end for end in ends if end[1]] == [(first, True), (second, True)]


async def test_a_lingering_watch_does_not_end_while_its_target_runs_again() -> None:
    """It ran to its end, ran again, and lingers anew after that."""
    world = World(5)
    job = world.add(FAILS_FIRST)
    async with client_of(world) as (client, _), client.watch(job, linger=30.0) as watch:
        batches = []
        over_at = []
        async for batch in watch.batches():
            batches.append(batch)
            if of_type([batch], bkjob.Finished):
                over_at.append(asyncio.get_running_loop().time())
                if len(over_at) == 1:
                    retry(world, job)
        ended_at = asyncio.get_running_loop().time()
        results = await watch.results()

    assert keeps_its_promise(batches, world)
    end = results[job]
    assert isinstance(end, bkjob.JobResult)
    assert end.ok
    assert len(over_at) == 2
    assert ended_at == pytest.approx(over_at[1] + 30.0, abs=1.0)


async def test_a_target_that_runs_again_has_not_ended() -> None:
    """Whoever leaves the watch then gets no result of the run before."""
    world = World(5)
    job = world.add(FAILS_FIRST)
    async with client_of(world) as (client, _), client.watch(job, linger=30.0) as watch:
        async for event in watch:
            if isinstance(event, bkjob.Finished):
                retry(world, job)
            elif isinstance(event, bkjob.Reopened) and event.ref == job:
                break
    assert await watch.results() == {}


@pytest.mark.parametrize("outcome", [SUCCEEDS, FAILS])
@pytest.mark.parametrize("with_job", [True, False])
async def test_a_lingering_watch_polls_what_is_over_again_and_again(
    outcome: HostOutcome, *, with_job: bool
) -> None:
    """Every ten seconds, however many polls showed nothing new: somebody else may retry it."""
    world = World(6)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(outcome,)),)))
    target = job if with_job else steps_of(world, job)[0]
    async with client_of(world) as (client, transport), client.watch(target, linger=100.0) as watch:
        async for event in watch:
            if isinstance(event, bkjob.Finished):
                over_at, polls = asyncio.get_running_loop().time(), transport.requests
        lingered = asyncio.get_running_loop().time() - over_at

    assert lingered == pytest.approx(100.0, abs=5.0)
    assert transport.requests - polls >= 9


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("linger", [3.0, 30.0])
@pytest.mark.parametrize("before_end", [0.05, 1.2])
async def test_what_runs_again_just_before_the_end_of_linger_is_seen(
    dialect: str, linger: float, before_end: float
) -> None:
    """The watch does not end between two polls: it ends with one."""
    world = World(7)
    job = world.add(FAILS_FIRST)
    loop = asyncio.get_running_loop()
    reported: list[bkjob.Event] = []
    async with client_of(world, dialect) as (client, _), client.watch(job, linger=linger) as watch:
        async for event in watch:
            reported.append(event)
            if isinstance(event, bkjob.Finished) and not event.result.ok:
                loop.call_later(linger - before_end, retry, world, job)

    assert [event.ref for event in reported if isinstance(event, bkjob.Reopened)].count(job) == 1
    assert [event.result.ok for event in reported if isinstance(event, bkjob.Finished)] == [False, True]


async def test_what_is_dropped_during_the_last_polls_is_not_waited_for() -> None:
    """One target cannot be read any more; when it is dropped, the watch has nothing to wait for."""
    world = World(8)
    first, second = (
        world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(SUCCEEDS,)),))) for _ in range(2)
    )
    loop = asyncio.get_running_loop()
    over_at: list[float] = []
    async with client_of(world) as (client, door), client.watch([first, second], linger=30.0) as watch:
        async for _ in watch.as_finished():
            over_at.append(loop.time())
            if len(over_at) == 2:
                door.spoil = lambda request, _now: (
                    bkjob.RequestTimedOut(bkjob.ErrorDetails(message="away"))
                    if str(second.job_instance_id) in str(request.url)
                    else None
                )
                loop.call_later(33.0, watch.drop, second)

    assert loop.time() == pytest.approx(over_at[-1] + 33.0, abs=0.1)


async def test_the_last_poll_is_one_of_each_target_that_can_be_read() -> None:
    """It costs a request for each job, in the moment when the watch would have ended; what is lost is not polled."""
    world = World(8)
    jobs = [world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(SUCCEEDS,)),))) for _ in range(3)]
    lost = bkjob.JobRef(jobs[0].scope, 7)
    over_at: list[float] = []
    loop = asyncio.get_running_loop()
    async with client_of(world) as (client, door), client.watch([*jobs, lost], linger=33.0) as watch:
        async for event in watch:
            if isinstance(event, bkjob.Finished | bkjob.Lost):
                over_at.append(loop.time())
        ended_at = loop.time()

    assert ended_at == pytest.approx(over_at[-1] + 33.0, abs=0.1)
    assert len([at for at in door.times if at >= over_at[-1] + 32.9]) == len(jobs)


async def test_a_last_poll_that_fails_holds_the_end_up_for_a_moment_only() -> None:
    """A platform that is away is no reason to stay open for ever."""
    world = World(9)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(SUCCEEDS,)),)))
    loop = asyncio.get_running_loop()
    async with client_of(world) as (client, door), client.watch(job, linger=30.0) as watch:
        async for event in watch:
            if isinstance(event, bkjob.Finished):
                over_at = loop.time()
                door.spoil = lambda _request, _now: bkjob.RequestTimedOut(bkjob.ErrorDetails(message="away"))

    assert over_at + 30.0 < loop.time() < over_at + 30.0 + 11.0
    assert watch.stats().over == 1


@pytest.mark.parametrize("linger", [3.0, 30.0])
async def test_lingering_sees_another_round_though_another_target_of_the_job_is_open(linger: float) -> None:
    """The looks at what is over do not stop because something else is asked about."""
    world = World(6)
    job = world.add(
        SimulatedJob(
            steps=(
                StepPlan(hosts=2, outcomes=(FAILS,), ignore_error=True, retry_outcomes=(SUCCEEDS,)),
                StepPlan(hosts=2, outcomes=(HostOutcome(duration=exactly(100.0)),)),
            )
        )
    )
    first, second = steps_of(world, job)
    reported: list[bkjob.Event] = []
    times: list[float] = []
    async with (
        client_of(world) as (client, _),
        client.watch(second),
        client.watch(first, linger=linger) as watch,
    ):
        async for event in watch:
            reported.append(event)
            times.append(asyncio.get_running_loop().time())
            if isinstance(event, bkjob.Finished):
                step = world.jobs[job.job_instance_id].steps[0]
                world.advance(asyncio.get_running_loop().time())
                if step.execute_count == 0:
                    step.status = 4
                    world.operate_step(step, 8)

    kinds = [event.kind for event in reported]
    assert kinds.count("reopened") == 1
    assert times[kinds.index("reopened")] - times[kinds.index("finished")] < min(10.0, linger) + 1.2
    assert [event.result.ok for event in reported if isinstance(event, bkjob.Finished)] == [False, True]


async def test_hosts_are_read_once_more_after_an_outage_that_began_with_the_end() -> None:
    """However long it lasts: the time in which nothing was read is no reason to end without them."""
    world = World(1)
    lasting = HostOutcome(status=104, duration=exactly(20.0))
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=120, outcomes=(lasting,)),)))

    async with client_of(world, interval=2.0) as (client, transport):
        out_since: list[float] = []

        def spoil(request: HttpRequest, now: float) -> bkjob.BkJobError | None:
            """Let the job's own response show the end, and nothing come after it for five minutes."""
            world.advance(now)
            if out_since:
                is_out = now < out_since[0] + 300.0
                return bkjob.TransportFailed(bkjob.ErrorDetails(message="no connection")) if is_out else None
            if world.jobs[job.job_instance_id].status == 4 and "get_job_instance_status" in str(request.url):
                out_since.append(now)
            return None

        transport.spoil = spoil
        batches = await watched(client, job, deadline=900.0)
        requests = list(zip(transport.times, transport.urls, strict=True))

    assert keeps_its_promise(batches, world)
    assert ["get_step_instance_status" in url for at, url in requests if at >= out_since[0] + 300.0] == [
        False,
        True,
    ]


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
async def test_the_end_of_a_step_whose_error_is_ignored_is_told_when_its_job_goes_on(dialect: str) -> None:
    """Its code may be that of a batch; that the next step runs, only the job shows, which nobody watches."""
    world = World(1)
    steps = StepPlan(hosts=2, outcomes=(FAILS,), ignore_error=True), StepPlan(hosts=1, outcomes=(HANGS,))
    step, _ = steps_of(world, world.add(SimulatedJob(steps=steps)))
    async with client_of(world, dialect, interval=1.0) as (client, _):
        await client.wait(step, deadline=100.0)
        told = asyncio.get_running_loop().time()

    ended = next(at for at, code in world.history().steps[step] if code == 6)
    assert told - ended < 4.0
