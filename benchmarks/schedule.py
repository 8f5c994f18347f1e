"""Scheduling a hundred thousand targets, compared with a task per target.

* *ours* is the library's `PollRunner` with its `TimerWheel`: 32 workers, the targets of a watch.
* *tasks* is what people write: a task per target that sleeps until it is due.

The first table is the steady state: every target every 20 s, so 5 000 polls a second; a poll is one iteration of the
loop. Due times begin some seconds after the targets exist, so that the start does not count as lateness.

The second is how long the loop is blocked while targets are added and removed with the public API (`connect`, `watch`,
`add`, `drop`, `aclose`) against a transport in the same process. It includes garbage collection, which visits every
object of the process and which a library must not switch off; a column shows it separately. Imported modules and the
refs of the jobs have been collected once before, as in a program that has been running for a while.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Callable, Sequence

import bkjob_async as bkjob
from benchmarks.compare.bodies import STEP, step_body
from benchmarks.compare.heartbeat import Heartbeat
from benchmarks.compare.processes import interleaved, print_figures
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.engine.flow_control.rate_limit import RateLimiter
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.watch.polling.poll_runner import PollRunner
from bkjob_async.watch.polling.target_registry import PollTarget
from bkjob_async.wire.limits.permits import Permit
from bkjob_async.wire.limits.request_limiter import RequestLimiter

TARGETS, PER_SECOND, WORKERS = *scaled((100_000, 5_000), (1_000, 50)), 32
PERIOD = TARGETS / PER_SECOND
BEGIN, WINDOW = scaled((3.0, 5.0), (0.5, 1.0))
FEWER = scaled(10_000, 100)
CREDENTIALS = bkjob.AppCredentials(bk_app_code="bench", bk_app_secret="none", bk_username="admin")  # noqa: S106 - made up


def refs(count: int) -> list[bkjob.JobRef]:
    """Return the refs of *count* jobs."""
    scope = bkjob.Scope.biz(2)
    return [bkjob.JobRef(scope, number) for number in range(1, count + 1)]


# The steady state -----------------------------------------------------------------------------------------------------


class Lateness:
    """How late the polls start that are due within a window of time."""

    def __init__(self, begin: float) -> None:
        """Start the window at *begin*, on the loop's clock."""
        self._begin, self._end = begin, begin + WINDOW
        self._seconds: list[float] = []

    def record(self, now: float, due: float) -> None:
        """Record a poll that starts *now*."""
        if self._begin <= due < self._end:
            self._seconds.append(now - due)

    async def figures(self) -> dict[str, float]:
        """Wait for the end of the window; return CPU per poll and lateness in milliseconds."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._begin - loop.time())
        used = time.process_time()
        await asyncio.sleep(self._end - loop.time())
        used = time.process_time() - used
        late = sorted(self._seconds)
        return {
            "polls": len(late),
            "µs": used / len(late) * 1e6,
            "p50": 1e3 * late[len(late) // 2],
            "p99": 1e3 * late[int(0.99 * len(late))],
            "longest": 1e3 * late[-1],
        }


async def ours() -> dict[str, float]:
    """Poll with the library's worker pool."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + BEGIN
    lateness = Lateness(begin + 1.0)
    due = [begin + number / PER_SECOND for number in range(TARGETS)]

    async def poll(target: PollTarget, _permit: Permit) -> None:
        number = target.ref.job_instance_id - 1
        lateness.record(loop.time(), due[number])
        await asyncio.sleep(0)
        due[number] += PERIOD
        poll_runner.schedule(target, due[number])

    def on_crash(error: BaseException) -> None:
        raise error

    limiter = RequestLimiter(RateLimiter(max_in_flight=WORKERS))
    poll_runner = PollRunner[PollTarget](on_crash=on_crash, limiter=limiter)
    poll_runner.poll = poll
    for ref, at in zip(refs(TARGETS), due, strict=True):
        poll_runner.schedule(PollTarget(ref), at)
    found = await lateness.figures()
    await poll_runner.aclose()
    return found


