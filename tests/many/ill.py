"""Make a fleet ill, and print what its operator sees, second by second: `python -m tests.many.ill full`.

A simulated platform is in this process; Redis and `bkjob fleet run` are processes of their own. The kinds of harm are
`full` (Redis takes no more), `denied` (the runner's user may not run XADD), `killed` (Redis dies, and comes back),
`failover` (it dies, and Sentinel promotes its replica) and `unreachable` (the platform resets all connections). Each
ends by itself after some seconds; then the fleet must be well again.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

from attrs import define, evolve, field

import bkjob_async as bkjob
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SUCCEEDS, DurationRange, SimulatedJob, StepPlan
from tests.cli import shell
from tests.journal.redis_sentinel import running_sentinel
from tests.journal.redis_server import RedisServer, running

KINDS = ("full", "denied", "killed", "failover", "unreachable")
SHARDS, JOBS, HOSTS = 2, 24, 40
PASSWORD = "of-the-runner"
# Seconds of harm, and how long the runner may take to be there and to be well again.
HARM_SECONDS, PATIENCE = 8.0, 60.0


@define
class Seen:
    """What an operator saw: lines with the seconds since the harm, and how they came."""

    out: IO[str]
    began: float = field(factory=time.monotonic)
    exits: dict[int, list[float]] = field(factory=dict)
    said: str = ""
    read_to: int = 0

    def write(self, text: str) -> None:
        """Print lines, and keep them."""
        at = time.monotonic() - self.began
        for line in text.splitlines():
            print(f"{at:6.1f} s  {line}", file=self.out, flush=True)
        self.said += text

    def write_logged(self, log: Path) -> None:
        """Print what the runner logged since the last time."""
        text = log.read_text(encoding="utf-8")
        for line in text[self.read_to :].splitlines():
            self.write(f"runner: {line}\n")
        self.read_to = len(text)

    async def look(self, env: dict[str, str], health: Path) -> int:
        """Print what `bkjob fleet status` says, and whether the runner is alive and ready."""
        done = await asyncio.to_thread(shell.run, "fleet", "status", "night", env=env)
        probes = [name for name in ("alive", "ready") if (health / name).exists()]
        self.write(
            f"{done.stdout}{done.stderr}exit code {done.returncode}; probes: {', '.join(probes) or 'none'}"
        )
        self.exits.setdefault(done.returncode, []).append(time.monotonic() - self.began)
        return done.returncode


@define
class Harm:
    """One kind of harm, done to a server and a platform."""

    kind: str
    redis: RedisServer
    simulator: Simulator

    @asynccontextmanager
    async def done(self) -> AsyncIterator[None]:
        """Do harm while the context lasts."""
        match self.kind:
            case "full":
                self._command("CONFIG SET maxmemory 1")
                yield
                self._command("CONFIG SET maxmemory 0")
            case "denied":
                self._command("ACL SETUSER runner -xadd")
                yield
                self._command("ACL SETUSER runner +xadd")
            case "failover":
                self.redis.kill()
                yield
            case "killed":
                self.redis.kill()
                yield
                await asyncio.to_thread(self.redis.start)
            case _:
                with self.simulator.fault("reset"):
                    yield

    def _command(self, words: str) -> None:
        with self.redis.client() as client:
            client.execute_command(*words.split())


@contextmanager
def place(kind: str, folder: Path) -> Iterator[tuple[RedisServer, str]]:
    """Run a server that keeps all it is given, or one that has a replica; give it, and the URL of the journal."""
    if kind == "failover":
        with running_sentinel(folder) as sentinel:
            yield sentinel.first, sentinel.url
    else:
        with running(folder, "--appendonly", "yes", "--appendfsync", "always") as redis:
            yield redis, redis.url


async def run(kind: str, folder: Path, out: IO[str] = sys.stdout) -> Seen:
    """Run once; return what the operator saw."""
    simulator = Simulator(seed=1, at_once=True)
    health = folder / "health"
    with place(kind, folder) as (redis, url), redis.client() as client:
        client.execute_command("ACL", "SETUSER", "runner", "on", f">{PASSWORD}", "~{bkjob:*", "+@all")
        async with (
            simulator.serve() as platform,
            bkjob.Fleet("night", journal=url, shards=SHARDS) as fleet,
        ):
            await fleet.create(
                url=platform.url, credentials="bkjob_async.many.environment:credentials", interval=0.5
            )
            await fleet.add(*(simulator.add(plan(number)) for number in range(JOBS)))
            user = url.replace("//", f"//runner:{PASSWORD}@") if kind == "denied" else url
            words = ["fleet", "run", "night", "--shard", f"0-{SHARDS - 1}", "--health", str(health)]
            env = {**shell.IDENTITY, "BKJOB_JOURNAL": user}
            with (folder / "runner.log").open("w", encoding="utf-8") as log:
                runner = subprocess.Popen(  # noqa: ASYNC220 - takes a moment
                    shell.start_words(*words), cwd=shell.ROOT, env=shell.environment(env), stderr=log
                )
                try:
                    return await watched(
                        Harm(kind, redis, simulator), fleet, health, Seen(out), folder / "runner.log"
                    )
                finally:
                    runner.terminate()
                    await asyncio.to_thread(runner.wait, 20)


def transport_of(platform: Platform, clock: WorldClock) -> SimulatedTransport:
    """Return a way to a platform in this process."""
    transport = SimulatedTransport(platform, latency=0.02)
    transport.clock = clock
    return transport


def plan(number: int) -> SimulatedJob:
    """Return a job of which hosts end all the time."""
    outcomes = (evolve(SUCCEEDS, duration=DurationRange(1.0, 60.0)),)
    return SimulatedJob(
        name="ill", steps=(StepPlan(hosts=HOSTS, outcomes=outcomes),), scope=bkjob.Scope.biz(2 + number)
    )


async def watched(harm: Harm, fleet: bkjob.Fleet, health: Path, seen: Seen, log: Path) -> Seen:
    """Wait until all is well, do harm, and look each second until all is well again; print the runner's log beside."""
    env = {**shell.IDENTITY, "BKJOB_JOURNAL": str(fleet.journal_url)}
    async with asyncio.timeout(PATIENCE):
        while not (health / "ready").exists():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
    await seen.look(env, health)
    seen.began, seen.exits = time.monotonic(), {}
    async with harm.done():
        while time.monotonic() - seen.began < HARM_SECONDS:
            await asyncio.sleep(1)
            seen.write_logged(log)
            await seen.look(env, health)
        done = await asyncio.to_thread(shell.run, "fleet", "check", "night", env=env)
        seen.write(f"{done.stdout}{done.stderr}exit code {done.returncode}")
    seen.write("the harm is over")
    async with asyncio.timeout(PATIENCE):
        while await seen.look(env, health) or not (health / "ready").exists():
            await asyncio.sleep(1)
            seen.write_logged(log)
    return seen


def main() -> None:
    """Do one kind of harm, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    for kind in parser.parse_args().kinds or KINDS:
        print(f"== {kind}")
        with tempfile.TemporaryDirectory(prefix="bkjob-ill-") as folder:
            asyncio.run(run(kind, Path(folder)))


if __name__ == "__main__":
    main()
