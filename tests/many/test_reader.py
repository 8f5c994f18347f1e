"""Readers of many shards: one connection waits for all of them, in turn, through outages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

import bkjob_async as bkjob
from bkjob_async.engine.journaling.records import encode_record
from bkjob_async.journal.shards import shard_name
from bkjob_async.journal.store import Store, StoredRecord
from bkjob_async.many import reader as module
from bkjob_async.many.fleet import Fleet
from bkjob_async.model.events import Batch, Event, InSync
from bkjob_async.simulator.world.world import World
from tests.journal.redis_server import RedisServer
from tests.journal.stores import HERE
from tests.many.fleets import OWN_CREDENTIALS, site_of
from tests.many.test_shard import SLOW, finished, jobs_of
from tests.watch.clients import URLS

NAME = "0a1b2c3d"


def batch(number: int) -> Batch:
    """Return a batch with this number."""
    cursor = f"{number}-{NAME}"
    events: tuple[Event, ...] = (InSync(cursor=f"{cursor}.1"),)
    return Batch(number, events, cursor)


async def report(store: Store, shard: int, first: int, last: int) -> None:
    """Append batches with the numbers from *first* to *last*, as a runner does."""
    name = shard_name("night", shard)
    if first == 1:
        await store.open(name, HERE, take_over=True)
    data = [
        encode_record(
            number,
            time=1.0,
            term=1,
            client=NAME,
            batch=batch(number),
            job=None,
            targets=(),
            durations=None,
        )
        for number in range(first, last + 1)
    ]
    records = [StoredRecord(number, 1.0, each) for number, each in enumerate(data, first)]
    await store.append(name, term=1, head=first - 1, records=records, targets=0)


@asynccontextmanager
async def fleet_at(url: str, shards: int) -> AsyncIterator[bkjob.Fleet]:
    """Give a fleet that is created."""
    async with bkjob.Fleet("night", journal=url, shards=shards) as fleet:
        await fleet.create(url=URLS["gateway-v3"], credentials=OWN_CREDENTIALS)
        yield fleet


async def test_one_connection_waits_for_all_shards(redis_server: RedisServer) -> None:
    """However many there are; what one of them reports comes at once."""
    redis_server.flush()
    async with fleet_at(redis_server.url, 100) as fleet, fleet_at(redis_server.url, 100) as runners:
        store = runners.journal.store
        for shard in range(0, 100, 3):
            await report(store, shard, 1, 1)
        async with fleet.reader() as reader:
            for _ in range(0, 100, 3):
                await anext(reader)
            waiting = asyncio.ensure_future(anext(reader))
            await asyncio.sleep(0.3)
            with redis_server.client() as client:
                facts = client.info("clients")
            await report(store, 50, 1, 1)
            assert (await asyncio.wait_for(waiting, 20)).cursor == f"1-{NAME}"

    assert facts["blocked_clients"] == 1
    assert facts["connected_clients"] <= module.READ_AT_ONCE + 5


@pytest.mark.looptime
async def test_a_shard_with_much_to_report_does_not_keep_others_waiting() -> None:
    """They have their turn after some batches of it."""
    async with fleet_at(f"memory:{uuid4().hex}", 2) as fleet:
        store = fleet.journal.store
        await report(store, 0, 1, 2000)
        await report(store, 1, 1, 1)
        order: list[int] = []
        async with fleet.reader(live=False) as reader:
            async for _ in reader:
                order.append(len(reader.cursor))

        assert len(order) == 2001
        with_both = next(number for number, length in enumerate(order) if length > len("2;0:2000-0a1b2c3d"))
        assert with_both <= 2 * module.BATCHES_AT_ONCE


@pytest.mark.looptime
async def test_a_store_that_is_away_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and nothing is lost or reported twice; without `live` it is an error."""
    caplog.set_level(logging.INFO, logger="bkjob_async.journal")
    async with fleet_at(f"memory:{uuid4().hex}", 3) as fleet:
        store: Any = fleet.journal.store
        is_away = False

        def sometimes_away(name: str) -> None:
            call = getattr(store, name)

            async def called(*arguments: Any, **named: Any) -> Any:
                if is_away:
                    raise bkjob.JournalUnavailable("away")
                return await call(*arguments, **named)

            monkeypatch.setattr(store, name, called)

        for name in ("read", "wait_any", "fleet"):
            sometimes_away(name)
        async with fleet.reader() as reader:
            await report(store, 0, 1, 3)
            got = [await anext(reader) for _ in range(2)]
            is_away = True
            await asyncio.sleep(7)
            await report(store, 0, 4, 6)
            await report(store, 1, 1, 4)
            is_away = False
            got += [await anext(reader) for _ in range(8)]
            assert reader.cursor == f"3;0:6-{NAME},1:4-{NAME}"
            await asyncio.sleep(20)
        is_away = True
        with pytest.raises(bkjob.JournalUnavailable):
            async with fleet.reader(live=False) as reader:
                await anext(reader)

    assert sorted(each.sequence for each in got) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 6]
    said = [record.getMessage() for record in caplog.records if record.name == "bkjob_async.journal"]
    assert [text.partition(":")[0] for text in said] == [
        "the journal of fleet 'night' cannot be read, and is tried again each second",
        "the journal of fleet 'night' can be read again",
    ]


