"""A watch says which limit holds up its requests, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async import RequestLimit
from bkjob_async.simulator.faults.rate_limit import RateLimit
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.world.plans import HANGS, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of

pytestmark = pytest.mark.looptime

RUNNING = SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HANGS,)),))


async def limits(
    *, jobs: int = 40, seconds: float = 30.25, quota: int | None = None, **options: Any
) -> tuple[RequestLimit | None, set[tuple[RequestLimit | None, str]]]:
    """Return the limit at work after so many seconds, and what is said of the single targets then."""
    world = World(1)
    refs = [world.add(RUNNING) for _ in range(jobs)]
    platform = Platform(world, rate_limit=RateLimit(quota, 1) if quota is not None else None)
    async with (
        client_of(platform, latency=0.5, interval=1.0, **options) as (client, _),
        client.watch(refs) as watch,
    ):
        await asyncio.sleep(seconds)
        said = [watch.explain(ref) for ref in refs]
        return watch.stats().limit, {(each.limit, each.because) for each in said}


async def test_where_every_poll_starts_when_it_is_due_no_limit_is_at_work() -> None:
    """Neither for the watch nor for a target."""
    limit, said = await limits(jobs=4)

    assert (limit, {each for each, _ in said}) == (None, {None})


async def test_what_has_no_permit_yet_is_held_up_from_the_start() -> None:
    """More targets than requests in flight wait for each other as soon as they are due."""
    for seconds in (0.0, 0.25):
        full, about_forty = await limits(jobs=40, seconds=seconds)

        assert full == RequestLimit.MAX_IN_FLIGHT
        assert (RequestLimit.MAX_IN_FLIGHT, "it is due and held up by max_in_flight") in about_forty


async def test_the_options_of_the_client_are_named() -> None:
    """A number of connections that is smaller than the number of requests in flight is what bounds."""
    in_flight, about_them = await limits(max_in_flight=4)
    connections, _ = await limits(max_in_flight=4, http=bkjob.HttpOptions(connections=3))
    more_connections, _ = await limits(max_in_flight=4, http=bkjob.HttpOptions(connections=5))
    rate, about_rate = await limits(requests_per_second=5.0)

    assert (in_flight, connections) == (RequestLimit.MAX_IN_FLIGHT, RequestLimit.CONNECTIONS)
    assert (more_connections, rate) == (RequestLimit.MAX_IN_FLIGHT, RequestLimit.REQUESTS_PER_SECOND)
    assert (RequestLimit.MAX_IN_FLIGHT, "it is due and held up by max_in_flight") in about_them
    assert (
        RequestLimit.REQUESTS_PER_SECOND,
        "it is being polled as soon as requests_per_second allows",
    ) in about_rate


async def test_the_quota_of_the_gateway_is_named() -> None:
    """Whether it says so in headers or by refusals."""
    limit, _ = await limits(quota=5)

    assert limit == RequestLimit.GATEWAY_QUOTA


async def test_a_slow_platform_is_named() -> None:
    """Fewer requests are allowed at once than the option says."""
    world = World(1)
    refs = [world.add(RUNNING) for _ in range(40)]
    async with (
        client_of(world, latency=0.5, interval=1.0, max_in_flight=8) as (client, _),
        client.watch(refs) as watch,
    ):
        await asyncio.sleep(5.25)
        client._session.limiter.limit.concurrency.allowed = 4
        await asyncio.sleep(1.0)
        limit = watch.stats().limit

    assert limit == RequestLimit.SLOW_PLATFORM
