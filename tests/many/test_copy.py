"""A fleet that is copied into other shards: its targets, what was reported of them, and what waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.errors import FleetNotFound, UsageError
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.journal.store import Checkpoint
from bkjob_async.many.fleet import Fleet
from bkjob_async.many.management.copying import write_shard
from bkjob_async.many.runner.shard import ShardEnd
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.journal.stores import HERE, Place, records
from tests.many.fleets import OWN_CREDENTIALS, Site, site_of
from tests.many.test_shard import SHORT, SLOW, finished, jobs_of
from tests.watch.clients import URLS

BRIEF = SimulatedJob(
    name="brief",
    steps=(StepPlan(hosts=3, outcomes=(HostOutcome(duration=DurationRange(1, 6)),)),),
)
SETTINGS: dict[str, Any] = {"url": URLS["gateway-v3"], "credentials": OWN_CREDENTIALS}
JOBS = [bkjob.JobRef(bkjob.Scope.biz(2 + number), 100 + number) for number in range(20)]


async def events_of(fleet: Fleet) -> list[bkjob.Event]:
    """Return all that a reader of the fleet is given."""
    async with fleet.reader(live=False) as reader:
        return [event async for batch in reader for event in batch.events]


@pytest.mark.looptime
@pytest.mark.parametrize("lives", [True, False])
@pytest.mark.parametrize("shards", [1, 7])
async def test_a_reader_of_the_copy_is_given_the_present_then_what_changes(
    *, lives: bool, shards: int
) -> None:
    """Whether the old fleet lives or was stopped; ends that were told before come once."""
    world = World(1)
    short, slow = jobs_of(world, SHORT, 8), jobs_of(world, SLOW, 8)
    async with site_of(world, shards=4) as site:
        for shard in range(4):
            site.run(shard)
        await site.fleet.add(*short, *slow)
        await asyncio.sleep(30)
        if not lives:
            await site.fleet.stop()
            await asyncio.gather(*site.runners.values())
        before = await finished(await site.batches())
        copy = Fleet("night-2", journal=site.fleet.journal, shards=shards)
        await site.fleet.copy(copy)
        told = await events_of(copy)
        status = await copy.status()
        in_copy = Site(world, copy, clock=site.clock)
        runners = [in_copy.run(shard) for shard in range(shards)]
        await asyncio.sleep(100)
        events = await events_of(copy)
        await copy.stop()

        assert {*short} <= before < {*short, *slow}
        assert {event.ref for event in told if isinstance(event, bkjob.Finished)} == before
        assert any(isinstance(event, bkjob.InSync) for event in told)
        assert (status.targets, status.active) == (16, 16 - len(before))
        ends = [event.ref for event in events if isinstance(event, bkjob.Finished)]
        assert sorted(map(str, ends)) == sorted(map(str, {*short, *slow}))
        assert await in_copy.is_as_it_was()
        assert await asyncio.gather(*runners) == [ShardEnd.STOPPED] * shards
        assert (await finished(await site.batches()) == {*short, *slow}) is lives
        await site.fleet.stop()


@pytest.mark.looptime
async def test_a_reader_that_begins_before_the_runners_goes_on_behind_the_present() -> None:
    """Its cursor is one of the copy; that of the old fleet is refused."""
    world = World(1)
    jobs = jobs_of(world, SLOW, 6)
    async with site_of(world, shards=2) as site:
        await site.fleet.add(*jobs)
        for shard in range(2):
            site.run(shard)
        await asyncio.sleep(20)
        async with site.fleet.reader(live=False) as reader:
            assert [batch async for batch in reader]
        copy = Fleet("night-2", journal=site.fleet.journal, shards=2)
        await site.fleet.copy(copy)
        async with copy.reader(live=False) as of_copy:
            first = [batch async for batch in of_copy]
        in_copy = Site(world, copy, clock=site.clock)
        for shard in range(2):
            in_copy.run(shard)
        await asyncio.sleep(100)
        async with copy.reader(after=of_copy.cursor, live=False) as later:
            rest = [batch async for batch in later]
        for name in (site.fleet, copy):
            await name.stop()
        await asyncio.gather(*in_copy.runners.values())

        assert await finished(first) | await finished(rest) == {*jobs}
        assert not await finished(first) & await finished(rest)
        assert not any(getattr(event, "skipped", False) for batch in rest for event in batch.events)
        with pytest.raises(UsageError, match="no process that watched this fleet"):
            async with copy.reader(after=reader.cursor, live=False) as old:
                assert [batch async for batch in old]


@pytest.mark.looptime
async def test_the_end_of_a_step_that_joined_its_ended_job_is_given_by_the_copy() -> None:
    """The old fleet could not read the step any more: its end was given to nobody yet."""
    world = World(1)
    (job,) = jobs_of(world, SHORT, 1)
    step = world.jobs[job.job_instance_id].steps[0].ref
    away = bkjob.TransportFailed(bkjob.ErrorDetails(message="connection refused", sent=False))
    async with site_of(world, shards=2) as site:
        for shard in range(2):
            site.run(shard)
        await site.fleet.add(job)
        await asyncio.sleep(30)
        for transport in site.transports:
            transport.spoil = lambda _request, _now: away
        await site.fleet.add(step)
        await asyncio.sleep(20)
        copy = Fleet("night-2", journal=site.fleet.journal, shards=3)
        await site.fleet.copy(copy)
        told = await events_of(copy)
        await site.fleet.stop()
        in_copy = Site(world, copy, clock=site.clock)
        runners = [in_copy.run(shard) for shard in range(3)]
        await asyncio.sleep(30)
        events = await events_of(copy)
        await copy.stop()
        await asyncio.gather(*runners)

        assert [event.ref for event in told if isinstance(event, bkjob.Finished)] == [job]
        ends = [event.ref for event in events if isinstance(event, bkjob.Finished)]
        assert sorted(ends, key=str) == [job, step]
        assert await in_copy.is_as_it_was()


@pytest.mark.looptime
async def test_what_no_runner_has_taken_up_is_watched_in_the_copy() -> None:
    """What was added, without what was dropped behind it."""
    world = World(1)
    jobs = jobs_of(world, SHORT, 10)
    async with site_of(world, shards=2) as site:
        await site.fleet.add(*jobs)
        await site.fleet.drop(*jobs[:3])
        copy = Fleet("night-2", journal=site.fleet.journal, shards=5)
        await site.fleet.copy(copy)
        in_copy = Site(world, copy, clock=site.clock)
        for shard in range(5):
            in_copy.run(shard)
        await asyncio.sleep(60)
        await copy.stop()
        await asyncio.gather(*in_copy.runners.values())

        assert await finished(await in_copy.batches()) == {*jobs[3:]}


def fleets_of(place: Place, *shards: int) -> list[Fleet]:
    """Return fleets, the first of which is night."""
    journal = Journal(place.open())
    return [
        Fleet("night" if not number else f"night-{number + 1}", journal=journal, shards=count)
        for number, count in enumerate(shards)
    ]


async def test_settings_and_what_waits_are_copied(place: Place) -> None:
    """Into another number of shards, with another spread; a fleet without runners as well, which stays as it is."""
    fleet, copy = fleets_of(place, 4, 9)
    await fleet.create(**SETTINGS, interval=3.0, requests_per_second=20.0)
    await fleet.add(*JOBS)
    await fleet.drop(JOBS[0])
    await fleet.copy(copy, wide={bkjob.Scope.biz(2): 4})
    settings = await copy.settings()

    assert (settings.interval, settings.requests_per_second, settings.placement.shards) == (3.0, 20.0, 9)
    assert settings.placement.wide == {bkjob.Scope.biz(2): 4}
    waiting = [(await copy.status()).shards[shard].waiting for shard in range(9)]
    assert sum(waiting) >= len({settings.placement.shard_of(job) for job in JOBS})
    assert (await fleet.settings()).placement.shards == 4
    assert not await copy.is_stopped()


async def test_the_targets_of_a_copy_are_counted_before_it_has_runners(place: Place) -> None:
    """In the list of a journal's fleets as in the status of the copy."""
    fleet, copy = fleets_of(place, 1, 3)
    await fleet.create(**SETTINGS)
    fold = Fold()
    fold.sequence, fold.jobs = 1, {job: JobState(job, is_target=True) for job in JOBS}
    await write_shard(fleet.journal.store, "night/0", fold)
    await fleet.copy(copy)
    listed = {each.name: each.targets for each in await copy.journal.fleets()}
    status = await copy.status()

    assert listed.pop("night/0") == status.targets == len(JOBS)
    assert listed == {f"night-2/{each.shard}": each.targets for each in status.shards}


