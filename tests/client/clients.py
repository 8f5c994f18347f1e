"""A client of a simulated platform in each dialect, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import bkjob_async as bkjob
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import FAILS, SimulatedJob, SimulatedVariable, StepPlan

URLS = {
    "esb-job": "http://sim",
    "esb-jobv3": "http://sim",
    "gateway-v3": "http://sim/api/bk-job/prod",
    "gateway-v4": "http://sim/api/bk-job/prod",
}
DIALECTS = tuple(URLS)
SCOPE = bkjob.Scope.biz(2)
SECRET = "s3cr3t-not-to-be-seen"
CREDENTIALS = bkjob.AppCredentials(bk_app_code="tests", bk_app_secret=SECRET, bk_username="admin")
FAILING = SimulatedJob(
    name="tale",
    steps=(StepPlan(hosts=3, pinned={1: FAILS}),),
    variables=(SimulatedVariable(id=1, name="version", value="1.0"),),
)


@asynccontextmanager
async def client_of(
    simulator: Simulator, dialect: str = "gateway-v3", **options: Any
) -> AsyncIterator[tuple[bkjob.JobClient, SimulatedTransport]]:
    """Open a client of *simulator*; yield it with its transport, which counts requests."""
    transport = options.pop("transport", None) or simulator.transport()
    credentials = options.pop("credentials", CREDENTIALS)
    client = bkjob.connect(
        URLS[dialect], credentials, dialect=dialect, scope=SCOPE, transport=transport, **options
    )
    async with client:
        yield client, transport
