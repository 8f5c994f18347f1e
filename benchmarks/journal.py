"""What a journal costs: CPU of a poll with SQLite and without, bytes of a record, and resuming many jobs.

*CPU* is that of the whole process, the journal's thread and the disk's system time included, per poll of a watch that
polls without pauses and has one reader; from 100 hosts up, 1 % of the hosts change at each poll. The variants run in
fresh processes in alternating order.

*Resuming* opens a watch on a journal with a checkpoint of many jobs of one step and three hosts, some of them failed. No
request is answered, so it is the journal's work alone: CPU until all targets are there, the longest stretch of CPU
for which the event loop did nothing else, without Python's garbage collector and with it, and the bytes of a job in the
checkpoint and in the memory of the process. A full collection takes as long as the objects that the collector tracks
are many; how long it takes in this process before the watch is opened and afterwards is shown beside, and how many
tracked objects each job adds.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from attrs import evolve
from msgspec.structs import replace

import bkjob_async as bkjob
from benchmarks.compare.bodies import STEP
from benchmarks.compare.processes import cpu_per_poll, interleaved, memory, print_figures
from benchmarks.compare.server import running_server
from benchmarks.poll import CREDENTIALS, cancel_all
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.dialects.gateway.v3 import GATEWAY_V3
from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.records import encode_record
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.journal.store import Checkpoint, Holder, StoredRecord
from bkjob_async.model.events import Batch, Event, HostChanged, JobChanged, StepChanged
from bkjob_async.model.refs import HostKey
from bkjob_async.model.status import host_status, run_status

# Hosts: what moves at each poll, requests in flight, seconds.
SIZES = scaled(
    {
        10_000: ("100 moves", 8, 3.0),
        1_000: ("10 moves", 32, 2.0),
        100: ("1 move", 32, 2.0),
        99: ("no news", 32, 2.0),
    },
    {1_000: ("10 moves", 8, 0.2), 99: ("no news", 8, 0.2)},
)
# The largest ratio of CPU with a journal and without, and of bytes of a record, that are good enough.
MUSTS = {10_000: ("1.10", "2500"), 1_000: ("1.12", ""), 100: ("1.25", ""), 99: ("1.02", "")}
JOBS = scaled(100_000, 500)
SCOPE = bkjob.Scope.biz(2)
NAME = "bench"


async def watch_polls(
    server: str, in_flight: int, seconds: float, journal: str | None
) -> tuple[float, float]:
    """Return the CPU microseconds per poll, and the bytes of the newest record (0 without a journal)."""
    full_reads = evolve(GATEWAY_V3, capabilities=replace(GATEWAY_V3.capabilities, groups=False))
    client = bkjob.connect(
        server, CREDENTIALS, dialect=full_reads, interval=1e-6, max_in_flight=in_flight, request_timeout=30
    )
    refs = [bkjob.JobRef(SCOPE, n).step(STEP) for n in range(1, 2 * in_flight + 1)]
    name = None if journal is None else NAME
    async with client, client.watch(refs, journal=journal, name=name) as watch:
        in_sync = asyncio.Event()

        async def read() -> None:
            async for event in watch:
                if isinstance(event, bkjob.InSync):
                    in_sync.set()

        task = asyncio.create_task(read())
        # The first sight of all hosts is not measured; with a journal it reaches the reader later.
        await in_sync.wait()
        warm = watch.stats().polls + 4 * len(refs)
        used = await cpu_per_poll(lambda: watch.stats().polls, warm=warm, seconds=seconds)
        await cancel_all([task])
    return used, 0.0 if journal is None else await newest_record(journal)


async def newest_record(url: str) -> float:
    """Return the bytes of a fleet's newest record."""
    async with bkjob.open_journal(url) as journal:
        fleet = await journal.store.fleet(NAME)
        head = 0 if fleet is None else fleet.head
        page = await journal.store.read(NAME, head - 1)
        return float(len(page.records[-1].data))


def poll_child(server: str, in_flight: int, seconds: float, *, with_journal: bool) -> None:
    """Measure one variant in this process."""
    with tempfile.TemporaryDirectory() as folder:
        journal = f"sqlite:///{folder}/bench.db" if with_journal else None
        cpu, record = asyncio.run(watch_polls(server, in_flight, seconds, journal))
    print_figures(cpu=cpu, record=record)


# Resuming -------------------------------------------------------------------------------------------------------------


class SilentTransport:
    """A network on which no response ever comes."""

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ARG002, ASYNC109 - the protocol's
        """Wait for ever."""
        await asyncio.Event().wait()
        raise AssertionError

    async def aclose(self) -> None:
        """Do nothing."""


