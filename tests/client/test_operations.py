"""A wait after an operation never returns the result from before it: one test per operation code."""

from __future__ import annotations

import asyncio

import pytest
from attrs import frozen

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import (
    FAILS,
    HANGS,
    IGNORES_STOP,
    DurationRange,
    HostOutcome,
    PlatformDelays,
    Rolling,
    SimulatedJob,
    StepPlan,
)
from tests.client.clients import client_of

pytestmark = pytest.mark.looptime

LATE = PlatformDelays(event=4.0)
CONFIRM = StepPlan(kind=3, hosts=0)
FIRST, SECOND = StepPlan(hosts=2), StepPlan(hosts=1)
ONE_FAILS = StepPlan(hosts=2, pinned={0: FAILS})


@frozen(kw_only=True)
class Story:
    """A stopped job, the operation on it, and its end."""

    steps: tuple[StepPlan, ...]
    operation: int
    ends: int
    terminated: bool = False
    refused: bool = False
    started: bool = True


STEP_STORIES = {
    "retry failed hosts": Story(steps=(ONE_FAILS,), operation=2, ends=3),
    "ignore error": Story(steps=(ONE_FAILS, SECOND), operation=3, ends=3),
    "confirm, go on": Story(steps=(CONFIRM, SECOND), operation=6, ends=3),
    "retry all hosts": Story(steps=(ONE_FAILS,), operation=8, ends=3),
    "confirm, end": Story(steps=(CONFIRM, SECOND), operation=9, ends=13),
    "ask again": Story(steps=(CONFIRM, SECOND), operation=10, ends=3, refused=True),
    "next step": Story(steps=(StepPlan(outcomes=(HANGS,)), SECOND), operation=11, ends=3, terminated=True),
    "skip": Story(steps=(StepPlan(outcomes=(IGNORES_STOP,)),), operation=12, ends=3, terminated=True),
    "roll on": Story(steps=(StepPlan(hosts=3, rolling=Rolling(sizes=(1, 2), mode=3)),), operation=13, ends=3),
}


def test_every_operation_is_tested() -> None:
    """Every operation code of the platform has a test."""
    assert {story.operation for story in STEP_STORIES.values()} == set(bkjob.StepOperation)


@pytest.mark.parametrize("dialect", ["gateway-v3", "esb-jobv3", "esb-job"])
@pytest.mark.parametrize("name", STEP_STORIES)
async def test_a_wait_after_an_operation_returns_the_new_end(name: str, dialect: str) -> None:
    """The platform still shows the old status for seconds; it is not the response."""
    story = STEP_STORIES[name]
    simulator = Simulator(delays=LATE)
    job = simulator.add(SimulatedJob(steps=story.steps))
    step = simulator.steps(job)[0]
    simulator.advance(120)

    async with client_of(simulator, dialect) as (client, _):
        if story.terminated:
            await client.operate_job_instance(job, bkjob.JobOperation.TERMINATE)
            simulator.advance(120)
        if story.refused:
            await client.operate_step_instance(step, operation_code=9)
            assert (await client.wait(job, deadline=600)).status.code == 13
        before = simulator.job(job).status
        await client.operate_step_instance(step, operation_code=story.operation)
        waiting = asyncio.create_task(client.wait(job, deadline=600))
        if story.refused:
            await asyncio.sleep(6)  # the job shows its old end until the platform has polled its agents again
            await client.operate_step_instance(step, operation_code=6)
        result = await waiting

    assert result.status.code == story.ends
    assert result.status.code == simulator.job(job).status
    assert result.status.code != before or story.operation == 9


@pytest.mark.parametrize("dialect", ["gateway-v3", "esb-jobv3", "esb-job"])
@pytest.mark.parametrize(("operation", "ends"), [(1, 11), (2, 3)])
async def test_a_wait_after_a_job_operation_returns_the_new_end(
    operation: int, ends: int, dialect: str
) -> None:
    """Terminate, and start what was pending."""
    simulator = Simulator(delays=LATE)
    hangs = SimulatedJob(steps=(StepPlan(outcomes=(HANGS,)),))
    job = simulator.add(hangs if operation == 1 else SimulatedJob(start_task=False))
    simulator.advance(60)

    async with client_of(simulator, dialect) as (client, _):
        await client.operate_job_instance(job, operation)
        result = await client.wait(job, deadline=600)

    assert result.status.code == ends


async def test_an_operation_without_a_response_is_not_sent_twice_and_its_job_is_polled() -> None:
    """It may have been carried out, so the client polls the job, and does not repeat the operation."""
    simulator = Simulator(delays=LATE)
    job = simulator.add(SimulatedJob(steps=(ONE_FAILS,)))
    step = simulator.steps(job)[0]
    simulator.advance(120)

    async with client_of(simulator) as (client, transport):
        with (
            simulator.fault("gateway-timeout", operations=["operate_step_instance"]),
            pytest.raises(bkjob.OutcomeUnknown) as unknown,
        ):
            await client.operate_step_instance(step, operation_code=2)
        result = await client.wait(job, deadline=600)

    assert unknown.value.details.attempts == 1
    assert transport.request_counts["operate_step_instance"] == 1
    assert result.ok


