"""What it takes to keep time for a hundred thousand targets, beside a task for each of them.

* *ours* is the library's `WorkerPool` with its `TimerWheel`: 32 workers, keys as a watch has them.
* *tasks* is what people write: a task per target that sleeps until it is due.

The first table is the steady state: every target every 20 s, so 5 000 polls a second, a poll being one trip through the
loop. Due times begin some seconds after the targets, so that starting is not mistaken for being late.

The second is how long the loop stands still while targets come and go, through the public API: `connect`, `watch`,
`add`, `drop`, `aclose`, in front of a transport in the same process. Collecting garbage is part of it: Python's collector
looks at every object there is, the caller's and ours, and a library has no business to stop it. It is shown apart. As
in a program that has been up for a while, it has seen once what was imported and the names of the jobs.
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
from benchmarks.compare.processes import interleaved, tell
from benchmarks.table import show
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.watch.subscribers import PollTarget
from bkjob_async.watch.worker_pool import WorkerPool

TARGETS, PER_SECOND, WORKERS = 100_000, 5_000, 32
PERIOD = TARGETS / PER_SECOND
BEGIN, WINDOW = 3.0, 5.0
FEWER = 10_000
CREDENTIALS = bkjob.AppCredentials(bk_app_code="bench", bk_app_secret="none", bk_username="admin")  # noqa: S106 - made up


def refs(count: int) -> list[bkjob.JobRef]:
    """Return the names of so many jobs."""
    scope = bkjob.Scope.biz(2)
    return [bkjob.JobRef(scope, number) for number in range(1, count + 1)]


# The steady state -----------------------------------------------------------------------------------------------------


class Lateness:
    """How late polls begin that are due in a window of time."""

    def __init__(self, begin: float) -> None:
        """Count from *begin* on, on the loop's clock."""
        self._begin, self._end = begin, begin + WINDOW
        self._seconds: list[float] = []

    def note(self, now: float, due: float) -> None:
        """Take note of a poll that begins *now*."""
        if self._begin <= due < self._end:
            self._seconds.append(now - due)

    async def figures(self) -> dict[str, float]:
        """Wait for the window to pass; return CPU per poll and lateness in milliseconds."""
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
    """Poll by the supervisor."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + BEGIN
    lateness = Lateness(begin + 1.0)
    due = [begin + number / PER_SECOND for number in range(TARGETS)]

    async def poll(story: PollTarget) -> None:
        number = story.ref.job_instance_id - 1
        lateness.note(loop.time(), due[number])
        await asyncio.sleep(0)
        due[number] += PERIOD
        worker_pool.due(story, due[number])

    def crashed(error: BaseException) -> None:
        raise error

    worker_pool = WorkerPool(poll, crashed=crashed, workers=WORKERS)
    for ref, at in zip(refs(TARGETS), due, strict=True):
        worker_pool.due(PollTarget(ref), at)
    found = await lateness.figures()
    await worker_pool.aclose()
    return found


async def tasks() -> dict[str, float]:
    """Poll by a task for each target."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + BEGIN
    lateness = Lateness(begin + 1.0)

    async def poll(_ref: bkjob.JobRef, due: float) -> None:
        while True:
            await asyncio.sleep(due - loop.time())
            lateness.note(loop.time(), due)
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


# Coming and going -----------------------------------------------------------------------------------------------------


class NextDoor:
    """A transport that answers alike about every job, after *latency* seconds or half as many more or less.

    A job runs, in one step of one host.
    """

    def __init__(self, latency: float) -> None:
        """Prepare the answers."""
        self.latency = latency
        self._asked = 0
        self._job, self._step = answered(job_body()), answered(step_body(1))

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ARG002, ASYNC109 - the protocol's
        """Answer."""
        self._asked += 1
        await asyncio.sleep(self.latency * (0.5 + self._asked * 0.618 % 1.0))
        return self._job if "get_job_instance_status" in request.url.path else self._step

    async def aclose(self) -> None:
        """Do nothing."""


def answered(body: bytes) -> HttpResponse:
    """Return an answer."""
    return HttpResponse(status=200, headers={"content-type": "application/json"}, body=body)


def job_body() -> bytes:
    """Return an answer about a job, without its hosts, as the gateway gives it."""
    step = {"step_instance_id": STEP, "name": "prepare the hosts", "type": 1, "status": 2, "execute_count": 0}
    job = {"job_instance_id": 1, "name": "prepare", "status": 2, "start_time": 1_700_000_000_060}
    data = {"finished": False, "job_instance": job, "step_instance_list": [step]}
    return json.dumps({"code": 0, "result": True, "data": data}).encode()


async def come_and_go(count: int, release: str) -> dict[str, float]:
    """Add so many jobs to an open watch and *leave*: by closing it when each was looked at, or by dropping them."""
    door = NextDoor(0.05)
    targets = refs(count)
    async with bkjob.connect("http://next.door", CREDENTIALS, transport=door, interval=3600.0) as client:
        watch = await client.watch([], linger=None).__aenter__()
        gc.collect()
        async with Heartbeat() as adding:
            watch.add(*targets)
            while watch.stats().targets < count:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.01)
        door.latency = 0.0
        while release == "close" and watch.stats().polls < 2 * count:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
        async with Heartbeat() as leaving:
            if release == "close":
                await watch.aclose()
            else:
                watch.drop(*targets)
            while client._poller._stories:  # noqa: ASYNC110, SLF001 - nobody else needs to know
                await asyncio.sleep(0.01)
        await watch.aclose()
    return {**adding.figures("add"), **leaving.figures(release)}


def child(way: str) -> None:
    """Measure one way in this process."""
    ways: dict[str, Callable[[], Awaitable[dict[str, float]]]] = {
        "ours": ours,
        "tasks": tasks,
        "few": lambda: come_and_go(FEWER, "close"),
        "close": lambda: come_and_go(TARGETS, "close"),
        "drop": lambda: come_and_go(TARGETS, "drop"),
    }

    async def run() -> dict[str, float]:
        return await ways[way]()

    tell(**asyncio.run(run()))


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
        "schedule: the longest time that the loop stands still, in ms",
        ("while", "by the clock", "CPU", "CPU but collecting", "longest collection"),
        [
            stalls("a task per target is made", found["tasks"], "add"),
            stalls(f"{FEWER} are added", found["few"], "add"),
            stalls(f"a watch of {FEWER} is closed", found["few"], "close"),
            stalls(f"{TARGETS} are added", found["close"], "add"),
            stalls(f"a watch of {TARGETS} is closed", found["close"], "close"),
            stalls(f"{TARGETS} are dropped", found["drop"], "drop"),
        ],
    )


def stalls(name: str, figures: dict[str, float], what: str) -> Sequence[str]:
    """Return a row of the longest times of *what*."""
    return (name, *(f"{figures[f'{what} {kind}']:.1f}" for kind in ("wall", "cpu", "own", "collecting")))
