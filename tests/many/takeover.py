"""Kill or stop one part of a fleet on Dask while its jobs run, and compare what was reported with what happened.

`python -m tests.many.takeover --kind worker-killed --times 20` runs a simulated platform and a reader in this process;
Redis, a Dask scheduler, two workers and a launcher are processes of their own. Each time 60 jobs of 2 steps on 20 hosts are
watched in 4 shards. At the end: no event twice, `before` right everywhere, the last status of every host, step and job as on
the platform, one `Finished` for each end; and how long the shards that were hit reported nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from attrs import define, evolve, field

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import FAILS, SUCCEEDS, DurationRange, SimulatedJob, StepPlan
from bkjob_async.testing import broken_promises
from tests.journal.kill import wrong_ends
from tests.journal.redis_server import RedisServer, running
from tests.many.dask_cluster import ROOT, DaskCluster, running_dask
from tests.many.fleets import OWN_CREDENTIALS

KINDS = ("worker-killed", "worker-stopped", "scheduler-killed", "launcher-killed", "redis-killed")
SHARDS, JOBS, HOSTS = 4, 60, 20
LONGEST = {"worker-stopped": 45.0}
# Seconds until the fault, and that a stopped worker sleeps.
BEFORE_FAULT, STOPPED_SECONDS, WORKER_TTL = 6.0, 30.0, 8.0
PATIENCE = 150.0


@define
class Told:
    """What a reader got of each shard, and when."""

    batches: dict[int, list[bkjob.Batch]] = field(factory=dict)
    times: dict[int, list[float]] = field(factory=dict)
    finished: Counter[bkjob.Ref] = field(factory=Counter)

    async def read(self, fleet: bkjob.Fleet) -> None:
        """Read until cancelled."""
        async with fleet.reader() as reader:
            async for batch in reader:
                shard = next(each for each, cursor in reader._cursors.items() if cursor == batch.cursor)
                self.batches.setdefault(shard, []).append(batch)
                self.times.setdefault(shard, []).append(time.monotonic())
                self.finished.update(e.ref for e in batch.events if isinstance(e, bkjob.Finished))

    def silence(self, shard: int, since: float) -> float | None:
        """Return how long after *since* the first batch of a new runner came, None for none."""
        batches, times = self.batches.get(shard, []), self.times.get(shard, [])
        before = {client_of(batch) for batch, at in zip(batches, times, strict=True) if at < since}
        return next(
            (
                at - since
                for batch, at in zip(batches, times, strict=True)
                if at >= since and client_of(batch) not in before
            ),
            None,
        )


def client_of(batch: bkjob.Batch) -> str:
    """Return which runner reported a batch."""
    return batch.cursor.partition("-")[2]


@define
class Site:
    """All processes of one run."""

    folder: Path
    redis: RedisServer
    dask: DaskCluster
    fleet: bkjob.Fleet
    launchers: list[subprocess.Popen[bytes]] = field(factory=list)

    def launch(self) -> None:
        """Start a launcher."""
        with (self.folder / "launcher.log").open("ab") as log:
            words = [sys.executable, "-m", "tests.many.launch", self.redis.url, self.dask.address]
            self.launchers.append(subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log))

    async def holders(self) -> dict[int, int]:
        """Return the process of each shard that has a runner."""
        with suppress(bkjob.JournalUnavailable):
            status = await self.fleet.status()
            return {each.shard: each.holder.pid for each in status.held if each.holder is not None}
        return {}

    async def close(self) -> None:
        """Stop the fleet, then kill what is left."""
        with suppress(bkjob.JournalUnavailable):
            await self.fleet.stop()
        for launcher in self.launchers:
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(launcher.wait, 20)
            launcher.kill()
            launcher.wait()


def plan(kind: str, number: int) -> SimulatedJob:
    """Return a job of two steps, some hosts of which fail."""
    longest = LONGEST.get(kind, 20.0) / 2
    outcomes = (
        evolve(SUCCEEDS, duration=DurationRange(1.0, longest), weight=0.95),
        evolve(FAILS, duration=DurationRange(1.0, longest), weight=0.05),
    )
    steps = tuple(StepPlan(hosts=HOSTS, outcomes=outcomes) for _ in range(2))
    return SimulatedJob(name="taken over", steps=steps, scope=bkjob.Scope.biz(2 + number % 12))


async def run(kind: str, seed: int, folder: Path) -> tuple[list[str], list[float]]:
    """Run once; return what was wrong, and how long each shard that was hit reported nothing."""
    simulator = Simulator(seed=seed, at_once=True)
    with (
        running(folder, "--appendonly", "yes", "--appendfsync", "always") as redis,
        running_dask(
            folder, slots=SHARDS, worker_ttl=WORKER_TTL if kind == "worker-stopped" else 300
        ) as dask,
    ):
        async with (
            simulator.serve() as platform,
            bkjob.Fleet("night", journal=redis.url, shards=SHARDS) as fleet,
        ):
            await fleet.create(url=platform.url, credentials=OWN_CREDENTIALS, interval=0.5)
            site = Site(folder, redis, dask, fleet)
            site.launch()
            reported = Told()
            reading = asyncio.create_task(reported.read(fleet))
            try:
                async with asyncio.timeout(60):
                    while len(await site.holders()) < SHARDS:  # noqa: ASYNC110 - other processes
                        await asyncio.sleep(0.2)
                jobs = [simulator.add(plan(kind, number)) for number in range(JOBS)]
                await fleet.add(*jobs)
                await asyncio.sleep(BEFORE_FAULT)
                silences = await fault(kind, site, reported)
                await ended(simulator, site, reported, jobs)
            finally:
                await site.close()
                reading.cancel()
                await asyncio.wait([reading])
    return [*wrong(simulator, reported, jobs)], silences


async def fault(kind: str, site: Site, reported: Told) -> list[float]:
    """Do harm; return the silences of the shards that were hit once all of them report again."""
    holders = await site.holders()
    victim = next(name for name, process in site.dask.processes.items() if process.pid in holders.values())
    hit = [shard for shard, pid in holders.items() if pid == site.dask.processes[victim].pid]
    at = time.monotonic()
    match kind:
        case "worker-killed":
            site.dask.kill(victim)
        case "worker-stopped":
            site.dask.signal(victim, signal.SIGSTOP)
            await asyncio.sleep(STOPPED_SECONDS)
            site.dask.signal(victim, signal.SIGCONT)
        case "scheduler-killed":
            site.dask.kill("scheduler")
            await asyncio.sleep(1)
            await asyncio.to_thread(site.dask.start_scheduler)
            hit = []
        case "launcher-killed":
            site.launchers[-1].kill()
            await asyncio.sleep(2)
            site.launch()
            hit = []
        case _:
            site.redis.kill()
            await asyncio.sleep(2)
            await asyncio.to_thread(site.redis.start)
            hit = []
    end = time.monotonic() + 60
    while time.monotonic() < end:
        silences = [reported.silence(shard, at) for shard in hit]
        if None not in silences:
            return [each for each in silences if each is not None]
        await asyncio.sleep(0.2)
    return [float("inf")]


async def ended(simulator: Simulator, site: Site, reported: Told, jobs: Sequence[bkjob.JobRef]) -> None:
    """Wait until the reader got the end of every job, starting workers again as systemd does."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and len(reported.finished) < len(jobs):
        await asyncio.to_thread(site.dask.restart_what_ended)
        await asyncio.sleep(0.5)
    await asyncio.sleep(4)  # what is reported twice is reported by now


