"""A hundred thousand jobs watched by one process: memory, connections, and what is asked.

The simulated platform is another process, behind real sockets. Nine jobs in ten have one step, the tenth has five; a
step has one host, or ten in one job of a hundred. All of them are under way when the watch begins and outlast it; what
is measured is the client's process after it has seen every job and has looked at them all again for a while, at the
default grade, with nothing set but the limit of requests a second (`BKJOB_FLEET_RATE`), so that the simulator is not
what is measured. `BKJOB_FLEET_JOBS` says how many jobs there are.

The names of the jobs and the log of what was told (of a fixed size) are part of the memory; the simulator is not.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path

import bkjob_async as bkjob
from benchmarks.table import show
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.wire.aiohttp_transport import AiohttpTransport

JOBS = int(os.environ.get("BKJOB_FLEET_JOBS", "100000"))
RATE = float(os.environ.get("BKJOB_FLEET_RATE", "2000"))
AGAIN = 20.0
CREDENTIALS = bkjob.AppCredentials(bk_app_code="bench", bk_app_secret="none", bk_username="admin")  # noqa: S106 - made up


class Counting(AiohttpTransport):
    """The usual transport, which counts what is asked."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.asked: Counter[str] = Counter()

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        """Send, and count."""
        self.asked[kind_of(request)] += 1
        return await super().send(request, timeout=timeout)


def kind_of(request: HttpRequest) -> str:
    """Return what kind of question a request carries."""
    asked = request.url.query
    if "get_job_instance_status" in request.url.path:
        return "job, with hosts" if asked.get("return_ip_result") == "true" else "job"
    if "get_job_instance_list" in request.url.path:
        return "list of jobs"
    if "max_host_num_per_group" in asked:
        return "step, counts"
    return "step, one group" if "status" in asked else "step, all hosts"


def memory(what: str) -> float:
    """Return this process's memory in MB: `VmRSS` now, `VmHWM` at most."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def connections() -> int:
    """Return how many sockets this process has to another."""
    held = {str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}
    inodes = {name[8:-1] for name in held if name.startswith("socket:[")}
    table = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]]
    return sum(row[9] in inodes for row in table)


async def watch(url: str, first: int, last: int) -> list[tuple[str, object]]:
    """Watch the fleet; return what is to be shown."""
    loop, most = asyncio.get_running_loop(), 0
    rows: list[tuple[str, object]] = [("memory before, MB", f"{memory('VmRSS'):.0f}")]
    scope = bkjob.Scope.biz(2)
    refs = [bkjob.JobRef(scope, number) for number in range(first, last + 1)]
    rows.append(("memory with the names of the jobs, MB", f"{memory('VmRSS'):.0f}"))
    door = Counting()
    async with (
        bkjob.connect(url, CREDENTIALS, transport=door, requests_per_second=RATE) as client,
        client.watch(refs, linger=None) as fleet,
    ):
        begun = loop.time()
        async for batch in fleet.batches():
            if any(isinstance(event, bkjob.InSync) for event in batch.events):
                break
        rows.append(("seconds until every job was seen", f"{loop.time() - begun:.0f}"))
        rows.append(("memory then, MB", f"{memory('VmRSS'):.0f}"))
        seen = door.asked.copy()
        end = loop.time() + AGAIN
        while loop.time() < end:
            most = max(most, connections())
            await asyncio.sleep(0.5)
        again = door.asked - seen
        stats = fleet.stats()
        rows += [
            (f"memory {AGAIN:.0f} s later, MB", f"{memory('VmRSS'):.0f}"),
            ("memory at most, MB", f"{memory('VmHWM'):.0f}"),
            ("connections at most", most),
            ("targets", stats.targets),
            ("events told", stats.events),
        ]
    rows += [(f"asked until all were seen: {kind}", count) for kind, count in seen.most_common()]
    return rows + [(f"asked after that: {kind}", count) for kind, count in again.most_common()]


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
