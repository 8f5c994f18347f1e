"""What goes wrong in one place stays there: operators who cross, clocks, versions, a shard that fails, a scope that is forbidden."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest
from attrs import evolve

import bkjob_async as bkjob
from bkjob_async.cli.actions.fleet.manage import LocalRunner
from bkjob_async.engine.journaling.forms import VERSION
from bkjob_async.engine.journaling.records import encode_record
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.journal.shards import shard_name
from bkjob_async.journal.store import FleetEntry, Page, StoredRecord
from bkjob_async.many.fleet import Fleet
from bkjob_async.many.runner.shard import ShardEnd, run_shard
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from bkjob_async.watch.journaling import record_queue
from bkjob_async.watch.polling.list_pollers import Polled
from bkjob_async.watch.polling.target_poller import TargetPoller
from bkjob_async.watch.polling.target_registry import PollTarget
from bkjob_async.wire.limits.permits import Permit
from tests.journal.redis_server import RedisServer
from tests.journal.stores import HERE
from tests.many.fleets import OWN_CREDENTIALS, site_of
from tests.many.fleets import Clock as SetClock
from tests.many.test_claim import claims_of
from tests.many.test_shard import ENDLESS, SHORT, SLOW, jobs_of
from tests.watch.clients import URLS

HOUR = 3600.0


# Operators ------------------------------------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_two_operators_who_add_drop_and_stop_at_the_same_time() -> None:
    """Each with a connection of its own; an engine runs again what ended. All that was left in is watched, once."""
    world = World(1)
    jobs = jobs_of(world, ENDLESS, 120)
    async with site_of(world, shards=3) as site:
        settings = await site.fleet.settings()

        async def keep(shard: int) -> None:
            while True:
                await asyncio.wait([site.run(shard)])
                await asyncio.sleep(1)

        async def operate(mine: list[bkjob.JobRef], pause: float) -> None:
            fleet = Fleet("night", journal=site.fleet.journal, shards=3)
            for number, job in enumerate(mine):
                await fleet.add(job)
                if number % 3 == 2:
                    await fleet.drop(mine[number - 1])
                if number % 10 == 5:
                    await fleet.stop()
                    await asyncio.sleep(pause)
                    await fleet.create(url=settings.url, credentials=settings.credentials)
                await asyncio.sleep(pause / 7)
                await fleet.add(job)

        keepers = [asyncio.create_task(keep(shard)) for shard in range(3)]
        await asyncio.gather(operate(jobs[::2], 1.7), operate(jobs[1::2], 2.3))
        await asyncio.sleep(30)
        for keeper in keepers:
            keeper.cancel()
        status = await site.fleet.status()

        assert (status.is_stopped, status.targets) == (False, 80)
        assert [shard.waiting for shard in status.shards] == [0, 0, 0]
        assert all(shard.has_runner for shard in status.shards)


# Clocks ---------------------------------------------------------------------------------------------------------------


class Clock:
    """The time module of a process whose clock is off."""

    def __init__(self, seconds: float) -> None:
        self.time: Callable[[], float] = lambda: time.time() + seconds


@pytest.mark.looptime
@pytest.mark.parametrize("offsets", [(HOUR, -HOUR), (-HOUR, HOUR), (400 * 24 * HOUR, 0.0)])
async def test_a_runner_whose_clock_is_off(
    offsets: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that is reported depends on it, and the next runner goes on; only the times of records are wrong."""
    world = World(1)
    async with site_of(world, shards=1) as site:
        for offset in offsets:
            monkeypatch.setattr(record_queue, "time", Clock(offset))
            site.run(0)
            await site.fleet.add(*jobs_of(world, SLOW, 3))
            await asyncio.sleep(25)
        await asyncio.sleep(90)
        status = await site.fleet.status()

        assert (status.targets, status.active) == (6, 0)
        assert status.shards[0].silence < 5
        assert await site.is_as_it_was()
        resumed = [e for b in await site.batches() for e in b.events if isinstance(e, bkjob.Resumed)]
        assert all(event.gap < 5 for event in resumed)


# Versions -------------------------------------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_a_record_of_a_newer_version_is_refused() -> None:
    """By the runner that would go on behind it, and by readers: neither leaves it out."""
    async with site_of(shards=1) as site:
        store, name = site.fleet.journal.store, shard_name("night", 0)
        await store.open(name, HERE, take_over=True)
        data = encode_record(
            1, time=1.0, term=1, client="0a1b2c3d", batch=None, job=None, targets=(), durations=None
        )
        form = msgspec.msgpack.decode(data)
        form[0] = VERSION + 1
        await store.append(
            name,
            term=1,
            head=0,
            records=[StoredRecord(1, 1.0, msgspec.msgpack.encode(form))],
            targets=0,
        )

        with pytest.raises(bkjob.JournalTooNew):
            await site.run(0)
        with pytest.raises(bkjob.JournalTooNew):
            await site.batches()


async def test_a_fleet_of_a_newer_version_is_refused(redis_server: RedisServer) -> None:
    """Whatever is asked of it; nothing is written."""
    redis_server.flush()
    async with Fleet("night", journal=redis_server.url, shards=1) as fleet:
        options: dict[str, Any] = {"url": URLS["gateway-v3"], "credentials": OWN_CREDENTIALS}
        await fleet.create(**options)
        with redis_server.client() as client:
            client.hset("{bkjob:night}:shards", "format", 2)
            before = client.hgetall("{bkjob:night}:shards")
            calls: list[Callable[[], Any]] = [
                lambda: fleet.create(**options),
                lambda: fleet.add("2:100"),
                fleet.status,
                fleet.stop,
                fleet.forget,
                lambda: run_shard(Fleet("night", journal=fleet.journal), 0),
            ]
            for call in calls:
                with pytest.raises(bkjob.JournalTooNew, match="version is 2"):
                    await call()
            assert client.hgetall("{bkjob:night}:shards") == before
            assert client.keys() == [b"{bkjob:night}:shards"]


