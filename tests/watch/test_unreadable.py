"""Where nothing of any target can be read, readers that are not shown `Trouble` say so, and a deadline says why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpResponse
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of
from tests.watch.test_trouble import RUNS, is_about

pytestmark = pytest.mark.looptime

# Of the wrong site, the wrong secret, a missing grant, an API that the gateway does not have; and what may pass.
WRONG: dict[type[bkjob.BkJobError], HttpResponse] = {
    bkjob.InvalidResponse: HttpResponse(status=404, body=b"<html><title>Not Found</title></html>"),
    bkjob.NotAuthenticated: HttpResponse(
        status=400, body=b'{"result": false, "code": 1640001, "message": "who are you"}'
    ),
    bkjob.ApplicationNotAllowed: HttpResponse(
        status=403, body=b'{"result": false, "code": 1640301, "message": "no permission for the API"}'
    ),
    bkjob.ApiNotFound: HttpResponse(
        status=404, body=b'{"result": false, "code": 1640401, "message": "API not found"}'
    ),
}
AWAY = bkjob.TransportFailed(bkjob.ErrorDetails(message="connection refused", sent=False))

Use = Callable[[bkjob.JobClient, list[bkjob.JobRef]], Coroutine[Any, Any, Any]]


async def hosts(client: bkjob.JobClient, jobs: list[bkjob.JobRef], **options: Any) -> None:
    """Read the changes of hosts."""
    async with client.watch(jobs, **options) as watch:
        async for _ in watch.hosts():
            pass


async def as_finished(client: bkjob.JobClient, jobs: list[bkjob.JobRef]) -> None:
    """Read the results as they come."""
    async with client.watch(jobs) as watch:
        async for _ in watch.as_finished():
            pass


async def results(client: bkjob.JobClient, jobs: list[bkjob.JobRef]) -> None:
    """Wait for all results."""
    async with client.watch(jobs) as watch:
        await watch.results()


async def wait(client: bkjob.JobClient, jobs: list[bkjob.JobRef]) -> None:
    """Wait for one job."""
    await client.wait(jobs[0])


def world_of(jobs: int) -> tuple[Platform, list[bkjob.JobRef]]:
    """Return a platform with running jobs."""
    world = World(1)
    refs = [world.add(SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(RUNS,)),))) for _ in range(jobs)]
    return Platform(world), refs


@pytest.mark.parametrize("use", [hosts, as_finished, results, wait])
@pytest.mark.parametrize("error", WRONG)
@pytest.mark.parametrize("count", [1, 20])
async def test_what_can_never_be_read_is_said(error: type[bkjob.BkJobError], use: Use, count: int) -> None:
    """Within seconds of half a minute, by every reader that leaves `Trouble` out."""
    platform, jobs = world_of(count)
    async with client_of(platform) as (client, transport):
        transport.spoil = lambda *_: WRONG[error]
        with pytest.raises(error):
            await asyncio.wait_for(use(client, jobs), 40.0)


@pytest.mark.parametrize("error", WRONG)
async def test_readers_of_events_are_shown_trouble(error: type[bkjob.BkJobError]) -> None:
    """They go on, and see the state when it can be read."""
    platform, jobs = world_of(1)
    async with client_of(platform) as (client, transport), client.watch(jobs) as watch:
        transport.spoil = lambda *_: WRONG[error]
        events = aiter(watch)
        first = await anext(events)
        await asyncio.sleep(60.0)
        transport.spoil = lambda *_: None
        told = [type(event) async for event in events]
        changes = [change async for change in watch.hosts()]

    assert isinstance(first, bkjob.Trouble)
    assert first.error == error.__name__
    assert told.count(bkjob.Recovered) == 1
    assert bkjob.Finished in told
    assert changes


async def test_what_can_never_be_read_is_said_after_an_outage() -> None:
    """The gateway was away when the watch was opened, and then refused everybody."""
    platform, jobs = world_of(6)
    async with client_of(platform) as (client, transport):
        refused = WRONG[bkjob.NotAuthenticated]
        transport.spoil = lambda *_: (
            HttpResponse(status=502, body=b"bad gateway")
            if asyncio.get_running_loop().time() < 100.0
            else refused
        )
        with pytest.raises(bkjob.NotAuthenticated):
            await asyncio.wait_for(results(client, jobs), 300.0)


@pytest.mark.parametrize("seconds", [10.0, 20.0, 29.0])
async def test_responses_that_were_cut_off_for_a_moment_end_nobody(seconds: float) -> None:
    """Nothing was read when half a minute has passed, and nothing has been asked since the moment was over."""
    platform, jobs = world_of(1)
    async with client_of(platform) as (client, transport):
        half = HttpResponse(status=200, body=b'{"result": true, "code": 0, "data": {')
        transport.spoil = lambda *_: half if asyncio.get_running_loop().time() < seconds else None
        await hosts(client, jobs)


@pytest.mark.parametrize("answer", [AWAY, *WRONG.values()])
async def test_a_watch_that_stays_open_goes_on(answer: Any) -> None:
    """And so does one whose platform cannot be reached: it may come back."""
    platform, jobs = world_of(1)
    async with client_of(platform) as (client, transport):
        transport.spoil = lambda *_: answer
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hosts(client, jobs, linger=None), 300.0)
        if answer is AWAY:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(hosts(client, jobs), 300.0)


async def test_one_bad_target_among_good_ones_stops_nobody() -> None:
    """What could be read goes on."""
    platform, jobs = world_of(3)
    async with client_of(platform) as (client, transport), client.watch(jobs, deadline=200.0) as watch:
        wrong = WRONG[bkjob.InvalidResponse]
        transport.spoil = lambda request, _: wrong if is_about(request, jobs[0]) else None
        with pytest.raises(bkjob.DeadlineExceeded) as late:
            await watch.results()

    assert set(late.value.snapshots) == {jobs[0]}
    assert late.value.trouble is not None
    assert late.value.trouble.ref == jobs[0]
    assert "InvalidResponse" in str(late.value)


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("answer", [AWAY, *WRONG.values()])
async def test_a_deadline_says_why_nothing_was_seen(answer: Any, count: int) -> None:
    """In its text and as the trouble itself."""
    platform, jobs = world_of(count)
    async with client_of(platform) as (client, transport), client.watch(jobs, deadline=20.0) as watch:
        transport.spoil = lambda *_: answer
        with pytest.raises(bkjob.DeadlineExceeded, match="the last poll failed: ") as late:
            await watch.results()

    assert late.value.trouble is not None
    assert late.value.trouble.message in str(late.value)


async def test_a_deadline_after_trouble_says_nothing_of_it() -> None:
    """Polls work again; the job is just not over."""
    platform, jobs = world_of(1)
    async with client_of(platform) as (client, transport), client.watch(jobs, deadline=30.0) as watch:
        transport.spoil = lambda *_: AWAY
        await asyncio.sleep(10.0)
        transport.spoil = lambda *_: None
        with pytest.raises(bkjob.DeadlineExceeded) as late:
            await watch.results()

    assert late.value.trouble is None
    assert "failed" not in str(late.value)


async def seconds_until_refused(
    client: bkjob.JobClient, jobs: list[bkjob.JobRef], waits: int = 1
) -> list[float]:
    """Wait again and again for a job; return after how many seconds each wait raised that the credentials are refused."""
    loop, seconds = asyncio.get_running_loop(), list[float]()
    for number in range(waits):
        begins = loop.time()
        with pytest.raises(bkjob.NotAuthenticated):
            await client.wait(jobs[number % len(jobs)], deadline=100.0)
        seconds.append(loop.time() - begins)
    return seconds


@pytest.mark.parametrize("others", [0, 1])
async def test_each_wait_says_at_once_that_the_credentials_are_refused(others: int) -> None:
    """The trouble was reported before it began; the next refusal says that it goes on. Others may watch meanwhile."""
    platform, jobs = world_of(4)
    async with client_of(platform, latency=0.1) as (client, transport), client.watch(linger=None) as watch:
        transport.spoil = lambda *_: WRONG[bkjob.NotAuthenticated]
        watch.add(*jobs[:others])
        seconds = await seconds_until_refused(client, jobs, waits=4)
        staggered = list[asyncio.Task[list[float]]]()
        for job in jobs:
            staggered.append(asyncio.create_task(seconds_until_refused(client, [job])))
            await asyncio.sleep(0.05)
        for waits in staggered:
            seconds += await waits
        begins = asyncio.get_running_loop().time()
        with pytest.raises(bkjob.NotAuthenticated):
            await client.status(jobs)
        seconds.append(asyncio.get_running_loop().time() - begins)

    assert max(seconds) <= 6.0


async def test_each_wait_in_one_watch_says_that_the_credentials_are_refused() -> None:
    """Although the watch itself stays open."""
    platform, jobs = world_of(1)
    async with client_of(platform) as (client, transport), client.watch(jobs, linger=None) as watch:
        transport.spoil = lambda *_: WRONG[bkjob.NotAuthenticated]
        for _ in range(2):
            with pytest.raises(bkjob.NotAuthenticated):
                await asyncio.wait_for(watch.wait(jobs[0]), 6.0)


@pytest.mark.parametrize("look", [False, True])
async def test_what_was_refused_before_is_asked_again(look: bool) -> None:  # noqa: FBT001
    """Nobody found out meanwhile that the credentials are accepted by now."""
    platform, jobs = world_of(1)
    async with client_of(platform) as (client, transport):
        transport.spoil = lambda *_: WRONG[bkjob.NotAuthenticated]
        await seconds_until_refused(client, jobs)
        await asyncio.sleep(1.0)
        transport.spoil = lambda *_: None
        if look:
            (found,) = await client.status(jobs[0])
            assert found.status is not None
        else:
            assert (await client.wait(jobs[0], deadline=100.0)).ok


async def test_a_watch_that_is_opened_in_an_outage_is_not_in_sync() -> None:
    """Nothing of its targets was read yet; the first that is read is the present state."""
    platform, jobs = world_of(2)
    async with client_of(platform) as (client, transport), client.watch(jobs[0], linger=None):
        transport.spoil = lambda *_: WRONG[bkjob.NotAuthenticated]
        await asyncio.sleep(10.0)
        async with client.watch(jobs[1]) as watch:
            await asyncio.sleep(10.0)
            is_in_sync = watch.is_in_sync
            transport.spoil = lambda *_: None
            kinds = [event.kind async for event in watch]

    assert not is_in_sync
    assert kinds[:2] == ["trouble", "recovered"]
    assert kinds.index("in_sync") > kinds.index("job_changed")


# Nothing comes back ---------------------------------------------------------------------------------------------------

BAD_GATEWAY = HttpResponse(status=502, body=b"bad gateway")


@pytest.mark.parametrize("interval", [0.1, None])
@pytest.mark.parametrize("count", [1, 2, 300])
@pytest.mark.parametrize("answer", [AWAY, BAD_GATEWAY])
async def test_a_look_at_a_platform_that_is_away_raises(
    answer: bkjob.TransportFailed | HttpResponse, count: int, interval: float | None
) -> None:
    """Within a few seconds, however many targets there are: the error of the requests, whoever else watches."""
    platform, jobs = world_of(count + 1)
    async with client_of(platform, interval=interval) as (client, transport):
        transport.spoil = lambda *_: answer
        for _ in range(2):
            begins = asyncio.get_running_loop().time()
            with pytest.raises(bkjob.CallFailed, match=r"connection refused|HTTP 502") as raised:
                await client.status(jobs[:count], deadline=30.0)
            seconds = asyncio.get_running_loop().time() - begins
            await client.watch(jobs[count:], linger=None).__aenter__()

            assert isinstance(raised.value, bkjob.TransportFailed) is (answer is AWAY)
            assert 1.0 < seconds < 5.0


@pytest.mark.parametrize("dialect", ["gateway-v3", "esb-job"])
@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize("seconds", [0.0, 1.0])
async def test_a_look_outlasts_a_moment_in_which_the_platform_is_away(
    seconds: float, count: int, dialect: str
) -> None:
    """All targets are read in full once it responds, those too whose first request failed."""
    platform, jobs = world_of(count)
    async with client_of(platform, dialect, latency=0.01) as (client, transport):
        await client.status(jobs)
        await asyncio.sleep(30.0)  # their hosts run
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        transport.spoil = lambda *_: AWAY if loop.time() <= until else None
        found = await client.status(jobs)

    assert [target.status is not None and sum(target.hosts.values()) for target in found] == [3] * count
    assert [target.message for target in found] == [""] * count


async def test_a_look_says_which_targets_no_response_came_about() -> None:
    """Where the platform answers for others."""
    platform, jobs = world_of(3)
    async with client_of(platform) as (client, transport):
        transport.spoil = lambda request, _now: AWAY if is_about(request, jobs[1]) else None
        begins = asyncio.get_running_loop().time()
        found = await client.status(jobs)
        seconds = asyncio.get_running_loop().time() - begins

    assert [target.status is None for target in found] == [False, True, False]
    assert "connection refused" in found[1].message
    assert seconds < 5.0


@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize(
    ("timeout", "deadline", "most"),
    [(30.0, 5.0, 5.0), (30.0, 30.0, 30.0), (2.0, 30.0, 10.0), (9.0, 10.0, 10.0)],
)
async def test_a_look_at_a_platform_that_hangs_raises(
    timeout: float,  # noqa: ASYNC109 - of a request
    deadline: float,
    most: float,
    count: int,
) -> None:
    """When a second request has had no response in time, and at the deadline."""
    platform, jobs = world_of(count)
    async with client_of(platform, request_timeout=timeout, latency=1000.0) as (client, _):
        begins = asyncio.get_running_loop().time()
        with pytest.raises(bkjob.RequestTimedOut):
            await client.status(jobs, deadline=deadline)

        assert asyncio.get_running_loop().time() - begins <= most + 0.1


async def test_a_look_without_a_deadline_raises_the_error_of_its_requests() -> None:
    """Also where the second request would take longer than until the target counts as stalled."""
    platform, jobs = world_of(1)
    async with client_of(platform, request_timeout=50.0, latency=1000.0) as (client, _):
        with pytest.raises(bkjob.RequestTimedOut):
            await client.status(jobs, deadline=None)


async def test_a_look_that_is_refused_for_too_many_requests_shows_what_it_has() -> None:
    """The gateway responds: the deadline passes, and nothing was seen."""
    platform, jobs = world_of(2)
    refused = HttpResponse(status=429, body=b'{"code": 1642902, "result": false, "message": "no"}')
    async with client_of(platform, latency=0.01) as (client, transport):
        transport.spoil = lambda *_: refused
        found = await client.status(jobs, deadline=5.0)

    assert [target.status for target in found] == [None, None]
