"""Outages of the platform: how soon the client polls again, how large the peak rate is, what it misses.

With `--full` the long outages take a minute.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import frozen

import bkjob_async as bkjob
from benchmarks.compare.outage_server import HOSTS
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.http_messages import HttpRequest, Received
from bkjob_async.wire.aiohttp_transport import AiohttpTransport, HttpOptions
from bkjob_async.wire.fast_http.exchange import Exchange

JOBS, ENDING = 100, 10
MAX_IN_FLIGHT = 64
LATENCIES = scaled((0.01, 0.2), (0.01,))
BEFORE, AFTER = scaled((6.0, 12.0), (5.0, 3.0))
SHORT, LONG = 1.0, scaled(6.0, 1.0, full=60.0)
KINDS = scaled(("away", "503", "stopped", "429", "1306429"), ("503",))
BACK = 0.9
CREDENTIALS = bkjob.AppCredentials(bk_app_code="benchmark", bk_app_secret="none", bk_username="admin")  # noqa: S106 - made up
SCOPE = bkjob.Scope.biz(2)


class CountingTransport(AiohttpTransport):
    """Real HTTP; `times` are the times at which requests were sent, on the loop's clock."""

    def __init__(self) -> None:
        super().__init__(HttpOptions(connections=MAX_IN_FLIGHT))
        self.times: list[float] = []

    def begin(
        self, request: HttpRequest, timeout: float, on_received: Callable[[Received], None]
    ) -> Exchange | None:
        """Send *request* and record the time."""
        exchange = super().begin(request, timeout, on_received)
        if exchange is not None:
            self.times.append(asyncio.get_running_loop().time())
        return exchange


@frozen(kw_only=True)
class Recovery:
    """Seconds until the first request and until the usual rate; peak rate divided by the usual one; hosts missed."""

    first: float
    back: float
    peak: float
    missed: int


@contextmanager
def server(seconds: float, latency: float) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run a server in another process; yield the process, and its port with the ids of its jobs."""
    call = f"main({JOBS}, {ENDING}, {seconds}, {latency})"
    command = [sys.executable, "-c", f"from benchmarks.compare.outage_server import main; {call}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGCONT)
            process.stdin.close()


def enter(process: subprocess.Popen[str], state: str) -> None:
    """Make the server enter a state."""
    if state == "stopped":
        process.send_signal(signal.SIGSTOP)
        return
    process.send_signal(signal.SIGCONT)
    if process.stdin is not None:
        process.stdin.write(f"{state}\n")
        process.stdin.flush()


async def watch_outage(kind: str, seconds: float, latency: float) -> Recovery:
    """Watch jobs with an interval of one second during an outage."""
    loop = asyncio.get_running_loop()
    transport = CountingTransport()
    ended: set[tuple[object, str]] = set()
    with server(BEFORE + seconds + AFTER / 2, latency) as (process, (port, *ids)):
        refs = [bkjob.JobRef(SCOPE, number) for number in ids]
        client = bkjob.connect(
            f"http://127.0.0.1:{port}",
            CREDENTIALS,
            transport=transport,
            max_in_flight=MAX_IN_FLIGHT,
            interval=1.0,
        )
        async with client, client.watch(refs, linger=None) as watch:

            async def read() -> None:
                async for change in watch.hosts():
                    if change.after.phase is bkjob.Phase.SUCCESS:
                        ended.add((change.ref, change.host.label))

            reader = loop.create_task(read())
            await asyncio.sleep(BEFORE)
            down = loop.time()
            enter(process, kind)
            await asyncio.sleep(seconds)
            up = loop.time()
            enter(process, "up")
            await asyncio.sleep(AFTER)
            reader.cancel()
    missed = ENDING * HOSTS - len(ended)
    return recovery(transport.times, down, up, missed)


def recovery(times: Sequence[float], down: float, up: float, missed: int) -> Recovery:
    """Return how the client recovered, from the *times* of its requests."""
    usual = sum(down - 4.0 <= time < down for time in times) / 4.0
    after = [time - up for time in times if time >= up]
    rates = {
        n / 10: sum(n / 10 <= time < n / 10 + 1.0 for time in after) for n in range(int(10 * AFTER) - 10)
    }
    return Recovery(
        first=after[0] if after else AFTER,
        back=next((since for since, rate in rates.items() if rate >= BACK * usual), AFTER),
        peak=max(rates.values()) / usual,
        missed=missed,
    )


def main() -> None:
    """Measure each kind of outage at each latency."""
    cases = [("away", SHORT), *((kind, LONG) for kind in KINDS)]
    rows = []
    for kind, seconds in cases:
        for latency in LATENCIES:
            run = asyncio.run(watch_outage(kind, seconds, latency))
            rows.append(
                (
                    f"{kind} for {seconds:g} s, {1e3 * latency:g} ms",
                    f"{run.first:.1f}",
                    f"{run.back:.1f}",
                    f"{run.peak:.2f}",
                    run.missed,
                )
            )
    show(
        f"outages: {JOBS + ENDING} jobs, polled every second",
        ("outage", "first request, s", "90 % of the rate, s", "peak ÷ usual", "ends missed"),
        rows,
    )