def record_of(number: int) -> StoredRecord:
    """Return the record of a job of one step that has ended, with three hosts, of which each tenth job has one failed."""
    job = bkjob.JobRef(SCOPE, 20_000_000_000 + number)
    step = job.step(30_000_000_000 + number)
    codes = (9, 9, 104 if number % 10 == 0 else 9)
    events: tuple[Event, ...] = (
        *(
            HostChanged(
                ref=step,
                host=HostKey(bk_host_id=n, bk_cloud_id=0, ip=f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"),
                execute_count=0,
                before=None,
                after=host_status(code),
            )
            for n, code in enumerate(codes, 3 * number)
        ),
        StepChanged(
            ref=step, execute_count=0, before=None, after=run_status(2), is_finished=False, name="run"
        ),
        JobChanged(ref=job, before=None, after=run_status(2), is_finished=False, name="nightly"),
    )
    data = encode_record(
        number, time=1.0, term=1, client="0a1b2c3d", batch=Batch(number, events), targets=[(job, True)]
    )
    return StoredRecord(number, 1.0, data)


async def write_fleet(url: str, jobs: int) -> None:
    """Write a journal with a checkpoint of so many jobs."""
    fold = Fold()
    for number in range(1, jobs + 1):
        fold.apply(record_of(number).data)
    async with bkjob.open_journal(url) as journal:
        await journal.store.open(NAME, Holder("bench", 1), take_over=True)
        last = [record_of(jobs)]
        await journal.store.append(NAME, term=1, head=0, records=last, targets=jobs)
        await journal.store.write_checkpoint(NAME, Checkpoint(jobs, [*fold.parts()]), term=1)


class Resumed(NamedTuple):
    """CPU seconds until all targets are there, the longest turn and `stats()` in seconds, memory in MB, tracked objects."""

    cpu: float
    block: float
    stats: float
    memory: float
    tracked: int
    collection: float


async def resume(url: str, jobs: int, *, with_ticks: bool) -> Resumed:
    """Open a watch on this journal until all targets are there."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        before = time.thread_time()
        while True:
            await asyncio.sleep(0)
            longest, before = max(longest, time.thread_time() - before), time.thread_time()

    rss, tracked = memory("VmRSS"), len(gc.get_objects())
    async with bkjob.connect("http://silent", CREDENTIALS, transport=SilentTransport()) as client:
        # Ticks use CPU themselves, so they are left out where CPU is measured.
        ticking = asyncio.create_task(tick()) if with_ticks else None
        await asyncio.sleep(0)
        longest, started = 0.0, time.process_time()
        async with client.watch([], journal=url, name=NAME, linger=None) as watch:
            targets = watch._subscription.targets  # noqa: SLF001 - `stats()` takes long itself
            while targets.size < jobs:  # noqa: ASYNC110 - the measured code must not set events for us
                await asyncio.sleep(0.2)
            cpu = time.process_time() - started
            if ticking is not None:
                ticking.cancel()
            grown = memory("VmRSS") - rss
            begun = time.thread_time()
            watch.stats()
            stats = time.thread_time() - begun
            collection = full_collection()
            tracked = len(gc.get_objects()) - tracked
    return Resumed(cpu, longest, stats, grown, tracked, collection)


def full_collection() -> float:
    """Return the CPU seconds of a full collection."""
    begun = time.thread_time()
    gc.collect()
    return time.thread_time() - begun


async def checkpoint_size(url: str) -> int:
    """Return the bytes of the checkpoint."""
    async with bkjob.open_journal(url) as journal:
        checkpoint = await journal.store.checkpoint(NAME)
    return 0 if checkpoint is None else sum(map(len, checkpoint.parts))


def resume_child(url: str, jobs: int) -> None:
    """Measure in this process."""
    first = asyncio.run(resume(url, jobs, with_ticks=False))
    size = asyncio.run(checkpoint_size(url))
    gc.collect()
    before = full_collection()
    collected = asyncio.run(resume(url, jobs, with_ticks=True))
    gc.collect()
    gc.disable()
    plain = asyncio.run(resume(url, jobs, with_ticks=True))
    print_figures(
        jobs=jobs,
        cpu=first.cpu,
        block=1000 * plain.block,
        collected=1000 * collected.block,
        before=1000 * before,
        after=1000 * collected.collection,
        tracked=collected.tracked / jobs,
        stats=1000 * plain.stats,
        bytes=size / jobs,
        memory=first.memory * 1024 * 1024 / jobs,
    )


def show_polls() -> None:
    """Measure polls and print."""
    with running_server() as server:
        found = interleaved(
            {
                f"{hosts} {with_journal}": (
                    "from benchmarks.journal import poll_child;"
                    f" poll_child('{server}/plain/{hosts}', {load}, {seconds}, with_journal={with_journal})"
                )
                for hosts, (_, load, seconds) in SIZES.items()
                for with_journal in (False, True)
            }
        )
    rows = [
        (
            f"{hosts} hosts, {moves}",
            f"{found[f'{hosts} False']['cpu']:.1f}",
            f"{found[f'{hosts} True']['cpu']:.1f}",
            f"{found[f'{hosts} True']['cpu'] / found[f'{hosts} False']['cpu']:.3f}",
            MUSTS[hosts][0],
            f"{found[f'{hosts} True']['record']:.0f}",
            MUSTS[hosts][1],
        )
        for hosts, (moves, _, _) in SIZES.items()
    ]
    columns = ("each poll", "without µs", "with µs", "ratio", "must", "bytes of a record", "must")
    show("journal: CPU per poll with a SQLite journal and without", columns, rows)


def show_resume() -> None:
    """Measure resuming and print."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder)}/bench.db"
        asyncio.run(write_fleet(url, JOBS))
        found = interleaved(
            {"resume": f"from benchmarks.journal import resume_child; resume_child({url!r}, {JOBS})"}
        )
    figures = found["resume"]
    rows = [
        (f"{figures['jobs']:.0f} jobs: CPU s", f"{figures['cpu']:.2f}", "6"),
        ("longest block ms, without the garbage collector", f"{figures['block']:.1f}", "20"),
        ("longest block ms, with it", f"{figures['collected']:.1f}", "20"),
        ("a full collection ms, before the watch", f"{figures['before']:.1f}", ""),
        ("a full collection ms, with the watch", f"{figures['after']:.1f}", ""),
        ("tracked objects a job", f"{figures['tracked']:.2f}", ""),
        ("stats() ms", f"{figures['stats']:.1f}", ""),
        ("bytes a job, stored", f"{figures['bytes']:.0f}", "400"),
        ("bytes a job, in memory", f"{figures['memory']:.0f}", ""),
    ]
    show("journal: resuming a watch", ("resuming", "found", "must"), rows)


def main() -> None:
    """Measure and print."""
    show_polls()
    show_resume()
