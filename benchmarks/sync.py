"""What a call of `bkjob_async.sync` costs beyond the same call in an event loop, beside a bare hand-over to one.

A transport answers at once, in the same process. *in its event loop* is `await client.operate_job_instance(...)`,
*synchronous* the same call of the twin; the difference is what the twin adds. *bare hand-over* is
`asyncio.run_coroutine_threadsafe` with a coroutine that does nothing, *anyio's portal* is that of `anyio.from_thread`. The
calls of all rows take turns. *events* is what each event of a large batch adds when a watch is iterated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from statistics import median
from threading import Thread
from time import perf_counter, process_time

from anyio.from_thread import start_blocking_portal

import bkjob_async as bkjob
from benchmarks.scale import rounds, scaled
from benchmarks.table import show
from bkjob_async import sync
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from bkjob_async.testing import Simulator

ROUNDS = 40
CALLS = scaled(250, 10)
HOSTS = scaled(10_000, 100)
# The most microseconds that a call of the twin may cost beyond the call itself and a bare hand-over.
LIMIT = 60
URL = "http://localhost/api/bk-job/prod"
CREDENTIALS = bkjob.AppCredentials(bk_app_code="bench", bk_app_secret="bench")  # noqa: S106 - no secret
JOB = bkjob.JobRef(bkjob.Scope.biz(2), 1)
BODY = b'{"result":true,"code":0,"data":{"job_instance_id":1}}'


class Immediate:
    """A transport that answers every operation on a job at once."""

    async def send(self, _request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ARG002, ASYNC109
        """Return the response."""
        return HttpResponse(status=200, headers={"Content-Type": "application/json"}, body=BODY)

    async def aclose(self) -> None:
        """Close nothing."""


async def nothing() -> None:
    """Return at once."""


def measured(action: Callable[[], object]) -> tuple[float, float]:
    """Return the microseconds of time and of CPU that one of many calls takes."""
    begun, cpu = perf_counter(), process_time()
    for _ in range(CALLS):
        action()
    return (perf_counter() - begun) / CALLS * 1e6, (process_time() - cpu) / CALLS * 1e6


def in_its_loop(loop: asyncio.AbstractEventLoop, client: bkjob.JobClient) -> tuple[float, float]:
    """Return what one of many calls takes within the event loop."""

    async def calls() -> tuple[float, float]:
        begun, cpu = perf_counter(), process_time()
        for _ in range(CALLS):
            await client.operate_job_instance(JOB, 1)
        return (perf_counter() - begun) / CALLS * 1e6, (process_time() - cpu) / CALLS * 1e6

    return asyncio.run_coroutine_threadsafe(calls(), loop).result()


def calls() -> dict[str, tuple[float, float]]:
    """Return the microseconds of time and CPU of each kind of call, the medians of many rounds."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    client = bkjob.connect(URL, CREDENTIALS, transport=Immediate())
    asyncio.run_coroutine_threadsafe(client.__aenter__(), loop).result()
    found: dict[str, list[tuple[float, float]]] = {}
    with sync.connect(URL, CREDENTIALS, transport=Immediate()) as twin, start_blocking_portal() as portal:
        measures: dict[str, Callable[[], tuple[float, float]]] = {
            "in its event loop": lambda: in_its_loop(loop, client),
            "synchronous": lambda: measured(lambda: twin.operate_job_instance(JOB, 1)),
            "bare hand-over": lambda: measured(
                lambda: asyncio.run_coroutine_threadsafe(nothing(), loop).result()
            ),
            "anyio's portal": lambda: measured(lambda: portal.call(nothing)),
        }
        for _ in range(rounds(ROUNDS)):
            for name, measure in measures.items():
                found.setdefault(name, []).append(measure())
    asyncio.run_coroutine_threadsafe(client.aclose(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    return {
        name: (median(t for t, _ in each), median(cpu for _, cpu in each)) for name, each in found.items()
    }


def per_event() -> float:
    """Return the microseconds of CPU that one event takes when the state of a large step is read again."""
    simulator = Simulator(at_once=True, speed=1000.0)
    job = simulator.add(SimulatedJob(steps=(StepPlan(hosts=HOSTS),)))
    with (
        sync.connect(URL, CREDENTIALS, transport=simulator.transport(), interval=0.02) as client,
        client.watch(job) as watch,
    ):
        watch.results()
        taken = []
        for _ in range(rounds(5)):
            cpu = process_time()
            events = sum(1 for _ in watch)
            taken.append((process_time() - cpu) / events)
    return median(taken) * 1e6


def main() -> None:
    """Print the microseconds of each kind of call, and what the twin adds."""
    found = calls()
    added = [found["synchronous"][n] - found["in its event loop"][n] for n in (0, 1)]
    beyond = [added[n] - found["bare hand-over"][n] for n in (0, 1)]
    bare = found["bare hand-over"]
    rows = [(name, *(f"{us:.1f}" for us in each), "", "") for name, each in found.items()]
    rows.append(("the twin adds", *(f"{us:.1f}" for us in added), f"{added[0] / bare[0]:.2f}", ""))
    rows.append(("beyond a bare hand-over", *(f"{us:.1f}" for us in beyond), "", f"{LIMIT}"))
    rows.append(("an event of a watch", "", f"{per_event():.2f}", "", ""))
    show("sync: a call", ("call", "µs", "µs of CPU", "÷ bare hand-over", "limit, µs"), rows)


if __name__ == "__main__":
    main()
