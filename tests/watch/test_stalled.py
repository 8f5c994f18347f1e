"""A target that was not seen for long is stalled, whatever the reason; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.engine.flow_control.health import PlatformHealth
from bkjob_async.engine.flow_control.rate_limit import RateLimiter
from bkjob_async.engine.stream.cursor import CursorSequence
from bkjob_async.http_messages import HttpResponse
from bkjob_async.simulator.world.plans import FAILS, HANGS, SUCCEEDS, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from bkjob_async.watch.polling import stalls
from bkjob_async.watch.polling.list_pollers import Polled
from bkjob_async.watch.polling.poll_runner import PollRunner
from bkjob_async.watch.polling.poller import group_of
from bkjob_async.watch.polling.stalls import STALL_CHECK_INTERVAL, STALL_CHECK_SIZE, StallTimer
from bkjob_async.watch.polling.target_registry import PollTarget, TargetRegistry
from bkjob_async.wire.limits.request_limiter import RequestLimiter
from tests.watch.clients import client_of

pytestmark = pytest.mark.looptime

LONG = SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HANGS,)),))
REFUSED = HttpResponse(
    status=429, headers={"x-bkapi-ratelimit-reset": "3000"}, body=b'{"code": 1642902, "result": false}'
)


async def stalled(
    client: bkjob.JobClient, jobs: list[bkjob.JobRef], seconds: float
) -> list[tuple[float, bkjob.Stalled]]:
    """Watch *jobs* for so many seconds; return when each was reported as stalled."""
    reported: list[tuple[float, bkjob.Stalled]] = []
    loop = asyncio.get_running_loop()
    async with client.watch(jobs, linger=None, deadline=seconds) as watch:
        with pytest.raises(bkjob.DeadlineExceeded):
            async for event in watch:
                if isinstance(event, bkjob.Stalled):
                    reported.append((loop.time(), event))
    return reported


@pytest.mark.parametrize("latency", [0.01, 500.0])
async def test_targets_whose_polls_hang_are_stalled_in_time(latency: float) -> None:
    """A request limit of ten minutes, and fewer places than targets, which are checked in slices: each is reported once."""
    world = World(1, at_once=True)
    jobs = [world.add(LONG) for _ in range(2 * STALL_CHECK_SIZE + 1)]
    async with client_of(world, latency=latency, request_timeout=600.0) as (client, _):
        reported = await stalled(client, jobs, 90.0)

    expected = sorted(jobs, key=str) if latency > 1.0 else []
    assert sorted((event.ref for _, event in reported), key=str) == expected
    assert all(60.0 <= event.seconds <= at <= 70.0 for at, event in reported)


async def test_a_job_that_runs_again_after_a_long_rest_is_not_stalled() -> None:
    """Nobody has awaited a response since it was over; the first one after the retry takes its time."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(FAILS,), retry_outcomes=(SUCCEEDS,)),)))
    step = world.jobs[job.job_instance_id].steps[0]
    async with (
        client_of(world, latency=STALL_CHECK_INTERVAL + 1.0) as (client, _),
        client.watch(job, linger=None, deadline=1000.0) as watch,
    ):
        await asyncio.sleep(600.0)
        await client.operate_step_instance(step.ref, operation_code=2)
        events = [event async for event in watch]

    assert any(isinstance(event, bkjob.Finished) and event.result.ok for event in events)
    assert not any(isinstance(event, bkjob.Stalled) for event in events)


async def test_targets_behind_a_closed_gateway_are_stalled() -> None:
    """Everything waits for its turn; a wait that has seen nothing raises."""
    world = World(1, at_once=True)
    jobs = [world.add(LONG) for _ in range(50)]
    async with client_of(world) as (client, transport):
        transport.spoil = lambda _request, now: REFUSED if now > 5.0 else None
        reported = await stalled(client, jobs, 90.0)
        before = asyncio.get_running_loop().time()
        with pytest.raises(bkjob.Throttled, match="nothing could be read yet"):
            await client.wait(world.add(LONG))
        took = asyncio.get_running_loop().time() - before

    assert len(reported) == 50
    assert took <= 71.0


@pytest.mark.parametrize("of_one_resource", [False, True])
async def test_each_wait_says_that_every_request_is_refused(of_one_resource: bool) -> None:  # noqa: FBT001
    """By the quota of the gateway, or by that of what is polled; a wait that begins later need not be stalled anew."""
    world = World(1, at_once=True)
    job, loop, code = world.add(LONG), asyncio.get_running_loop(), 1642903 if of_one_resource else 1642902
    refused = HttpResponse(status=429, body=b'{"result": false, "code": %d, "message": "no"}' % code)
    async with client_of(world) as (client, transport), client.watch(job, linger=None) as watch:
        transport.spoil = lambda *_: refused
        for seconds in (71.0, 6.0):
            before = loop.time()
            with pytest.raises(bkjob.Throttled, match="nothing could be read yet"):
                await asyncio.wait_for(watch.wait(job), 100.0)
            assert loop.time() - before <= seconds
        transport.spoil = lambda *_: None
        await asyncio.sleep(10.0)

    assert watch.snapshot(job) is not None


