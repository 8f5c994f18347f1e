"""Lists in place of many polls: hints that prove nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from statistics import mean
from typing import Any

import pytest
from attrs import evolve, frozen
from msgspec.structs import replace

import bkjob_async as bkjob
from bkjob_async.dialects.gateway.v3 import GATEWAY_V3
from bkjob_async.engine.scheduling.list_polling import LONGEST_UNSEEN
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of, keeps_its_promise, watched
from tests.watch.inside import polled_by

pytestmark = [pytest.mark.looptime, pytest.mark.slow]
RUNS = HostOutcome(duration=DurationRange(20.0, 300.0))
JOBS = 60


@frozen
class Seen:
    """What it took to see all ends: questions about jobs, pages of lists, seconds from each end to its report."""

    jobs: int
    lists: int
    lags: list[float]


async def seen(
    *,
    lists: bool = True,
    detail_level: bkjob.DetailLevel = bkjob.DetailLevel.END_ONLY,
    jobs: int = JOBS,
    others: int = 0,
    limit: float | None = None,
    **doors: Callable[..., Any],
) -> Seen:
    """Watch *jobs* to their end, behind *others* that nobody watches, with *limit* requests a second."""
    world = World(7)
    refs = [world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(RUNS,)),))) for _ in range(jobs)]
    for _ in range(others):
        world.add(SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HostOutcome(status=None),)),)))
    dialect = GATEWAY_V3
    spoken = evolve(
        dialect,
        capabilities=replace(
            dialect.capabilities, list_length=dialect.capabilities.list_length if lists else 0
        ),
    )
    reported: dict[bkjob.Ref, float] = {}
    async with client_of(world, spoken, requests_per_second=limit) as (client, transport):
        for name, value in doors.items():
            setattr(transport, name, value)
        async with client.watch(refs, detail_level=detail_level, deadline=1000.0) as watch:
            batches = []
            async for batch in watch.batches():
                batches.append(batch)
                ended = (event.ref for event in batch.events if isinstance(event, bkjob.Finished))
                reported.update(dict.fromkeys(ended, transport.clock.now()))
        asked = ["job_instance_list" in url for url in transport.urls]
    assert keeps_its_promise(batches, world)
    assert reported.keys() == set(refs)
    lags = [reported[ref] - (world.jobs[ref.job_instance_id].ended or 0.0) for ref in refs]
    return Seen(asked.count(False), asked.count(True), lags)


async def test_one_page_replaces_many_polls() -> None:
    """Jobs that a list shows running are looked at seldom, those that it no longer shows at once."""
    swept, plain = await seen(), await seen(lists=False)

    assert plain.lists == 0 < swept.lists
    assert swept.jobs + swept.lists < 0.5 * plain.jobs
    assert mean(swept.lags) < mean(plain.lags)
    assert max(swept.lags) < 8.0


async def test_lists_show_ends_sooner_where_more_is_due_than_may_be_sent() -> None:
    """Neither a page nor a job that it no longer shows waits until all late jobs have been looked at."""
    swept, plain = await seen(jobs=120, limit=2.0), await seen(lists=False, jobs=120, limit=2.0)

    assert plain.lists == 0 < swept.lists
    assert mean(swept.lags) < 0.75 * mean(plain.lags)
    assert max(swept.lags) < 0.75 * max(plain.lags)


async def test_lists_serve_only_watches_of_ends() -> None:
    """Hosts that move show in no list."""
    assert (await seen(detail_level=bkjob.DetailLevel.EVERY_CHANGE)).lists == 0


def rewritten(change: Callable[[dict[str, Any]], None]) -> Callable[[HttpResponse, float], HttpResponse]:
    """Return what changes the data of every list."""

    def tear(response: HttpResponse, _now: float) -> HttpResponse:
        answer = json.loads(response.body)
        data = answer.get("data") or {}
        if not isinstance(data, dict) or "total" not in data:
            return response
        change(data)
        return HttpResponse(status=200, body=json.dumps(answer).encode())

    return tear


def stale() -> Callable[[HttpResponse, float], HttpResponse]:
    """Return what shows the first list for ever."""
    first: list[dict[str, Any]] = []

    def change(data: dict[str, Any]) -> None:
        first.append(dict(data))
        data.update(first[0])

    return rewritten(change)


async def test_a_list_that_is_stale_delays_nothing_for_long() -> None:
    """However often a job is listed as running, it is looked at itself."""
    reported = await seen(tear=stale())

    assert max(reported.lags) < LONGEST_UNSEEN + 8.0


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(data=[], total=0),
        lambda data: data.update(data=data["data"][::2]),
        lambda data: data.update(data=data["data"][:5]),
        lambda data: data.update(total=100_000),
    ],
    ids=["empty", "every other", "cut", "endless"],
)
async def test_a_list_that_leaves_jobs_out_delays_and_invents_nothing(
    change: Callable[[dict[str, Any]], None],
) -> None:
    """What is not listed is looked at as if there were no list, and once more."""
    plain, reported = await seen(lists=False), await seen(tear=rewritten(change))

    assert mean(reported.lags) < 1.5 * mean(plain.lags)
    assert reported.jobs < 1.1 * plain.jobs + JOBS


def refusing(request: HttpRequest, _now: float) -> HttpResponse | None:
    """Refuse every list."""
    if "job_instance_list" not in str(request.url):
        return None
    return HttpResponse(status=200, body=b'{"result": false, "code": 1238001, "message": "not yours"}')


@pytest.mark.parametrize("options", [{"spoil": refusing}, {"others": 3000}], ids=["refused", "sparse"])
async def test_a_list_that_does_not_pay_is_given_up_for_longer_each_time(options: dict[str, Any]) -> None:
    """A list that cannot be had, or is full of other people's jobs, costs a few questions in five minutes."""
    plain, reported = await seen(lists=False), await seen(**options)

    assert 0 < reported.lists <= 4
    assert mean(reported.lags) == pytest.approx(mean(plain.lags), rel=0.1)


