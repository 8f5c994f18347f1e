"""Requests per second of the simulated platform, compared with an aiohttp.web handler that returns prepared bytes."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from statistics import median
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.http_messages import HttpRequest
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.servers.http import SimulatorServer
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World

SECONDS, ROUNDS, IN_FLIGHT = *scaled((1.5, 3), (0.05, 1)), 16
HEADERS = {"X-Bkapi-Authorization": '{"bk_app_code":"bench","bk_app_secret":"bench"}'}
V3, V2 = "/api/v3/", "/api/c/compapi/v2/job/"


def worlds() -> dict[str, World]:
    """Return the simulated worlds: one small job, many hosts that are done, many hosts that change."""
    small, still = Simulator("some-fail").world, Simulator("ten-thousand-hosts").world
    small.advance(60.0)
    still.advance(600.0)
    moving = World(at_once=True)
    outcomes = (HostOutcome(start_delay=DurationRange(0.0, 60.0), duration=DurationRange(1.0, 60.0)),)
    moving.add(SimulatedJob(steps=(StepPlan(hosts=10_000, outcomes=outcomes),)))
    moving.advance(5.0)
    return {"small": small, "still": still, "moving": moving}


def request_paths(world: World) -> dict[str, str]:
    """Return the paths of requests about a world's one job."""
    ref = world.refs()[0]
    step = world.jobs[ref.job_instance_id].steps[0].id
    job = f"bk_scope_type=biz&bk_scope_id=2&job_instance_id={ref.job_instance_id}"
    return {
        "job": f"{V3}get_job_instance_status?{job}",
        "step": f"{V3}get_step_instance_status?{job}&step_instance_id={step}&batch=0",
        "groups": f"{V3}get_step_instance_status?{job}&step_instance_id={step}&batch=0&max_host_num_per_group=1",
        "esb": f"{V2}get_job_instance_status/?bk_biz_id=2&job_instance_id={ref.job_instance_id}",
    }


async def serve() -> None:
    """Serve every world, and its responses as prepared bytes, until stdin ends; print the URLs on stdout."""
    urls: dict[str, str] = {}
    bare = web.Application()
    servers = []
    for name, world in worlds().items():
        platform, clock = Platform(world), WorldClock()
        clock.advance(world.now)
        if name != "moving":
            clock.pause()
        server = SimulatorServer(platform, clock=clock)
        await server.start()
        servers.append(server)
        for kind, path in request_paths(world).items():
            urls[f"{name} {kind}"] = server.url + path
            request = HttpRequest(method="GET", url=URL(server.url + path), headers=HEADERS)
            body = platform.respond(request, world.now).body
            bare.router.add_get(f"/{name}/{kind}", prepared(body))
    runner = web.AppRunner(bare, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    urls |= {f"bare {name}": f"http://127.0.0.1:{port}/{name.replace(' ', '/')}" for name in urls}
    print(json.dumps(urls), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def prepared(body: bytes) -> Any:
    """Return a handler that always responds with *body*."""

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    return handle


async def rate(session: aiohttp.ClientSession, url: str) -> tuple[float, int]:
    """Return requests per second, and the size of a response."""
    end, done, size = time.perf_counter() + SECONDS, 0, 0

    async def send() -> None:
        nonlocal done, size
        while time.perf_counter() < end:
            async with session.get(URL(url, encoded=True), headers=HEADERS) as response:
                size = len(await response.read())
                done += 1

    started = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(IN_FLIGHT)))
    return done / (time.perf_counter() - started), size


async def measure() -> list[tuple[object, ...]]:
    """Measure a server in another process, simulated and bare in turn."""
    code = "import asyncio; from benchmarks.simulator import serve; asyncio.run(serve())"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe)
    if process.stdout is None or process.stdin is None:
        raise RuntimeError("the server has no pipes")
    urls = json.loads(await process.stdout.readline())
    rows: list[tuple[object, ...]] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session:
        for name in [name for name in urls if not name.startswith("bare ")]:
            pairs = [
                (await rate(session, urls[name]), await rate(session, urls[f"bare {name}"]))
                for _ in range(ROUNDS)
            ]
            ours, theirs = median(a for (a, _), _ in pairs), median(b for _, (b, _) in pairs)
            rows.append((name, pairs[0][0][1], f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"))
    process.stdin.close()
    await process.wait()
    return rows


def main() -> None:
    """Measure and print."""
    columns = ("request", "bytes", "simulated/s", "bare/s", "ratio")
    show(
        "simulator: requests per second over HTTP, compared with prepared bytes",
        columns,
        asyncio.run(measure()),
    )