async def tasks() -> dict[str, float]:
    """Poll with a task per target."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + BEGIN
    lateness = Lateness(begin + 1.0)

    async def poll(_ref: bkjob.JobRef, due: float) -> None:
        while True:
            await asyncio.sleep(due - loop.time())
            lateness.record(loop.time(), due)
            await asyncio.sleep(0)
            due += PERIOD

    async with Heartbeat() as heart:
        running = [
            asyncio.create_task(poll(ref, begin + number / PER_SECOND))
            for number, ref in enumerate(refs(TARGETS))
        ]
    found = await lateness.figures()
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    return {**found, **heart.figures("add")}


# Adding and removing -----------------------------------------------------------------------------------------------------


class LocalTransport:
    """A transport with the same response for every job, after *latency* seconds plus or minus half.

    Each job is running and has one step with one host.
    """

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self._requests = 0
        self._job, self._step = json_response(job_body()), json_response(step_body(1))

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ARG002, ASYNC109 - the protocol's
        """Return the response after the latency."""
        self._requests += 1
        await asyncio.sleep(self.latency * (0.5 + self._requests * 0.618 % 1.0))
        return self._job if "get_job_instance_status" in request.url.path else self._step

    async def aclose(self) -> None:
        """Do nothing."""


def json_response(body: bytes) -> HttpResponse:
    """Return a JSON response."""
    return HttpResponse(status=200, headers={"content-type": "application/json"}, body=body)


def job_body() -> bytes:
    """Return the gateway's response about a job, without hosts."""
    step = {"step_instance_id": STEP, "name": "prepare the hosts", "type": 1, "status": 2, "execute_count": 0}
    job = {"name": "prepare", "status": 2, "start_time": 1_700_000_000_060}
    data = {"finished": False, "job_instance": job, "step_instance_list": [step]}
    return json.dumps({"code": 0, "result": True, "data": data}).encode()


async def add_and_remove(count: int, how: str) -> dict[str, float]:
    """Add *count* jobs to an open watch and remove them: "close" the watch when all were polled, or "drop" them."""
    transport = LocalTransport(0.05)
    targets = refs(count)
    async with bkjob.connect(
        "http://local.example", CREDENTIALS, transport=transport, interval=3600.0
    ) as client:
        watch = await client.watch([], linger=None).__aenter__()
        gc.collect()
        async with Heartbeat() as adding:
            watch.add(*targets)
            while watch.stats().targets < count:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.01)
        transport.latency = 0.0
        while how == "close" and watch.stats().polls < count:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
        async with Heartbeat() as removing:
            if how == "close":
                await watch.aclose()
            else:
                watch.drop(*targets)
            while client._poller._registry.targets:  # noqa: ASYNC110, SLF001 - only this benchmark needs to know
                await asyncio.sleep(0.01)
        await watch.aclose()
    return {**adding.figures("add"), **removing.figures(how)}


def child(way: str) -> None:
    """Measure one way in this process."""
    ways: dict[str, Callable[[], Awaitable[dict[str, float]]]] = {
        "ours": ours,
        "tasks": tasks,
        "few": lambda: add_and_remove(FEWER, "close"),
        "close": lambda: add_and_remove(TARGETS, "close"),
        "drop": lambda: add_and_remove(TARGETS, "drop"),
    }

    async def run() -> dict[str, float]:
        return await ways[way]()

    print_figures(**asyncio.run(run()))


def main() -> None:
    """Measure and print."""
    variants = {
        way: f"from benchmarks.schedule import child; child({way!r})"
        for way in ("ours", "tasks", "few", "close", "drop")
    }
    found = interleaved(variants)
    steady = [
        (
            name,
            *(f"{found[way][key]:.1f}" for key in ("µs", "p50", "p99", "longest")),
            f"{found[way]['µs'] / found['tasks']['µs']:.2f}",
        )
        for way, name in (("tasks", "a task per target"), ("ours", "ours"))
    ]
    columns = ("way", "CPU µs/poll", "late p50 ms", "late p99 ms", "latest ms", "ratio")
    show(f"schedule: {TARGETS} targets, {PER_SECOND} empty polls a second", columns, steady)
    show(
        "schedule: the longest time that the loop is blocked, in ms",
        ("while", "elapsed", "CPU", "CPU without collection", "longest collection"),
        [
            blocked_row("a task per target is created", found["tasks"], "add"),
            blocked_row(f"{FEWER} are added", found["few"], "add"),
            blocked_row(f"a watch of {FEWER} is closed", found["few"], "close"),
            blocked_row(f"{TARGETS} are added", found["close"], "add"),
            blocked_row(f"a watch of {TARGETS} is closed", found["close"], "close"),
            blocked_row(f"{TARGETS} are dropped", found["drop"], "drop"),
        ],
    )


def blocked_row(name: str, figures: dict[str, float], what: str) -> Sequence[str]:
    """Return the row of the longest times under the keys of *what*."""
    return (name, *(f"{figures[f'{what} {kind}']:.1f}" for kind in ("wall", "cpu", "own", "collecting")))
