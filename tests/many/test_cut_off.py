"""A runner that is cut off from its journal: nothing comes through, and nothing says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

import bkjob_async as bkjob
from bkjob_async.errors import JournalUnavailable, UsageError
from bkjob_async.journal.journal import Journal, open_journal
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.journal.store import Keys
from bkjob_async.many.fleet import Fleet
from bkjob_async.many.runner.shard import ShardEnd
from bkjob_async.many.status import ShardCondition
from bkjob_async.simulator.world.world import World
from tests.cli import shell
from tests.journal.redis_server import RedisServer
from tests.many.dropping_proxy import DroppingProxy, dropping_proxy
from tests.many.fleets import Clock, site_of
from tests.many.test_budget import Way
from tests.many.test_copy import BRIEF, until
from tests.many.test_shard import ENDLESS, SLOW, finished, jobs_of


@pytest.fixture
async def proxy(redis_server: RedisServer) -> AsyncIterator[DroppingProxy]:
    """Give a way to an empty Redis that can be cut."""
    redis_server.flush()
    async with dropping_proxy(redis_server.port) as proxy:
        yield proxy


@pytest.mark.looptime
@pytest.mark.parametrize("seconds", [None, 20.0])
async def test_a_runner_ends_when_its_journal_has_not_answered_for_so_long(seconds: float | None) -> None:
    """Not before; without a limit it waits, and goes on when the journal answers again."""
    world, store = World(1), MemoryStore()
    jobs = jobs_of(world, SLOW, 4)
    async with site_of(world, shards=1, journal=Journal(store)) as site:
        way = Way(store)
        cut_off = site.run(0, Fleet("night", journal=Journal(way)), journal_timeout=seconds)
        await site.fleet.add(*jobs)
        await asyncio.sleep(30.5)
        way.is_cut = True
        await asyncio.sleep(17)
        early = cut_off.done()
        await asyncio.sleep(25)
        late = cut_off.done()
        way.is_cut = False
        if seconds is not None:
            with pytest.raises(JournalUnavailable, match=r"not answered for 20 s.* run the shard where"):
                await cut_off
            site.run(0)
        await asyncio.sleep(120)
        await site.fleet.stop()

        assert (early, late) == (False, seconds is not None)
        assert await site.runners[0] is ShardEnd.STOPPED
        assert await finished(await site.batches()) == {*jobs}
        assert await site.is_as_it_was()


@pytest.mark.deep
async def test_a_runner_behind_a_network_that_drops_everything_ends(
    proxy: DroppingProxy, redis_server: RedisServer
) -> None:
    """With Redis at the other end; another runner goes on with what it had."""
    world = World(1)
    jobs = jobs_of(world, BRIEF, 3)
    url = f"redis://127.0.0.1:{proxy.port}"
    async with (
        site_of(world, shards=1, journal=redis_server.url) as site,
        open_journal(url) as journal,
    ):
        await site.fleet.add(*jobs)
        runner = site.run(0, Fleet("night", journal=journal), journal_timeout=4.0)
        await until(lambda: is_taken_up(site.fleet))
        proxy.is_dropping = True
        with pytest.raises(JournalUnavailable, match="not answered for 4 s"):
            async with asyncio.timeout(40):
                await runner
        site.run(0)
        seen: list[bkjob.Batch] = []
        async with asyncio.timeout(60), site.fleet.reader() as reader:
            async for batch in reader:
                seen.append(batch)
                if await finished(seen) == {*jobs}:
                    break
        await site.fleet.stop()

        assert await site.runners[0] is ShardEnd.STOPPED
        assert await site.is_as_it_was()


@pytest.mark.looptime
@pytest.mark.parametrize("begins", [8.5, 9.5, 609.5])
async def test_a_runner_lives_through_an_outage_whatever_it_was_about_to_ask(begins: float) -> None:
    """Signs of life, the inbox, and the durations of other shards."""
    store = MemoryStore()
    async with site_of(shards=2, journal=Journal(store)) as site:
        way = Way(store)
        runner = site.run(0, Fleet("night", journal=Journal(way)))
        await asyncio.sleep(begins)
        way.is_cut = True
        await asyncio.sleep(5)
        way.is_cut = False
        await asyncio.sleep(5)
        await site.fleet.stop()

        assert await runner is ShardEnd.STOPPED


@pytest.mark.looptime
@pytest.mark.parametrize("takeover", [True, False])
@pytest.mark.parametrize("seconds", [None, 20.0])
@pytest.mark.parametrize("call", ["append", "release", "keys", "open", "checkpoint"])
async def test_a_runner_that_begins_again_waits_for_its_journal(
    call: str, seconds: float | None, *, takeover: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With changed settings, from whichever call on the store is away; for so long as it would otherwise."""
    Clock(monkeypatch)
    world, store = World(1), MemoryStore()
    jobs = jobs_of(world, SLOW, 4)
    async with site_of(world, shards=1, journal=Journal(store)) as site:
        way = Way(store)
        conditions: list[ShardCondition] = []
        runner = site.run(
            0,
            Fleet("night", journal=Journal(way)),
            journal_timeout=seconds,
            takeover=takeover,
            on_condition=conditions.append,
        )
        await site.fleet.add(*jobs)
        await asyncio.sleep(10.5)
        await site.fleet.update(interval=2.0)
        way.cut_at = call
        await asyncio.sleep(40)
        ended = runner.done()
        way.cut_at, way.is_cut = None, False
        if ended:
            with pytest.raises(JournalUnavailable):
                await runner
            site.run(0)
        await asyncio.sleep(120)
        await site.fleet.stop()

        assert ended is (seconds is not None)
        assert await site.runners[0] is ShardEnd.STOPPED
        assert any(condition.store for condition in conditions)
        assert await finished(await site.batches()) == {*jobs}
        assert await site.is_as_it_was()