@pytest.mark.slow
@pytest.mark.parametrize("place", ["sqlite", "redis", "redis-cluster"], indirect=True)
async def test_a_fleet_that_lives_is_changed_and_copied(place: Place) -> None:
    """In real time, over stores of each kind: its runners begin their next terms, and those of the copy go on behind them."""
    world = World(1)
    jobs = jobs_of(world, BRIEF, 4)
    async with site_of(world, shards=2, journal=Journal(place.open()), interval=2.0) as site:
        for shard in range(2):
            site.run(shard)
        await site.fleet.add(*jobs)
        await until(lambda: taken_up(site.fleet))
        await Fleet("night", journal=Journal(place.open())).update(interval=0.3)
        await until(lambda: terms_are(site.fleet, 2))
        copy = Fleet("night-2", journal=Journal(place.open()), shards=3)
        await site.fleet.copy(copy)
        await site.fleet.stop()
        in_copy = Site(world, copy, clock=site.clock)
        for shard in range(3):
            in_copy.run(shard)
        seen: list[bkjob.Batch] = []
        async with asyncio.timeout(60), copy.reader() as reader:
            async for batch in reader:
                seen.append(batch)
                if await finished(seen) == {*jobs}:
                    break
        await copy.stop()
        await asyncio.gather(*in_copy.runners.values())

        assert await in_copy.is_as_it_was()


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(30):
        while not await is_so():  # noqa: ASYNC110 - the store sets no event
            await asyncio.sleep(0.05)


