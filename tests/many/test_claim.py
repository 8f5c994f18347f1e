"""Processes that claim shards: each shard has a runner, and none is taken from one that lives."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from pathlib import Path

import pytest

import bkjob_async as bkjob
from bkjob_async.cli.actions.fleet.claim import Claims
from bkjob_async.cli.actions.fleet.manage import LocalRunner
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.journal.store import ALIVE_SECONDS, Checkpoint, Holder
from bkjob_async.many.runner.ending import RunnerSocket, connected, has_ended, socket_name
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.world import World
from tests.cli import shell
from tests.journal.redis_server import running
from tests.many import takeover_times
from tests.many.fleets import OWN_CREDENTIALS, Clock, Site, site_of
from tests.many.ill import transport_of
from tests.many.test_budget import Way
from tests.many.test_shard import ENDLESS, jobs_of

SHARDS = 6


def claims_of(site: Site, seed: int, late: float = 0.0) -> Claims:
    """Return what another process claims of the fleet; it begins with a shard so many seconds *late*."""
    fleet = bkjob.Fleet("night", journal=site.fleet.journal)

    async def run(claimed: bkjob.ShardStatus) -> bkjob.ShardEnd:
        transport = transport_of(site.platform, site.clock)
        await asyncio.sleep(late)
        own = {"credentials": OWN_CREDENTIALS, "transport": transport}
        return await LocalRunner(fleet, own, None).run_claimed(claimed)

    return Claims(fleet, run, random.Random(seed))


async def terms_of(site: Site) -> list[int]:
    """Return the term of each shard."""
    return [each.term for each in (await site.fleet.status()).shards]


@pytest.mark.looptime
async def test_processes_that_start_together_share_all_shards_and_take_none_from_each_other() -> None:
    """With more slots than shards; one that ends in order hands its shards over within seconds."""
    world = World(1)
    async with site_of(world, shards=SHARDS) as site:
        await site.fleet.add(*jobs_of(world, ENDLESS, 12))
        claims = [claims_of(site, seed) for seed in range(3)]
        keeping = [asyncio.create_task(each.keep(3)) for each in claims]
        await asyncio.sleep(20)
        shared = [len(each.shards) for each in claims]
        terms = await terms_of(site)
        lost = claims[0].shards.copy()
        keeping[0].cancel()
        await asyncio.wait(keeping[:1])
        await asyncio.sleep(5)
        status = await site.fleet.status()
        later = await terms_of(site)
        await site.fleet.stop()
        await asyncio.wait(keeping)

    assert sum(shared) == SHARDS
    assert terms == [1] * SHARDS
    assert all(each.has_runner for each in status.shards)
    assert later == [2 if shard in lost else 1 for shard in range(SHARDS)]
    assert [each.refused for each in status.shards] == [0] * SHARDS
    assert [task.exception() for task in keeping[1:]] == [None, None]


@pytest.mark.looptime
async def test_an_outage_of_the_journal_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """However often a standby looks, and that it is over."""
    store = MemoryStore()
    async with site_of(shards=1, journal=Journal(store)) as site:
        way = Way(store)
        keeping = asyncio.create_task(
            claims_of(Site(site.world, bkjob.Fleet("night", journal=Journal(way))), 1).stand_by(2)
        )
        await asyncio.sleep(5)
        for _ in range(2):
            way.is_cut = True
            await asyncio.sleep(60)
            way.is_cut = False
            await asyncio.sleep(10)
        await site.fleet.stop()
        await asyncio.wait([keeping])

    said = capsys.readouterr().err
    assert said.count("cannot be read") == said.count("can be read again") == 2


class SlowStore(MemoryStore):
    """A store of which a fleet takes *seconds* to load."""

    seconds = 20.0

    async def checkpoint(self, name: str, *, text: bytes = b"") -> Checkpoint | None:
        """Return it late."""
        await asyncio.sleep(self.seconds)
        return await super().checkpoint(name, text=text)


@pytest.mark.looptime
async def test_a_shard_that_takes_long_to_load_is_not_claimed_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its runner lives, and says so."""
    Clock(monkeypatch)
    world = World(1)
    async with site_of(world, shards=1, journal=Journal(SlowStore())) as site:
        fleet = site.fleet
        await fleet.add(*jobs_of(world, ENDLESS, 3))
        keeping = [asyncio.create_task(claims_of(site, seed).keep(1)) for seed in range(2)]
        await asyncio.sleep(60)
        (shard,) = (await fleet.status()).shards
        await fleet.stop()
        await asyncio.wait(keeping)

    assert (shard.term, shard.targets, shard.refused) == (1, 3, 0)


