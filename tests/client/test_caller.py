"""Calls by name, whole responses, views with other options, paged lists."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SimulatedJob
from tests.client.clients import DIALECTS, FAILING, SCOPE, client_of

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_anything_can_be_called_by_its_name(dialect: str) -> None:
    """The scope is added, the response is the plain data."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    simulator.advance(600)
    named = {"job_instance_id": job.job_instance_id}
    async with client_of(simulator, dialect) as (client, _):
        data = await client.call("get_job_instance_status", named, method="GET")

    assert data["job_instance"]["status"] == 4


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_whole_response_has_everything_around_its_data(dialect: str) -> None:
    """Status, headers, request ids, and the bytes as they came."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    async with client_of(simulator, dialect) as (client, _):
        envelope = await client.call_raw(bkjob.operations.GetJobInstanceStatus(ref=job))
        with pytest.raises(bkjob.NotFound):
            await client.call_raw(bkjob.operations.GetJobInstanceStatus(ref=client.job(999_999)))

    assert envelope.http_status == 200
    assert json.loads(envelope.body)["data"] == envelope.data
    assert envelope.request_ids


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_recorded_response_is_decoded_as_the_live_one(dialect: str) -> None:
    """The recorded bytes give the same value as the call."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    simulator.advance(600)
    async with client_of(simulator, dialect) as (client, _):
        live = await client.get_job_instance_status(job)
        raw = await client.call_raw(bkjob.operations.GetJobInstanceStatus(ref=job))

    again = bkjob.decode(
        raw.body,
        operation=bkjob.operations.GetJobInstanceStatus(ref=job),
        dialect=dialect,
        headers=raw.headers,
    )
    assert again == live


async def test_a_view_has_other_options_on_the_same_pool() -> None:
    """Its timeout and its retries are its own; connections, limits and lifetime are the client's."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    async with client_of(simulator, transport=simulator.transport(latency=5.0)) as (client, transport):
        hasty = client.with_options(request_timeout=1.0, retries=bkjob.Retries(attempts=2))
        with pytest.raises(bkjob.RequestTimedOut) as late:
            await hasty.get_job_instance_status(job)
        assert late.value.details.attempts == 2
        assert (await client.get_job_instance_status(job)).ref == job
        with pytest.raises(bkjob.UsageError):
            await hasty.__aenter__()
        await hasty.aclose()
        assert (await hasty.get_job_instance_status(job, request_timeout=9.0)).ref == job
        assert transport.requests == 4
    with pytest.raises(bkjob.ClientClosed):
        await hasty.get_job_instance_status(job)


async def test_background_calls_wait_for_urgent_ones() -> None:
    """A background view queues with the polls, urgent calls go before."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    done: list[str] = []

    async def ask(client: bkjob.JobClient, name: str) -> None:
        await client.get_job_instance_status(job)
        done.append(name)

    transport = simulator.transport(latency=1.0)
    async with client_of(simulator, transport=transport, max_in_flight=1) as (client, _):
        patient = client.with_options(priority="background")
        async with asyncio.TaskGroup() as group:
            for who, name in [(client, "first"), (patient, "background"), (client, "urgent")]:
                group.create_task(ask(who, name))
                await asyncio.sleep(0.1)

    assert done == ["first", "urgent", "background"]


@pytest.mark.parametrize("options", [{"priority": "soon"}, {"request_timeout": 0}])
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    """At once, not at the first call."""
    client = bkjob.connect("http://x", bkjob.AccessToken(access_token="t"))

    with pytest.raises(bkjob.UsageError):
        client.with_options(**options)  # type: ignore[arg-type]


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("dialect", "length", "pages"), [("gateway-v3", 30, 9), ("esb-jobv3", 250, 1), ("gateway-v4", 100, 3)]
)
async def test_a_list_pages_itself(dialect: str, length: int, pages: int) -> None:
    """Every job once, newest first, and no page more than it takes."""
    simulator = Simulator()
    jobs = [simulator.add(SimulatedJob(created=float(n))) for n in range(250)]
    simulator.advance(600)
    today = datetime.fromtimestamp(simulator.world.epoch_ms / 1000, UTC)
    async with client_of(simulator, dialect) as (client, transport):
        listing = client.get_job_instance_list(today - DAY, today + DAY, length=length)
        assert transport.requests == 0
        found = [instance.ref async for instance in listing]

    assert found == jobs[::-1]
    assert listing.total == (None if dialect == "gateway-v4" else 250)
    assert transport.requests == pages


async def test_a_list_continues_after_the_last_page_of_the_platform() -> None:
    """Version 3 has no page after the thousandth job; an earlier end of the time span reaches further."""
    simulator = Simulator()
    jobs = [simulator.add(SimulatedJob(created=n / 7)) for n in range(2500)]
    simulator.advance(4000)
    today = datetime.fromtimestamp(simulator.world.epoch_ms / 1000, UTC)
    async with client_of(simulator) as (client, _):
        found = await client.get_job_instance_list(today - DAY, today + DAY, length=500).all()

    assert [instance.ref for instance in found] == jobs[::-1]


async def test_a_list_may_be_left_and_failed_pages_requested_again() -> None:
    """It holds nothing open."""
    simulator = Simulator()
    for n in range(5):
        simulator.add(SimulatedJob(created=float(n)))
    simulator.advance(600)
    today = datetime.fromtimestamp(simulator.world.epoch_ms / 1000, UTC)
    async with client_of(simulator, retries=bkjob.Retries(attempts=1)) as (client, _):
        listing = client.get_job_instance_list(today - DAY, today + DAY, length=2)
        first = await anext(listing)
        await anext(listing)
        with simulator.fault("reset"), pytest.raises(bkjob.TransportFailed):
            await anext(listing)
        rest = await listing.all()

    assert first.ref.scope == SCOPE
    assert len(rest) == 3


async def test_all_of_a_list_loses_nothing_to_an_error() -> None:
    """What was read before it is returned by the next attempt."""
    simulator = Simulator()
    jobs = [simulator.add(SimulatedJob(created=float(n))) for n in range(5)]
    simulator.advance(600)
    today = datetime.fromtimestamp(simulator.world.epoch_ms / 1000, UTC)
    async with client_of(simulator, retries=bkjob.Retries(attempts=1)) as (client, _):
        listing = client.get_job_instance_list(today - DAY, today + DAY, length=2)
        found = [await anext(listing)]
        with simulator.fault("reset"), pytest.raises(bkjob.TransportFailed):
            await listing.all()
        found += await listing.all()

    assert [instance.ref for instance in found] == jobs[::-1]
