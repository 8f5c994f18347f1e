"""When things were seen: the time of events and batches, late and in another process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.world.plans import (
    NO_AGENT,
    DurationRange,
    HostOutcome,
    SimulatedJob,
    StepPlan,
    exactly,
)
from bkjob_async.simulator.world.world import World
from tests.journal.stores import sqlite_url
from tests.watch.clients import ALL_DIALECTS, client_of

EPOCH = datetime(2026, 11, 24, tzinfo=UTC)
PLAN = SimulatedJob(steps=(StepPlan(hosts=5, outcomes=(HostOutcome(duration=exactly(20.0)),)),))
FAILS = HostOutcome(status=104, exit_code=1, duration=exactly(12.3), tag="red")
ENDS = HostOutcome(start_delay=DurationRange(0.0, 9.0), duration=DurationRange(0.2, 30.0))
MIXED = SimulatedJob(steps=(StepPlan(hosts=30, outcomes=(ENDS, FAILS, NO_AGENT), retry_outcomes=(ENDS,)),))
Times = tuple[datetime | None, datetime | None]

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


def changes(events: Iterable[bkjob.Event]) -> list[bkjob.HostChanged]:
    """Return the changes of hosts among *events*."""
    return [event for event in events if isinstance(event, bkjob.HostChanged)]


def true_times(world: World) -> dict[tuple[bkjob.StepRef, int, str], Times]:
    """Return when each host started and ended, by step, execution and label."""

    def moment(at: float | None) -> datetime | None:
        ms = None if at is None else world.epoch_ms + round(1000 * at)
        return None if ms is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)

    return {
        (step.ref, number, row.host.label): (moment(row.start), moment(row.end))
        for job in world.jobs.values()
        for step in job.steps
        for number, execution in step.executions.items()
        for row in execution.rows
    }


async def until_ok(
    client: bkjob.JobClient, watch: bkjob.Watch, world: World, job: bkjob.JobRef
) -> list[bkjob.Event]:
    """Return the events of a watch until its job has succeeded; somebody runs the failed hosts again."""
    events = list[bkjob.Event]()
    async with asyncio.timeout(1000.0):
        async for event in watch:
            events.append(event)
            if isinstance(event, bkjob.Finished):
                if event.result.ok:
                    break
                world.advance(asyncio.get_running_loop().time())
                world.operate_step(world.jobs[job.job_instance_id].steps[0], 2)
                await asyncio.sleep(1.0)
                assert (await client.wait(job)).ok
    return events


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
async def test_a_host_has_its_own_times_where_the_platform_gives_them(dialect: str, tmp_path: Path) -> None:
    """A start once it has one, an end once it has ended, those of the last run where it did not run again."""
    world = World(1)
    job = world.add(MIXED)
    async with client_of(world, dialect) as (client, _), bkjob.open_journal(sqlite_url(tmp_path)) as journal:
        async with client.watch(job, linger=None, journal=journal, name="night") as watch:
            reported = await until_ok(client, watch, world, job)
        stored = [event async for batch in journal.follow("night", live=False) for event in batch.events]
    times, found = true_times(world), changes(reported)
    last = {(event.execute_count, event.after.phase) for event in found}

    assert last > {(0, bkjob.Phase.FAILED), (0, bkjob.Phase.SUCCESS), (1, bkjob.Phase.SUCCESS)}
    for event in found:
        start, end = times[event.ref, event.execute_count, event.host.label]
        shown = (
            (None, None)
            if dialect == "esb-job" or event.after.phase is bkjob.Phase.PENDING
            else (start, end if event.after.is_finished else None)
        )
        assert (event.start_time, event.end_time) == shown
    assert changes(stored) == found


@pytest.mark.parametrize("dialect", ["gateway-v3", "gateway-v4", "esb-jobv3"])
async def test_a_later_watch_has_the_times_of_hosts_that_failed(dialect: str, tmp_path: Path) -> None:
    """One that joins has those of no other hosts; one that continues a journal has those of all that ended meanwhile."""
    world = World(1)
    job = world.add(MIXED)
    async with client_of(world, dialect) as (client, _), bkjob.open_journal(sqlite_url(tmp_path)) as journal:
        async with client.watch(job, journal=journal, name="night") as watch:
            async for event in watch:
                if isinstance(event, bkjob.StepChanged) and event.after.phase is bkjob.Phase.RUNNING:
                    break
        async with client.watch(job, linger=None) as first:
            async for event in first:
                if isinstance(event, bkjob.Finished):
                    break
            async with client.watch(job) as second:
                joined = changes([event async for event in second])
    async with (
        client_of(world, dialect) as (client, _),
        bkjob.open_journal(sqlite_url(tmp_path)) as journal,
        client.watch(job, journal=journal, name="night") as watch,
    ):
        resumed = changes([event async for event in watch])
    times = true_times(world)

    good = {event.host for event in joined if event.after.is_success}
    assert 0 < len(good) < len(joined)
    assert any(event.after.is_success for event in resumed)
    for event in (*joined, *resumed):
        start, end = times[event.ref, 0, event.host.label]
        is_kept = event not in joined or event.host not in good
        assert (event.start_time, event.end_time) == ((start, end) if is_kept else (None, None))


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
    assert all(event.end_time for event in changes(stored) if event.after.is_finished)
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