@pytest.mark.parametrize("dialect", ["gateway-v3", "gateway-v4", "esb-job", "esb-jobv3"])
@pytest.mark.parametrize(
    "fault",
    [
        "internal-error",
        "database-away",
        "iam-away",
        "cmdb-away",
        "gateway-timeout-json",
        "bad-gateway",
        "half-json",
    ],
)
async def test_a_launch_that_met_trouble_behind_the_gateway_may_have_been_executed(
    dialect: str, fault: str
) -> None:
    """Whichever service failed, in every dialect: the launch is sent once, and its outcome is unknown."""
    simulator = Simulator()

    async with client_of(simulator, dialect=dialect) as (client, transport):
        with (
            simulator.fault(fault, operations=["fast_execute_script"]),
            pytest.raises(bkjob.OutcomeUnknown) as unknown,
        ):
            await client.fast_execute_script("uptime", "0:10.0.0.1", account_alias="root")

    assert unknown.value.details.attempts == 1
    assert transport.request_counts["fast_execute_script"] == 1


async def test_an_operation_by_a_raw_call_counts_as_well() -> None:
    """The engine is informed of it as of any other operation."""
    simulator = Simulator(delays=LATE)
    job = simulator.add(SimulatedJob(steps=(CONFIRM, SECOND)))
    step = simulator.steps(job)[0]
    simulator.advance(60)

    async with client_of(simulator) as (client, _):
        await client.operate_step_instance(step, operation_code=9)
        await client.wait(job, deadline=600)
        named = {"job_instance_id": job.job_instance_id, "step_instance_id": step.step_instance_id}
        await client.call("operate_step_instance", {**named, "operation_code": 10})
        waiting = asyncio.create_task(client.wait(job, deadline=600))
        await asyncio.sleep(6)
        await client.call("operate_step_instance", {**named, "operation_code": 6})
        result = await waiting

    assert result.ok


@pytest.mark.parametrize("dialect", ["gateway-v3", "esb-job", "esb-jobv3"])
@pytest.mark.parametrize("unread", [5.0, 14.5, 45.0])
@pytest.mark.parametrize("fault", ["internal-error", "bad-gateway", "hang"])
async def test_an_operation_while_reads_fail_is_not_forgotten(
    dialect: str, unread: float, fault: str
) -> None:
    """A watch of two jobs does not end with the result from before a retry whose effect nobody could read."""
    simulator = Simulator()
    first = simulator.add(SimulatedJob(steps=(ONE_FAILS,)))
    slow = HostOutcome(duration=DurationRange(200.0, 200.0))
    second = simulator.add(SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(slow,)),)))
    simulator.advance(30)
    reads = ["get_job_instance_status", "get_step_instance_status"]

    async with (
        client_of(simulator, dialect, request_timeout=3.0) as (client, _),
        client.watch([first, second], deadline=900) as watch,
    ):
        await asyncio.sleep(60)
        with simulator.fault(fault, operations=reads, jobs=[first.job_instance_id]):
            await client.operate_step_instance(simulator.steps(first)[0], operation_code=8)
            await asyncio.sleep(unread)
        told = [type(event) async for event in watch if isinstance(event, bkjob.Trouble | bkjob.Recovered)]
        results = await watch.results()

    assert told in ([], [bkjob.Trouble, bkjob.Recovered])
    assert all(isinstance(result, bkjob.JobResult) and result.ok for result in results.values())
    assert set(results) == {first, second}


@pytest.mark.parametrize("dialect", ["gateway-v3", "esb-jobv3", "esb-job"])
async def test_a_step_is_settled_again_when_an_operation_changed_nothing(dialect: str) -> None:
    """Beside a step that runs on, nothing else than the response that ends the doubt tells the watch."""
    simulator = Simulator()
    job = simulator.add(SimulatedJob(steps=(StepPlan(hosts=1), StepPlan(kind=3, hosts=0))))
    ended, waiting = simulator.steps(job)

    async with (
        client_of(simulator, dialect) as (client, _),
        client.watch([ended, waiting], deadline=90) as watch,
    ):
        await asyncio.sleep(30)
        await client.operate_job_instance(job, bkjob.JobOperation.TERMINATE)
        with pytest.raises(bkjob.DeadlineExceeded) as late:
            await watch.results()

    assert set(late.value.snapshots) == {waiting}


@pytest.mark.parametrize("dialect", ["gateway-v3", "esb-jobv3", "esb-job"])
async def test_an_operation_may_stand_in_second_place(dialect: str) -> None:
    """Behind what names the step; a plain number there is the id of a step, and two operations are none."""
    simulator = Simulator()
    job = simulator.add(SimulatedJob(steps=(ONE_FAILS,)))
    step = simulator.steps(job)[0]
    simulator.advance(60)

    async with client_of(simulator, dialect) as (client, transport):
        retry = bkjob.StepOperation.RETRY_FAILED_HOSTS
        accepted = await client.operate_step_instance(step, retry)
        with pytest.raises(bkjob.UsageError, match="one operation at a time"):
            await client.operate_step_instance(step, retry, retry)
        with pytest.raises(bkjob.UsageError, match="a plain number in second place"):
            await client.operate_step_instance(step, 2)

    assert accepted.ref == step
    assert transport.request_counts["operate_step_instance"] == 1
