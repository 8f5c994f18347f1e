"""A simulated platform with steps that live, in a process of its own; their time begins when a client says so."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from urllib.request import Request, urlopen

from attrs import frozen

from benchmarks.lifecycles import LIFECYCLES, simulated_steps
from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.refs import Scope, StepRef
from bkjob_async.simulator.faults.faults import Delivery, Fault
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.servers.control import CONTROL_PATH
from bkjob_async.simulator.servers.http import SimulatorServer
from bkjob_async.simulator.world.plans import exactly


@frozen
class Life:
    """*steps* steps of so many *hosts*, a job each; *seconds* of a life of 200 polls, *delay* seconds for each response."""

    steps: int
    hosts: int
    seconds: float
    lifecycle: str = "linear"
    delay: float = 0.0


async def serve(life: Life) -> None:
    """Serve until stdin ends; print the URL and the ids of jobs and steps on stdout, at the end the bytes of all bodies."""
    platform, refs = simulated_steps(LIFECYCLES[life.lifecycle], steps=life.steps, hosts=life.hosts)
    clock = WorldClock(speed=200.0 / life.seconds)
    clock.pause()
    sent, deliver = list[int](), platform.deliver

    def counted(http_request: HttpRequest, now: float) -> Delivery:
        delivery = deliver(http_request, now)
        sent.append(len(delivery.response.body))
        return delivery

    platform.deliver = counted  # type: ignore[method-assign]
    gc.freeze()
    slow = Fault(name="far away", delay=exactly(life.delay))
    with platform.fault(slow) if life.delay else nullcontext():
        async with SimulatorServer(platform, clock=clock) as server:
            ids = [(ref.job_instance_id, ref.step_instance_id) for ref in refs]
            print(json.dumps([server.url, ids]), flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
            print(sum(sent), flush=True)


def main(life: Life) -> None:
    """Serve in this process."""
    asyncio.run(serve(life))


@contextmanager
def running_life(life: Life, sent: list[int] | None = None) -> Iterator[tuple[str, list[StepRef]]]:
    """Run the server in another process; yield its URL and the steps, whose time stands still until `resume`.

    Behind it, *sent* is given how many bytes the bodies of its responses had.
    """
    code = f"from benchmarks.compare.life_server import Life, main; main({life!r})"
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        url, ids = json.loads(process.stdout.readline())
        yield url, [StepRef(Scope.biz(2), job, step) for job, step in ids]
        process.stdin.close()
        bodies = int(process.stdout.readline())
        if sent is not None:
            sent.append(bodies)


def resume(url: str) -> None:
    """Let the steps' time pass."""
    control(url, "POST", "resume")


def requests(url: str) -> int:
    """Return the number of requests so far."""
    counts: dict[str, int] = control(url, "GET", "")["request_counts"]
    return sum(counts.values())


def control(url: str, method: str, action: str) -> Any:
    """Send a request to the control API."""
    with urlopen(Request(f"{url}{CONTROL_PATH}/{action}", method=method)) as response:  # noqa: S310 - a server of our own
        return json.load(response)
