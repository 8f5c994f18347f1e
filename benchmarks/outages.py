"""A platform that goes away and comes back: how long a client stays blind, how hard it comes back, what it misses.

With `--full` the long outages take a minute, as they are meant to.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from attrs import frozen

import bkjob_async as bkjob
from benchmarks.compare.outage_server import HOSTS
from benchmarks.table import show
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.wire.aiohttp_transport import AiohttpTransport, HttpOptions

JOBS, ENDING = 100, 10
AT_ONCE = 64
LATENCIES = (0.01, 0.2)
BEFORE, AFTER = 6.0, 12.0
SHORT, LONG, SHORTENED = 1.0, 60.0, 6.0
BACK = 0.9
CREDENTIALS = bkjob.AppCredentials(bk_app_code="benchmark", bk_app_secret="none", bk_username="admin")  # noqa: S106 - made up
SCOPE = bkjob.Scope.biz(2)


class CountingTransport(AiohttpTransport):
    """Real HTTP; `times` has when each request went out, on the loop's clock."""

    def __init__(self) -> None:
        super().__init__(HttpOptions(connections=AT_ONCE))
        self.times: list[float] = []

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        """Send *request* and note when."""
        self.times.append(asyncio.get_running_loop().time())
        return await super().send(request, timeout=timeout)


@frozen(kw_only=True)
class Seen:
    """Seconds from the return to the first request and to the usual rate; the peak rate by the usual; hosts lost."""

    first: float
    back: float
    peak: float
    lost: int


@contextmanager
def server(seconds: float, latency: float) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run a server in another process; give it with its port and the ids of its jobs."""
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


def acquire(process: subprocess.Popen[str], state: str) -> None:
    """Have the server enter a state."""
    if state == "stopped":
        process.send_signal(signal.SIGSTOP)
        return
    process.send_signal(signal.SIGCONT)
    if process.stdin is not None:
        process.stdin.write(f"{state}\n")
        process.stdin.flush()


async def watch_outage(kind: str, seconds: float, latency: float) -> Seen:
    """Watch jobs at an interval of one second through an outage."""
    loop = asyncio.get_running_loop()
    transport = CountingTransport()
    ended: set[tuple[object, str]] = set()
    with server(BEFORE + seconds + AFTER / 2, latency) as (process, (port, *ids)):
        refs = [bkjob.JobRef(SCOPE, number) for number in ids]
        client = bkjob.connect(
            f"http://127.0.0.1:{port}",
            CREDENTIALS,
            transport=transport,
            max_in_flight=AT_ONCE,
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
            acquire(process, kind)
            await asyncio.sleep(seconds)
            up = loop.time()
            acquire(process, "up")
            await asyncio.sleep(AFTER)
            reader.cancel()
    lost = ENDING * HOSTS - len(ended)
    return seen(transport.times, down, up, lost)


def seen(times: Sequence[float], down: float, up: float, lost: int) -> Seen:
    """Return what a client did, from *times* of its requests."""
    usual = sum(down - 4.0 <= time < down for time in times) / 4.0
    after = [time - up for time in times if time >= up]
    rates = {
        n / 10: sum(n / 10 <= time < n / 10 + 1.0 for time in after) for n in range(int(10 * AFTER) - 10)
    }
    return Seen(
        first=after[0] if after else AFTER,
        back=next((since for since, rate in rates.items() if rate >= BACK * usual), AFTER),
        peak=max(rates.values()) / usual,
        lost=lost,
    )


def main() -> None:
    """Measure each kind of outage at each latency."""
    long = LONG if "--full" in sys.argv else SHORTENED
    cases = [("away", SHORT), *((kind, long) for kind in ("away", "503", "stopped", "429", "1306429"))]
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
                    run.lost,
                )
            )
    show(
        f"Outages: {JOBS + ENDING} jobs, looked at every second",
        ("outage", "first request, s", "90 % of the rate, s", "peak ÷ usual", "ends lost"),
        rows,
    )


if __name__ == "__main__":
    main()
