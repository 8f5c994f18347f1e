"""One target of a fleet, read from its journal without the rest."""

from __future__ import annotations

import asyncio

import pytest

import bkjob_async as bkjob
from benchmarks.journal import record_of
from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.errors import FleetNotFound, JournalDamaged
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.loading import load_fleet
from bkjob_async.journal.shards import shard_name
from bkjob_async.journal.store import Checkpoint, Store, StoredRecord
from bkjob_async.many.fleet import Fleet
from bkjob_async.simulator.world.world import World
from tests.journal.redis_server import RedisServer
from tests.journal.stores import HERE, Place
from tests.many.fleets import OWN_CREDENTIALS, site_of
from tests.many.test_shard import SHORT, SLOW, jobs_of
from tests.many.test_update import WIDE


async def spoil(store: Store, name: str) -> None:
    """Append a record and write a checkpoint with a part that nobody can read, and that name no job."""
    opened = await store.open(name, HERE, take_over=True)
    fold = (await load_fleet(store, name)).fold
    checkpoint = Checkpoint(fold.sequence, [*fold.parts(), b"not a part"])
    await store.write_checkpoint(name, checkpoint, term=opened.term)
    record = StoredRecord(opened.head + 1, 1_700_000_000.0, b"not a record")
    await store.append(name, term=opened.term, head=opened.head, records=[record], targets=1)


@pytest.mark.looptime
async def test_a_snapshot_is_what_the_whole_fleet_says() -> None:
    """Of each target and its steps, from checkpoints and the records behind them; what names other jobs is not decoded."""
    world = World(1)
    jobs = [
        *jobs_of(world, SHORT, 5),
        *jobs_of(world, WIDE, 30),
        *jobs_of(world, SLOW, 5),
        *jobs_of(world, WIDE, 30),
    ]
    async with site_of(world, shards=1) as site:
        runner = site.run(0)
        await site.fleet.add(*jobs[:40])
        await asyncio.sleep(60)
        await site.fleet.add(*jobs[40:])
        await asyncio.sleep(30)
        await site.fleet.stop()
        await runner
        store = site.fleet.journal.store
        fold = (await load_fleet(store, "night/0")).fold
        refs: list[bkjob.Ref] = []
        for job in fold.jobs.values():
            refs += [job.ref, *(step.ref for step in job.steps)]
        checkpoint = await store.checkpoint("night/0")
        from_both = [await site.fleet.snapshot(ref) for ref in refs]
        await spoil(store, "night/0")
        from_checkpoint = [await site.fleet.snapshot(ref) for ref in refs]

        assert checkpoint is not None
        assert 0 < checkpoint.sequence < fold.sequence
        assert {ref.job for ref in refs} == {*jobs}
        assert from_both == from_checkpoint == [fold.snapshot(ref) for ref in refs]
        with pytest.raises(JournalDamaged):
            await load_fleet(store, "night/0")


async def test_a_snapshot_reads_what_names_its_job(redis_server: RedisServer) -> None:
    """Of a large journal the server sends a small part: the job's, and the numbers of records."""
    redis_server.flush()
    made = [record_of(number) for number in range(1, 3001)]
    fold = Fold()
    for each in made[:2000]:
        fold.apply(each.data)
    sent, refs = [0], ("2:20000000007", "2:20000002999")
    async with bkjob.open_journal(redis_server.url) as journal:
        store = journal.store
        term = (await store.open("large", HERE, take_over=True)).term
        await store.append("large", term=term, head=0, records=made[:2000], targets=3000)
        await store.write_checkpoint("large", Checkpoint(2000, [*fold.parts()]), term=term)
        await store.append("large", term=term, head=2000, records=made[2000:], targets=3000)
        with redis_server.client() as client:
            for ref in refs:
                before = client.info("stats")["total_net_output_bytes"]
                found = await journal.snapshot("large", ref)
                assert found is not None
                assert str(found.ref) == ref
                sent.append(client.info("stats")["total_net_output_bytes"] - before)

    assert max(sent) < sum(len(each.data) for each in made[2000:]) / 3


async def test_what_was_never_reported_has_no_snapshot(place: Place) -> None:
    """Nor has a shard that had no runner; without a fleet there is an error."""
    fleet, job = Fleet("night", journal=Journal(place.open()), shards=4), bkjob.JobRef(bkjob.Scope.biz(2), 7)
    await fleet.create(url="https://one.example.com", credentials=OWN_CREDENTIALS)
    before = await fleet.snapshot(job)
    await fleet.journal.store.open(
        shard_name("night", (await fleet.settings()).placement.shard_of(job)), HERE, take_over=True
    )

    assert before is None
    assert await fleet.snapshot("2:7") is None
    with pytest.raises(FleetNotFound):
        await Fleet("day", journal=fleet.journal).snapshot(job)