async def test_a_quota_that_is_used_up_for_a_moment_ends_no_wait() -> None:
    """The platform failed once, and its response says that no request remains in this second."""
    world = World(1, at_once=True)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=1),)))
    headers = {
        f"x-bkapi-ratelimit-{name}": str(n) for name, n in (("limit", 10), ("remaining", 0), ("reset", 1))
    }
    failed = HttpResponse(
        status=500, headers=headers, body=b'{"result": false, "code": 1240001, "message": "inner"}'
    )
    async with client_of(world) as (client, transport):
        transport.spoil = lambda *_: failed if len(transport.times) == 1 else None
        result = await client.wait(job, deadline=100.0)

    assert result.ok


async def test_targets_that_are_not_polled_during_an_outage_are_stalled() -> None:
    """Only single probes go out; all targets are stalled all the same, and none after it is over."""
    world = World(1, at_once=True)
    jobs = [world.add(LONG) for _ in range(50)]
    gone = bkjob.TransportFailed(bkjob.ErrorDetails(message="connection refused", sent=False))
    async with client_of(world) as (client, transport):
        transport.spoil = lambda _request, now: gone if 30.0 < now < 130.0 else None
        reported = await stalled(client, jobs, 400.0)

    assert len(reported) == 50
    assert all(90.0 <= at <= 115.0 for at, _ in reported)


async def test_a_target_polled_rarely_is_not_stalled() -> None:
    """A long interval, and targets that wait for their next look in peace."""
    world = World(1, at_once=True)
    jobs = [world.add(LONG) for _ in range(5)]
    async with client_of(world, interval=200.0) as (client, _):
        assert await stalled(client, jobs, 900.0) == []


async def test_who_joins_in_a_silence_is_told_of_it() -> None:
    """Nothing else is ever given of a job that another watch saw, and that does not respond any more."""
    world = World(1, at_once=True)
    job = world.add(LONG)
    gone = bkjob.TransportFailed(bkjob.ErrorDetails(message="connection refused", sent=False))
    async with client_of(world, interval=2.0) as (client, transport):
        transport.spoil = lambda _request, now: gone if now > 30.0 else None
        async with client.watch(job, linger=None):
            await asyncio.sleep(40.0)
            reported = await stalled(client, [job], 90.0)

    assert [event.ref for _, event in reported] == [job]


async def test_who_joins_a_job_that_is_over_is_told_of_a_silence() -> None:
    """Its end is given once it was read again; the watch that was given it before is told nothing."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=1),)))
    async with (
        client_of(world, interval=2.0, request_timeout=600.0) as (client, transport),
        client.watch(job, linger=None) as watch,
    ):
        await asyncio.sleep(300.0)
        transport.delay = lambda _request, _now: (0.0, 500.0)
        late = await stalled(client, [job], 90.0)
        await watch.aclose()
        first = [type(event) async for event in watch]

    assert [(event.ref, 60.0 <= event.seconds <= 70.0) for _, event in late] == [(job, True)]
    assert bkjob.Finished in first
    assert bkjob.Stalled not in first


class Targets(dict[bkjob.JobRef, PollTarget]):
    """Targets that were never polled; each check of them is counted."""

    checks = 0

    def values(self) -> Any:
        """Begin a check."""
        self.checks += 1
        return super().values()


def timer_of(size: int) -> tuple[StallTimer, Targets]:
    """Return a timer, and the targets that it checks."""
    refs = [bkjob.JobRef(bkjob.Scope.biz(2), n) for n in range(1, size + 1)]
    registry = TargetRegistry(CursorSequence(""))
    registry.targets = targets = Targets({ref: PollTarget(ref) for ref in refs})
    pool: PollRunner[Polled] = PollRunner(
        on_crash=lambda _: None, limiter=RequestLimiter(RateLimiter()), group=group_of
    )
    return StallTimer(registry=registry, runner=pool, health=PlatformHealth(), limit=60.0), targets


async def test_a_check_is_finished_before_another_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """With many targets and a busy event loop, one takes longer than the time between two."""
    monkeypatch.setattr(stalls, "STALL_CHECK_INTERVAL", 0.0)
    timer, targets = timer_of(9 * STALL_CHECK_SIZE)

    timer.start()
    for _ in range(8):
        await asyncio.sleep(0)
    timer.stop()

    assert targets.checks == 1


@pytest.mark.looptime
@pytest.mark.parametrize("paused_after", [0.0, 20.0])
async def test_what_is_paused_is_not_stalled(paused_after: float) -> None:
    """Nobody waits for responses that are not requested."""
    world = World(4)
    jobs = [world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HANGS,)),))) for _ in range(40)]
    async with client_of(world) as (client, _), client.watch(jobs, linger=None) as watch:
        await asyncio.sleep(paused_after)
        watch.is_paused = True
        await asyncio.sleep(600.0)
        events = [event async for event in closed(watch)]

    assert [event for event in events if isinstance(event, bkjob.Stalled)] == []


async def closed(watch: bkjob.Watch) -> AsyncIterator[bkjob.Event]:
    """Close a watch; yield all that it was given."""
    await watch.aclose()
    async for event in watch:
        yield event
