"""Kill the process that writes a journal, again and again, while another follows it.

`python -m tests.journal.kill --store sqlite --times 100` runs a simulated platform and a follower in this process, and a
watch with a journal in another, which is killed (SIGKILL) at random and started again. Jobs are added all the time. At
the end it compares: what the follower got is what the journal has, each event once, `before` right everywhere; the last
status of every host, step and job is that of the platform; and what a reader of the killed watch had got is in the log.

`--pause` seconds pass between two lives, so that the program can run beside other work. Parts of a long run have a `--seed`
each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from attrs import define, evolve, field

import bkjob_async as bkjob
from bkjob_async.model.json_values import event_from_json, event_to_json
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import FAILS, SUCCEEDS, DurationRange, SimulatedJob, StepPlan
from bkjob_async.testing import broken_promises, truth_of
from tests.journal.redis_server import running

CREDENTIALS = bkjob.AppCredentials(bk_app_code="tests", bk_app_secret="not-to-be-seen", bk_username="admin")
NAME = "killed"
# Hosts end between these seconds, so that a step moves for some lives.
OUTCOMES = (
    evolve(SUCCEEDS, duration=DurationRange(0.2, 6.0), weight=0.9),
    evolve(FAILS, duration=DurationRange(0.2, 6.0), weight=0.1),
)
LONGEST_LIFE = 1.2
JOBS_PER_LIFE = 2


# The process that is killed ------------------------------------------------------------------------------------------


async def write(platform: str, journal: str, got: str, refs: list[str], *, to_the_end: bool) -> None:
    """Watch with a journal; write each event that a reader gets to the file *got* at once."""
    file = os.open(got, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    linger = 0.0 if to_the_end else None
    async with (
        bkjob.connect(platform, CREDENTIALS, interval=0.05) as client,
        client.watch(refs, journal=journal, name=NAME, linger=linger) as watch,
    ):
        print("open", flush=True)
        async for event in watch:
            os.write(file, json.dumps(event_to_json(event)).encode() + b"\n")


# The process that kills it --------------------------------------------------------------------------------------------


@define
class Follower:
    """What a follower in this process got."""

    journal: bkjob.Journal
    batches: list[bkjob.Batch] = field(factory=list)

    async def run(self) -> None:
        """Follow the fleet; at first it may not be there yet."""
        while True:
            try:
                async for batch in self.journal.follow(NAME):
                    self.batches.append(batch)
            except bkjob.JournalError:
                await asyncio.sleep(0.05)


def plan(dice: random.Random) -> SimulatedJob:
    """Return a job of one or two steps on some hosts."""
    steps = [
        StepPlan(hosts=dice.choice((1, 3, 20)), outcomes=OUTCOMES) for _ in range(dice.choice((1, 1, 2)))
    ]
    return SimulatedJob(name="killed", steps=tuple(steps))


async def kill(journal_url: str, times: int, seed: int, folder: Path, pause: float = 0.0) -> list[str]:
    """Kill the writer so many *times*; return what was wrong, in words."""
    dice = random.Random(seed)
    simulator = Simulator(seed=seed, at_once=True)
    got = str(folder / "got")
    async with simulator.serve() as platform, bkjob.open_journal(journal_url) as journal:
        follower = Follower(journal)
        following = asyncio.create_task(follower.run())
        for life in range(times + 1):
            is_last = life == times
            for _ in range(0 if is_last else JOBS_PER_LIFE):
                simulator.add(plan(dice))
            # A target that a killed process was given may not be in the journal yet.
            recorded = {event.ref.job for event in events_in(follower.batches) if event.ref is not None}
            new = [str(ref) for ref in simulator.refs if ref not in recorded]
            words = ["--write", platform.url, journal_url, got, *new, *(["--to-the-end"] if is_last else [])]
            writer = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.journal.kill", *words, stdout=asyncio.subprocess.PIPE
            )
            assert writer.stdout is not None
            assert await writer.stdout.readline() == b"open\n", "the writer did not begin"
            if is_last:
                assert await writer.wait() == 0
            else:
                await asyncio.sleep(dice.random() ** 2 * LONGEST_LIFE)
                writer.send_signal(signal.SIGKILL)
                await writer.wait()
                await asyncio.sleep(pause)
        stored = [batch async for batch in journal.follow(NAME, live=False)]
        for _ in range(100):
            if len(follower.batches) >= len(stored):
                break
            await asyncio.sleep(0.05)
        following.cancel()
        await asyncio.wait([following])
    print(
        f"{times} lives, {len(simulator.refs)} jobs, {len(stored)} batches,"
        f" {sum(len(batch.events) for batch in stored)} events"
    )
    cursors = [event.cursor for event in events_in(follower.batches)]
    lost = [*missing(Path(got), stored), *unreported(simulator, follower.batches)]
    print(f"lost: {len(lost)}, twice: {len(cursors) - len({*cursors})}")
    return [*wrong(follower.batches, stored), *lost]


def wrong(followed: list[bkjob.Batch], stored: list[bkjob.Batch]) -> Iterator[str]:
    """Yield what the follower got and should not have, and the other way round."""
    if [batch.cursor for batch in followed] != [batch.cursor for batch in stored]:
        yield f"the follower got {len(followed)} batches, the journal has {len(stored)}"
    if events_in(followed) != events_in(stored):
        yield "the follower's events are not those of the journal"
    yield from broken_promises(followed)


def unreported(simulator: Simulator, followed: list[bkjob.Batch]) -> Iterator[str]:
    """Yield the hosts, steps and jobs whose last status was not reported."""
    yield from wrong_ends(simulator, events_in(followed))


def wrong_ends(simulator: Simulator, events: Iterable[bkjob.Event]) -> Iterator[str]:
    """Yield the hosts, steps and jobs whose last status in *events* is not that of the platform."""
    last: dict[object, int] = {}
    for event in events:
        if isinstance(event, bkjob.HostChanged):
            last[event.ref, event.execute_count, event.host.label] = event.after.code
        elif isinstance(event, bkjob.StepChanged | bkjob.JobChanged):
            last[event.ref] = event.after.code
    truth = truth_of(simulator.history())
    for key, codes in chain[tuple[object, Sequence[int]]](
        truth.hosts.items(), truth.steps.items(), truth.jobs.items()
    ):
        if last.get(key) != codes[-1]:
            yield f"{key} ended {codes[-1]}; reported was {last.get(key)}"


def missing(got: Path, stored: list[bkjob.Batch]) -> Iterator[str]:
    """Yield what a reader of a killed watch had got that is not in the journal; the last line may be half."""
    recorded = {event.cursor: event for event in events_in(stored)}
    lines = got.read_bytes().split(b"\n")
    print(f"{len(lines) - 1} events were read in the processes that were killed")
    for line in lines[:-1]:
        event = event_from_json(json.loads(line))
        if isinstance(event, bkjob.Trouble | bkjob.Recovered) and "Journal" in str(event):
            continue
        if recorded.get(event.cursor) != event:
            yield f"a reader got {event.cursor} {event}, the journal has {recorded.get(event.cursor)}"


def events_in(batches: list[bkjob.Batch]) -> list[bkjob.Event]:
    """Return the events of all batches."""
    return [event for batch in batches for event in batch.events]


@contextmanager
def journal_in(store: str, folder: Path) -> Iterator[str]:
    """Give the URL of a new journal."""
    if store == "sqlite":
        yield f"sqlite:///{folder}/killed.db"
    else:
        with running(folder) as server:
            yield server.url


def main() -> int:
    """Kill, compare, and return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.journal.kill", description=__doc__)
    parser.add_argument("--store", choices=["sqlite", "redis"], default="sqlite")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--write", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--to-the-end", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        platform, journal, got, *refs = options.write
        asyncio.run(write(platform, journal, got, refs, to_the_end=options.to_the_end))
        return 0
    with tempfile.TemporaryDirectory() as name, journal_in(options.store, Path(name)) as journal:
        found = asyncio.run(kill(journal, options.times, options.seed, Path(name), options.pause))
    print("\n".join(found[:20]) if found else "nothing lost, nothing twice")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