@pytest.mark.looptime
async def test_an_idle_reader_asks_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once in five seconds for all shards, and not again and again."""
    async with fleet_at(f"memory:{uuid4().hex}", 50) as fleet:
        store, asked = fleet.journal.store, 0
        wait_any = store.wait_any

        async def counted(places: Mapping[str, int], *, seconds: float) -> Collection[str]:
            nonlocal asked
            asked += 1
            return await wait_any(places, seconds=seconds)

        monkeypatch.setattr(store, "wait_any", counted)
        for shard in range(50):
            await report(store, shard, 1, 2)
        async with fleet.reader() as reader:
            for _ in range(100):
                await anext(reader)
            await asyncio.sleep(60)

        assert asked <= 16


async def test_a_reader_may_begin_now() -> None:
    """What was reported before is not told; what comes is, of shards that had nothing yet as well."""
    async with fleet_at(f"memory:{uuid4().hex}", 2) as fleet:
        await report(fleet.journal.store, 0, 1, 5)
        async with fleet.reader(after="now", live=False) as reader:
            told = [each async for each in reader]
            cursor = reader.cursor
        await report(fleet.journal.store, 0, 6, 7)
        await report(fleet.journal.store, 1, 1, 1)
        async with fleet.reader(after=cursor, live=False) as reader:
            later = [each.sequence async for each in reader]
        alone = [each.sequence async for each in fleet.journal.follow("night/0", after="now", live=False)]

    assert (told, cursor) == ([], f"2;0:5-{NAME}")
    assert sorted(later) == [1, 6, 7]
    assert alone == []


@pytest.mark.looptime
@pytest.mark.parametrize("has_read", [True, False])
async def test_a_reader_ends_where_the_fleet_was_made_anew_with_other_shards(*, has_read: bool) -> None:
    """It would read some shards of the new fleet, and nothing of the others."""
    world = World(1)
    async with site_of(world, shards=2) as site, site.fleet.reader() as reader:
        if has_read:
            runners = [site.run(shard) for shard in range(2)]
            await site.fleet.add(*jobs_of(world, SLOW, 4))
            await anext(reader)
            await asyncio.sleep(10)
        await site.fleet.stop()
        if has_read:
            await asyncio.gather(*runners)
        await site.fleet.forget()
        again = Fleet("night", journal=site.fleet.journal, shards=5)
        await again.create(url=URLS["gateway-v3"], credentials=OWN_CREDENTIALS)
        jobs = jobs_of(world, SLOW, 20)
        await again.add(*jobs)
        for shard in range(5):
            site.run(shard, again)
        batches: list[bkjob.Batch] = []
        with pytest.raises((bkjob.FleetNotFound, bkjob.UsageError)):
            async with asyncio.timeout(200):
                async for batch in reader:
                    batches.append(batch)

        assert not {*jobs} <= await finished(batches)


@pytest.mark.looptime
async def test_what_is_no_cursor_and_no_fleet_is_refused_at_once() -> None:
    """By an error of this package, which names the remedy."""
    journal = bkjob.open_journal("memory:refused")
    fleet = Fleet("night", journal=journal, shards=2)
    await fleet.create(url=URLS["gateway-v3"], credentials=OWN_CREDENTIALS)

    number: Any = 5
    with pytest.raises(bkjob.UsageError, match="5 is not a cursor"):
        await fleet.reader(after=number).__aenter__()
    with pytest.raises(bkjob.UsageError, match="not a cursor: 5"):
        journal.follow("night", after=number)
    name: Any = "other"
    with pytest.raises(bkjob.UsageError, match="Fleet"):
        await fleet.copy(name)


@pytest.mark.looptime
@pytest.mark.parametrize("live", [True, False])
async def test_the_end_of_a_reader_is_that_of_all_who_iterate(*, live: bool) -> None:
    """Whether it is closed meanwhile, or has read everything."""
    async with fleet_at(f"memory:{uuid4().hex}", 2) as fleet:
        await report(fleet.journal.store, 0, 1, 3)
        async with fleet.reader(live=live) as reader:

            async def count() -> int:
                return len([batch async for batch in reader])

            counting = [asyncio.create_task(count()) for _ in range(3)]
            await asyncio.sleep(1)
        counts = await asyncio.wait_for(asyncio.gather(*counting), 60)

    assert sum(counts) == 3
    assert [batch async for batch in reader] == []
