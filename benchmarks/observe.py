"""What observing costs: CPU per poll of the client's process with each sink, divided by that without any.

All variants poll the same server in another process without pauses, one full read per poll, and one reader reads all
events. *none* is a client whose log is switched off, *logging* one whose log writes warnings. *prometheus* counts;
*opentelemetry* makes spans of everything but polls, with the SDK; *with polls* also of polls that give events, and metrics
of all. A step of one host never changes; of a thousand hosts 1 % change at each poll, so that every poll gives events.

The second table is a scrape of 10 000 targets, a tenth of which have changed since the one before. In another thread, as
servers of metrics scrape, only the client's numbers are taken in the loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from attrs import evolve

import bkjob_async as bkjob
from benchmarks.compare.bodies import STEP
from benchmarks.compare.processes import cpu_per_poll, interleaved, print_figures
from benchmarks.compare.server import running_server
from benchmarks.poll import CREDENTIALS, cancel_all
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.dialects.gateway.v3 import GATEWAY_V3
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, JobPlan, StepPlan
from bkjob_async.simulator.world.world import World

# Hosts: requests in flight, seconds.
SIZES = scaled({1: (32, 1.0), 1_000: (32, 1.5)}, {1: (8, 0.1)})
ROUNDS = scaled(7, 1)
TARGETS = scaled(10_000, 200)
# The most that each sink may cost.
LIMITS = {"none": 1.0, "logging": 1.01, "prometheus": 1.02, "opentelemetry": 1.01, "with polls": 1.25}


def observers_of(sink: str) -> list[Any]:
    """Return the observers of a variant."""
    if "polls" not in sink and sink != "opentelemetry":
        return []
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - for this variant only
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415

    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    meters = MeterProvider(metric_readers=[InMemoryMetricReader()])
    return [bkjob.OpenTelemetryObserver(tracers, meters, polls=sink == "with polls")]


async def polled(sink: str, server: str, in_flight: int, seconds: float) -> float:
    """Poll with the public API and one sink."""
    if sink == "logging":
        logging.basicConfig(level=logging.WARNING)
    else:
        logging.getLogger("bkjob_async").setLevel(logging.CRITICAL)
    full_reads = evolve(GATEWAY_V3, capabilities=evolve(GATEWAY_V3.capabilities, groups=False))
    client = bkjob.connect(
        server,
        CREDENTIALS,
        dialect=full_reads,
        interval=1e-6,
        max_in_flight=in_flight,
        observers=observers_of(sink),
    )
    refs = [bkjob.JobRef(bkjob.Scope.biz(2), n).step(STEP) for n in range(1, 2 * in_flight + 1)]
    if sink == "prometheus":
        bkjob.PrometheusCollector(client)
    async with client, client.watch(refs) as watch:

        async def read() -> None:
            async for _ in watch:
                pass

        task = asyncio.create_task(read())
        used = await cpu_per_poll(lambda: client.stats().polls, warm=4 * len(refs), seconds=seconds)
        await cancel_all([task])
    return used


def child(sink: str, server: str, in_flight: int, seconds: float) -> None:
    """Measure one variant in this process."""
    print_figures(cpu=asyncio.run(polled(sink, server, in_flight, seconds)))


async def scraped() -> list[tuple[str, str]]:
    """Scrape a client with many targets; return the rows of the table."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - for this table only

    world = World(1)
    plan = JobPlan(steps=(StepPlan(hosts=2, outcomes=(HostOutcome(duration=DurationRange(20.0, 300.0)),)),))
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
        variants = {
            f"{sink} {hosts}": (
                f"from benchmarks.observe import child; child({sink!r}, '{server}/plain/{hosts}', {load}, {seconds})"
            )
            for hosts, (load, seconds) in SIZES.items()
            for sink in LIMITS
        }
        found = {name: figures["cpu"] for name, figures in interleaved(variants, rounds=ROUNDS).items()}
    rows = [
        (
            f"{sink}, {hosts} host{'s' if hosts > 1 else ''}",
            f"{found[f'{sink} {hosts}']:.1f}",
            f"{found[f'{sink} {hosts}'] / found[f'none {hosts}']:.3f}",
            f"{most:.2f}",
        )
        for hosts in SIZES
        for sink, most in LIMITS.items()
    ]
    show("observe: CPU per poll by sink", ("sink", "µs", "ratio", "at most"), rows)
    show("observe: a scrape by Prometheus", ("what", "value"), asyncio.run(scraped()))
