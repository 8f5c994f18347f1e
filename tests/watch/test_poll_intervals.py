"""Watches that poll when changes can be expected."""

from __future__ import annotations

import json
import re

import anyio
import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.world.plans import HANGS, HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import DIALECTS, RecordingTransport, client_of, keeps_its_promise, watched

pytestmark = pytest.mark.looptime
FORTY = StepPlan(name="copy", hosts=1, outcomes=(HostOutcome(duration=exactly(40.0)),))
DEPLOY = SimulatedJob(name="deploy", steps=(FORTY,))


async def looks_at_one(
    client: bkjob.JobClient, transport: RecordingTransport, world: World
) -> tuple[int, float]:
    """Watch one more run; return how often it was looked at, and how long after its end that was reported."""
    before = len(transport.urls)
    batches = await watched(client, world.add(DEPLOY))
    assert keeps_its_promise(batches, world)
    return len(transport.urls) - before, transport.times[-1]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_job_that_ran_before_is_polled_less_often_and_seen_as_soon(dialect: str) -> None:
    """Ten runs of the same length teach when the eleventh need not be looked at."""
    world = World()
    async with client_of(world, dialect) as (client, transport):
        first, _ = await looks_at_one(client, transport, world)
        for _ in range(9):
            await watched(client, world.add(DEPLOY))
        began = transport.clock.now()
        later, ended = await looks_at_one(client, transport, world)

    assert later < 0.6 * first
    assert ended - began < 46.0


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_durations_can_be_read_and_exported(dialect: str) -> None:
    """Per job and per step: how many runs, median, spread; and the next process knows it from the start."""
    world = World()
    async with client_of(world, dialect) as (client, transport):
        for _ in range(10):
            first, _ = await looks_at_one(client, transport, world)
        shown = {(d.job, d.step): d for d in client.durations()}
        learnt = json.loads(json.dumps(client.export_durations()))
    world = World()
    async with client_of(world, dialect, duration_stats=learnt) as (client, transport):
        again, _ = await looks_at_one(client, transport, world)

    world = World()
    async with client_of(world, dialect) as (client, transport):
        taken = client.import_durations(learnt), client.import_durations(learnt)
        imported, _ = await looks_at_one(client, transport, world)

    assert set(shown) == {("deploy", None), ("deploy", "copy")}
    assert taken == (2, 0)
    assert imported == pytest.approx(first, abs=2)
    assert all(d.runs == 10 and 39.0 < d.median < 44.0 and d.spread < 0.1 for d in shown.values())
    assert again == pytest.approx(first, abs=2)


async def test_explain_names_the_expected_duration() -> None:
    """In the words of `explain`."""
    world = World()
    async with client_of(world) as (client, _):
        for _ in range(5):
            await watched(client, world.add(DEPLOY))
        ref = world.add(DEPLOY)
        async with client.watch(ref) as watch:
            await anyio.sleep(20.0)
            said = str(watch.explain(ref))

    assert "it has been running for 19 s of about 41 s (33 to 50 s)" in said


async def test_a_run_that_was_over_at_first_sight_teaches_too() -> None:
    """The platform says how long it took."""
    world = World()
    ref = world.add(DEPLOY)
    async with client_of(world) as (client, _):
        await anyio.sleep(300.0)
        await watched(client, ref)
        (job, step) = sorted(client.durations(), key=lambda d: d.step or "")

    assert (job.runs, step.runs) == (1, 1)
    assert 39.0 < step.median <= job.median < 44.0


async def test_what_somebody_stopped_teaches_nothing() -> None:
    """A run that was cut short says nothing of how long it takes."""
    world = World()
    ref = world.add(DEPLOY)
    async with client_of(world) as (client, _), client.watch(ref) as watch:
        await anyio.sleep(10.0)
        await client.operate_job_instance(ref, operation_code=bkjob.JobOperation.TERMINATE)
        await watch.results()
        assert client.durations() == ()


