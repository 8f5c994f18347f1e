"""The guide's examples of applications run; those of frameworks in `test_frameworks.py`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from tests.client.clients import CREDENTIALS, SCOPE, URLS
from tests.client.examples import aiohttp_application, aiohttp_events

HOST = "0:10.0.0.1"


def connected(simulator: Simulator, **options: Any) -> bkjob.JobClient:
    """Return a client of a simulated platform."""
    options.setdefault("transport", simulator.transport())
    return bkjob.connect(URLS["gateway-v3"], CREDENTIALS, scope=SCOPE, **options)


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """Serve an application; yield its URL."""
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_an_aiohttp_application() -> None:
    """Over real HTTP, a hundred times as fast."""
    simulator = Simulator(speed=100.0, at_once=True)
    app = aiohttp_application.application(lambda: connected(simulator, interval=0.05))
    async with (
        served(app) as here,
        aiohttp.ClientSession() as session,
        session.post(f"{here}/run", params={"host": HOST}, data="uptime") as response,
    ):
        said = json.loads(await response.text())

    assert said == {"ok": True}


async def sent_events(url: str, last: str | None = None) -> AsyncGenerator[tuple[str, str], None]:
    """Yield the id and the host of each event, as a browser that had *last* reads them."""
    headers = {} if last is None else {"Last-Event-ID": last}
    cursor = ""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        async for line in response.content:
            name, _, value = line.decode().strip().partition(": ")
            if name == "id":
                cursor = value
            elif name == "data":
                yield cursor, json.loads(value)["host"]["label"]


async def test_browsers_come_back_for_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    """Behind their last event, or from the beginning; the end of the application ends what they read."""
    simulator = Simulator()
    jobs = [simulator.add(SimulatedJob(steps=(StepPlan(hosts=3),))) for _ in range(2)]
    simulator.advance(600)
    app = aiohttp_events.application(lambda: connected(simulator), jobs)
    async with served(app) as here:
        async with aclosing(sent_events(f"{here}/events")) as browser:
            last, first = await anext(browser)
        left = sent_events(f"{here}/events", last)
        rest = [(await anext(left))[1] for _ in range(5)]
        unknown = sent_events(f"{here}/events", "1-00000000")
        begun = await anext(unknown)
    ends = [event for reader in (left, unknown) async for event in reader]

    assert sorted([first, *rest]) == sorted(2 * ["0:10.0.0.1", "0:10.0.0.2", "0:10.0.0.3"])
    assert begun == (last, first)
    assert len(ends) == 5
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


def test_each_call_of_a_task_has_a_loop_of_its_own() -> None:
    """A client that outlives its loop says what to do instead."""
    client = connected(Simulator())

    async def use() -> None:
        async with client:
            pass

    asyncio.run(use())
    with pytest.raises(bkjob.ClientClosed, match=r"connect\(\)"):
        asyncio.run(use())