@pytest.mark.parametrize(("spoil", "error"), [(refusing, "NotAllowed"), (lambda *_: None, None)])
async def test_observers_receive_polls_of_lists_too(spoil: Any, error: str | None) -> None:
    """A list, answered or refused, is seen by whoever watches the watcher, and how long it took."""
    world = World()
    refs = [world.add(SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(RUNS,)),))) for _ in range(JOBS)]
    seen: list[bkjob.observations.Observation] = []
    async with client_of(world, observers=[seen.append]) as (client, transport):
        transport.spoil = spoil
        await watched(client, *refs, detail_level=bkjob.DetailLevel.END_ONLY)
    lists = [
        polled
        for polled in seen
        if isinstance(polled, bkjob.observations.PollCompleted) and polled.ref is None
    ]

    assert {(polled.operation, polled.error) for polled in lists} == {("get_job_instance_list", error)}
    assert all(0.0 <= polled.seconds < 1.0 for polled in lists)


async def test_few_jobs_are_not_worth_a_list() -> None:
    """A page costs as much as several looks."""
    world = World()
    refs = [world.add(SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(RUNS,)),))) for _ in range(5)]
    async with client_of(world) as (client, transport):
        await watched(client, *refs, detail_level=bkjob.DetailLevel.END_ONLY)

    assert not any("job_instance_list" in url for url in transport.urls)


async def test_a_poll_that_a_list_delays_is_not_late() -> None:
    """Its new time is the one that was planned; polls that come late raise the cost of all others."""
    world = World(7)
    refs = [world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(RUNS,)),))) for _ in range(JOBS)]
    async with client_of(world) as (client, transport):
        async with client.watch(refs, detail_level=bkjob.DetailLevel.END_ONLY):
            for _ in range(30):
                await asyncio.sleep(2.0)
                polled = [
                    (target.due, target.poll_state.due)
                    for target in polled_by(client)
                    if target.due is not None and target.poll_state is not None
                    if not target.all_settled()
                ]

                assert all(due == planned for due, planned in polled)

        assert any("job_instance_list" in url for url in transport.urls)
