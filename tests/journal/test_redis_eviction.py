"""A server that evicts keys removes the records of a fleet alone, or its checkpoint alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import bkjob_async as bkjob
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.loading import load_fleet
from bkjob_async.journal.redis.store import keys_of
from bkjob_async.model.journal_errors import StoreBehind
from bkjob_async.testing import HANGS, SimulatedJob, Simulator, StepPlan
from tests.journal.recording import Recorder
from tests.journal.redis_server import RedisServer
from tests.journal.stores import Place, opened
from tests.watch.clients import URLS

CREDENTIALS = bkjob.AppCredentials(bk_app_code="tests", bk_app_secret="not-to-be-seen", bk_username="admin")
FLEET, RECORDS, CHECKPOINT, *_ = keys_of("night")


@pytest.fixture
async def place(redis_server: RedisServer) -> AsyncIterator[Place]:
    """Give an empty server that may evict keys."""
    redis_server.flush()
    async with opened(redis_server.url) as place:
        yield place


def evict(server: RedisServer, key: str) -> None:
    """Remove a key, as the server does when its memory is full."""
    with server.client() as client:
        assert client.delete(key) == 1


def has_all(server: RedisServer) -> bool:
    """Return whether the fleet has a checkpoint, and its records behind it if it has any."""
    with server.client() as client:
        head, checkpoint = client.hmget(FLEET, "head", "checkpoint")
        return bool(client.exists(CHECKPOINT)) and (head == checkpoint or bool(client.exists(RECORDS)))


@pytest.mark.parametrize("key", [RECORDS, CHECKPOINT])
async def test_the_holder_learns_what_is_gone(redis_server: RedisServer, place: Place, key: str) -> None:
    """At its next append, and at its next sign of life; a new record behind them does not hide the gap."""
    recorder = Recorder(place.open())
    await recorder.open()
    await recorder.record(5)
    await recorder.write_checkpoint()
    await recorder.record(3)
    assert await recorder.store.give_sign_of_life("night", term=1) == 8

    evict(redis_server, key)

    with pytest.raises(StoreBehind):
        await recorder.record(1)
    with pytest.raises(StoreBehind):
        await recorder.store.give_sign_of_life("night", term=1)


async def test_a_fleet_without_its_checkpoint_is_damaged(redis_server: RedisServer, place: Place) -> None:
    """Who opens it is told what is gone and why, and does not take it for empty."""
    recorder = Recorder(place.open())
    await recorder.open()
    await recorder.record(5)
    await recorder.write_checkpoint()
    evict(redis_server, CHECKPOINT)

    with pytest.raises(bkjob.JournalDamaged, match="may not evict"):
        await load_fleet(recorder.store, "night")


async def test_a_watch_stores_all_anew_and_readers_miss_nothing(
    redis_server: RedisServer, place: Place
) -> None:
    """Whichever of the two is gone; who had read less is given the newest of each host, marked."""
    simulator = Simulator(at_once=True, speed=20.0)
    job = simulator.add(SimulatedJob(steps=(StepPlan(hosts=10, outcomes=(HANGS,)),)))
    step = simulator.steps(job)[0]
    journal = Journal(place.open())

    async def stored(after: str | None = None) -> list[bkjob.HostChanged]:
        follower = journal.follow("night", after=after, live=False)
        events = [event async for batch in follower for event in batch.events]
        return [event for event in events if isinstance(event, bkjob.HostChanged)]

    async with (
        bkjob.connect(
            URLS["gateway-v3"], CREDENTIALS, scope=job.scope, transport=simulator.transport(), interval=0.05
        ) as client,
        client.watch(job, journal=redis_server.url, name="night", linger=None) as watch,
        asyncio.timeout(30),
    ):
        running, failed = watch.hosts(phase=bkjob.Phase.RUNNING), watch.hosts(phase=bkjob.Phase.FAILED)
        for _ in range(10):
            await anext(running)
        for number, key in enumerate([RECORDS, CHECKPOINT]):
            first, second = (f"0:10.0.0.{2 * number + each}" for each in (1, 2))
            simulator.fail_host(step, first)
            read_to = (await anext(failed)).cursor
            simulator.fail_host(step, second)
            await anext(failed)
            evict(redis_server, key)
            while not has_all(redis_server):  # noqa: ASYNC110 - a server tells of no key
                await asyncio.sleep(0.05)

            whole = await stored()
            last = {event.host: event.after.phase for event in whole}
            missed = await stored(read_to)
            assert sum(phase is bkjob.Phase.FAILED for phase in last.values()) == 2 * number + 2
            # The one behind the cursor, and perhaps the one that it names: it stands within a batch that is gone.
            assert {second} <= {event.host.label for event in missed} <= {first, second}
            assert all(event.skipped and event.after.phase is bkjob.Phase.FAILED for event in missed)
