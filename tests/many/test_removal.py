"""Removing a fleet in shards: nothing of it is left, and nobody who runs it loses it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.journal.shards import ShardFigures, ShardStore, shard_name
from bkjob_async.journal.store import KeyChanges, Store
from bkjob_async.many.fleet import Fleet
from bkjob_async.simulator.world.world import World
from tests.journal.stores import HERE, THERE, Place, records
from tests.many.fleets import OWN_CREDENTIALS, Clock, site_of
from tests.many.test_shard import ENDLESS, jobs_of
from tests.watch.clients import URLS

SETTINGS: dict[str, Any] = {"url": URLS["gateway-v3"], "credentials": OWN_CREDENTIALS}
JOBS = [bkjob.JobRef(bkjob.Scope.biz(2 + number), 100 + number) for number in range(20)]


def fleet_of(place: Place, shards: int | None = 3) -> Fleet:
    """Return a fleet as another process has it."""
    journal = bkjob.open_journal(place.url)
    place.opened.append(journal)
    return Fleet("night", journal=journal, shards=shards)


async def used(place: Place) -> Fleet:
    """Return a fleet with targets, records, figures and durations, whose runners have ended."""
    fleet = fleet_of(place)
    await fleet.create(**SETTINGS)
    await fleet.add(*JOBS)
    store = fleet.journal.store
    for shard in range(2):  # the third never had a runner
        await store.open(shard_name("night", shard), HERE, take_over=True)
        await store.append(shard_name("night", shard), term=1, head=0, records=records(1, 2), targets=1)
        await ShardStore(store).report("night", shard, ShardFigures(1, 5, 5))
        await ShardStore(store).put_durations("night", shard, b"learnt")
        await store.release(shard_name("night", shard), term=1)
    return fleet


async def left_of(store: Store) -> list[object]:
    """Return what the store has of the fleet."""
    left: list[object] = [*await store.fleets(), *(await ShardStore(store).figures("night")).items()]
    for shard in range(3):
        left += await store.inbox(shard_name("night", shard), 0)
        left += (await store.read(shard_name("night", shard), 0)).records
        left += [found for found in [await ShardStore(store).durations("night", shard)] if found]
    return left


async def test_nothing_is_left(place: Place) -> None:
    """Other fleets stay as they are; the same name can be used again, with other values."""
    fleet = await used(place)
    other = Fleet("other", journal=fleet.journal, shards=3)
    await other.create(**SETTINGS)
    await other.add(JOBS[0])

    await fleet_of(place, None).forget()

    assert await left_of(place.open()) == []
    with pytest.raises(bkjob.FleetNotFound):
        await fleet.status()
    with pytest.raises(bkjob.FleetNotFound):
        await fleet.forget()
    assert sum(shard.waiting for shard in (await other.status()).shards) == 1
    again = fleet_of(place, 2)
    await again.create(**SETTINGS)
    await again.add(*JOBS)
    assert len((await again.status()).shards) == 2
    with pytest.raises(bkjob.UsageError, match="shards=2, not 3"):
        await fleet.add(JOBS[0])  # a process that knows the fleet of before


async def test_a_fleet_that_is_run_is_not_removed(place: Place) -> None:
    """The error names who runs it."""
    fleet = await used(place)
    store = fleet.journal.store
    await store.open(shard_name("night", 1), THERE, take_over=True)
    await store.open(shard_name("night", 2), THERE, take_over=True)

    with pytest.raises(
        bkjob.FleetBusy, match=r"'night/1' is held by process 22 on there.*also held: night/2"
    ) as caught:
        await fleet.forget()

    assert (caught.value.name, caught.value.pid, caught.value.others) == ("night/1", 22, ("night/2",))
    assert (await fleet.status()).shards[0].waiting + (await fleet.status()).shards[2].waiting > 0
    await fleet.add(JOBS[0])


@pytest.mark.looptime
async def test_a_fleet_whose_runner_died_before_the_clock_was_set_back_is_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its last sign of life lies in the future; nobody waits for an hour until that has passed."""
    clock = Clock(monkeypatch)
    async with site_of(shards=1) as site:
        await site.fleet.journal.store.open(shard_name("night", 0), HERE, take_over=True)
        clock.ahead -= 3600.0

        await site.fleet.forget()

        with pytest.raises(bkjob.FleetNotFound):
            await site.fleet.status()


