"""One look at targets: how they stand, why, and what they wait for."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

import bkjob_async as bkjob
import bkjob_async.sync
from bkjob_async.model.operations.base import StepOperation
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.codes import CONFIRM
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from tests.client.clients import CREDENTIALS, DIALECTS, FAILING, client_of
from tests.sync.clients import connected, fast_simulator

pytestmark = pytest.mark.looptime

CONFIRMED = SimulatedJob(name="ask", steps=(StepPlan(hosts=1, kind=CONFIRM),))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_job_that_failed_says_why(dialect: str) -> None:
    """By cause, and for each step; the value survives JSON."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    async with client_of(simulator, dialect) as (client, _):
        await client.wait(job, deadline=600)
        (found,) = await client.status(job)

    assert (found.ref, found.is_finished, found.because) == (job, True, "it is over")
    assert found.hosts == {bkjob.Phase.FAILED: 1, bkjob.Phase.SUCCESS: 2}
    assert [step.hosts for step in found.steps] == [found.hosts]
    assert [(group.count, group.status.name) for group in found.causes] == [(1, "SCRIPT_NOT_ZERO_EXIT_CODE")]
    assert found.waiting == {}
    assert bkjob.from_json(json.dumps(bkjob.to_json(found)), bkjob.TargetStatus) == found


async def test_a_job_that_waits_names_what_lets_it_go_on() -> None:
    """The operation itself, which the client can send."""
    simulator = Simulator()
    job = simulator.add(CONFIRMED)
    async with client_of(simulator) as (client, _):
        (pending,) = await client.status([job])
        await asyncio.sleep(5)
        (found,) = await client.status([job])
        (step, operation), *_ = found.waiting.items()

    assert pending.waiting == {}
    assert (found.is_finished, found.because) == (False, "it waits for a user")
    assert (step.job, operation) == (job, StepOperation.CONFIRM_CONTINUE)
    assert found.seconds is not None


async def test_what_cannot_be_read_is_among_the_rest() -> None:
    """In the order that was asked for; each target once."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    gone = bkjob.JobRef(job.scope, 404)
    async with client_of(simulator) as (client, _):
        found = await client.status([gone, job, gone])

    assert [target.ref for target in found] == [gone, job]
    assert (found[0].status, found[0].lost) == (None, bkjob.LostReason.NOT_FOUND)
    assert str(found[0]).startswith(f"{gone} lost: not found")
    assert found[1].status is not None


async def test_earlier_runs_say_when_it_ends() -> None:
    """Three of the same name are enough."""
    simulator = Simulator(begins=datetime.now(UTC) - timedelta(minutes=10))
    async with client_of(simulator) as (client, _):
        for _ in range(3):
            await client.wait(
                simulator.add(SimulatedJob(name="tale", steps=(StepPlan(hosts=2),))), deadline=600
            )
    async with client_of(simulator) as (client, _):
        job = simulator.add(SimulatedJob(name="tale", steps=(StepPlan(hosts=2),)))
        await asyncio.sleep(1)
        (without,) = await client.status(job)
        (with_them,) = await client.status(job, with_earlier_runs=True)

    assert without.ends_in is None
    assert with_them.ends_in is not None
    assert 0 <= with_them.ends_in[0] <= with_them.ends_in[1]


async def test_refused_credentials_and_a_platform_that_hangs() -> None:
    """The one is an error at once; the other when the time is over."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    async with client_of(simulator) as (client, _):
        with (
            simulator.fault("hang"),
            pytest.raises(bkjob.RequestTimedOut, match="no response before the deadline"),
        ):
            await client.status(job, deadline=5)
    async with client_of(simulator) as (client, _):
        with simulator.fault("empty-401"), pytest.raises(bkjob.NotAuthenticated):
            await client.status(job)


async def test_a_target_that_hangs_is_not_seen() -> None:
    """Where the platform answers about another one in time."""
    simulator = Simulator()
    job, other = simulator.add(FAILING), simulator.add(FAILING)
    async with client_of(simulator) as (client, _):
        with simulator.fault("hang", jobs=[other.job_instance_id]):
            found = await client.status([job, other], deadline=5)

    assert found[0].status is not None
    assert (found[1].status, found[1].lost, str(found[1])) == (None, None, f"{other} not seen")


def test_the_twin_looks_as_well() -> None:
    """Without an event loop."""
    simulator = fast_simulator()
    job = simulator.add(FAILING)
    with connected(simulator, interval=0.02) as client:
        client.wait(job)
        (found,) = client.status(job)

    assert len(found.causes) == 1


def test_the_twin_raises_where_nothing_listens() -> None:
    """The error of the request, as the asynchronous client does."""
    with (
        bkjob_async.sync.connect("http://127.0.0.1:9", CREDENTIALS) as client,
        pytest.raises(bkjob.TransportFailed, match="cannot connect"),
    ):
        client.status(["2:100", "2:101"])
