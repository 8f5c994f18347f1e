"""What a fleet in shards costs: adding targets, and the Redis server that all runners share.

*Adding* sorts a million targets of 500 scopes into 16 shards and puts them into inboxes, in memory: CPU of `add` for
each target, and how evenly a hash spreads scopes. *Appends* are those of runners, ten records each, 2 000 a second from
several processes; the CPU of the server is what it says itself, that of the writers is beside it. *Idle* runs eight
shards with 100 000 targets on which nothing happens: what is left are signs of life and looks into inboxes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from attrs import frozen

import bkjob_async as bkjob
from benchmarks.journal import SilentTransport
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.journal.store import Holder, StoredRecord
from tests.journal.redis_server import RedisServer, running

TARGETS, SCOPES, SHARDS = scaled(1_000_000, 2_000), 500, 16
APPENDS_A_SECOND, RECORDS, RECORD_BYTES, WRITERS = 2_000, 10, 500, 16
SECONDS = scaled(6.0, 0.3)
# Writers are in so many processes, which begin to write when all of them have started.
PROCESSES, START_SECONDS = max(2, min(4, os.cpu_count() or 2)), scaled(4.0, 2.0)
RUNNERS, IDLE_TARGETS, IDLE_SECONDS = 8, scaled(100_000, 400), scaled(20.0, 1.0)
URL = "http://silent/api/bk-job/prod"
CREDENTIALS = "benchmarks.many:credentials"


def credentials() -> bkjob.Credentials:
    """Return what runners sign with."""
    return bkjob.AppCredentials(bk_app_code="bench", bk_app_secret="none", bk_username="admin")  # noqa: S106 - made up


def refs(count: int) -> list[bkjob.JobRef]:
    """Return so many jobs of the scopes."""
    return [
        bkjob.JobRef(bkjob.Scope.biz(2 + number % SCOPES), 20_000_000_000 + number) for number in range(count)
    ]


async def add_many() -> tuple[float, float]:
    """Return the CPU microseconds of `add` for each target, and the largest shard as a multiple of the mean."""
    targets = refs(TARGETS)
    async with bkjob.Fleet("bench", journal="memory:many-bench", shards=SHARDS) as fleet:
        await fleet.create(url=URL, credentials=CREDENTIALS)
        before = time.process_time()
        await fleet.add(*targets)
        used = time.process_time() - before
        placement = (await fleet.settings()).placement
        counts = Counter(map(placement.shard_of, targets))
    return 1e6 * used / TARGETS, max(counts.values()) * SHARDS / TARGETS


def server_cpu(server: RedisServer) -> float:
    """Return the CPU seconds that the server has used."""
    with server.client() as client:
        facts = client.info("cpu")
    return float(facts["used_cpu_user"]) + float(facts["used_cpu_sys"])


@frozen
class Appends:
    """How many appends were made in a second, the part of a core that the server used, and that all writers used."""

    rate: float
    server: float
    writers: float

    @property
    def each(self) -> float:
        """The CPU of the server for an append, in microseconds."""
        return 1e6 * self.server / self.rate


def append_many(server: RedisServer) -> Appends:
    """Let writers in several processes append at the wanted rate."""
    start = time.time() + START_SECONDS
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        parts = [
            pool.submit(write_in_process, server.url, range(number, WRITERS, PROCESSES), start)
            for number in range(PROCESSES)
        ]
        time.sleep(max(0.0, start - time.time()))
        before, began = server_cpu(server), time.monotonic()
        time.sleep(SECONDS)
        used, elapsed = server_cpu(server) - before, time.monotonic() - began
        made = [part.result() for part in parts]
    return Appends(
        sum(each[0] for each in made) / SECONDS, used / elapsed, sum(each[1] for each in made) / SECONDS
    )


def write_in_process(url: str, shards: Sequence[int], start: float) -> tuple[int, float]:
    """Write these *shards* from the Unix time *start* on; return how many appends were made, and the CPU seconds."""

    async def write_all() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        begin = loop.time() + max(0.0, start - time.time())
        writers = [asyncio.create_task(write(url, shard, begin)) for shard in shards]
        await asyncio.sleep(begin - loop.time())
        before = time.process_time()
        return sum(await asyncio.gather(*writers)), time.process_time() - before

    return asyncio.run(write_all())


async def write(url: str, shard: int, begin: float) -> int:
    """Append to a shard at its part of the rate, and faster where that is late; return how often."""
    name, head, made, data = f"bench/{shard}", 0, 0, bytes(RECORD_BYTES)
    async with bkjob.open_journal(url) as journal:
        opened = await journal.store.open(name, Holder("bench", 1), take_over=True)
        loop = asyncio.get_running_loop()
        due = begin + shard / APPENDS_A_SECOND
        while due < begin + SECONDS and loop.time() < begin + SECONDS:
            await asyncio.sleep(max(0.0, due - loop.time()))
            records = [StoredRecord(head + number, 1.0, data) for number in range(1, RECORDS + 1)]
            await journal.store.append(name, term=opened.term, head=head, records=records, targets=1)
            head, made, due = head + RECORDS, made + 1, due + WRITERS / APPENDS_A_SECOND
    return made


async def idle(server: RedisServer) -> tuple[int, float]:
    """Return how many targets the runners have, and the part of a core that the server uses while nothing happens."""
    async with bkjob.Fleet("idle", journal=server.url, shards=RUNNERS) as fleet:
        await fleet.create(
            url=URL,
            credentials=CREDENTIALS,
            wide={bkjob.Scope.biz(2 + number): RUNNERS for number in range(SCOPES)},
        )
        await fleet.add(*refs(IDLE_TARGETS))
        runners = [
            asyncio.create_task(
                bkjob.run_shard(fleet, shard, credentials=CREDENTIALS, transport=SilentTransport())
            )
            for shard in range(RUNNERS)
        ]
        while (await fleet.status()).targets < IDLE_TARGETS:  # noqa: ASYNC110 - the store sets no event
            await asyncio.sleep(0.5)
        before, began = server_cpu(server), time.monotonic()
        await asyncio.sleep(IDLE_SECONDS)
        used = (server_cpu(server) - before) / (time.monotonic() - began)
        targets = (await fleet.status()).targets
        for runner in runners:
            runner.cancel()
        await asyncio.wait(runners)
    return targets, used


def main() -> None:
    """Measure and print."""
    used, largest = asyncio.run(add_many())
    show(
        "many: adding targets to a fleet in shards",
        ("targets", "scopes", "shards", "CPU µs each", "largest shard / mean"),
        [(f"{TARGETS}", f"{SCOPES}", f"{SHARDS}", f"{used:.2f}", f"{largest:.2f}")],
    )
    if shutil.which("redis-server") is None:
        print("  redis-server is not installed: its rows are left out")
        return
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server:
        appends = append_many(server)
        server.flush()
        targets, idle_part = asyncio.run(idle(server))
    show(
        "many: CPU of the Redis server that all runners share",
        ("load", "a second", "CPU µs each", "% of a core"),
        [
            (
                f"appends of {RECORDS} records of {RECORD_BYTES} bytes",
                f"{appends.rate:.0f}",
                f"{appends.each:.0f}",
                f"{100 * appends.server:.1f} (writers {100 * appends.writers:.0f})",
            ),
            (f"{RUNNERS} idle runners, {targets} targets", "-", "-", f"{100 * idle_part:.2f}"),
        ],
    )
