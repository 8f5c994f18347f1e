"""Print how long a takeover takes, from the fault to the first batch that a reader gets of the next runner.

`python -m tests.many.takeover_times --times 20` does so for each kind of fault: `supervised`, the only runner is
killed, and is started again after a second, as systemd does; `standby`, it is killed beside one that stands by;
`unreachable`, the store hears nothing of it any more, beside one that claims. `python -m tests.many.takeover --kind
worker-killed` has those of Dask.

A simulated platform and the reader are in this process; Redis and `bkjob fleet run` are processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median

from attrs import define, field

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from tests.cli import shell
from tests.journal.redis_server import running
from tests.many.ill import plan
from tests.many.takeover import Told

KINDS = {"supervised": 3.0, "standby": 1.0, "unreachable": 30.0}
JOBS = 40
RESTART_SECONDS, WARM_SECONDS, PATIENCE = 1.0, 4.0, 60.0


@define
class Runner:
    """A process, and its own way to Redis, which drops everything while *is_cut*."""

    port: int
    words: Sequence[str]
    is_cut: bool = False
    process: subprocess.Popen[str] | None = None
    server: asyncio.Server | None = None
    pipes: list[asyncio.Task[None]] = field(factory=list)
    writers: list[asyncio.StreamWriter] = field(factory=list)

    async def start(self) -> None:
        """Start it."""
        self.server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        journal = f"redis://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/0"
        env = {**shell.IDENTITY, "BKJOB_JOURNAL": journal}
        self.process = shell.start("fleet", "run", "night", *self.words, env=env)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers += (writer, other_writer)
        for source, sink in ((reader, other_writer), (other_reader, writer)):
            self.pipes.append(asyncio.create_task(self._pass_on(source, sink)))

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(1 << 16):
                if not self.is_cut:
                    sink.write(data)
                    await sink.drain()
        if not self.is_cut:
            sink.close()

    async def kill(self) -> None:
        """Kill it, and close its way."""
        assert self.process is not None
        assert self.server is not None
        self.process.kill()
        await asyncio.to_thread(self.process.communicate)
        self.server.close()
        for pipe in self.pipes:
            pipe.cancel()
        if self.pipes:
            await asyncio.wait(self.pipes)
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@define
class Site:
    """A fleet of one shard, its runners, and a reader of it."""

    port: int
    fleet: bkjob.Fleet
    told: Told
    runners: list[Runner] = field(factory=list)

    async def start(self, *words: str) -> Runner:
        """Start a runner."""
        runner = Runner(self.port, words)
        self.runners.append(runner)
        await runner.start()
        return runner

    async def holder(self) -> Runner:
        """Wait for the runner of the shard; return it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                (shard,) = (await self.fleet.status()).shards
                pid = shard.holder.pid if shard.holder is not None and shard.has_runner else None
                for each in self.runners:
                    if each.process is not None and each.process.pid == pid:
                        return each
                await asyncio.sleep(0.2)

    async def end(self, runner: Runner) -> None:
        """Kill a runner."""
        self.runners.remove(runner)
        await runner.kill()

    async def first_batch(self, since: float) -> float:
        """Wait for the first batch of another runner; return how long after *since* it came."""
        async with asyncio.timeout(PATIENCE):
            while (seconds := self.told.silence(0, since)) is None:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        return seconds


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    """Run Redis and a platform; create a fleet with jobs, and read it."""
    simulator = Simulator(seed=1, at_once=True)
    with running(folder, "--appendonly", "yes") as redis:
        port = int(redis.url.rsplit(":", 1)[1].split("/", maxsplit=1)[0])
        async with simulator.serve() as platform, bkjob.Fleet("night", journal=redis.url, shards=1) as fleet:
            await fleet.create(
                url=platform.url, credentials="bkjob_async.many.environment:credentials", interval=0.5
            )
            await fleet.add(*(simulator.add(plan(number)) for number in range(JOBS)))
            told = Told()
            reading = asyncio.create_task(told.read(fleet))
            here = Site(port, fleet, told)
            try:
                yield here
            finally:
                for runner in [*here.runners]:
                    await here.end(runner)
                reading.cancel()
                await asyncio.wait([reading])


async def fault(kind: str, here: Site) -> float:
    """Have a runner, and one more that waits where the *kind* has it; do harm, and return how long nothing was told."""
    wanted = 1 if kind == "supervised" else 2
    words = {
        "supervised": ["--shard", "0"],
        "standby": ["--claim", "1", "--standby"],
        "unreachable": ["--claim", "1"],
    }[kind]
    while len(here.runners) < wanted:
        await here.start(*words)
    victim = await here.holder()
    await asyncio.sleep(WARM_SECONDS)
    at = time.monotonic()
    if kind == "unreachable":
        victim.is_cut = True
        seconds = await here.first_batch(at)
        await here.end(victim)
        return seconds
    await here.end(victim)
    if kind == "supervised":
        await asyncio.sleep(RESTART_SECONDS)
        await here.start(*words)
    return await here.first_batch(at)


async def run(kind: str, times: int) -> list[float]:
    """Do harm so many times; return the seconds of each."""
    with tempfile.TemporaryDirectory(prefix="bkjob-times-") as folder:
        async with site(Path(folder)) as here:
            return [await fault(kind, here) for _ in range(times)]


def main() -> int:
    """Print the times of each kind; return 1 where one took longer than it may."""
    parser = argparse.ArgumentParser(prog="python -m tests.many.takeover_times", description=__doc__)
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all")
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    is_late = False
    for kind in KINDS if options.kind == "all" else [options.kind]:
        found = sorted(asyncio.run(run(kind, options.times)))
        is_late |= found[-1] > KINDS[kind]
        print(
            f"{kind}: {len(found)} takeovers, {found[0]:.2f} to {found[-1]:.2f} s, median {median(found):.2f} s"
            f" (at most {KINDS[kind]:g} s): {' '.join(f'{each:.2f}' for each in found)}",
            flush=True,
        )
    return int(is_late)


if __name__ == "__main__":
    sys.exit(main())
