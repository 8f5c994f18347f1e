"""Reads of a job, or of one of its steps, fail again and again: what can be read is read, and each watch ends."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.world import codes
from bkjob_async.simulator.world.plans import (
    FAILS,
    HANGS,
    SUCCEEDS,
    DurationRange,
    HostOutcome,
    SimulatedJob,
    StepPlan,
    exactly,
)
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of, watched

pytestmark = pytest.mark.looptime

Spoilt = HttpResponse | bkjob.BkJobError | None
TIMEOUT = bkjob.RequestTimedOut(bkjob.ErrorDetails(message="no answer"))
WITH_ROWS = re.compile(r"return_(ip|execute_object)_result\W+true", re.IGNORECASE)
WITHOUT_STEPS = ["gateway-v4", "esb-jobv3"]  # dialects that read no step by itself


def refusal(code: int) -> HttpResponse:
    """Return a response that refuses with this *code*."""
    return HttpResponse(status=200, body=b'{"result": false, "code": %d, "message": "no"}' % code)


def text_of(request: HttpRequest) -> str:
    """Return what a request asks for."""
    return f"{request.url} {(request.body or b'').decode()}"


def asks_for(request: HttpRequest, what: str) -> bool:
    """Return True if a request reads a `job` or a `step`."""
    return f"get_{what}" in text_of(request)


def runs(seconds: float, hosts: int = 2) -> StepPlan:
    """Return a step whose hosts run for so many seconds."""
    return StepPlan(hosts=hosts, outcomes=(HostOutcome(duration=exactly(seconds)),))


def changed(response: HttpResponse, change: Callable[[dict[str, Any]], None]) -> HttpResponse:
    """Return a response about a job whose data was changed."""
    body = json.loads(response.body)
    if isinstance(body.get("data"), dict) and "step_instance_list" in body["data"]:
        change(body["data"])
    return HttpResponse(status=response.status, headers=response.headers, body=json.dumps(body).encode())


def ends(batches: list[bkjob.Batch]) -> list[bkjob.Ref]:
    """Return what was reported as finished."""
    return [event.ref for batch in batches for event in batch.events if isinstance(event, bkjob.Finished)]


def hosts_over(batches: list[bkjob.Batch]) -> int:
    """Return of how many hosts the end was reported."""
    changes = [event for batch in batches for event in batch.events if isinstance(event, bkjob.HostChanged)]
    return len({(event.ref, event.host) for event in changes if event.after.is_finished})


@pytest.mark.parametrize("level", list(bkjob.DetailLevel))
@pytest.mark.parametrize("error", [TIMEOUT, refusal(1650401), refusal(1240003), refusal(1240002)])
async def test_a_job_whose_rows_cannot_be_read_any_more_is_read_without_them(
    error: HttpResponse | bkjob.BkJobError, level: bkjob.DetailLevel
) -> None:
    """Its first step is small; of the second the rows are too many for one response, and are read by steps."""
    world = World(1)
    large = StepPlan(hosts=3000, outcomes=(HostOutcome(duration=DurationRange(20.0, 30.0)),))
    ref = world.add(SimulatedJob(steps=(runs(8.0), large)))
    steps = world.jobs[ref.job_instance_id].steps

    def spoil(request: HttpRequest, now: float) -> Spoilt:
        world.advance(now)
        has_rows = (
            asks_for(request, "job_instance_status") and "return_ip_result=true" in text_of(request).lower()
        )
        return error if has_rows and steps[1].status != codes.BLANK else None

    async with client_of(world) as (client, transport):
        transport.spoil = spoil
        batches = await watched(client, ref, deadline=300, detail_level=level)

    assert ends(batches) == [ref]
    assert hosts_over(batches) == 3002


@pytest.mark.parametrize("level", list(bkjob.DetailLevel))
@pytest.mark.parametrize("dialect", WITHOUT_STEPS)
@pytest.mark.parametrize("error", [TIMEOUT, refusal(1650401), refusal(1240003), refusal(1240002)])
@pytest.mark.parametrize("begins_so", [False, True])
async def test_a_job_whose_rows_cannot_be_read_ends_where_no_step_can_be_read_by_itself(
    error: HttpResponse | bkjob.BkJobError, dialect: str, level: bkjob.DetailLevel, *, begins_so: bool
) -> None:
    """Its status is reported; that its hosts cannot be read is one trouble, until it is over."""
    world = World(1)
    ref = world.add(SimulatedJob(steps=(runs(8.0), runs(80.0, 30))))
    steps = world.jobs[ref.job_instance_id].steps
    refused: list[float] = []

    def spoil(request: HttpRequest, now: float) -> Spoilt:
        world.advance(now)
        if not (WITH_ROWS.search(text_of(request)) and (begins_so or steps[1].status != codes.BLANK)):
            return None
        refused.append(now)
        return error

    async with client_of(world, dialect) as (client, transport):
        transport.spoil = spoil
        batches = await watched(client, ref, deadline=300, detail_level=level)

    events = [event for batch in batches for event in batch.events]
    assert ends(batches) == [ref]
    if level > bkjob.DetailLevel.END_ONLY:
        assert sum(isinstance(event, bkjob.Trouble) for event in events) <= 1
    state = bkjob.StreamState()
    for batch in batches:
        state.apply(batch)
    assert not state.trouble
    assert any(getattr(event, "ref", None) == steps[1].ref for event in events)
    assert len(refused) < 70


@pytest.mark.parametrize("dialect", WITHOUT_STEPS)
@pytest.mark.parametrize("error", [TIMEOUT, refusal(1240003), refusal(1240002)])
@pytest.mark.parametrize("rows_only", [False, True])
async def test_rows_that_could_not_be_read_for_a_while_are_read_again(
    error: HttpResponse | bkjob.BkJobError, dialect: str, *, rows_only: bool
) -> None:
    """With the second response where the platform was away; later where it answered, and refused all of this job.

    Where only the hosts are refused, the wait for them doubles.
    """
    world = World(1)
    ref = world.add(SimulatedJob(steps=(runs(8.0), runs(180.0, 30))))
    recovered: list[float] = []

    def spoil(request: HttpRequest, now: float) -> Spoilt:
        is_bad = WITH_ROWS.search(text_of(request)) or not rows_only
        return error if 20 < now < 100 and is_bad else None

    async with client_of(world, dialect, interval=5.0) as (client, transport):
        transport.spoil = spoil
        async with client.watch(ref, deadline=300) as watch:
            batches = []
            async for batch in watch.batches():
                batches.append(batch)
                if any(isinstance(event, bkjob.Recovered) for event in batch.events):
                    recovered.append(asyncio.get_running_loop().time())

    assert ends(batches) == [ref]
    assert hosts_over(batches) == 32
    assert len(recovered) == 1
    assert recovered[0] < (165 if rows_only else 106 if error is TIMEOUT else 170)


@pytest.mark.parametrize("error", [TIMEOUT, *map(refusal, (1240002, 1240003, 1244006, 9900403))])
async def test_a_job_is_read_where_the_step_that_represents_it_cannot_be(
    error: HttpResponse | bkjob.BkJobError,
) -> None:
    """Its response shows that the job is over; what is known of the step is reported two minutes later."""
    world = World(1)
    large = StepPlan(hosts=150, outcomes=(HostOutcome(duration=DurationRange(20.0, 60.0)),))
    ref = world.add(SimulatedJob(steps=(large,)))
    async with client_of(world) as (client, transport):
        transport.spoil = lambda request, now: error if now > 15 and asks_for(request, "step") else None
        batches = await watched(client, ref, deadline=300)

    assert ends(batches) == [ref]


@pytest.mark.parametrize("is_unknown", [False, True])
async def test_a_step_that_stays_open_ends_with_its_job(*, is_unknown: bool) -> None:
    """Also where it alone is watched, and its response never shows an end."""
    world = World(1)
    plan = StepPlan(hosts=2, outcomes=(HANGS,))
    if is_unknown:
        plan = StepPlan(hosts=2, outcomes=(HANGS,), abnormal_after=5.0, abnormal_status=9)
    job = world.jobs[world.add(SimulatedJob(steps=(plan,))).job_instance_id]

    async def end_job() -> None:
        await asyncio.sleep(10.0)
        world.advance(asyncio.get_running_loop().time())
        if is_unknown:
            job.steps[0].set_status(99, 10.0)
        else:
            world.lifecycle.finish_job(job, codes.STOP_SUCCESS)

    async with client_of(world) as (client, _), asyncio.TaskGroup() as group:
        group.create_task(end_job())
        batches = await watched(client, job.steps[0].ref, deadline=300)

    assert ends(batches) == [job.steps[0].ref]


@pytest.mark.parametrize("hosts", [2, 150])
async def test_a_step_is_read_where_its_job_cannot_be(hosts: int) -> None:
    """Although it failed once itself; that is one trouble, which is over when the job can be read, too, or the step is."""
    world = World(1)
    step = world.jobs[world.add(SimulatedJob(steps=(runs(60.0, hosts),))).job_instance_id].steps[0].ref
    failed: list[float] = []

    def spoil(request: HttpRequest, now: float) -> Spoilt:
        if now > 10 and asks_for(request, "job"):
            return refusal(1240003)
        if now > 20 and not failed and asks_for(request, "step"):
            failed.append(now)
            return refusal(1240003)
        return None

    async with client_of(world) as (client, transport):
        transport.spoil = spoil
        batches = await watched(client, step, deadline=300)

    events = [event for batch in batches for event in batch.events]
    assert ends(batches) == [step]
    assert hosts_over(batches) == hosts
    assert sum(isinstance(event, bkjob.Trouble) for event in events) <= 1


@pytest.mark.parametrize("is_joined", [False, True])
async def test_a_step_that_is_refused_raises_no_rate_for_good(*, is_joined: bool) -> None:
    """Neither while a watch that came late is open, nor at all: the others are polled as often as they would be alone."""
    world = World(1)
    plans = (
        StepPlan(hosts=150, outcomes=(SUCCEEDS,)),
        StepPlan(hosts=150, outcomes=(HANGS,)),
        StepPlan(hosts=2),
    )
    ref = world.add(SimulatedJob(steps=plans))
    steps = [step.ref for step in world.jobs[ref.job_instance_id].steps]

    def spoil(request: HttpRequest, now: float) -> Spoilt:
        is_bad = asks_for(request, "step") and str(steps[1].step_instance_id) in text_of(request)
        return refusal(1240003) if now > 20 and is_bad else None

    async with client_of(world) as (client, transport):
        transport.spoil = spoil
        async with client.watch(ref, linger=None):
            await asyncio.sleep(200.0)
            late = client.watch(steps[0], linger=None)
            if is_joined:
                await late.__aenter__()
                await asyncio.sleep(200.0)
            before = len(transport.urls)
            await asyncio.sleep(600.0)
            requests = len(transport.urls) - before
            await late.aclose()

    assert requests < 400


@pytest.mark.parametrize("is_first_step", [True, False])
async def test_a_watch_that_joins_ends_where_one_step_times_out(*, is_first_step: bool) -> None:
    """Whether it follows the other step or the job."""
    world = World(1)
    ref = world.add(SimulatedJob(steps=(runs(8.0, 150), runs(200.0, 150))))
    first, second = (step.ref for step in world.jobs[ref.job_instance_id].steps)

    def spoil(request: HttpRequest, now: float) -> Spoilt:
        is_bad = asks_for(request, "step") and str(second.step_instance_id) in text_of(request)
        return TIMEOUT if now > 5 and is_bad else None

    async with client_of(world, interval=2.0) as (client, transport):
        transport.spoil = spoil
        async with client.watch(ref, linger=None):
            await asyncio.sleep(60.0)
            target: bkjob.Ref = first if is_first_step else ref
            batches = await watched(client, target, deadline=400)

    assert ends(batches) == [target]


@pytest.mark.parametrize("dialect", WITHOUT_STEPS)
async def test_a_step_that_its_job_does_not_list_any_more_ends(dialect: str) -> None:
    """It had a final status, provisional then, and a later step was listed in its place."""
    world = World(1)
    failing = StepPlan(hosts=2, outcomes=(FAILS,), ignore_error=True)
    step = world.jobs[world.add(SimulatedJob(steps=(failing, runs(60.0)))).job_instance_id].steps[0].ref
    seen: list[float] = []

    def hide(data: dict[str, Any]) -> None:
        steps = data["step_instance_list"]
        if not steps or steps[0]["status"] != codes.IGNORE_ERROR:
            return
        if not seen:
            seen.append(0.0)
            steps[1]["status"] = codes.BLANK
        else:
            del steps[0]

    async with client_of(world, dialect) as (client, transport):
        transport.tear = lambda response, _now: changed(response, hide)
        batches = await watched(client, step, deadline=100)

    assert ends(batches) == [step]


@pytest.mark.parametrize("dialect", ["gateway-v3", *WITHOUT_STEPS])
async def test_trouble_is_over_with_a_job_that_a_list_shows_ended(dialect: str) -> None:
    """It is read again for that, and was refused until then."""
    world = World(1)
    refs = [world.add(SimulatedJob(steps=(runs(400.0),))) for _ in range(25)]
    bad = world.add(SimulatedJob(steps=(runs(150.0),)))

    def spoil(request: HttpRequest, now: float) -> Spoilt:
        world.advance(now)
        is_bad = str(bad.job_instance_id) in text_of(request)
        return (
            refusal(1240003) if now > 5 and is_bad and world.jobs[bad.job_instance_id].ended is None else None
        )

    state = bkjob.StreamState()
    async with client_of(world, dialect) as (client, transport):
        transport.spoil = spoil
        end_only = bkjob.DetailLevel.END_ONLY
        async with client.watch([bad, *refs], detail_level=end_only, deadline=600) as watch:
            async for batch in watch.batches():
                state.apply(batch)

    assert not state.trouble


@pytest.mark.parametrize("dialect", WITHOUT_STEPS)
async def test_a_step_of_a_job_that_was_just_launched_is_not_lost(dialect: str) -> None:
    """A replica may show the job without steps for some seconds."""
    world = World(1)
    async with client_of(world, dialect) as (client, transport):
        transport.tear = lambda response, now: (
            changed(response, lambda data: data.update(step_instance_list=[])) if now <= 4 else response
        )
        await client.fast_execute_script("true", "0:10.0.0.1", account_alias="root")
        step = next(iter(world.jobs.values())).steps[0].ref
        batches = await watched(client, step, deadline=300)

    assert ends(batches) == [step]