async def taken_up(fleet: Fleet) -> bool:
    """Return True when nothing waits in an inbox, and something is reported."""
    status = await fleet.status()
    return status.targets == 4 and not any(each.waiting for each in status.shards)


async def terms_are(fleet: Fleet, term: int) -> bool:
    """Return True when all shards are in this term and have runners."""
    status = await fleet.status()
    return len(status.held) == len(status.shards) and {each.term for each in status.shards} == {term}


async def test_a_name_that_is_taken_is_refused_and_left(place: Place) -> None:
    """By a fleet, by the fleet itself, and by records whose fleet has lost its settings; so is a fleet that there is not."""
    fleet, copy, other, lost = fleets_of(place, 4, 4, 4, 4)
    for each in (fleet, copy):
        await each.create(**SETTINGS)
    store = fleet.journal.store
    await store.open("night-4/2", HERE, take_over=True)
    await store.append("night-4/2", term=1, head=0, records=records(1), targets=1)

    for taken in (copy, fleet):
        with pytest.raises(UsageError, match="already: give the copy another name"):
            await fleet.copy(taken)
    with pytest.raises(UsageError, match="whose settings were lost"):
        await fleet.copy(lost)
    with pytest.raises(FleetNotFound):
        await other.copy(Fleet("night-5", journal=fleet.journal, shards=1))
    with pytest.raises(UsageError, match="in how many shards"):
        await fleet.copy(Fleet("night-5", journal=fleet.journal))

    await lost.create(**SETTINGS)
    assert (await store.read("night-4/2", 0)).records == records(1)


class StoreWithGuest(MemoryStore):
    """A store in which somebody does something when a method is called for a name."""

    place: tuple[str, ...] = ("", "")
    guest: Callable[[], Awaitable[None]]

    async def _let_in(self, *place: str) -> None:
        if place == self.place:
            self.place = ("", "")
            await self.guest()

    async def checkpoint(self, name: str, *, text: bytes = b"") -> Checkpoint | None:
        """Return the fleet's checkpoint."""
        await self._let_in("checkpoint", name)
        return await super().checkpoint(name, text=text)

    async def write_checkpoint(
        self, name: str, checkpoint: Checkpoint, *, term: int, all_behind: int | None = None
    ) -> None:
        """Replace the fleet's checkpoint."""
        await super().write_checkpoint(name, checkpoint, term=term, all_behind=all_behind)
        await self._let_in("write_checkpoint", name)


@asynccontextmanager
async def with_a_guest(*place: str) -> AsyncIterator[tuple[Fleet, Fleet, StoreWithGuest]]:
    """Give a fleet of four shards with targets, what it is to be copied to, and its store; with somebody at this *place*."""
    world, store = World(1), StoreWithGuest()
    async with site_of(world, shards=4, journal=Journal(store)) as site:
        runners = [site.run(shard) for shard in range(4)]
        await site.fleet.add(*jobs_of(world, SHORT, 8))
        await asyncio.sleep(10)
        await site.fleet.add(JOBS[0])
        await site.fleet.stop()
        await asyncio.gather(*runners)
        await site.fleet.add(*JOBS)
        store.place = place
        yield site.fleet, Fleet("night-2", journal=site.fleet.journal, shards=4), store


async def names_in(store: MemoryStore) -> set[str]:
    """Return the fleets of which the store has anything."""
    inboxes = {name for name, inbox in store._inboxes.items() if inbox}
    spaces = {space for space, keys in store._keys.items() if keys}
    return {
        name.partition("/")[0] for name in {each.name for each in await store.fleets()} | inboxes | spaces
    }


@pytest.mark.looptime
@pytest.mark.parametrize("place", [("checkpoint", "night/2"), ("write_checkpoint", "night-2/1")])
async def test_a_fleet_that_is_forgotten_while_it_is_copied_is_not_copied_in_part(
    place: tuple[str, str],
) -> None:
    """The copy would lack what was in the other shards, and nobody would be told."""
    async with with_a_guest(*place) as (fleet, copy, store):
        targets = (await fleet.status()).targets
        store.guest = fleet.forget
        if place[0] == "checkpoint":
            with pytest.raises(FleetNotFound):
                await fleet.copy(copy)
            assert await names_in(store) == set()
        else:  # all of it was read before
            await fleet.copy(copy)
            assert (await copy.status()).targets == targets


