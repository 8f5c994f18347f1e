"""What an operation through a client changes in how its job is polled."""

import asyncio

import pytest

import bkjob_async as bkjob
from bkjob_async.engine.tracking.step_state import SETTLE_BOUND
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.world.codes import CONFIRM
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
from tests.watch.clients import CREDENTIALS, DIALECTS, SCOPE, URLS, client_of
from tests.watch.inside import note_operation, noted_operations, polled_by

pytestmark = pytest.mark.looptime


async def test_an_operation_is_forgotten_after_the_settle_bound() -> None:
    """From then on a poll that shows nothing new is as cheap as before; that it was operated on is remembered."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=4, outcomes=(HANGS,)),)))
    async with client_of(world) as (client, _), client.watch(job):
        await asyncio.sleep(20.0)
        (state,) = polled_by(client)
        note_operation(client, job)
        await asyncio.sleep(SETTLE_BOUND - 5.0)
        during = state.operated_at
        await asyncio.sleep(60.0)

        assert (during, state.operated_at) == (20.0, None)
        assert state.was_operated


async def test_a_job_watched_after_an_operation_is_known_as_operated_on() -> None:
    """The client remembers operations on jobs that nobody watched then."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=4, outcomes=(HANGS,)),)))
    async with client_of(world) as (client, _):
        note_operation(client, job)
        async with client.watch(job):
            await asyncio.sleep(1.0)
            (state,) = polled_by(client)

            assert state.was_operated


async def test_a_job_that_is_watched_again_is_known_as_operated_on() -> None:
    """What its last watch knew of an operation, the client remembers for the next one."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=4, outcomes=(HANGS,)),)))
    async with client_of(world) as (client, _):
        async with client.watch(job):
            await asyncio.sleep(1.0)
            note_operation(client, job)
        async with client.watch(job):
            await asyncio.sleep(1.0)
            (state,) = polled_by(client)

            assert state.was_operated


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_retry_has_a_start_of_its_own(dialect: str) -> None:
    """The platform keeps the start of the first execution; the result tells how long the last one ran, and since when."""
    world = World(1)
    again = HostOutcome(duration=exactly(20.0))
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(FAILS,), retry_outcomes=(again,)),)))
    step = world.jobs[job.job_instance_id].steps[0]
    async with client_of(world, dialect, interval=1.0) as (client, _):
        first = (await client.wait(job, deadline=100.0)).steps[0]
        async with client.watch(job, linger=700.0, deadline=900.0) as watch:
            await asyncio.sleep(600.0)
            await client.operate_step_instance(step.ref, operation_code=2)
            last = [e.result.steps[0] async for e in watch if isinstance(e, bkjob.Finished) and e.result.ok][
                -1
            ]

    assert first.execution_start == first.times.start_time
    assert last.times.start_time == first.times.start_time
    assert last.times.total_time is not None
    assert last.times.total_time > 590.0
    assert last.execution_seconds == pytest.approx(20.0, abs=4.0)
    assert last.execution_start is not None
    assert last.times.start_time is not None
    assert (last.execution_start - last.times.start_time).total_seconds() == pytest.approx(605.0, abs=10.0)


async def test_operations_of_long_ago_are_not_remembered() -> None:
    """A client that operates for weeks remembers those of the last seconds only."""
    world = World(1)
    jobs = [world.add(SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HANGS,)),))) for _ in range(4)]
    async with client_of(world) as (client, _):
        for job in jobs:
            note_operation(client, job)
            await asyncio.sleep(SETTLE_BOUND - 1.0)

        assert noted_operations(client) == jobs[-2:]


async def test_a_response_from_before_a_retry_ends_no_later_wait() -> None:
    """Although an earlier wait has seen the retry end: the next response may come from a replica that lags behind."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, pinned={1: FAILS}, retry_outcomes=(SUCCEEDS,)),)))
    async with client_of(world) as (client, transport):
        older: dict[str, HttpResponse] = {}

        def kept(request: HttpRequest, response: HttpResponse, _now: float) -> HttpResponse:
            older[str(request.url)] = response
            return response

        transport.outdate = kept
        failed = await client.wait(job)
        transport.outdate = lambda _request, response, _now: response
        retried = await client.retry_failed(failed)
        behind_until = asyncio.get_running_loop().time() + 3.0
        transport.outdate = lambda request, response, now: (
            older.get(str(request.url), response) if now < behind_until else response
        )
        again = await client.wait(job)

    assert (failed.ok, retried.ok, again.ok) == (False, True, True)