@pytest.mark.looptime
async def test_of_processes_that_see_a_silent_runner_one_has_the_shard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where all begin with it later than they saw it."""
    Clock(monkeypatch)
    world = World(1)
    async with site_of(world, shards=1) as site:
        await site.fleet.add(*jobs_of(world, ENDLESS, 3))
        await site.fleet.journal.store.open("night/0", Holder("dead", 1), take_over=True)
        keeping = [asyncio.create_task(claims_of(site, seed, late=3.0).keep(1)) for seed in range(6)]
        await asyncio.sleep(40)
        (shard,) = (await site.fleet.status()).shards
        await asyncio.sleep(60)
        later = await terms_of(site)
        await site.fleet.stop()
        await asyncio.wait(keeping)

    assert (shard.term, shard.has_runner, shard.refused) == (2, True, 0)
    assert later == [2]


@pytest.mark.looptime
@pytest.mark.parametrize("seconds", [60.0, -60.0])
async def test_no_runner_loses_its_shard_because_a_clock_is_set(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it gives its next sign of life, the store takes it for silent."""
    clock = Clock(monkeypatch)
    world = World(1)
    async with site_of(world, shards=4) as site:
        await site.fleet.add(*jobs_of(world, ENDLESS, 8))
        keeping = [asyncio.create_task(claims_of(site, seed).keep(2)) for seed in range(4)]
        await asyncio.sleep(120)
        for moment in range(8):
            clock.ahead += seconds
            await asyncio.sleep(60 + moment / 8)
        terms = await terms_of(site)
        await site.fleet.stop()
        await asyncio.wait(keeping)

    assert terms == [1] * 4


@pytest.mark.looptime
async def test_who_is_superseded_claims_another_shard() -> None:
    """It does not take the shard back; in time there is one runner for each."""
    world = World(1)
    async with site_of(world, shards=2) as site:
        claims = claims_of(site, 1)
        keeping = asyncio.create_task(claims.keep(1))
        await asyncio.sleep(5)
        (first,) = claims.shards
        site.run(first)
        await asyncio.sleep(10)
        (second,) = claims.shards
        terms = await terms_of(site)
        keeping.cancel()
        await asyncio.wait([keeping])

    assert {first, second} == {0, 1}
    assert (terms[first], terms[second]) == (2, 1)


@pytest.mark.looptime
async def test_what_only_a_person_can_help_with_ends_the_process() -> None:
    """Another would fail as well."""
    async with site_of(World(1), shards=2, credentials="nowhere:credentials") as site:
        with pytest.raises(bkjob.UsageError, match="nowhere:credentials"):
            await claims_of(site, 1).keep(2)


@pytest.mark.skipif(sys.platform != "linux", reason="sockets without a file")
async def test_the_end_of_a_term_is_seen_by_who_was_connected_and_by_nobody_else() -> None:
    """A socket is that of one term of one process."""
    holder = Holder("here", 1)
    names = [socket_name("night", 1.0, 3, term, holder) for term in (1, 2)]
    with RunnerSocket("night", 1.0, 3, holder) as own:
        own.follow(1)
        first, too_early = connected(names[0]), connected(names[1])
        assert first is not None
        ending = asyncio.create_task(has_ended(first))
        await asyncio.sleep(0)
        is_open = not ending.done()
        own.follow(2)
        ended, second = await ending, connected(names[1])
    assert second is not None

    assert too_early is None
    assert (is_open, ended, await has_ended(second)) == (True, True, True)
    assert connected(names[1]) is None


