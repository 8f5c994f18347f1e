"""One way to read a job fails again and again, and another one works: that is told once, and passes for no outage."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.world.plans import SimulatedJob
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of
from tests.watch.test_reads_that_fail import (
    TIMEOUT,
    WITH_ROWS,
    WITHOUT_STEPS,
    Spoilt,
    asks_for,
    refusal,
    runs,
    text_of,
)

pytestmark = pytest.mark.looptime

NUMBERS = re.compile(r"\d+")
ERRORS = pytest.mark.parametrize("error", [TIMEOUT, refusal(1240003)])


def spoiling(
    error: Spoilt, concerns: Callable[[HttpRequest], object], since: float = 20.0
) -> Callable[[HttpRequest, float], Spoilt]:
    """Return what answers some requests with an *error* after a time."""
    return lambda request, now: error if now > since and concerns(request) else None


def asks_for_rows(request: HttpRequest) -> bool:
    """Return True for a request for a job with its hosts."""
    return WITH_ROWS.search(text_of(request)) is not None


def troubles(batches: list[bkjob.Batch]) -> Counter[bkjob.Ref | None]:
    """Return how often trouble was told, by target."""
    return Counter(
        event.ref for batch in batches for event in batch.events if isinstance(event, bkjob.Trouble)
    )


@ERRORS
@pytest.mark.parametrize("dialect", [*WITHOUT_STEPS, "gateway-v3"])
async def test_nothing_is_told_of_what_is_over(dialect: str, error: HttpResponse | bkjob.BkJobError) -> None:
    """Its hosts cannot be read; while the watch lingers, they are not requested again."""
    world = World(1)
    ref = world.add(SimulatedJob(steps=(runs(80.0, 5),)))
    async with client_of(world, dialect) as (client, transport):
        transport.spoil = spoiling(error, asks_for_rows)
        async with client.watch(ref, linger=600.0, deadline=1500) as watch:
            events = [event async for event in watch]

    (end,) = [n for n, event in enumerate(events) if isinstance(event, bkjob.Finished)]
    assert events[end + 1 :] == []


@pytest.mark.parametrize("error", [TIMEOUT, refusal(1240003), refusal(1240002), refusal(9900403)])
@pytest.mark.parametrize("part", ["the job with its hosts", "a step alone"])
async def test_a_way_to_read_that_fails_while_another_works_is_one_trouble(
    part: str, error: HttpResponse | bkjob.BkJobError
) -> None:
    """The steps are read by themselves in place of their job, or the job in place of its step."""
    world = World(1)
    ref = world.add(SimulatedJob(steps=(runs(5.0), runs(900.0, 3))))
    target: bkjob.Ref = ref
    async with client_of(world) as (client, transport):
        if part == "a step alone":
            target = world.jobs[ref.job_instance_id].steps[1].ref
            transport.spoil = spoiling(error, lambda request: asks_for(request, "step"))
        else:
            transport.spoil = spoiling(error, asks_for_rows)
        async with client.watch(target, deadline=1500) as watch:
            batches = [batch async for batch in watch.batches()]

    assert sum(troubles(batches).values()) <= 1


@ERRORS
@pytest.mark.parametrize("seconds", [39.0, 60.0, 123.0])
async def test_trouble_ends_with_a_step_whose_job_cannot_be_read(
    seconds: float, error: HttpResponse | bkjob.BkJobError
) -> None:
    """What is over is not read again, so that no response would end it later."""
    world = World(1)
    ref = world.add(SimulatedJob(steps=(runs(seconds, 3), runs(3000.0, 4))))
    step, state = world.jobs[ref.job_instance_id].steps[0].ref, bkjob.StreamState()
    async with client_of(world) as (client, transport):
        transport.spoil = spoiling(error, asks_for_rows)
        async with client.watch(step, deadline=600) as watch:
            async for batch in watch.batches():
                state.apply(batch)

    assert not state.trouble


@ERRORS
@pytest.mark.parametrize("dialect", WITHOUT_STEPS)
async def test_hosts_that_cannot_be_read_are_not_requested_before_they_are_wanted(
    dialect: str, error: HttpResponse | bkjob.BkJobError
) -> None:
    """For the end only, where requests are scarce."""
    world, batches = World(1), list[bkjob.Batch]()
    refs = [world.add(SimulatedJob(steps=(runs(700.0, 3),))) for _ in range(20)]
    async with client_of(world, dialect, requests_per_second=1.0) as (client, transport):
        transport.spoil = spoiling(error, asks_for_rows, since=30.0)
        level = bkjob.DetailLevel.END_ONLY
        async with client.watch(refs, deadline=600, detail_level=level) as watch:
            with pytest.raises(bkjob.DeadlineExceeded):
                async for batch in watch.batches():
                    batches.append(batch)

        requests = [exchange.request for exchange in transport.exchanges]
    told = troubles(batches)
    assert max((told[ref] for ref in refs), default=0) <= 2
    assert sum(map(asks_for_rows, requests)) < len(requests) / 4


@pytest.mark.parametrize("dialect", WITHOUT_STEPS)
async def test_hosts_that_take_too_long_are_no_outage(dialect: str) -> None:
    """Two jobs are all that is watched. What is known to fail is requested again, and that is no sign of an outage."""
    world = World(1)
    refs = [world.add(SimulatedJob(steps=(runs(600.0 + n, 3),))) for n in range(2)]
    async with client_of(world, dialect) as (client, transport):
        transport.spoil = spoiling(TIMEOUT, asks_for_rows)
        async with client.watch(refs, deadline=4000) as watch:
            batches = [batch async for batch in watch.batches()]

        times = zip(transport.times, transport.exchanges, strict=False)
        failed = [at for at, each in times if 60.0 < at < 600.0 and asks_for_rows(each.request)]
    told = troubles(batches)
    assert told[None] <= 1
    assert max(told[ref] for ref in refs) == 1
    # The wait for the next try doubles, up to four minutes.
    assert 4 <= len(failed) <= 12


@pytest.mark.parametrize("dialect", ["gateway-v4", "gateway-v3"])
@pytest.mark.parametrize(("part", "slow_jobs", "others"), [("the hosts", 100, 1), ("everything", 40, 40)])
async def test_jobs_that_take_too_long_do_not_hold_up_others(
    part: str, slow_jobs: int, others: int, dialect: str
) -> None:
    """More of them than requests may be under way. They wait behind the others."""
    world = World(1)
    slow = [world.add(SimulatedJob(steps=(runs(1500.0, 3),))) for _ in range(slow_jobs)]
    other, *more = [world.add(SimulatedJob(steps=(runs(1500.0, 3),))) for _ in range(others)]
    ids = {str(ref.job_instance_id) for ref in slow}

    def is_slow(request: HttpRequest, now: float) -> bool:
        is_part = part == "everything" or asks_for_rows(request) or asks_for(request, "step")
        return now > 20.0 and is_part and not ids.isdisjoint(NUMBERS.findall(text_of(request)))

    async with client_of(world, dialect) as (client, transport):
        transport.spoil = lambda request, now: TIMEOUT if is_slow(request, now) else None
        transport.delay = lambda request, now: (30.0, 0.0) if is_slow(request, now) else (0.0, 0.0)
        async with client.watch([*slow, other, *more], deadline=1000) as watch:
            with pytest.raises(bkjob.DeadlineExceeded):
                async for _batch in watch.batches():
                    pass

        sent = zip(transport.times, transport.exchanges, strict=False)
        times = [
            at for at, each in sent if at > 400.0 and str(other.job_instance_id) in text_of(each.request)
        ]
    assert max(after - before for before, after in pairwise(times)) <= 30.0


@pytest.mark.parametrize("dialect", ["gateway-v4", "gateway-v3"])
async def test_jobs_that_begin_to_take_too_long_at_once_are_no_outage(dialect: str) -> None:
    """Another one is answered meanwhile; each has trouble of its own."""
    world = World(1)
    slow = [world.add(SimulatedJob(steps=(runs(300.0, 3),))) for _ in range(10)]
    other = world.add(SimulatedJob(steps=(runs(300.0, 3),)))
    ids, batches = {str(ref.job_instance_id) for ref in slow}, list[bkjob.Batch]()

    def is_slow(request: HttpRequest, now: float) -> bool:
        return now > 20.0 and not ids.isdisjoint(NUMBERS.findall(text_of(request)))

    async with client_of(world, dialect, interval=2.0) as (client, transport):
        transport.spoil = lambda request, now: TIMEOUT if is_slow(request, now) else None
        transport.delay = lambda request, now: (30.0, 0.0) if is_slow(request, now) else (0.0, 0.0)
        async with client.watch([*slow, other], deadline=120) as watch:
            with pytest.raises(bkjob.DeadlineExceeded):
                async for batch in watch.batches():
                    batches.append(batch)

    assert troubles(batches) == dict.fromkeys(slow, 1)


@pytest.mark.parametrize("dialect", ["gateway-v4", "gateway-v3"])
@pytest.mark.parametrize(
    ("part", "jobs", "seconds", "options"),
    [
        ("everything", (10, 50), 0.0, {}),
        ("everything", (100, 20), 0.0, {}),
        ("the hosts", (30, 10), 0.0, {}),
        ("everything", (100, 20), 30.0, {}),
        ("everything", (100, 20), 30.0, {"interval": 2.0, "max_in_flight": 16}),
        ("everything", (100, 20), 3.0, {"request_timeout": 3.0, "max_in_flight": 10}),
        ("everything", (100, 20), 0.0, {"requests_per_second": 5.0}),
    ],
)
async def test_jobs_that_fail_do_not_keep_others_from_being_polled(
    part: str, jobs: tuple[int, int], seconds: float, options: dict[str, Any], dialect: str
) -> None:
    """Be there many of them: each of them can pass for a sign of an outage once. *jobs* are how many fail, and how many others."""
    world, batches, (failing, others) = World(1), list[bkjob.Batch](), jobs
    bad = [world.add(SimulatedJob(steps=(runs(1500.0, 3),))) for _ in range(failing)]
    good = [world.add(SimulatedJob(steps=(runs(1500.0, 3),))) for _ in range(others)]
    ids = {str(ref.job_instance_id) for ref in bad}

    def fails(request: HttpRequest, now: float) -> bool:
        is_part = part == "everything" or asks_for_rows(request) or asks_for(request, "step")
        return now > 20.0 and is_part and not ids.isdisjoint(NUMBERS.findall(text_of(request)))

    error = TIMEOUT if seconds else HttpResponse(status=502, body=b"bad gateway")
    async with client_of(world, dialect, **options) as (client, transport):
        transport.spoil = lambda request, now: error if fails(request, now) else None
        transport.delay = lambda request, now: (seconds if fails(request, now) else 0.0, 0.0)
        async with client.watch([*bad, *good], deadline=600) as watch:
            with pytest.raises(bkjob.DeadlineExceeded):
                async for batch in watch.batches():
                    batches.append(batch)

        sent = [*zip(transport.times, transport.exchanges, strict=False)]
    for ref in good:
        job = str(ref.job_instance_id)
        times = [at for at, each in sent if at > 300.0 and job in NUMBERS.findall(text_of(each.request))]
        longest = 90.0 if "requests_per_second" in options else 31.0  # fewer go out than are due
        assert max(after - before for before, after in pairwise([300.0, *times, 600.0])) <= longest
    told = troubles(batches)
    assert told[None] <= failing / 5
    assert max(told[ref] for ref in bad) == 1


@pytest.mark.parametrize("since", [0.0, 60.0])
async def test_an_application_that_may_not_read_steps_is_told_so_once(since: float) -> None:
    """The gateway permits one operation after the other; the steps are read with their jobs."""
    world, batches = World(1), list[bkjob.Batch]()
    jobs = [world.add(SimulatedJob(steps=(runs(300.0, 3),))) for _ in range(5)]
    steps = [world.jobs[job.job_instance_id].steps[0].ref for job in jobs]
    body = b'{"code": 1640301, "result": false, "message": "App has no permission to the resource"}'
    async with client_of(world, "gateway-v3") as (client, transport):
        transport.spoil = spoiling(
            HttpResponse(status=403, body=body), lambda request: asks_for(request, "step"), since=since
        )
        async with client.watch(steps) as watch:
            async for batch in watch.batches():
                batches.append(batch)

        assert len(transport.times) < 600
    assert sum(troubles(batches).values()) <= 2
