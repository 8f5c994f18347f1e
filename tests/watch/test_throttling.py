"""A gateway that throttles, and how its rate is shared, in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from msgspec.structs import replace

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpResponse
from bkjob_async.simulator.faults.rate_limit import RateLimit
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.world.plans import HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import RecordingTransport, client_of

pytestmark = [pytest.mark.looptime, pytest.mark.slow]

LONG = SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HostOutcome(duration=exactly(5000.0)),)),))


class Counted(RateLimit):
    """A limit that remembers when it refused."""

    def __init__(self, limit: int, window: int = 1) -> None:
        super().__init__(limit, window)
        self.times: list[tuple[float, bool]] = []

    def take(self, now: float) -> bool:
        """Count a request; return whether it is let through."""
        let_through = super().take(now)
        self.times.append((now, let_through))
        return let_through

    def share_refused(self, since: float) -> float:
        """Return which share was refused from a moment on."""
        late = [let_through for now, let_through in self.times if now >= since]
        return late.count(False) / len(late)


def gateway(limit: RateLimit, jobs: int) -> tuple[Platform, list[bkjob.JobRef]]:
    """Return a platform behind a counting gateway, and its long jobs."""
    world = World(1, at_once=True)
    return Platform(world, rate_limit=limit), [world.add(LONG) for _ in range(jobs)]


@pytest.mark.parametrize(
    ("limit", "window", "dialect"),
    [(20, 1, "gateway-v3"), (300, 60, "gateway-v3"), (20, 1, "esb-job")],
)
async def test_a_storm_is_over_after_the_first_window(limit: int, window: int, dialect: str) -> None:
    """Three hundred targets want more than there is: under 1 % is refused, most of it is used, users get through."""
    counted = Counted(limit, window)
    platform, jobs = gateway(counted, jobs=300)
    took: list[float] = []
    async with (
        client_of(platform, dialect, latency=0.1, interval=2.0) as (client, transport),
        client.watch(jobs, linger=None),
    ):
        loop = asyncio.get_running_loop()
        for _ in range(20):
            await asyncio.sleep(10)
            asked_at = loop.time()
            await client.get_job_instance_status(jobs[0])
            took.append(loop.time() - asked_at)
        ends = transport.clock.now()

    calm = 20.0 + 2 * window
    assert counted.share_refused(calm) < 0.01
    used = sum(ok for now, ok in counted.times if now >= calm)
    assert used >= 0.6 * (ends - calm) * limit / window
    assert sorted(took)[-2] < 1.5


async def test_the_announced_pause_is_obeyed() -> None:
    """A refusal that says 30 s: nothing goes out for 30 s, and no burst after it."""
    platform, jobs = gateway(RateLimit(10**6), jobs=300)
    platform.rate_limit = None
    refusal = HttpResponse(
        status=429,
        headers={"x-bkapi-ratelimit-reset": "30", "x-bkapi-error-code": "1642902"},
        body=b'{"code": 1642902, "result": false, "message": "no"}',
    )
    async with (
        client_of(platform, latency=0.05, interval=10.0) as (client, transport),
        client.watch([], linger=None) as watch,
    ):
        for job in jobs:
            watch.add(job)
            await asyncio.sleep(10.0 / len(jobs))
        await asyncio.sleep(15)
        at = transport.clock.now()
        transport.spoil = lambda _request, now: refusal if at <= now < at + 1.0 else None
        await asyncio.sleep(60)

    usual = Counter(int(time) for time in transport.times if at - 10 <= time < at)
    after = Counter(int(time - at) for time in transport.times if time > at + 2.0)
    assert min(after) == 30
    assert max(after.values()) <= 1.2 * max(usual.values())


async def test_retries_do_not_multiply() -> None:
    """Five hundred calls of users at once at twenty a second: each is refused at most twice, and all succeed."""
    counted = Counted(20)
    platform, jobs = gateway(counted, jobs=500)
    async with client_of(platform, latency=0.05, retries=bkjob.Retries(attempts=5)) as (client, _):
        answers = await asyncio.gather(*(client.get_job_instance_status(job) for job in jobs))

    assert len(answers) == 500
    assert len(counted.times) <= 500 + 40
    assert counted.share_refused(2.0) < 0.01


async def test_many_targets_of_one_scope_leave_another_its_share() -> None:
    """One scope with a hundred times the targets; both want more than half, so each gets half."""
    world = World(1, at_once=True)
    platform = Platform(world, rate_limit=RateLimit(10))
    other = bkjob.Scope.biz(9)
    large = [world.add(LONG) for _ in range(1000)]
    small = [world.add(SimulatedJob(steps=LONG.steps, scope=other)) for _ in range(10)]
    asked: Counter[int] = Counter()
    async with (
        client_of(platform, latency=0.05, interval=0.5) as (client, transport),
        client.watch([*large, *small], linger=None),
    ):
        await asyncio.sleep(60)
        skip = len(transport.urls)
        await asyncio.sleep(60)
        for url in transport.urls[skip:]:
            asked[9 if "bk_scope_id=9" in url else 2] += 1

    assert asked.total() >= 0.8 * 60 * 10
    assert 0.4 <= asked[9] / asked.total() <= 0.6


async def test_a_limit_of_one_resource_leaves_the_others_alone() -> None:
    """The gateway refuses the status of steps; launches and the status of jobs go on at once."""
    platform, jobs = gateway(RateLimit(10**6), jobs=1)
    platform.rate_limit = None
    refusal = HttpResponse(
        status=429,
        headers={"x-bkapi-ratelimit-reset": "60", "x-bkapi-error-code": "1642903"},
        body=b'{"code": 1642903, "result": false, "message": "no"}',
    )
    async with client_of(platform, latency=0.05) as (client, transport):
        loop = asyncio.get_running_loop()
        transport.spoil = lambda request, _now: (
            refusal if "step_instance_status" in str(request.url) else None
        )
        with pytest.raises(bkjob.Throttled):
            await client.with_options(retries=bkjob.Retries(attempts=1)).get_step_instance_status(
                platform.world.jobs[jobs[0].job_instance_id].steps[0].ref
            )
        start = loop.time()
        await client.get_job_instance_status(jobs[0])
        took = loop.time() - start

    assert isinstance(transport, RecordingTransport)
    assert took < 0.2


REFUSED = b'{"code": 1642902, "result": false, "message": "no"}'


@pytest.mark.parametrize("reset", ["3600", "1795000000", "99999", "1795000000000"])
async def test_one_strange_refusal_does_not_stop_the_client(reset: str) -> None:
    """It names a time long ahead, in whatever unit; single requests find out that it is over."""
    platform, jobs = gateway(RateLimit(10**6), jobs=50)
    platform.rate_limit = None
    headers = {"x-bkapi-ratelimit-reset": reset, "x-bkapi-error-code": "1642902"}
    async with client_of(platform, latency=0.05, interval=1.0) as (client, transport):
        async with client.watch(jobs, linger=None):
            await asyncio.sleep(10.0)
            refused_at = transport.clock.now()
            transport.spoil = lambda _request, now: (
                HttpResponse(status=429, headers=headers, body=REFUSED) if now < refused_at + 0.1 else None
            )
            await asyncio.sleep(0.5)
            before = asyncio.get_running_loop().time()
            await client.operate_job_instance(jobs[0], 1)
            took = asyncio.get_running_loop().time() - before
            await asyncio.sleep(20.0)
        rate = sum(time >= refused_at + 10.0 for time in transport.times) / 10.5

    assert took < 6.0
    assert rate >= 0.9 * 50


@pytest.mark.parametrize("said", ["refused", "nothing left"])
async def test_what_is_urgent_waits_a_bounded_time(said: str) -> None:
    """The gateway closes for an hour: calls fail within their time limit and a turn, and no command was sent."""
    platform, jobs = gateway(RateLimit(10**6), jobs=3)
    platform.rate_limit = None
    headers = {
        "x-bkapi-ratelimit-limit": "100",
        "x-bkapi-ratelimit-remaining": "0",
        "x-bkapi-ratelimit-reset": "3000",
    }
    async with client_of(platform, latency=0.05, request_timeout=10.0) as (client, transport):
        if said == "refused":
            transport.spoil = lambda _request, _now: HttpResponse(status=429, headers=headers, body=REFUSED)
        else:
            transport.tear = lambda response, _now: replace(response, headers={**response.headers, **headers})
        async with client.watch(jobs, linger=None):
            await asyncio.sleep(5.0)
            loop = asyncio.get_running_loop()
            for call in (client.get_job_instance_status(jobs[0]), client.operate_job_instance(jobs[0], 1)):
                before = loop.time()
                with pytest.raises(bkjob.Throttled) as refused:
                    await call
                assert loop.time() - before <= 2 * 10.0 + 1.0
            await asyncio.sleep(300.0)
        rests = [later - time for time, later in zip(transport.times, transport.times[1:], strict=False)]

    assert "not sent" in str(refused.value)
    assert not any("operate" in url for url in transport.urls) or said == "refused"
    assert max(rests) <= 61.0


async def test_a_long_queue_is_no_reason_to_give_up() -> None:
    """Calls that wait for longer than their time limit behind others that are served are served, too."""
    platform, jobs = gateway(RateLimit(10**6), jobs=1)
    async with client_of(platform, latency=0.05, request_timeout=2.0, requests_per_second=10.0) as (
        client,
        _,
    ):
        answers = await asyncio.gather(*(client.get_job_instance_status(jobs[0]) for _ in range(100)))

    assert len(answers) == 100