@pytest.mark.looptime
@pytest.mark.parametrize("place", [("checkpoint", "night/2"), ("write_checkpoint", "night-2/1")])
async def test_a_copy_that_is_forgotten_while_it_is_made_leaves_nothing(place: tuple[str, str]) -> None:
    """The next fleet of the name would have its records."""
    async with with_a_guest(*place) as (fleet, copy, store):
        store.guest = copy.forget
        with pytest.raises(FleetNotFound):
            await fleet.copy(copy)

        assert await names_in(store) == {"night"}


@pytest.mark.looptime
@pytest.mark.parametrize("place", [("checkpoint", "night/2"), ("write_checkpoint", "night-2/1")])
async def test_a_copy_that_another_operator_makes_again_is_left_to_him(place: tuple[str, str]) -> None:
    """One who takes the first one for interrupted, forgets it, and begins anew."""
    async with with_a_guest(*place) as (fleet, copy, store):
        other = Fleet("night-2", journal=copy.journal, shards=2)

        async def begin_anew() -> None:
            await other.forget()
            await fleet.copy(other)

        store.guest = begin_anew
        with pytest.raises(FleetNotFound, match="removed while it was copied to"):
            await fleet.copy(copy)
        status, of_old = await other.status(), await fleet.status()

        assert (len(status.shards), status.targets, status.active) == (2, of_old.targets, of_old.active)


@pytest.mark.looptime
async def test_a_copy_that_is_cancelled_leaves_nothing() -> None:
    """By Ctrl-C, while the shards are written."""
    async with with_a_guest("write_checkpoint", "night-2/1") as (fleet, copy, store):
        copying = asyncio.ensure_future(fleet.copy(copy))

        async def cancel() -> None:
            copying.cancel()
            await asyncio.sleep(1)

        store.guest = cancel
        with pytest.raises(asyncio.CancelledError):
            await copying

        assert await names_in(store) == {"night"}
        await fleet.copy(copy)


async def test_a_copy_that_is_interrupted_leaves_nothing(place: Place) -> None:
    """A damaged record of the fleet, Ctrl-C: the copy is made again under the same name."""
    fleet, copy = fleets_of(place, 4, 2)
    await fleet.create(**SETTINGS)
    store = fleet.journal.store
    await store.open("night/0", HERE, take_over=True)
    broken = Checkpoint(1, [b"not a part"])
    await store.append("night/0", term=1, head=0, records=records(1), targets=1)
    await store.write_checkpoint("night/0", broken, term=1)

    with pytest.raises(bkjob.JournalError):
        await fleet.copy(copy)
    with pytest.raises(FleetNotFound, match="create it first"):
        await copy.settings()
    await store.forget("night/0")
    await fleet.copy(copy)

    assert (await copy.settings()).placement.shards == 2


async def test_a_copy_that_is_interrupted_as_it_begins_leaves_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has begun it all the same."""
    fleet, copy = fleets_of(place, 4, 2)
    await fleet.create(**SETTINGS)
    store = copy.journal.store
    change_keys = store.change_keys

    async def change_and_wait(*arguments: Any, **options: Any) -> bool:
        await change_keys(*arguments, **options)
        monkeypatch.undo()
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr(store, "change_keys", change_and_wait)
    copying = asyncio.create_task(fleet.copy(copy))
    await until(lambda: has_begun(copy))
    copying.cancel()
    await asyncio.wait([copying])
    await fleet.copy(copy)

    assert copying.cancelled()
    assert (await copy.settings()).placement.shards == 2


async def has_begun(copy: Fleet) -> bool:
    """Return True when the store has the record of a copy."""
    return await copy.journal.shards.record("night-2") is not None


async def test_a_copy_that_is_half_made_is_there_for_nobody(place: Place) -> None:
    """As where a process was killed; until it is forgotten, and made again."""
    fleet, copy = fleets_of(place, 4, 2)
    await fleet.create(**SETTINGS)
    await copy.journal.shards.begin_copy("night-2", (await fleet.settings()).encode())

    with pytest.raises(FleetNotFound, match="copied to; if that was interrupted, forget it"):
        await copy.settings()
    with pytest.raises(UsageError, match="already"):
        await fleet.copy(copy)
    await copy.forget()
    await fleet.copy(copy)

    assert (await copy.settings()).placement.shards == 2


async def test_a_copy_in_another_journal() -> None:
    """For instance from a file to Redis."""
    here, there = (
        Fleet("night", journal="memory:here-1", shards=4),
        Fleet("night", journal="memory:there-1", shards=2),
    )
    await here.create(**SETTINGS)
    await here.copy(there)

    assert (await there.settings()).placement.shards == 2
