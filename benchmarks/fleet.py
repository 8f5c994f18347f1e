"""A hundred thousand jobs watched by one process: memory, connections and requests.

The simulated platform is another process, behind real sockets. Nine jobs in ten have one step, the tenth has five; a
step has one host, or ten in one job of a hundred. All jobs are running when the watch starts and do not end. The
client's process is measured after it has polled every job once, and again some seconds later, with default options
except for the rate limit (`BKJOB_FLEET_RATE`), which keeps the simulator from being the bottleneck.
`BKJOB_FLEET_JOBS` is the number of jobs.

The memory includes the names of the jobs and the event log (of a fixed size), but not the simulator.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import bkjob_async as bkjob
from benchmarks.compare.processes import memory
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.http_messages import HttpRequest, Received
from bkjob_async.wire.aiohttp_transport import AiohttpTransport
from bkjob_async.wire.fast_http.exchange import Exchange

JOBS = int(os.environ.get("BKJOB_FLEET_JOBS", scaled("100000", "200")))
RATE = float(os.environ.get("BKJOB_FLEET_RATE", "2000"))
AGAIN = scaled(20.0, 0.5)
CREDENTIALS = bkjob.AppCredentials(bk_app_code="bench", bk_app_secret="none", bk_username="admin")  # noqa: S106 - made up


class CountingTransport(AiohttpTransport):
    """The usual transport, which counts requests by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: Counter[str] = Counter()

    def begin(
        self, request: HttpRequest, timeout: float, on_received: Callable[[Received], None]
    ) -> Exchange | None:
        """Send and count *request*."""
        exchange = super().begin(request, timeout, on_received)
        if exchange is not None:
            self.requests[kind_of(request)] += 1
        return exchange


def kind_of(request: HttpRequest) -> str:
    """Return what a request reads."""
    query = request.url.query
    if "get_job_instance_status" in request.url.path:
        return "job, with hosts" if query.get("return_ip_result") == "true" else "job"
    if "get_job_instance_list" in request.url.path:
        return "list of jobs"
    if "max_host_num_per_group" in query:
        return "step, counts"
    return "step, one group" if "status" in query else "step, all hosts"


def connections() -> int:
    """Return the number of this process's TCP connections."""
    held = {str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}
    inodes = {name[8:-1] for name in held if name.startswith("socket:[")}
    table = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]]
    return sum(row[9] in inodes for row in table)


async def watch(url: str, first: int, last: int) -> list[tuple[str, object]]:
    """Watch the jobs; return the rows of the table."""
    loop, most = asyncio.get_running_loop(), 0
    rows: list[tuple[str, object]] = [("memory before, MB", f"{memory('VmRSS'):.0f}")]
    scope = bkjob.Scope.biz(2)
    refs = [bkjob.JobRef(scope, number) for number in range(first, last + 1)]
    rows.append(("memory with the names of the jobs, MB", f"{memory('VmRSS'):.0f}"))
    transport = CountingTransport()
    async with (
        bkjob.connect(url, CREDENTIALS, transport=transport, requests_per_second=RATE) as client,
        client.watch(refs, linger=None) as fleet,
    ):
        begun = loop.time()
        async for batch in fleet.batches():
            if any(isinstance(event, bkjob.InSync) for event in batch.events):
                break
        rows.append(("seconds until every job was polled", f"{loop.time() - begun:.0f}"))
        rows.append(("memory then, MB", f"{memory('VmRSS'):.0f}"))
        seen = transport.requests.copy()
        end = loop.time() + AGAIN
        while loop.time() < end:
            most = max(most, connections())
            await asyncio.sleep(0.5)
        again = transport.requests - seen
        stats = fleet.stats()
        rows += [
            (f"memory {AGAIN:.0f} s later, MB", f"{memory('VmRSS'):.0f}"),
            ("memory at most, MB", f"{memory('VmHWM'):.0f}"),
            ("connections at most", most),
            ("targets", stats.targets),
            ("events", stats.events),
        ]
    rows += [(f"requests until all were polled: {kind}", count) for kind, count in seen.most_common()]
    return rows + [(f"requests after that: {kind}", count) for kind, count in again.most_common()]


async def measure() -> list[tuple[str, object]]:
    """Start the platform, and watch."""
    code = f"from benchmarks.compare.fleet import main; main({JOBS})"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe)
    if process.stdout is None or process.stdin is None:
        raise RuntimeError("the platform has no pipes")
    try:
        url, first, last = json.loads(await process.stdout.readline())
        return await watch(url, first, last)
    finally:
        process.stdin.close()
        await process.wait()


def main() -> None:
    """Measure and print."""
    show(
        f"fleet: {JOBS} jobs, at most {RATE:.0f} requests a second", ("what", "value"), asyncio.run(measure())
    )
