"""A store that loses its newest writes, as a Redis server does at a failover: what was added, and what was reported."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from attrs import evolve

import bkjob_async as bkjob
from bkjob_async.journal.memory.store import MemoryFleet, MemoryStore
from bkjob_async.journal.store import Checkpoint, Holder
from bkjob_async.many.runner.shard import ShardEnd
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import truth_of
from bkjob_async.watch.journaling.compaction import Compaction
from tests.many.fleets import Clock, Site, site_of
from tests.many.test_shard import ENDLESS, SHORT, SLOW, jobs_of

pytestmark = pytest.mark.looptime


def kept(site: Site) -> Callable[[], None]:
    """Keep what the store holds; return how it goes back there, numbers of entries included."""
    store = site.fleet.journal.store
    assert isinstance(store, MemoryStore)
    fleets = {name: copy_of(fleet) for name, fleet in store._fleets.items()}
    others = deepcopy((store._keys, store._inboxes, store._last_entry))

    def go_back() -> None:
        store._fleets = fleets
        store._keys, store._inboxes, store._last_entry = others

    return go_back


def copy_of(fleet: MemoryFleet) -> MemoryFleet:
    """Return a copy that nobody waits at."""
    return evolve(fleet, records=[*fleet.records], waiters=set())


async def targets_of(site: Site) -> int:
    """Return how many targets the store has for the only shard."""
    entry = await site.fleet.journal.store.fleet("night/0")
    assert entry is not None
    return entry.targets


async def test_what_was_taken_up_is_stored_again(caplog: pytest.LogCaptureFixture) -> None:
    """The runner has it; what waited in the inbox and was lost is not there, and the log says so."""
    world = World(1)
    first, second, third = jobs_of(world, SLOW, 3, scopes=1)
    async with site_of(world, shards=1) as site:
        site.run(0)
        await asyncio.sleep(3)
        await site.fleet.add(first)
        await asyncio.sleep(2)
        go_back = kept(site)
        await site.fleet.add(second)
        await asyncio.sleep(2)
        await site.fleet.add(third)
        go_back()
        await asyncio.sleep(6)

        assert await targets_of(site) == 2
        warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        assert any("add them again" in text and "night/0" in text for text in warnings)
        await site.fleet.add(first, second, third)
        await asyncio.sleep(90)
        (shard,) = (await site.fleet.status()).shards
        assert (shard.targets, shard.active, shard.waiting) == (3, 0, 0)
        assert await site.is_as_it_was()


@pytest.mark.parametrize("pause", [0.0, 4.0])
async def test_what_is_added_afterwards_is_taken_up(pause: float) -> None:
    """Its entry may have a number that the runner has read already: the store, or its clock, went back."""
    world = World(1)
    jobs = jobs_of(world, ENDLESS, 6, scopes=1)
    async with site_of(world, shards=1) as site:
        site.run(0)
        await asyncio.sleep(3)
        go_back = kept(site)
        for job in jobs[:4]:
            await site.fleet.add(job)
        await asyncio.sleep(2)
        go_back()
        await asyncio.sleep(pause)
        for job in jobs[4:]:
            await site.fleet.add(job)
        await asyncio.sleep(6)

        (shard,) = (await site.fleet.status()).shards
        assert (shard.targets, shard.waiting) == (6, 0)
        assert await targets_of(site) == 6


async def test_a_runner_that_stores_again_slowly_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sign of life has the term of before, while it has opened the shard anew itself."""
    world = World(1)
    read = MemoryStore.checkpoint

    async def read_slowly(self: MemoryStore, name: str, *, text: bytes = b"") -> Checkpoint | None:
        await asyncio.sleep(5)
        return await read(self, name, text=text)

    async with site_of(world, shards=1) as site:
        runner = site.run(0)
        await asyncio.sleep(3)
        go_back = kept(site)
        await site.fleet.add(*jobs_of(world, SLOW, 3, scopes=1))
        await asyncio.sleep(4)
        go_back()
        monkeypatch.setattr(MemoryStore, "checkpoint", read_slowly)
        await asyncio.sleep(90)

        assert not runner.done()
        assert await targets_of(site) == 3
        assert await site.is_as_it_was()


