"""Credentials of the caller of each call, at the cost of one shared client."""

from __future__ import annotations

import asyncio
import json
from contextvars import ContextVar

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from tests.client.clients import client_of

pytestmark = pytest.mark.looptime
user: ContextVar[str] = ContextVar("user")
JOB = 20000000001


def of(name: str) -> bkjob.AppCredentials:
    """Return the credentials of a user."""
    return bkjob.AppCredentials(bk_app_code="app", bk_app_secret="not-shown", bk_username=name)


async def of_caller() -> bkjob.AppCredentials:
    """Return the credentials of whoever calls."""
    await asyncio.sleep(0.1)
    return of(user.get())


class NamingTransport(SimulatedTransport):
    """A simulated transport that records whose each request is, and can reject one user's credentials."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator.platform, clock=simulator.clock)
        self.users: list[str] = []
        self.rejects_next = False

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        """Send *request*, and record its user."""
        self.users.append(json.loads(request.headers["X-Bkapi-Authorization"])["bk_username"])
        if self.rejects_next:
            self.rejects_next = False
            raise bkjob.NotAuthenticated(bkjob.ErrorDetails(message="expired", sent=True))
        return await super().send(request, timeout=timeout)


@pytest.fixture
def simulator() -> Simulator:
    """Return a platform with one job."""
    simulator = Simulator()
    simulator.add(SimulatedJob(steps=(StepPlan(hosts=2),)))
    return simulator


async def test_a_shared_provider_does_not_see_the_caller(simulator: Simulator) -> None:
    """Else the first caller's credentials would sign the calls of all others: it fails, and says how to declare it."""
    async with client_of(simulator, credentials=of_caller, transport=NamingTransport(simulator)) as (
        client,
        _,
    ):
        user.set("alice")
        with pytest.raises(bkjob.NotAuthenticated, match="PerCall"):
            await client.get_job_instance_status(JOB)


async def test_a_provider_per_call_signs_each_call_as_its_caller(simulator: Simulator) -> None:
    """Also at the same time; polls are signed by the client's own credentials."""
    transport = NamingTransport(simulator)

    async def call_as(name: str, client: bkjob.JobClient) -> None:
        user.set(name)
        await client.get_job_instance_status(JOB)
        assert (await client.wait(JOB)).ok

    async with client_of(simulator, credentials=of("service"), transport=transport) as (client, _):
        users = client.with_options(credentials=bkjob.PerCall(of_caller))
        await asyncio.gather(call_as("alice", users), call_as("bob", users))
        await client.get_job_instance_status(JOB)

    assert transport.users[:2] == ["alice", "bob"]
    assert set(transport.users[2:]) == {"service"}


async def test_a_view_has_credentials_of_its_own(simulator: Simulator) -> None:
    """Given as they are, or by a provider that is called once for the view; other views of it keep them."""
    transport = NamingTransport(simulator)
    called = 0

    async def of_bob() -> bkjob.AppCredentials:
        nonlocal called
        called += 1
        return of("bob")

    async with client_of(simulator, credentials=of("service"), transport=transport) as (client, _):
        alice = client.with_options(credentials=of("alice"))
        bob = client.with_options(credentials=of_bob).with_options(priority="background")
        for each in (alice, bob, client, bob):
            await each.get_job_instance_status(JOB)

    assert transport.users == ["alice", "bob", "service", "bob"]
    assert called == 1


async def test_rejected_credentials_of_a_call_are_fetched_again(simulator: Simulator) -> None:
    """Once, by the provider of that call."""
    transport = NamingTransport(simulator)
    names = iter(("alice", "bob"))

    async def next_one() -> bkjob.AppCredentials:
        return of(next(names))

    async with client_of(simulator, credentials=of("service"), transport=transport) as (client, _):
        transport.rejects_next = True
        await client.with_options(credentials=bkjob.PerCall(next_one)).get_job_instance_status(JOB)

    assert transport.users == ["alice", "bob"]