@pytest.mark.looptime
async def test_who_sees_a_runner_end_gives_its_shard_back_and_claims_it() -> None:
    """Long before it is silent, and in a term of its own; one whose socket is there keeps it."""
    world = World(1)
    async with site_of(world, shards=2) as site:
        record = await site.fleet.journal.shards.record("night")
        assert record is not None
        holder = Holder("here", 1)
        with RunnerSocket("night", record.created, 1, holder) as living:
            with RunnerSocket("night", record.created, 0, holder) as killed:
                for shard, own in enumerate((killed, living)):
                    opened = await site.fleet.journal.store.open(f"night/{shard}", holder, take_over=True)
                    own.follow(opened.term)
                claims = claims_of(site, 1)
                keeping = asyncio.create_task(claims.stand_by(2))
                await asyncio.sleep(2)
                before = await terms_of(site)
            await asyncio.sleep(2)
            after = await terms_of(site)
            keeping.cancel()
            await asyncio.wait([keeping])

    assert (before, after) == ([1, 1], [2, 1])


@pytest.mark.deep
async def test_shards_of_a_process_that_is_killed_or_stopped_are_claimed_within_a_minute(
    tmp_path: Path,
) -> None:
    """By those that have room; the one that wakes claims another."""
    simulator = Simulator(seed=1, at_once=True)
    with running(tmp_path, "--appendonly", "yes") as redis:
        async with simulator.serve() as platform, bkjob.Fleet("night", journal=redis.url, shards=4) as fleet:
            await fleet.create(url=platform.url, credentials="bkjob_async.many.environment:credentials")
            env = {**shell.IDENTITY, "BKJOB_JOURNAL": redis.url}
            processes = [shell.start("fleet", "run", "night", "--claim", "2", env=env) for _ in range(3)]
            begun = time.monotonic()

            async def held_by(gone: set[int]) -> float:
                """Return after how many seconds each shard has a runner in none of these processes."""
                async with asyncio.timeout(60):
                    while True:
                        shards = (await fleet.status()).shards
                        pids = {each.holder.pid for each in shards if each.holder and each.has_runner}
                        if all(each.has_runner for each in shards) and not pids & gone:
                            return time.monotonic() - begun
                        await asyncio.sleep(0.5)

            try:
                started = await held_by(set())
                holders = {each.holder.pid for each in (await fleet.status()).shards if each.holder}
                victim = next(process for process in processes if process.pid in holders)
                begun = time.monotonic()
                victim.send_signal(signal.SIGSTOP)
                claimed = await held_by({victim.pid})
                victim.send_signal(signal.SIGCONT)
                await asyncio.sleep(5)
                lives = victim.poll() is None
                begun = time.monotonic()
                await held_by(set())
                await fleet.stop()
                ends = [await asyncio.to_thread(shell.ended, process) for process in processes]
            finally:
                for process in processes:
                    process.kill()

    print(f"all shards run after {started:.1f} s, those of a stopped process {claimed:.1f} s after its stop")
    assert ALIVE_SECONDS - 2 <= claimed < 50
    assert lives
    assert [end.returncode for end in ends] == [0, 0, 0]


@pytest.mark.deep
@pytest.mark.skipif(sys.platform != "linux", reason="sockets without a file")
@pytest.mark.parametrize("kind", ["supervised", "standby"])
async def test_a_killed_runner_is_replaced_long_before_it_would_be_silent(kind: str) -> None:
    """A reader gets the first batch of the next one."""
    (seconds,) = await takeover_times.run(kind, 1)

    print(f"{kind}: {seconds:.2f} s after the kill")
    assert seconds < ALIVE_SECONDS / 2
