"""A day of watching in virtual time: memory must stay flat, requests evenly spread, outages survived.

`BKJOB_SOAK_HOURS` (24) virtual hours with `BKJOB_SOAK_JOBS` (2000) jobs, each replaced by another when it ends, at 20
requests a second, with faults all the time. Memory is the interpreter's count of allocated blocks; with
`BKJOB_SOAK_TRACE=1` it is tracemalloc's bytes, which makes the run several times as long.
"""

import asyncio
import gc
import os
import sys
import time
import tracemalloc
from collections import Counter
from functools import partial
from random import Random

import anyio
import looptime

import bkjob_async as bkjob
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, Rolling, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World

HOURS = float(os.environ.get("BKJOB_SOAK_HOURS", scaled("24", "4")))
JOBS = int(os.environ.get("BKJOB_SOAK_JOBS", scaled("2000", "10")))
BUDGET = 20.0
SLOT = 60.0
SAMPLES = 48
EVENTS_AN_HOUR = 8_000
TRACE = bool(os.environ.get("BKJOB_SOAK_TRACE"))

SLOW = HostOutcome(duration=DurationRange(600.0, 14_400.0, skew=2.0))
FAILS = HostOutcome(status=104, exit_code=1, duration=DurationRange(60.0, 3600.0), weight=0.2)
PLANS = (
    SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(SLOW, FAILS)),), archived_after=600.0),
    SimulatedJob(
        steps=(StepPlan(hosts=5, outcomes=(SLOW,)), StepPlan(hosts=5, outcomes=(SLOW,))), archived_after=600.0
    ),
    SimulatedJob(
        steps=(StepPlan(hosts=6, outcomes=(SLOW,), rolling=Rolling(sizes=(2, 4), mode=2)),),
        archived_after=600.0,
    ),
)


class FaultyTransport(SimulatedTransport):
    """The simulator, with one failed response in a hundred and an outage of ten minutes every three hours."""

    def __init__(self, platform: Platform) -> None:
        """Connect to *platform*."""
        super().__init__(platform, latency=0.05)
        self._dice = Random(1)
        self.slots: dict[int, int] = {}

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        """Send *request*, or return an error."""
        now = self.clock.now()
        self.slots[int(now // SLOT)] = self.slots.get(int(now // SLOT), 0) + 1
        if is_outage(now) or self._dice.random() < 0.01:
            await anyio.sleep(0.05)
            return HttpResponse(status=502, body=b"<html>bad gateway</html>")
        return await super().send(request, timeout=timeout)


def is_outage(now: float) -> bool:
    """Return True if *now* lies in an outage."""
    return now % 10_800 > 10_200


async def soak() -> list[tuple[str, object]]:
    """Run a day; return the rows of the table."""
    world, dice = World(1), Random(1)
    transport = FaultyTransport(Platform(world))
    credentials = bkjob.AppCredentials(bk_app_code="soak", bk_app_secret="none", bk_username="admin")  # noqa: S106 - made up
    memory: list[int] = []
    ended = events = 0
    troubles: Counter[tuple[str, bool]] = Counter()
    client = bkjob.connect(
        "http://simulator", credentials, transport=transport, requests_per_second=BUDGET, max_in_flight=16
    )
    if TRACE:
        tracemalloc.start()
    async with client, client.watch([], linger=None, deadline=HOURS * 3600) as watch:

        async def sample() -> None:
            while True:
                await anyio.sleep(HOURS * 3600 / SAMPLES)
                gc.collect()
                memory.append(tracemalloc.get_traced_memory()[0] if TRACE else sys.getallocatedblocks())

        # Memory can only be flat once the log is full: before the second quarter.
        watch._stream.log._limit = int(EVENTS_AN_HOUR * HOURS / 8)  # noqa: SLF001 - only this benchmark sets it
        sampler = asyncio.create_task(sample())
        watch.add(*(world.add(dice.choice(PLANS)) for _ in range(JOBS)))
        try:
            async for event in watch:
                events += 1
                if isinstance(event, bkjob.Trouble | bkjob.Recovered):
                    troubles[event.kind, event.ref is None] += 1
                if isinstance(event, bkjob.Finished | bkjob.Lost):
                    ended += 1
                    watch.drop(event.ref)
                    watch.add(world.add(dice.choice(PLANS)))
        except bkjob.DeadlineExceeded:
            pass
        sampler.cancel()
    if TRACE:
        tracemalloc.stop()
    quiet = [count for slot, count in sorted(transport.slots.items()) if is_quiet(slot)]
    late = quiet[-60:]
    return [
        ("virtual hours", HOURS),
        ("jobs ended and replaced", ended),
        ("events", events),
        ("requests a second, mean", f"{sum(transport.slots.values()) / (HOURS * 3600):.1f}"),
        ("requests a slot of 60 s, max / mean, whole run", f"{max(quiet) / (sum(quiet) / len(quiet)):.3f}"),
        ("requests a slot of 60 s, max / mean, last hour", f"{max(late) / (sum(late) / len(late)):.3f}"),
        ("memory, last quarter / second quarter", f"{ratio(memory):.3f}"),
        *(
            (f"trouble {of} / recovered", f"{troubles['trouble', all_]} / {troubles['recovered', all_]}")
            for of, all_ in (("of everything", True), ("of single targets", False))
        ),
    ]


def is_quiet(slot: int) -> bool:
    """Return True if a slot is well after the start and far from every outage."""
    now = slot * SLOT
    return now > 600 and not any(is_outage(now + d) for d in (-600, -300, -120, 0, SLOT))


def ratio(memory: list[int]) -> float:
    """Return the mean of the last quarter of samples divided by that of the second."""
    quarter = max(1, len(memory) // 4)
    first, last = memory[quarter : 2 * quarter], memory[-quarter:]
    return (sum(last) / len(last)) / (sum(first) / len(first)) if first else 1.0


def main() -> None:
    """Measure and print."""
    start = time.perf_counter()
    with asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=0)) as runner:
        rows = runner.run(soak())
    rows.append(("real seconds", f"{time.perf_counter() - start:.0f}"))
    show("soak: a day in virtual time", ("what", "value"), rows)