@pytest.mark.parametrize("is_per_call", [False, True], ids=["shared", "per call"])
async def test_a_provider_that_calls_its_own_client_is_told_so(
    simulator: Simulator,
    is_per_call: bool,  # noqa: FBT001 - a parameter
) -> None:
    """It would wait for itself for ever."""

    async def provide() -> bkjob.AppCredentials:
        await caller.get_job_instance_status(JOB)
        return of("nobody")

    async with client_of(simulator, credentials=of("service")) as (client, _):
        caller = client.with_options(credentials=bkjob.PerCall(provide) if is_per_call else provide)
        async with asyncio.timeout(60.0):
            with pytest.raises(bkjob.NotAuthenticated, match="calls the client that waits for it"):
                await caller.get_job_instance_status(JOB)


async def test_calls_that_wait_for_a_provider_when_the_client_closes_raise(simulator: Simulator) -> None:
    """None is cancelled, which a task group would take for a task that wanted to end, or succeeds with nothing."""

    async def provide() -> bkjob.AppCredentials:
        await asyncio.Event().wait()
        return of("nobody")

    async with client_of(simulator, credentials=provide) as (client, _):
        logs = client.batch_get_job_instance_ip_log(JOB, JOB, hosts=["0:10.0.0.1", "0:10.0.0.2"])
        calls = [logs, client.run_script("uptime", ["0:10.0.0.1"]), client.get_job_instance_status(JOB)]
        tasks = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(1.0)
    found = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(each) for each in found] == [bkjob.ClientClosed] * 3


@pytest.mark.parametrize("turns", range(1, 8))
async def test_a_client_whose_closing_is_cancelled_waits_for_no_provider(
    simulator: Simulator, turns: int
) -> None:
    """Those of its views are cancelled as its own is, however long one of them takes for its end."""

    async def provide() -> bkjob.AppCredentials:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
        return of("nobody")

    async with client_of(simulator, credentials=provide) as (client, _):
        callers = [client, *(client.with_options(credentials=provide) for _ in range(3))]
        calls = [asyncio.create_task(caller.get_job_instance_status(JOB)) for caller in callers]
        await asyncio.sleep(1.0)
        closing = asyncio.create_task(client.aclose())
        for _ in range(turns):
            await asyncio.sleep(0)
        closing.cancel()
        async with asyncio.timeout(10.0):
            found = await asyncio.gather(closing, *calls, return_exceptions=True)

    assert [type(each) for each in found[1:]] == [bkjob.ClientClosed] * 4
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_cannot_be_a_provider_of_callers_credentials_is_refused_at_once(
    simulator: Simulator,
) -> None:
    """Credentials themselves, or a client that would have none for its polls."""
    async with client_of(simulator) as (client, _):
        with pytest.raises(bkjob.UsageError, match="async callable"):
            client.with_options(credentials=bkjob.PerCall(of("alice")))  # type: ignore[arg-type]
        with pytest.raises(bkjob.UsageError, match="AppCredentials"):
            client.with_options(credentials="alice")  # type: ignore[arg-type]
    with pytest.raises(bkjob.UsageError, match="with_options"):
        bkjob.connect("http://sim", bkjob.PerCall(of_caller))  # type: ignore[arg-type]


async def test_the_secrets_of_a_view_are_hidden(simulator: Simulator) -> None:
    """As those of the client are."""
    own = bkjob.AppCredentials(bk_app_code="app", bk_app_secret="a-secret-of-the-view", bk_username="alice")

    async def failing(request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        raise ValueError(f"cannot send {request.headers}")

    transport = NamingTransport(simulator)
    async with client_of(simulator, transport=transport) as (client, _):
        transport.send = failing  # type: ignore[method-assign]
        view = client.with_options(credentials=own)
        with pytest.raises(bkjob.BkJobError) as failed:
            await view.get_job_instance_status(JOB)

    assert "a-secret-of-the-view" not in f"{failed.value!r} {view!r} {view._options!r}"
