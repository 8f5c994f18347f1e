"""When the failed hosts of many jobs are seen that are all added at once, beside a plain loop; in virtual time.

The platform allows 25 requests a second. The loop is what a strong engineer writes: each job in turn, by the one request
that lists the hosts of all its steps (every dialect has one), again every two seconds until the job is over. Printed are the
first, the median, the 99th percentile and the last of the moments at which failed hosts were seen, in seconds after the
start, and divided by those of the loop. For the end only, the loop is taken to see hosts when their step is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from heapq import heappop, heappush

from attrs import frozen

import bkjob_async as bkjob
from benchmarks.scale import scaled, wants_row
from benchmarks.table import show
from benchmarks.virtual_watches import CREDENTIALS, in_virtual_time
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World

JOBS = scaled((1_000, 10_000), (20,))
LIMIT, LATENCY = scaled((25.0, 0.1), (5.0, 0.1))
# The loop has so many requests under way, as a client has by default, and reads a job again after so many seconds.
IN_FLIGHT, INTERVAL = 32, 2.0
# Ended jobs ended so long ago.
AN_HOUR = 3600.0
DIALECTS = {
    "gateway-v3": "http://simulator/api/bk-job/prod",
    "gateway-v4": "http://simulator/api/bk-job/prod",
    "esb-jobv3": "http://simulator",
    "esb-job": "http://simulator",
}
PERCENTILES = ("first", "median", "99 %", "last")


@frozen
class Seen:
    """How many requests one way sent, and when it saw each failed host."""

    requests: int
    moments: Sequence[float]

    def percentiles(self) -> tuple[float, ...]:
        """Return the first, the median, the 99th percentile and the last moment."""
        moments, most = sorted(self.moments), len(self.moments) - 1
        return tuple(moments[round(most * share)] for share in (0.0, 0.5, 0.99, 1.0))


Way = Callable[[bkjob.JobClient, Sequence[bkjob.JobRef], bkjob.DetailLevel], Awaitable[list[float]]]


def jobs_of(kind: str, count: int) -> tuple[World, list[bkjob.JobRef]]:
    """Return a world of so many jobs of two steps; each step has a host that fails."""
    world = World(1)
    longest = 1.0 if kind == "ended" else 1.5 * count / LIMIT
    durations = DurationRange(min(1.0, longest), longest)
    outcomes = (
        HostOutcome(duration=durations),
        HostOutcome(duration=durations, status=104, exit_code=1),
        HostOutcome(duration=durations),
    )
    pinned = dict(enumerate(outcomes))
    steps = (
        StepPlan(hosts=3, pinned=pinned, ignore_error=True),
        StepPlan(hosts=3, pinned=pinned),
    )
    refs = [world.add(SimulatedJob(steps=steps)) for _ in range(count)]
    world.advance(AN_HOUR if kind == "ended" else 1.0)
    return world, refs


async def measured(way: Way, level: bkjob.DetailLevel, dialect: str, kind: str, count: int) -> Seen:
    """Return what one *way* saw of so many jobs, all of them ended or running."""
    world, refs = jobs_of(kind, count)
    transport = SimulatedTransport(Platform(world), latency=LATENCY)
    transport.clock.advance(world.now)
    async with bkjob.connect(
        DIALECTS[dialect], CREDENTIALS, dialect=dialect, transport=transport, requests_per_second=LIMIT
    ) as client:
        moments = await way(client, refs, level)
    return Seen(transport.requests, moments)


async def ours(
    client: bkjob.JobClient, refs: Sequence[bkjob.JobRef], level: bkjob.DetailLevel
) -> list[float]:
    """Watch all jobs; return when each failed host was reported."""
    loop, moments = asyncio.get_running_loop(), list[float]()
    begun = loop.time()
    async with client.watch(refs, detail_level=level) as watch:
        async for change in watch.hosts():
            if change.after.phase is bkjob.Phase.FAILED:
                moments.append(loop.time() - begun)
    return moments


async def plain_loop(
    client: bkjob.JobClient, refs: Sequence[bkjob.JobRef], level: bkjob.DetailLevel
) -> list[float]:
    """Read each job in turn with its hosts until it is over; return when each failed host was seen first."""
    loop, seen = asyncio.get_running_loop(), dict[tuple[bkjob.StepRef, str], float]()
    begun = loop.time()
    due = [(begun, number) for number in range(len(refs))]

    async def worker() -> None:
        while due:
            at, number = heappop(due)
            await asyncio.sleep(at - loop.time())
            asked = loop.time()
            snapshot = await client.get_job_instance_status(refs[number], return_ip_result=True)
            for step in snapshot.steps:
                if level is bkjob.DetailLevel.END_ONLY and not step.is_finished:
                    continue
                for host in step.hosts or ():
                    if host.status.phase is bkjob.Phase.FAILED:
                        seen.setdefault((step.ref, host.host.label), loop.time() - begun)
            if not snapshot.is_finished:
                heappush(due, (asked + INTERVAL, number))

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(worker())
    return list(seen.values())


def main() -> None:
    """Measure, and print."""
    rows = []
    for kind in ("ended", "running"):
        for count in JOBS:
            for dialect in DIALECTS:
                if not wants_row(f"{count} {kind}, {dialect}"):
                    continue
                for level in (bkjob.DetailLevel.EVERY_CHANGE, bkjob.DetailLevel.END_ONLY):
                    loop, seen = (
                        in_virtual_time(partial(measured, way, level, dialect, kind, count))
                        for way in (plain_loop, ours)
                    )
                    rows.append(row_of(f"{count} {kind}, {dialect}, {level.name}", seen, loop))
    columns = ["jobs", "requests", "of the loop", "ratio"]
    for percentile in PERCENTILES:
        columns += [f"{percentile}, s", "of the loop", "ratio"]
    show(f"first_polls: failed hosts of jobs added at once, {LIMIT:g} requests a second", columns, rows)


def row_of(name: str, seen: Seen, loop: Seen) -> tuple[str, ...]:
    """Return a row of the table: what a watch and the loop saw, and the ratio."""
    if len(seen.moments) != len(loop.moments):
        raise ValueError(f"{name}: {len(seen.moments)} failed hosts, and {len(loop.moments)} in the loop")
    cells = [name, str(seen.requests), str(loop.requests), f"{seen.requests / loop.requests:.2f}"]
    for moment, other in zip(seen.percentiles(), loop.percentiles(), strict=True):
        cells += [f"{moment:.1f}", f"{other:.1f}", f"{moment / other:.2f}"]
    return tuple(cells)