def wrong(simulator: Simulator, reported: Told, jobs: Sequence[bkjob.JobRef]) -> Iterator[str]:
    """Yield what was reported and should not have been, and the other way round."""
    for batches in reported.batches.values():
        yield from broken_promises(batches)
    batches_of_all = chain.from_iterable(reported.batches.values())
    yield from wrong_ends(simulator, chain.from_iterable(batch.events for batch in batches_of_all))
    for job in jobs:
        if reported.finished[job] != 1:
            yield f"{job} finished {reported.finished[job]} times"


def main() -> int:
    """Run so many times; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.many.takeover", description=__doc__)
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the logs of processes here")
    options = parser.parse_args()
    found_any = False
    for kind in KINDS if options.kind == "all" else [options.kind]:
        for seed in range(options.seed, options.seed + options.times):
            with tempfile.TemporaryDirectory() as name:
                folder = (options.keep or Path(name)) / f"{kind}-{seed}"
                folder.mkdir(parents=True)
                found, silences = asyncio.run(run(kind, seed, folder))
            seconds = ", ".join(f"{each:.1f}" for each in silences) or "-"
            print(f"{kind} {seed}: silent for {seconds} s; {len(found)} wrong", flush=True)
            print("\n".join(found[:10]), end="\n" if found else "")
            found_any |= bool(found)
    return 1 if found_any else 0


if __name__ == "__main__":
    sys.exit(main())