async def test_a_second_execution_teaches_nothing() -> None:
    """Neither the step's, whose failed hosts alone ran again, nor the job's, which waited for somebody."""
    world = World()
    fails = HostOutcome(status=104, exit_code=1, duration=exactly(5.0))
    ref = world.add(SimulatedJob(name="deploy", steps=(StepPlan(name="copy", hosts=1, outcomes=(fails,)),)))
    async with client_of(world) as (client, _):
        result = await client.wait(ref)
        before = [d.runs for d in client.durations()]
        await client.retry_failed(result)
        after = [d.runs for d in client.durations()]

    assert before == after == [1, 1]


async def test_a_watch_polls_once_more_before_its_deadline() -> None:
    """So that the last snapshot is fresh, however long the steps have become."""
    world = World()
    ref = world.add(
        SimulatedJob(
            name="backup", steps=(StepPlan(hosts=1, outcomes=(HostOutcome(duration=exactly(5000.0)),)),)
        )
    )
    async with client_of(world) as (client, transport):
        with pytest.raises(bkjob.DeadlineExceeded):
            await watched(client, ref, deadline=999.0)
        assert transport.clock.now() - transport.times[-1] < 0.6


async def test_a_lag_can_be_asked_for_instead() -> None:
    """More lag, fewer looks; an interval and a lag contradict each other."""
    asked = []
    for target_lag in (1.0, 20.0):
        world = World()
        async with client_of(world, target_lag=target_lag) as (client, transport):
            for _ in range(10):
                asked.append(await looks_at_one(client, transport, world))

    assert asked[19][0] < asked[9][0]
    with pytest.raises(bkjob.UsageError):
        bkjob.connect("http://simulator", bkjob.AccessToken(access_token="x"), interval=1.0, target_lag=1.0)


async def result_with_callback(
    client: bkjob.JobClient, ref: bkjob.JobRef, *, is_heard: bool
) -> bkjob.JobResult:
    """Watch *ref*; a callback arrives half a second after its end unless it is lost."""
    callbacks = bkjob.CallbackReceiver()

    async def send_callback() -> None:
        await anyio.sleep(43.5)
        assert callbacks.receive(f'{{"job_instance_id":{ref.job_instance_id},"status":3}}'.encode()) == 200

    async with client.watch(ref, callbacks=callbacks) as watch, anyio.create_task_group() as group:
        if is_heard:
            group.start_soon(send_callback)
        (result,) = (await watch.results()).values()
    assert isinstance(result, bkjob.JobResult)
    return result


async def test_with_callbacks_polling_is_only_the_fallback() -> None:
    """Callbacks that do arrive make polls rarer; a lost one costs lag, never the end."""
    asked = []
    for with_callbacks in (False, True):
        world = World()
        async with client_of(world) as (client, transport):
            for number in range(12):
                before = len(transport.urls)
                result = await result_with_callback(
                    client, world.add(DEPLOY), is_heard=with_callbacks and number != 11
                )
                assert result.ok
                asked.append(len(transport.urls) - before)

    assert asked[22] < asked[10]
    assert asked[23] < asked[11]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_age_of_a_job_counts_from_its_start_on_the_platform(dialect: str) -> None:
    """The platform's stamps say how long it has been running, although its clock is not ours."""
    world = World()
    early = world.add(DEPLOY)
    async with client_of(world, dialect) as (client, _):
        await anyio.sleep(25.0)
        for ref in (world.add(DEPLOY), early):
            await client.wait(ref)
        early = world.add(DEPLOY)
        await anyio.sleep(25.0)
        async with client.watch([world.add(DEPLOY), early]) as watch:
            await anyio.sleep(5.0)
            said = str(watch.explain(early))

    assert re.search(r"running for (29|30) s of about 40 s", said)


async def test_a_short_linger_does_not_make_finished_targets_be_polled_often() -> None:
    """While another target runs, those that are over are polled every ten seconds, however soon the watch would end."""
    world = World()
    over = world.add(SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HostOutcome(duration=exactly(5.0)),)),)))
    running = world.add(SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HANGS,)),)))
    async with (
        client_of(world, interval=10.0) as (client, transport),
        client.watch((over, running), linger=0.5),
    ):
        await anyio.sleep(60)
        before = len(transport.urls)
        await anyio.sleep(60)

    assert len(transport.urls) - before <= 2 * 6 + 2