async def test_a_runner_that_stores_again_for_long_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may take its shard meanwhile."""
    Clock(monkeypatch)
    world = World(1)
    make = Compaction.jobs

    async def make_slowly(self: Compaction) -> Any:
        await asyncio.sleep(60)
        return await make(self)

    async with site_of(world, shards=1) as site:
        runner = site.run(0)
        await asyncio.sleep(3)
        go_back = kept(site)
        await site.fleet.add(*jobs_of(world, SLOW, 3, scopes=1))
        await asyncio.sleep(4)
        go_back()
        monkeypatch.setattr(Compaction, "jobs", make_slowly)
        await asyncio.sleep(50)
        (shard,) = (await site.fleet.status()).shards

        assert shard.has_runner
        assert not runner.done()


@pytest.mark.parametrize("pause", [0, 9])
async def test_a_runner_whose_shard_was_opened_elsewhere_ends(pause: int) -> None:
    """Its next sign of life finds that out, whether or not it had something to store."""
    async with site_of(World(1), shards=1) as site:
        runner = site.run(0)
        await asyncio.sleep(5 + pause)
        await site.fleet.journal.store.open("night/0", Holder("another", 1), take_over=True)

        assert await asyncio.wait_for(runner, 10) is ShardEnd.SUPERSEDED


async def test_an_end_that_is_told_again_is_marked() -> None:
    """A reader that follows was told it before the store lost it; it has the same reference, epoch and result."""
    world = World(1)
    (job,) = jobs_of(world, SHORT, 1)
    async with site_of(world, shards=1) as site:
        site.run(0)
        await asyncio.sleep(3)
        await site.fleet.add(job)
        await asyncio.sleep(2)
        go_back = kept(site)
        ends: list[bkjob.Finished] = []

        async def read() -> None:
            async with site.fleet.reader() as reader:
                async for batch in reader:
                    ends.extend(each for each in batch.events if isinstance(each, bkjob.Finished))

        reading = asyncio.create_task(read())
        await asyncio.sleep(90)
        told_before = len(ends)
        go_back()
        await asyncio.sleep(30)
        reading.cancel()

        first, again = ends
        assert told_before == 1
        assert (first.skipped, again.skipped) == (False, True)
        assert (first.ref, first.epoch, first.result) == (again.ref, again.epoch, again.result)


async def test_what_was_dropped_stays_dropped() -> None:
    """Though the entry that added it is in the inbox again, and the one that dropped it is not."""
    world = World(1)
    job, other = jobs_of(world, ENDLESS, 2, scopes=1)
    async with site_of(world, shards=1) as site:
        site.run(0)
        await asyncio.sleep(3)
        await site.fleet.add(other, job)
        go_back = kept(site)
        await asyncio.sleep(2)
        await site.fleet.drop(job)
        await asyncio.sleep(4)
        assert (await site.fleet.status()).targets == 1
        go_back()
        await asyncio.sleep(8)

        (shard,) = (await site.fleet.status()).shards
        assert (shard.targets, shard.waiting) == (1, 0)
        assert await targets_of(site) == 1


async def test_an_empty_store_ends_the_runners_and_keeps_their_targets() -> None:
    """A server without persistence was restarted: the fleet is created again, and goes on."""
    world = World(1)
    jobs = jobs_of(world, SLOW, 3, scopes=1)
    async with site_of(world, shards=1) as site:
        settings = await site.fleet.settings()
        go_back = kept(site)
        store = site.fleet.journal.store
        assert isinstance(store, MemoryStore)
        runner = site.run(0)
        await asyncio.sleep(3)
        await site.fleet.add(*jobs)
        await asyncio.sleep(3)
        go_back()
        store._keys.clear()

        with pytest.raises(bkjob.FleetNotFound, match="create it first"):
            await asyncio.wait_for(runner, 20)
        with pytest.raises(bkjob.FleetNotFound):
            await bkjob.Fleet("night", journal=site.fleet.journal).add(jobs[0])
        await site.fleet.create(url=settings.url, credentials=settings.credentials)
        second = site.run(0)
        await asyncio.sleep(90)
        (shard,) = (await site.fleet.status()).shards
        assert (shard.targets, shard.active) == (3, 0)
        await site.fleet.stop()
        assert await second is ShardEnd.STOPPED


@pytest.mark.parametrize("pause", [0.0, 40.0])
async def test_a_reader_misses_nothing_of_the_runner_that_comes_after_the_loss(pause: float) -> None:
    """The runner of before is gone as well, so numbers that the reader has seen stand for other records."""
    world = World(1)
    jobs = jobs_of(world, SLOW, 6, scopes=1)
    async with site_of(world, shards=1) as site:
        first = site.run(0)
        reported: list[bkjob.Batch] = []

        async def read() -> None:
            async with site.fleet.reader() as reader:
                async for batch in reader:
                    reported.append(batch)

        reading = asyncio.create_task(read())
        await site.fleet.add(*jobs)
        await asyncio.sleep(2)
        go_back = kept(site)
        await asyncio.sleep(30)
        first.cancel()
        await asyncio.wait([first])
        seen = len(reported)
        go_back()
        await asyncio.sleep(pause)
        site.run(0)
        await asyncio.sleep(120)
        reading.cancel()
        await asyncio.wait([reading])

        finished = {e.ref for batch in reported for e in batch.events if isinstance(e, bkjob.Finished)}
        assert seen
        assert finished == {*jobs}
        after = {
            (e.ref, e.host.label): e.after.code
            for b in reported
            for e in b.events
            if isinstance(e, bkjob.HostChanged)
        }
        truth = {(ref, host): codes[-1] for (ref, _, host), codes in truth_of(world.history()).hosts.items()}
        assert after == truth
