"""Change a fleet while processes run it, and print what its operator sees, second by second: `python -m tests.many.changed`.

A simulated platform is in this process; Redis, two times `bkjob fleet run night`, and three times `bkjob fleet run day` are
processes of their own. The rate is lowered, then the interval changed; then the fleet is copied into three shards, which
go on in place of the old ones. Beside the shards stand the requests of each second.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from attrs import define, evolve, field

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SUCCEEDS, DurationRange, SimulatedJob, StepPlan
from tests.cli import shell
from tests.journal.redis_server import running

JOBS, HOSTS = 40, 5
# Seconds between two changes, and until all targets have ended.
BETWEEN, PATIENCE = 8, 120.0


@define
class Changed:
    """What was seen: the requests of each second, by what was done before, and the ends in both fleets."""

    out: IO[str]
    requests: dict[str, list[int]] = field(factory=dict)
    of_night: list[bkjob.Ref] = field(factory=list)
    of_day: list[bkjob.Ref] = field(factory=list)

    async def command(self, env: dict[str, str], *words: str) -> None:
        """Run a command of `bkjob fleet`, and print it."""
        done = await asyncio.to_thread(shell.run, "fleet", *words, env=env)
        print(
            f"$ bkjob fleet {' '.join(words)}\n{done.stdout}{done.stderr}", end="", file=self.out, flush=True
        )
        assert done.returncode == 0, done

    async def look(self, simulator: Simulator, fleet: bkjob.Fleet, after: str, seconds: int) -> None:
        """Print, each second, the requests in it and the terms of the shards."""
        counts = self.requests.setdefault(after, [])
        for _ in range(seconds):
            before = simulator.platform.request_counts.total()
            await asyncio.sleep(1)
            counts.append(simulator.platform.request_counts.total() - before)
            shards = (await fleet.status()).shards
            held = ", ".join(f"{each.shard}: term {each.term}, {each.targets} targets" for each in shards)
            print(f"{len(counts):4} s  {counts[-1]:3} requests  {held}", file=self.out, flush=True)


@contextmanager
def runners(name: str, shards: int, env: dict[str, str], log: Path) -> Iterator[None]:
    """Run each shard of a fleet in a process of its own."""
    with log.open("w", encoding="utf-8") as stderr:
        words = [shell.start_words("fleet", "run", name, "--shard", f"{shard}") for shard in range(shards)]
        processes = [
            subprocess.Popen(each, cwd=shell.ROOT, env=shell.environment(env), stderr=stderr)
            for each in words
        ]
        try:
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(20)


async def ends_of(fleet: bkjob.Fleet) -> list[bkjob.Ref]:
    """Return the targets of which ends are told."""
    async with fleet.reader(live=False) as reader:
        return [
            event.ref async for batch in reader for event in batch.events if isinstance(event, bkjob.Finished)
        ]


async def run(folder: Path, out: IO[str] = sys.stdout) -> Changed:
    """Run once; return what was seen."""
    simulator, seen = Simulator(seed=1, at_once=True), Changed(out)
    with running(folder, "--appendonly", "yes", "--appendfsync", "always") as redis:
        env = {**shell.IDENTITY, "BKJOB_JOURNAL": redis.url}
        async with (
            simulator.serve() as platform,
            bkjob.Fleet("night", journal=redis.url, shards=2) as night,
            bkjob.Fleet("day", journal=redis.url) as day,
        ):
            await seen.command(
                env,
                "create",
                "night",
                "--shards",
                "2",
                "--url",
                platform.url,
                "--rate",
                "20",
                "--interval",
                "1",
            )
            await night.add(*(simulator.add(plan(number)) for number in range(JOBS)))
            with runners("night", 2, env, folder / "night.log"):
                await seen.look(simulator, night, "create", BETWEEN + 4)
                await seen.command(env, "set", "night", "--rate", "5")
                await seen.look(simulator, night, "rate", BETWEEN)
                await seen.command(env, "set", "night", "--rate", "20", "--interval", "10")
                await seen.look(simulator, night, "interval", BETWEEN)
                await seen.command(env, "set", "night", "--interval", "1")
                await seen.command(env, "copy", "night", "day", "--shards", "3")
                await seen.command(env, "stop", "night")
            with runners("day", 3, env, folder / "day.log"):
                async with asyncio.timeout(PATIENCE):
                    while (await day.status()).active or len(await ends_of(day)) < JOBS:
                        await seen.look(simulator, day, "copy", 1)
                await seen.command(env, "stop", "day")
            seen.of_night, seen.of_day = await ends_of(night), await ends_of(day)
    print(f"{len(seen.of_night)} ends in night, {len(seen.of_day)} in day, of {JOBS} jobs", file=out)
    return seen


def plan(number: int) -> SimulatedJob:
    """Return a job that ends within a minute."""
    outcomes = (evolve(SUCCEEDS, duration=DurationRange(5.0, 50.0)),)
    return SimulatedJob(
        name="changed", steps=(StepPlan(hosts=HOSTS, outcomes=outcomes),), scope=bkjob.Scope.biz(2 + number)
    )


def main() -> None:
    """Run once."""
    with tempfile.TemporaryDirectory(prefix="bkjob-changed-") as folder:
        asyncio.run(run(Path(folder)))


if __name__ == "__main__":
    main()
