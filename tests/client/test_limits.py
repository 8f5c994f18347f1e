"""What a client is told while it is open: another rate, and whether it can poll at all."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp
import pytest

import bkjob_async as bkjob
from bkjob_async.errors import ErrorDetails, TransportFailed
from bkjob_async.simulator.world.plans import HANGS, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.client.clients import CREDENTIALS
from tests.watch.clients import client_of

pytestmark = pytest.mark.looptime

LONG = SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HANGS,)),))


async def test_the_rate_is_changed_while_requests_wait() -> None:
    """Two requests a minute, then ten a second: what waits goes by the new rate."""
    world = World()
    async with client_of(world, "gateway-v3", requests_per_second=1 / 30) as (client, transport):
        jobs = [world.add(LONG) for _ in range(10)]
        calls = [asyncio.create_task(client.get_job_instance_status(job)) for job in jobs]
        await asyncio.sleep(1.0)
        sent = len(transport.urls)
        client.set_requests_per_second(10.0)
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(*calls)
        took = asyncio.get_running_loop().time() - begun
        client.set_requests_per_second(None)

        assert sent == 1
        assert 0.7 < took < 1.5
        assert client.stats().requests_per_second is None


@pytest.mark.parametrize(("rate", "per_second"), [(None, (8, 16)), (5.0, (4, 5)), (1.5, (0, 2))])
async def test_polls_that_are_planned_go_by_a_higher_rate(
    rate: float | None, per_second: tuple[int, int]
) -> None:
    """They need not wait for their turn by the old rate first; and they do not all go at once."""
    world = World(1, at_once=True)
    jobs = [world.add(LONG) for _ in range(20)]
    async with (
        client_of(world, requests_per_second=1.0) as (client, transport),
        client.watch(jobs, linger=None),
    ):
        await asyncio.sleep(22.0)
        changed_at = asyncio.get_running_loop().time()
        client.set_requests_per_second(rate)
        await asyncio.sleep(6.0)
        counts = Counter(int(time - changed_at) for time in transport.times if time > changed_at)

    least, most = per_second
    assert counts.total() >= 6 * least
    assert max(counts.values()) <= most


@pytest.mark.parametrize("rate", [0, -1.0, True, "10", float("inf")])
async def test_a_rate_is_a_positive_number(rate: float) -> None:
    """As in `connect`."""
    async with client_of(World(), "gateway-v3") as (client, _):
        with pytest.raises(bkjob.UsageError, match="requests_per_second must be"):
            client.set_requests_per_second(rate)


@pytest.mark.parametrize(
    ("limit", "of_host", "at_once"), [(0, 0, 32), (100, 0, 32), (3, 0, 3), (100, 2, 2), (3, 5, 3), (0, 5, 5)]
)
async def test_requests_in_flight_are_as_many_as_a_lent_session_has_connections(
    limit: int, of_host: int, at_once: int
) -> None:
    """One that waited for a connection there would use up its time limit."""
    connector = aiohttp.TCPConnector(limit=limit, limit_per_host=of_host)
    async with (
        aiohttp.ClientSession(connector=connector) as lent,
        bkjob.connect("http://127.0.0.1:1", CREDENTIALS, session=lent) as client,
    ):
        assert client.stats().max_in_flight == at_once


async def test_a_closed_client_has_no_rate() -> None:
    """The rate is one of the requests of an event loop."""
    async with client_of(World(), "gateway-v3") as (client, _):
        pass

    with pytest.raises(bkjob.UsageError):
        client.set_requests_per_second(1.0)


async def test_an_outage_is_told_while_it_lasts() -> None:
    """It is the trouble that watches report, for all targets."""
    world = World()
    async with client_of(world, "gateway-v3") as (client, transport):
        jobs = [world.add(LONG) for _ in range(5)]
        before = client.outage()
        async with client.watch(jobs, linger=None) as watch:
            await asyncio.sleep(5.0)
            transport.spoil = lambda _request, _now: TransportFailed(ErrorDetails(message="away", sent=False))
            trouble = await anext(e async for e in watch if isinstance(e, bkjob.Trouble) and e.ref is None)
            during = client.outage()
            transport.spoil = lambda _request, _now: None
            await anext(e async for e in watch if isinstance(e, bkjob.Recovered) and e.ref is None)

        assert before is None
        assert during is not None
        assert during.message == trouble.message
        assert client.outage() is None
