"""A simulated platform in a process of its own that stops listening, refuses or works again on command."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextlib import suppress

from aiohttp import web

from bkjob_async.http_messages import HttpRequest
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.world.plans import HANGS, DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World

HOSTS = 3
LONG = SimulatedJob(steps=(StepPlan(hosts=HOSTS, outcomes=(HANGS,)),))
# HTTP status and body of each kind of refusal.
REFUSALS = {
    "503": (503, b"<html><title>503 Service Temporarily Unavailable</title></html>"),
    "429": (
        429,
        b'{"code": 1642902, "result": false, "message": "Request rate limit exceeded", "data": null}',
    ),
    "1306429": (
        200,
        b'{"code": 1306429, "result": false, "message": "Access frequency limit", "data": null}',
    ),
}


class OutageServer:
    """Serves a world after *latency* seconds; `state` is `up`, `away` or a key of `REFUSALS`."""

    def __init__(self, world: World, latency: float) -> None:
        self.state = "up"
        self.port = 0
        self._latency = latency
        self._platform, self._clock = Platform(world), WorldClock()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._site: web.TCPSite | None = None

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(self._latency)
        if self.state in REFUSALS:
            status, refusal = REFUSALS[self.state]
            return web.Response(status=status, body=refusal)
        simulated = HttpRequest(
            method=request.method, url=request.url, headers=request.headers, body=body or None
        )
        response = self._platform.respond(simulated, self._clock.now())
        return web.Response(status=response.status, headers=dict(response.headers), body=response.body)

    async def enter(self, state: str) -> None:
        """Enter a state: listen or close all connections."""
        self.state = state
        if state == "away":
            if self._site is not None:
                await self._site.stop()
                self._site = None
            server = self._runner.server
            for connection in server.connections if server is not None else ():
                with suppress(AttributeError):  # it is closed already
                    connection.transport.abort()  # type: ignore[union-attr]
        elif self._site is None:
            if not self.port:
                await self._runner.setup()
                self._clock.now()
            self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
            await self._site.start()
            self.port = self._runner.addresses[0][1]

    async def aclose(self) -> None:
        """Stop the server."""
        await self._runner.cleanup()


async def serve(jobs: int, ending: int, seconds: float, latency: float) -> None:
    """Serve *jobs* endless jobs and *ending* that end within *seconds*; each line of stdin is a state to enter."""
    world = World(1)
    plan = SimulatedJob(
        steps=(StepPlan(hosts=HOSTS, outcomes=(HostOutcome(duration=DurationRange(1.0, seconds)),)),)
    )
    refs = [world.add(LONG) for _ in range(jobs)] + [world.add(plan) for _ in range(ending)]
    server = OutageServer(world, latency)
    await server.enter("up")
    print(json.dumps([server.port, *(ref.job_instance_id for ref in refs)]), flush=True)
    loop = asyncio.get_running_loop()
    while state := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        await server.enter(state)
    await server.aclose()


def main(jobs: int, ending: int, seconds: float, latency: float) -> None:
    """Serve in this process."""
    # aiohttp logs an error for every connection that is aborted.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    asyncio.run(serve(jobs, ending, seconds, latency))
