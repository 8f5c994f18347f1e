"""A real Redis server that is killed and started again on older files, while entries wait in inboxes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import bkjob_async as bkjob
from bkjob_async.journal.shards import ShardFigures, ShardStore
from bkjob_async.many.runner.shard import run_shard
from bkjob_async.simulator.simulator import Simulator
from tests.journal.redis_server import RedisServer, running
from tests.journal.stores import HERE, records
from tests.many.fleets import OWN_CREDENTIALS
from tests.many.test_fleet import QUICK
from tests.watch.clients import URLS

SETTINGS: dict[str, Any] = {"url": URLS["gateway-v3"], "credentials": OWN_CREDENTIALS, "interval": 0.1}


async def added(fleet: bkjob.Fleet, *jobs: bkjob.JobRef) -> None:
    """Add jobs as programs should: again where the journal is away."""
    while True:
        try:
            await fleet.add(*jobs)
        except bkjob.JournalUnavailable:
            await asyncio.sleep(0.05)
        else:
            return


def restart(server: RedisServer) -> None:
    """Kill the server, and start it on what its files have."""
    server.kill()
    server.start()


async def test_a_server_that_writes_before_it_answers_keeps_what_was_added(tmp_path: Path) -> None:
    """With `appendfsync always`, whenever it is killed: what `add` returned for is there, in order."""
    with running(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        async with bkjob.Fleet("night", journal=server.url, shards=1) as fleet:
            await fleet.create(**SETTINGS)
            store = fleet.journal.store
            for number in range(40):
                if number in (10, 30):
                    restart(server)
                await added(fleet, bkjob.JobRef(bkjob.Scope.biz(2), 100 + number))
            entries = await store.inbox("night/0", 0)

    assert len({entry.data for entry in entries}) == 40


@pytest.mark.slow
async def test_a_server_without_its_newest_writes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What runners had is stored again; what only waited is lost, is warned of, and may be added again."""
    simulator = Simulator(seed=1, speed=5.0, at_once=True)
    jobs = [simulator.add(evolve(QUICK, scope=bkjob.Scope.biz(2))) for _ in range(4)]
    with running(tmp_path) as server:
        async with (
            bkjob.Fleet("night", journal=server.url, shards=1) as fleet,
            bkjob.Fleet("night", journal=server.url) as of_runner,
            bkjob.Fleet("night", journal=server.url) as of_reader,
        ):
            await fleet.create(**SETTINGS)
            runner = asyncio.create_task(
                run_shard(of_runner, 0, credentials=OWN_CREDENTIALS, transport=simulator.transport())
            )
            await fleet.add(jobs[0])
            await until_taken_up(fleet, 1)
            with server.client() as client:
                client.save()
            await fleet.add(jobs[1])
            await until_taken_up(fleet, 2)
            await fleet.add(jobs[2])  # not taken up yet
            restart(server)
            finished: set[bkjob.Ref] = set()
            async with asyncio.timeout(40), of_reader.reader() as reader:
                await added(fleet, jobs[3])
                async for batch in reader:
                    finished |= {event.ref for event in batch.events if isinstance(event, bkjob.Finished)}
                    if finished >= {jobs[0], jobs[1], jobs[3]} and jobs[2] not in finished:
                        await fleet.add(*jobs)
                    if len(finished) == 4:
                        break
            assert not runner.done()
            await fleet.stop()
            assert await runner is bkjob.ShardEnd.STOPPED

    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("add them again" in text for text in warnings)


async def test_a_full_server_still_hears_of_life_and_stops(tmp_path: Path) -> None:
    """Nothing can be added, and that is said; a fleet is stopped and removed all the same, which makes room."""
    with running(tmp_path, "--maxmemory-policy", "noeviction") as server:
        async with bkjob.Fleet("night", journal=server.url, shards=1) as fleet:
            await fleet.create(**SETTINGS)
            store = fleet.journal.store
            await store.open("night/0", HERE, take_over=True)
            await fleet.add(bkjob.JobRef(bkjob.Scope.biz(2), 100))
            with server.client() as client:
                client.config_set("maxmemory", "1")
            with pytest.raises(bkjob.JournalUnavailable, match="maxmemory"):
                await fleet.add(bkjob.JobRef(bkjob.Scope.biz(2), 101))
            with pytest.raises(bkjob.JournalUnavailable, match="maxmemory"):
                await store.append("night/0", term=1, head=0, records=records(1), targets=1)

            assert not (await ShardStore(store).report("night", 0, ShardFigures(1, 3, 3))).is_stopped
            await fleet.stop()
            assert (await ShardStore(store).report("night", 0, ShardFigures(1, 3, 3))).is_stopped
            assert (await fleet.status()).targets == 3
            await store.release("night/0", term=1)
            await fleet.forget()
            with server.client() as client:
                assert client.keys() == [b"{bkjob:night/0}:fleet"]  # its term alone


async def until_taken_up(fleet: bkjob.Fleet, count: int) -> None:
    """Wait until the store has so many targets in the shard's journal."""
    async with asyncio.timeout(20):
        while True:
            entry = await fleet.journal.store.fleet("night/0")
            if entry is not None and entry.targets == count:
                return
            await asyncio.sleep(0.05)