class SlowTransport(SimulatedTransport):
    """The simulator's transport whose responses to polls take their time to come back."""

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        """Send *request*."""
        response = await super().send(request, timeout=timeout)
        if request.method == "GET":
            await asyncio.sleep(1.0)
        return response


async def test_a_response_to_a_request_from_before_a_retry_ends_no_wait() -> None:
    """It shows the failure for the first time, after the retry was accepted."""
    world = World(1)
    outcomes = (HostOutcome(duration=exactly(8.0), status=FAILS.status),)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=outcomes, retry_outcomes=(SUCCEEDS,)),)))
    step = world.jobs[job.job_instance_id].steps[0]
    transport = SlowTransport(Platform(world))
    async with bkjob.connect(
        URLS["gateway-v3"], CREDENTIALS, scope=SCOPE, transport=transport, interval=1.0
    ) as client:
        waiting = asyncio.create_task(client.wait(job, deadline=200.0))
        while step.status != 4:
            await asyncio.sleep(0.3)
            transport.clock.now()
        await client.operate_step_instance(step.ref, operation_code=2)
        assert not waiting.done()
        result = await waiting

    assert result.ok


async def test_a_wait_that_was_confirmed_before_it_was_seen_is_not_reported() -> None:
    """The response that shows it was requested before; the next wait of the step is another one."""
    world = World(1)
    seconds = HostOutcome(duration=exactly(5.0))
    steps = StepPlan(hosts=1, outcomes=(seconds,)), StepPlan(kind=CONFIRM, hosts=0), StepPlan(hosts=1)
    job = world.add(SimulatedJob(steps=steps))
    step = world.jobs[job.job_instance_id].steps[1]
    transport = SlowTransport(Platform(world))
    async with (
        bkjob.connect(
            URLS["gateway-v3"], CREDENTIALS, scope=SCOPE, transport=transport, interval=1.0
        ) as client,
        client.watch(job, deadline=100.0) as watch,
    ):
        while step.status != 7:
            await asyncio.sleep(0.3)
            transport.clock.now()
        await client.operate_step_instance(step.ref, operation_code=bkjob.StepOperation.CONFIRM_CONTINUE)
        events = [event async for event in watch]

    assert not any(isinstance(event, bkjob.StepWaiting) for event in events)
    assert any(isinstance(event, bkjob.Finished) and event.result.ok for event in events)


class LateTransport(SimulatedTransport):
    """The simulator's transport whose requests to read take their time to arrive."""

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        """Send *request*."""
        if request.method == "GET":
            await asyncio.sleep(3.0)
        return await super().send(request, timeout=timeout)


async def test_a_retry_that_failed_again_before_the_next_poll_is_over() -> None:
    """The job shows the same status as before the retry; that its step has another execution shows that it went on."""
    world = World(1)
    again = HostOutcome(duration=exactly(0.0), status=FAILS.status)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(FAILS,), retry_outcomes=(again,)),)))
    step = world.jobs[job.job_instance_id].steps[0]
    async with (
        bkjob.connect(
            URLS["gateway-v3"],
            CREDENTIALS,
            scope=SCOPE,
            transport=LateTransport(Platform(world)),
            interval=1.0,
        ) as client,
        client.watch(job, linger=30.0, deadline=100.0) as watch,
    ):
        first = await watch.wait(job)
        await client.operate_step_instance(step.ref, operation_code=2)
        retried_at = asyncio.get_running_loop().time()
        second = await watch.wait(job)
        seconds = asyncio.get_running_loop().time() - retried_at

    assert [result.steps[0].execute_count for result in (first, second)] == [0, 1]
    assert [result.ok for result in (first, second)] == [False, False]
    assert seconds < 10.0
