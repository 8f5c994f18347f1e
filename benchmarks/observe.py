"""What observing costs: CPU per poll of the client's process with each sink, divided by that without any.

All variants poll the same server in another process without pauses, one full read per poll, and one reader reads all
events. In each process one sink is switched on and off, every tenth of a second; a ratio is that of an interval with the sink
to those beside it, and the figure is the median over all processes of their medians. *none* switches nothing: what it differs
from 1 is noise, and so is as much in the other rows. *of processes* has the lowest and the highest of the processes.

*logging* is a client whose log writes warnings, *none* one whose log is switched off. *prometheus* counts;
*opentelemetry* makes spans of everything but polls, with the SDK; *with polls* also of polls that give events, and
metrics of all, exported within their interval. A step of one host never changes; of a thousand hosts 1 % change at each
poll, so that every poll gives events.

The second table is a scrape of 10 000 targets, a tenth of which have changed since the one before. In another thread, as
servers of metrics scrape, only the client's numbers are taken in the loop.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median

import bkjob_async as bkjob
from benchmarks.compare.processes import figures_of
from benchmarks.compare.server import running_server
from benchmarks.poll import CREDENTIALS
from benchmarks.scale import rounds, scaled
from benchmarks.table import show
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World

# Requests in flight, by the number of hosts.
SIZES = scaled({1: 32, 1_000: 32}, {1: 8})
# The seconds of an interval, and how many there are with the sink in a process.
SECONDS, PAIRS = scaled(0.1, 0.02), scaled(15, 1)
ROUNDS = rounds(7)
TARGETS = scaled(10_000, 200)
# The most that each sink may cost.
LIMITS = {"none": 1.0, "logging": 1.01, "prometheus": 1.02, "opentelemetry": 1.01, "with polls": 1.25}


def compared(server: str) -> list[tuple[str, str, str, str, str]]:
    """Measure each sink in processes of its own, in turn; return the rows of the table."""
    found: dict[tuple[str, int], list[dict[str, float]]] = {
        (sink, hosts): [] for hosts in SIZES for sink in LIMITS
    }
    for number in range(ROUNDS):
        for sink, hosts in list(found) if number % 2 == 0 else list(found)[::-1]:
            url = f"{server}/plain/{hosts}"
            code = (
                "from benchmarks.compare.sinks import child; "
                f"child({sink!r}, {url!r}, {SIZES[hosts]}, {SECONDS}, {PAIRS})"
            )
            found[sink, hosts].append(figures_of(code))
    return [
        (
            f"{sink}, {hosts} host{'s' if hosts > 1 else ''}",
            f"{median(each['cpu'] for each in figures):.1f}",
            f"{median(each['ratio'] for each in figures):.3f}",
            f"{min(each['ratio'] for each in figures):.3f}-{max(each['ratio'] for each in figures):.3f}",
            f"{LIMITS[sink]:.2f}",
        )
        for (sink, hosts), figures in found.items()
    ]


async def scraped() -> list[tuple[str, str]]:
    """Scrape a client with many targets; return the rows of the table."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - for this table only

    world = World(1)
    plan = SimulatedJob(
        steps=(StepPlan(hosts=2, outcomes=(HostOutcome(duration=DurationRange(20.0, 300.0)),)),)
    )
    refs = [world.add(plan) for _ in range(TARGETS)]
    transport = SimulatedTransport(Platform(world))
    registry = CollectorRegistry()
    async with bkjob.connect("http://simulator", CREDENTIALS, transport=transport) as client:
        registry.register(bkjob.PrometheusCollector(client))
        async with client.watch(refs, linger=None) as watch:
            async for batch in watch.batches():
                if any(isinstance(event, bkjob.InSync) for event in batch.events):
                    break
            took, in_loop = [], []
            for _ in range(scaled(5, 1)):
                await asyncio.sleep(scaled(2.0, 0.0))
                started = time.thread_time()
                text = generate_latest(registry)
                took.append(time.thread_time() - started)
                await asyncio.sleep(scaled(2.0, 0.0))
                started = time.thread_time()
                client.stats(count=True)
                in_loop.append(time.thread_time() - started)
    return [
        ("targets", str(TARGETS)),
        ("series", str(sum(not line.startswith(b"#") for line in text.splitlines()))),
        ("scrape in the loop's thread, longest, ms of CPU", f"{1e3 * max(took):.1f}"),
        ("scrape in the loop's thread, median, ms of CPU", f"{1e3 * sorted(took)[len(took) // 2]:.1f}"),
        ("scrape in another thread: block of the loop, longest, ms of CPU", f"{1e3 * max(in_loop):.1f}"),
    ]


def main() -> None:
    """Measure and print."""
    with running_server() as server:
        rows = compared(server)
    columns = ("sink", "µs without", "ratio", "of processes", "at most")
    show("observe: CPU per poll by sink", columns, rows)
    show("observe: a scrape by Prometheus", ("what", "value"), asyncio.run(scraped()))
