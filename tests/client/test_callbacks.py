"""A client with a callback receiver: launches have its URL, and the platform calls back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SimulatedJob
from tests.client.clients import SCOPE, client_of

pytestmark = pytest.mark.looptime

TOKEN = "an-unguessable-token-0123"
HOSTS = ["0:10.0.0.1", "0:10.0.0.2"]
# Those that can launch everything that calls back; each writes the URL under a name of its own.
DIALECTS = ("gateway-v3", "esb-jobv3", "esb-job")


@asynccontextmanager
async def client_with_callbacks(
    simulator: Simulator, dialect: str, **options: Any
) -> AsyncIterator[tuple[bkjob.JobClient, list[str]]]:
    """Open a client whose callbacks arrive; yield it with the URLs that were called."""
    receiver = bkjob.CallbackReceiver(TOKEN, base="https://me.example.com/bk/")
    called: list[str] = []

    async def post(url: str, body: bytes, kind: str) -> int:
        called.append(url)
        return receiver.receive(body, kind) if receiver.is_for(url) else 200

    sender = simulator.callbacks(post=post)
    sender.start()
    async with client_of(simulator, dialect, callbacks=receiver, **options) as (client, _):
        yield client, called
    await sender.aclose()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_launch_says_where_to_call_back(dialect: str) -> None:
    """Scripts, SQL, files and plans; the wait ends with the callback, long before the next poll."""
    simulator = Simulator()
    async with client_with_callbacks(simulator, dialect, interval=500.0) as (client, called):
        begun = asyncio.get_running_loop().time()
        results = [
            await client.run_script("uptime", HOSTS),
            await client.run_plan(1000, {"hosts": bkjob.Targets(hosts=HOSTS)}),
            await client.send_file("/a", "/srv", HOSTS, source=HOSTS[0]),
        ]
        sql = await client.fast_execute_sql("select 1", HOSTS, db_account_id=1)
        results.append(await client.wait(sql.ref))
        took = asyncio.get_running_loop().time() - begun

    assert [result.ok for result in results] == [True] * 4
    assert called == [f"https://me.example.com/bk/{TOKEN}"] * 4
    assert took < 500.0


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_url_that_is_given_wins(dialect: str) -> None:
    """And an empty one asks for no callback; a callback sent elsewhere does not arrive here."""
    simulator = Simulator()
    async with client_with_callbacks(simulator, dialect) as (client, called):
        for url in ("https://elsewhere.example.com/", ""):
            launched = await client.fast_execute_script(
                "uptime", HOSTS, account_alias="root", callback_url=url
            )
            assert (await client.wait(launched.ref)).ok
        await asyncio.sleep(60.0)

    assert called == ["https://elsewhere.example.com/"]


async def test_a_watch_may_have_a_callback_receiver_of_its_own() -> None:
    """Then callbacks to the client receiver do not nudge it."""
    simulator = Simulator()
    job = simulator.add(SimulatedJob())
    own = bkjob.CallbackReceiver()
    async with (
        client_with_callbacks(simulator, "gateway-v3", interval=500.0) as (client, _),
        client.watch(job, callbacks=own) as watch,
    ):
        await asyncio.sleep(60.0)
        asked = watch.stats().polls
        assert client._callbacks is not None
        client._callbacks.receive(b'{"job_instance_id":%d,"status":3}' % job.job_instance_id)
        await asyncio.sleep(5.0)
        unheard = watch.stats().polls
        own.receive(b'{"job_instance_id":%d,"status":3}' % job.job_instance_id)
        await asyncio.sleep(5.0)

        assert asked == unheard < watch.stats().polls


def test_the_receiver_of_a_client_needs_a_base() -> None:
    """Otherwise no launch could say so."""
    credentials = bkjob.AppCredentials(bk_app_code="tests", bk_app_secret="secret", bk_username="admin")

    with pytest.raises(bkjob.UsageError, match="URL at which the platform reaches it"):
        bkjob.connect("http://sim", credentials, scope=SCOPE, callbacks=bkjob.CallbackReceiver())
    with pytest.raises(bkjob.UsageError, match="URL at which the platform reaches it"):
        bkjob.CallbackReceiver().url()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_callback_that_the_platform_refuses_is_named(dialect: str) -> None:
    """With the way out, and without what may be secret in the URL."""
    simulator = Simulator(site=SiteConfig(allowed_callbacks=("https://other.example.com/",)))
    receiver = bkjob.CallbackReceiver(TOKEN, base="https://me.example.com/bk/")
    async with client_of(simulator, dialect, callbacks=receiver) as (client, _):
        with pytest.raises(bkjob.InvalidRequest, match=r"https://me\.example\.com/bk/\*\*\*") as refused:
            await client.fast_execute_script("uptime", HOSTS, account_alias="root")
        url = "https://me.example.com/x?key=s3cr3t"
        with pytest.raises(bkjob.InvalidRequest, match="callback_url=''"):
            await client.fast_execute_script("uptime", HOSTS, account_alias="root", callback_url=url)
        await client.fast_execute_script("uptime", HOSTS, account_alias="root", callback_url="")
        # Only newer dialects can call back about these; the oldest does without.
        if dialect == "esb-job":
            await client.push_config_file({"a": ""}, "/", HOSTS, account_alias="root")

    assert TOKEN not in f"{refused.value} {refused.value!r}"
    assert refused.value.__context__ is None


async def test_a_refusal_for_another_reason_is_left_alone() -> None:
    """Only a message that speaks of the callback is explained."""
    simulator = Simulator()
    receiver = bkjob.CallbackReceiver(TOKEN, base="https://me.example.com/bk/")
    async with client_of(simulator, callbacks=receiver) as (client, _):
        with pytest.raises(bkjob.InvalidRequest) as refused:
            await client.fast_execute_script("uptime", HOSTS)

    assert "me.example.com" not in str(refused.value)


async def test_a_callback_url_that_cannot_be_read_is_refused_by_the_platform_alone() -> None:
    """The error is the platform's, and nothing of the URL is in it: its host may be a password that is written wrongly."""
    simulator = Simulator(site=SiteConfig(allowed_callbacks=("https://other.example.com/",)))
    async with client_of(simulator, "gateway-v3") as (client, _):
        with pytest.raises(
            bkjob.InvalidRequest,
            match="the callback URL is one without a host that can be read; have the platform's",
        ) as refused:
            url = f"https://me:{TOKEN}[@me.example.com/"
            await client.fast_execute_script("uptime", HOSTS, account_alias="root", callback_url=url)

    assert TOKEN not in str(refused.value)
