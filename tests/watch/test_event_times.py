"""When things were seen: the time of events and batches, late and in another process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.world.plans import HostOutcome, JobPlan, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.journal.stores import sqlite_url
from tests.watch.clients import client_of

EPOCH = datetime(2026, 11, 24, tzinfo=UTC)
PLAN = JobPlan(steps=(StepPlan(hosts=5, outcomes=(HostOutcome(duration=exactly(20.0)),)),))

pytestmark = pytest.mark.looptime


@pytest.fixture(autouse=True)
def wall() -> Iterator[None]:
    """Let the wall clock go as the clock of the event loop, also in threads."""
    loops: list[asyncio.AbstractEventLoop] = []

    def wall_time() -> float:
        with suppress(RuntimeError):
            loops[:] = [asyncio.get_running_loop()]
        return EPOCH.timestamp() + (loops[0].time() if loops else 0.0)

    with mock.patch("time.time", wall_time):
        yield


def seconds(at: datetime) -> float:
    """Return a time in seconds of the world."""
    return (at - EPOCH) / timedelta(seconds=1)


async def test_all_events_of_a_poll_have_its_time() -> None:
    """It is that of the batch, with a zone, however late it is read."""
    world = World(1)
    job = world.add(PLAN)
    async with client_of(world) as (client, _), client.watch(job) as watch:
        late = watch.batches()
        read = [(asyncio.get_running_loop().time(), batch) async for batch in watch.batches()]
        batches = [batch async for batch in late]

    assert len(read) >= 3
    for now, batch in read:
        assert {event.at for event in batch.events} == {batch.at}
        assert batch.at.utcoffset() == timedelta(0)
        assert abs(seconds(batch.at) - now) < 1.0
    assert [batch.at for batch in batches] == [batch.at for _, batch in read]
    ends = [event.at for batch in batches for event in batch.events if isinstance(event, bkjob.HostChanged)]
    assert 20.0 <= seconds(ends[-1]) < 25.0


async def test_a_journal_keeps_the_times(tmp_path: Path) -> None:
    """To the microsecond, for a reader that comes later; so does JSON."""
    world = World(1)
    job = world.add(PLAN)
    async with client_of(world) as (client, _), bkjob.open_journal(sqlite_url(tmp_path)) as journal:
        async with client.watch(job, journal=journal, name="night") as watch:
            reported = [event async for event in watch]
        await asyncio.sleep(500.0)
        stored = [event async for batch in journal.follow("night", live=False) for event in batch.events]

    assert [(event, event.at) for event in stored] == [(event, event.at) for event in reported]
    for event in stored:
        assert bkjob.event_from_json(bkjob.event_to_json(event)).at == event.at


async def test_what_a_late_reader_is_given_in_place_of_what_it_missed_has_a_time() -> None:
    """When it was given: what it missed is not held."""
    world = World(1)
    job = world.add(PLAN)
    async with client_of(world) as (client, _), client.watch(job) as first, client.watch(job) as watch:
        async for event in first:
            if isinstance(event, bkjob.InSync):
                break
        joined = [event async for event in watch]

    assert all(event.at >= EPOCH for event in joined)
    assert [event.at for event in joined] == sorted(event.at for event in joined)


def test_an_event_that_a_program_made_has_no_time() -> None:
    """Nor has one that an earlier version wrote; it is not in its JSON, its equality and its text."""
    event = bkjob.InSync()
    dated = bkjob.InSync(at=EPOCH)

    assert "at" not in bkjob.event_to_json(event)
    assert bkjob.event_from_json({"kind": "in_sync", "cursor": ""}).at == event.at
    assert (event, hash(event), repr(event)) == (dated, hash(dated), repr(dated))