async def test_a_removal_that_was_interrupted_is_repeated(place: Place) -> None:
    """Until then nobody uses what is left."""
    fleet = await used(place)
    store = fleet.journal.store
    await ShardStore(store).begin_removal("night")
    await store.forget(shard_name("night", 0))

    other = fleet_of(place, None)
    for call in (other.status, other.stop, other.is_stopped, lambda: other.add(JOBS[0])):
        with pytest.raises(bkjob.FleetNotFound, match="being removed"):
            await call()
    with pytest.raises(bkjob.FleetNotFound, match="being removed"):
        await fleet.create(**SETTINGS)
    with pytest.raises(bkjob.FleetNotFound, match="being removed"):
        await store.open(shard_name("night", 1), HERE, take_over=True)
        await ShardStore(store).report("night", 1, ShardFigures(2))
    await other.forget()

    assert await left_of(store) == []


async def test_what_is_added_while_the_fleet_is_removed_is_not_acknowledged(place: Place) -> None:
    """A process that read the settings before the removal, and stores its targets behind it."""
    fleet, other = await used(place), fleet_of(place)
    await other.settings()
    put = other.journal.store.put

    async def put_late(name: str, entries: Any) -> None:
        if await fleet.journal.shards.record("night") is not None:
            await fleet.forget()
        await put(name, entries)

    other.journal.store.put = put_late  # type: ignore[method-assign]
    with pytest.raises(bkjob.FleetNotFound):
        await other.add(JOBS[0])
    del other.journal.store.put


async def test_what_a_runner_stores_while_the_last_step_runs_is_removed_too() -> None:
    """The next fleet of the name would have it."""

    class BusyStore(MemoryStore):
        """A store in which a runner stores something before the keys of the fleet are removed."""

        async def change_keys(self, space: str, changes: KeyChanges, *, expected: KeyChanges) -> bool:
            if not late and changes.get("settings", b"") is None:
                late.append(space)
                await ShardStore(self).put_failure("night", 0, "removed")
                await ShardStore(self).put_durations("night", 0, b"learnt")
            return await super().change_keys(space, changes, expected=expected)

    late = list[str]()
    store = BusyStore()
    shards = ShardStore(store)
    await shards.create("night", b"{}")
    await shards.begin_removal("night")
    await shards.remove("night", 1)

    assert late == ["night"]
    assert (await store.keys("night"), await store.keys("night/0")) == ({}, {})


@pytest.mark.looptime
async def test_a_runner_of_a_removed_fleet_ends() -> None:
    """One that hung for longer than anybody waits for it, and wakes."""
    world = World(1)
    async with site_of(world, shards=1) as site:
        runner = site.run(0)
        await site.fleet.add(*jobs_of(world, ENDLESS, 2))
        await asyncio.sleep(5)
        with pytest.raises(bkjob.FleetBusy):
            await site.fleet.forget()
        store = site.fleet.journal.store
        await store.release("night/0", term=1)  # as after 30 seconds of silence
        await site.fleet.forget()

        ended = (await asyncio.gather(asyncio.wait_for(runner, 10), return_exceptions=True))[0]
        assert ended is bkjob.ShardEnd.SUPERSEDED or isinstance(ended, bkjob.FleetNotFound)
        assert await store.fleets() == []


@pytest.mark.looptime
async def test_a_reader_of_a_removed_fleet_ends() -> None:
    """With the error that says so."""
    world = World(1)
    async with site_of(world, shards=2) as site:
        await site.fleet.add(*jobs_of(world, ENDLESS, 4))
        runners = [site.run(shard) for shard in range(2)]
        async with site.fleet.reader() as reader:
            await anext(reader)
            await site.fleet.stop()
            await asyncio.gather(*runners)
            await site.fleet.forget()
            with pytest.raises(bkjob.FleetNotFound):
                async with asyncio.timeout(30):
                    async for _ in reader:
                        pass


@pytest.mark.looptime
async def test_a_reader_of_a_fleet_that_nobody_ever_ran_ends_too() -> None:
    """It has read nothing yet."""
    async with site_of(shards=2) as site, site.fleet.reader() as reader:
        reading = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(3)
        await site.fleet.forget()
        with pytest.raises(bkjob.FleetNotFound):
            await asyncio.wait_for(reading, 30)