async def test_a_limit_that_no_runner_could_keep_is_refused() -> None:
    """The journal is asked every two seconds."""
    async with site_of(shards=1) as site:
        with pytest.raises(UsageError, match="at least 3 seconds"):
            await site.run(0, journal_timeout=2.0)


async def is_taken_up(fleet: Fleet) -> bool:
    """Return True when the only shard has taken up its targets."""
    (shard,) = (await fleet.status()).shards
    return shard.targets > 0 and not shard.waiting


@pytest.mark.slow
async def test_the_command_of_such_a_runner_ends_with_3(
    proxy: DroppingProxy, redis_server: RedisServer
) -> None:
    """So that a supervisor starts it elsewhere; with several shards, too."""
    fleet = Fleet("night", journal=redis_server.url, shards=2)
    await fleet.create(
        url="http://127.0.0.1:9", credentials="bkjob_async.many.environment:credentials", interval=1.0
    )
    await fleet.add(*jobs_of(World(1), ENDLESS, 4))
    words = ["fleet", "run", "night", "--shard", "0-1", "--journal-timeout", "3"]
    env = {**shell.IDENTITY, "BKJOB_JOURNAL": f"redis://127.0.0.1:{proxy.port}"}
    process = await asyncio.to_thread(shell.start, *words, env=env)
    try:
        await until(lambda: both_held(fleet))
        proxy.is_dropping = True
        code = await asyncio.to_thread(process.wait, 60)
    finally:
        ended = await asyncio.to_thread(shell.ended, process)
        await fleet.aclose()

    assert code == 3
    assert "the journal has not answered for 3 s" in ended.stderr


async def both_held(fleet: Fleet) -> bool:
    """Return True when both shards have runners that have told their targets."""
    status = await fleet.status()
    return len(status.held) == 2 and status.targets == 4


class SlowStore(MemoryStore):
    """A store that answers each question about keys after a third of a second."""

    async def keys(self, space: str, names: Sequence[str] = ()) -> Keys:
        """Return keys, late."""
        await asyncio.sleep(0.3)
        return await super().keys(space, names)


@pytest.mark.looptime
async def test_a_slow_store_is_heard_while_durations_are_exchanged() -> None:
    """An exchange asks sixteen others, one after the other; signs of life do not wait for that."""
    async with site_of(shards=32, journal=Journal(SlowStore())) as site:
        runner = site.run(0, journal_timeout=5.0)
        await asyncio.sleep(60.0)
        await site.fleet.stop()

        assert await runner is ShardEnd.STOPPED