# A shard that fails -----------------------------------------------------------------------------------------------------


def poisoned(patch: pytest.MonkeyPatch, poison: bkjob.Ref) -> None:
    """Let every poll of a target fail as a defect does."""
    poll = TargetPoller.poll

    def fail(self: TargetPoller, target: Polled, permit: Permit) -> Coroutine[Any, Any, None] | None:
        if isinstance(target, PollTarget) and target.ref == poison:
            raise ZeroDivisionError("poisoned")
        return poll(self, target, permit)

    patch.setattr(TargetPoller, "poll", fail)


@pytest.mark.looptime
async def test_a_shard_that_always_fails_leaves_the_others_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is tried again, ever more seldom, and its name is reported; dropping the target that it fails at mends it."""
    world = World(1)
    jobs = jobs_of(world, SHORT, 12)
    async with site_of(world, shards=2) as site:
        by_shard = (await site.fleet.settings()).placement.by_shard(jobs)
        poison = by_shard[0][0]
        poisoned(monkeypatch, poison)
        await site.fleet.add(*jobs)

        async def run_here(fleet: Fleet, shard: int, **_options: Any) -> ShardEnd:
            return await site.run(shard, fleet)

        monkeypatch.setattr("bkjob_async.run_shard", run_here)
        runs = [asyncio.create_task(LocalRunner(site.fleet, {}, None).run_again(shard)) for shard in range(2)]
        await asyncio.sleep(600)
        seen = {e.ref for b in await site.batches() for e in b.events if isinstance(e, bkjob.Finished)}
        status = await site.fleet.status()

        assert seen >= {*by_shard[1]}
        assert 6 <= status.shards[0].term <= 20
        assert [(shard.shard, shard.failure) for shard in status.failing] == [
            (0, "ZeroDivisionError (see the log of its runner)")
        ]
        said = capsys.readouterr().err
        assert "shard 0 failed (ZeroDivisionError: poisoned); again in 1 s" in said
        assert "again in 60 s" in said
        assert "shard 1" not in said
        await site.fleet.drop(poison)
        await asyncio.sleep(200)
        seen = {e.ref for b in await site.batches() for e in b.events if isinstance(e, bkjob.Finished)}
        assert seen >= {*jobs} - {poison}
        assert (await site.fleet.status()).failing == ()
        await site.fleet.stop()
        assert await asyncio.gather(*runs) == [ShardEnd.STOPPED] * 2


# A scope that is forbidden -------------------------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_one_forbidden_scope_of_five_hundred() -> None:
    """Its targets have trouble that names the permission; the others are watched as if it were not there."""
    plan = SimulatedJob(name="short", steps=(StepPlan(hosts=2),))
    world = World(1)
    jobs = [world.add(evolve(plan, scope=bkjob.Scope.biz(2 + number))) for number in range(500)]
    forbidden = jobs[17]
    async with site_of(world, shards=4) as site:
        site.platform.site.forbidden.add(forbidden.scope)
        for shard in range(4):
            site.run(shard)
        await site.fleet.add(*jobs)
        await asyncio.sleep(300)
        events = [event for batch in await site.batches() for event in batch.events]
        finished = {event.ref for event in events if isinstance(event, bkjob.Finished)}
        troubled = {event.ref for event in events if isinstance(event, bkjob.Trouble)}
        lost = {event.ref for event in events if isinstance(event, bkjob.Lost)}

        assert {*jobs} - finished == {forbidden}
        assert forbidden in troubled | lost
        assert all(shard.has_runner for shard in (await site.fleet.status()).shards)


# A damaged shard ------------------------------------------------------------------------------------------------------


class DamagedStore(MemoryStore):
    """A store in which a call for one shard finds damage."""

    def __init__(self, call: str) -> None:
        super().__init__()
        self.call = call

    async def fleet(self, name: str) -> FleetEntry | None:
        """Return one fleet."""
        self._check("fleet", name)
        return await super().fleet(name)

    async def read(self, name: str, after: int, *, limit: int = 1000, text: bytes = b"") -> Page:
        """Return records."""
        self._check("read", name)
        return await super().read(name, after, limit=limit, text=text)

    def _check(self, *called: str) -> None:
        if called == (self.call, "night/1"):
            raise bkjob.JournalDamaged("the records of 'night/1' are not what was written")


@pytest.mark.looptime
@pytest.mark.parametrize("call", ["fleet", "read"])
async def test_one_damaged_shard_hides_none_of_the_others(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status has all, and names the one; processes that claim shards go on with the others."""
    SetClock(monkeypatch)
    world = World(1)
    store = DamagedStore("")
    async with site_of(world, shards=3, journal=Journal(store)) as site:
        keeping = asyncio.create_task(claims_of(site, 1).keep(3))
        await site.fleet.add(*jobs_of(world, ENDLESS, 12))
        await asyncio.sleep(20)
        store.call = call
        await asyncio.sleep(60)
        status = await site.fleet.status()
        is_running = not keeping.done()
        store.call = ""
        await site.fleet.stop()
        await asyncio.wait([keeping])

        assert is_running
        assert [each.has_runner for each in status.shards][::2] == [True, True]
        assert [each.shard for each in status.failing] == [1]
        assert "the records of 'night/1' are not what was written" in str(status.failing[0].failure)
