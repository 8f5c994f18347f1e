"""One client whose sink is switched on and off every fraction of a second, so that both sides share one process.

Two processes differ by some percent in the same work, and a busy machine changes from one second to the next; neighbouring
intervals of one process differ by less than a percent. Nothing but what the client's dispatch of observations knows is
switched, as `connect` and `PrometheusCollector` would set it. Each interval ends with what a scrape by Prometheus counts, ten
times a second, which is more often than any server scrapes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from attrs import evolve
from msgspec.structs import replace

import bkjob_async as bkjob
from benchmarks.compare.bodies import STEP
from benchmarks.compare.processes import print_figures
from benchmarks.poll import CREDENTIALS, cancel_all
from bkjob_async.dialects.gateway.v3 import GATEWAY_V3
from bkjob_async.observe.dispatch import ObserverDispatch

NONE = "none"
Sink = tuple[ObserverDispatch, Callable[[], None]]


def nothing() -> None:
    """Do nothing at the end of an interval."""


def sink_of(name: str) -> Sink:
    """Return what a client passes its observations to, and what completes an interval: spans wait in a queue."""
    if name not in ("opentelemetry", "with polls"):
        dispatch = ObserverDispatch(client="bench")
        if name == "prometheus":
            dispatch.start_counting()
        return dispatch, nothing
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - for these variants only
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415

    tracers, exporter = TracerProvider(), InMemorySpanExporter()
    tracers.add_span_processor(BatchSpanProcessor(exporter))
    meters = MeterProvider(metric_readers=[InMemoryMetricReader()])

    def complete() -> None:
        tracers.force_flush()
        exporter.clear()

    observer = bkjob.OpenTelemetryObserver(tracers, meters, polls=name == "with polls")
    return ObserverDispatch([observer], client="bench"), complete


class Switch:
    """Gives a client one sink or another."""

    def __init__(self, client: bkjob.JobClient, name: str) -> None:
        """Switch *client* between the sink of this *name* and none."""
        self._observe = client._session.observe  # noqa: SLF001 - there is no public way
        self.poller = client._poller  # noqa: SLF001 - `stats` would count targets and hosts each time
        self._name = name
        self._sinks = {NONE: sink_of(NONE), name: sink_of(name)}

    def turn(self, name: str) -> None:
        """Use the sink *name* from now on."""
        level = logging.WARNING if name == "logging" else logging.CRITICAL
        logging.getLogger("bkjob_async").setLevel(level)
        for attribute, value in vars(self._sinks[name][0]).items():
            if attribute != "polls":  # counted for the client, whatever its sinks are
                setattr(self._observe, attribute, value)
        self.poller.phases.is_started = self._observe.counters is not None

    def complete(self) -> None:
        """Let the sink complete what waits in it, and count the targets and hosts that have changed."""
        self._sinks[self._name][1]()
        self.poller.phases.update()


async def ratios(sink: str, server: str, in_flight: int, seconds: float, pairs: int) -> tuple[float, float]:
    """Return the microseconds of CPU per poll without a sink, and the median ratio with *sink* to that beside it."""
    full_reads = evolve(GATEWAY_V3, capabilities=replace(GATEWAY_V3.capabilities, groups=False))
    client = bkjob.connect(server, CREDENTIALS, dialect=full_reads, interval=1e-6, max_in_flight=in_flight)
    refs = [bkjob.JobRef(bkjob.Scope.biz(2), n).step(STEP) for n in range(1, 2 * in_flight + 1)]
    logging.basicConfig(level=logging.WARNING)
    async with client, client.watch(refs) as watch:

        async def read() -> None:
            async for _ in watch:
                pass

        task = asyncio.create_task(read())
        switch = Switch(client, sink)

        async def interval(name: str) -> float:
            switch.turn(name)
            await asyncio.sleep(seconds / 10)  # the requests that are under way began with the other sink
            polls, started = switch.poller.polls, time.process_time()
            await asyncio.sleep(seconds)
            while switch.poller.polls == polls:  # noqa: ASYNC110 - on a busy machine nothing may have run yet
                await asyncio.sleep(0.01)
            polls = switch.poller.polls - polls
            switch.complete()
            return (time.process_time() - started) / polls * 1e6

        for name in (NONE, sink):
            await interval(name)
        found: list[Any] = [await interval(NONE)]
        for _ in range(pairs):
            found += [await interval(sink), await interval(NONE)]
        await cancel_all([task])
    beside = [2 * found[n] / (found[n - 1] + found[n + 1]) for n in range(1, len(found), 2)]
    return median(found[::2]), median(beside)


def child(sink: str, server: str, in_flight: int, seconds: float, pairs: int) -> None:
    """Measure one sink in this process; print the figures."""
    cpu, ratio = asyncio.run(ratios(sink, server, in_flight, seconds, pairs))
    print_figures(cpu=cpu, ratio=ratio)
