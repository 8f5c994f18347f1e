"""The guide's examples of applications run; those of frameworks in `test_frameworks.py`."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from tests.client.clients import CREDENTIALS, SCOPE, URLS
from tests.client.examples import aiohttp_application

HOST = "0:10.0.0.1"


def connected(simulator: Simulator, **options: Any) -> bkjob.JobClient:
    """Return a client of a simulated platform."""
    options.setdefault("transport", simulator.transport())
    return bkjob.connect(URLS["gateway-v3"], CREDENTIALS, scope=SCOPE, **options)


async def test_an_aiohttp_application() -> None:
    """Over real HTTP, a hundred times as fast."""
    simulator = Simulator(speed=100.0, at_once=True)
    app = aiohttp_application.application(lambda: connected(simulator, interval=0.05))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    here = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{here}/run", params={"host": HOST}, data="uptime") as response,
    ):
        said = json.loads(await response.text())
    await runner.cleanup()

    assert said == {"ok": True}


def test_each_call_of_a_task_has_a_loop_of_its_own() -> None:
    """A client that outlives its loop says what to do instead."""
    client = connected(Simulator())

    async def use() -> None:
        async with client:
            pass

    asyncio.run(use())
    with pytest.raises(bkjob.ClientClosed, match=r"connect\(\)"):
        asyncio.run(use())
