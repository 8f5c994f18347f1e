"""A reader of a journal gets what the watch recorded: all of it, once, in order, from any cursor."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from bkjob_async.engine.folding.stream_state import StreamState
from bkjob_async.errors import FleetNotFound, JournalDamaged, JournalUnavailable, UsageError
from bkjob_async.journal import follow
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.keep import Keep
from bkjob_async.journal.loading import load_fleet
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.journal.store import Page
from bkjob_async.model.events import Batch, HostChanged, InSync
from bkjob_async.model.status import Phase
from bkjob_async.testing import broken_promises
from tests.engine.poll_views import JOB
from tests.journal.recording import HOSTS, Recorder, events_of
from tests.journal.stores import Place, opened, sqlite_url
from tests.test_public import modules_after
from tests.watch.inside import fleets_in
from tests.watch.interrupted import interrupted

DAY = timedelta(days=1)
WEEK = 7 * 86_400.0


async def read(place: Place, after: str | None = None) -> list[Batch]:
    """Return all batches behind a cursor, as another process reads them."""
    return [batch async for batch in Journal(place.open()).follow("night", after=after, live=False)]


async def test_a_reader_gets_what_was_recorded(place: Place) -> None:
    """Batch by batch, event by event, each with its cursor."""
    recorder = Recorder(place.open())
    await recorder.open()
    await recorder.record(5)

    found = await read(place)

    assert [(b.sequence, b.cursor, [*b.events]) for b in found] == [
        (b.sequence, b.cursor, [*b.events]) for b in recorder.recorded
    ]
    assert [e.cursor for e in events_of(found)] == [e.cursor for e in events_of(recorder.recorded)]


async def test_a_reader_continues_behind_any_cursor(place: Place) -> None:
    """That of a batch, or of an event within one; of an earlier process as well."""
    recorder = Recorder(place.open())
    await recorder.open()
    await recorder.record(3)
    recorder.client = "99887766"
    await recorder.open()
    await recorder.record(3)
    all_of_them = events_of(recorder.recorded)

    for number, event in enumerate(all_of_them, 1):
        assert events_of(await read(place, event.cursor)) == all_of_them[number:]
    for number, batch in enumerate(recorder.recorded, 1):
        assert events_of(await read(place, batch.cursor)) == events_of(recorder.recorded[number:])


async def test_a_live_reader_gets_what_is_recorded_later(place: Place) -> None:
    """It waits, and its own cursor names what it has had."""
    recorder = Recorder(place.open())
    await recorder.open()
    await recorder.record(1)
    follower = Journal(place.open()).follow("night")
    first = await anext(follower)

    waiting = asyncio.create_task(anext(follower))
    await asyncio.sleep(0.02)
    cursor, waited = follower.cursor, not waiting.done()
    await recorder.record(2)
    second, third = await waiting, await anext(follower)

    assert waited
    assert cursor == first.cursor
    assert [first.sequence, second.sequence, third.sequence] == [1, 2, 3]
    assert follower.cursor == third.cursor


async def removed(place: Place) -> Recorder:
    """Record 20 batches, of which only those behind a checkpoint at the tenth are kept."""
    recorder = Recorder(place.open(Keep(age=DAY)))
    await recorder.open()
    await recorder.record(10, age=WEEK)
    await recorder.write_checkpoint()
    await recorder.record(10)
    return recorder


async def test_a_cursor_older_than_what_is_kept_gets_the_newest(place: Place) -> None:
    """Of each host that changed since, marked; the cursor moves when all of it was given."""
    recorder = await removed(place)

    for batch in recorder.recorded[:9]:
        first, *rest = await read(place, batch.cursor)
        changed = {event.host for event in first.events if isinstance(event, HostChanged)}

        assert all(event.skipped for event in first.events if isinstance(event, HostChanged))
        assert {event.cursor for event in first.events[:-1]} <= {batch.cursor}
        assert first.events[-1].cursor == first.cursor == recorder.recorded[-1].cursor
        assert len(changed) == 20 - batch.sequence
        assert rest == []


async def test_a_late_reader_gets_the_present_first(place: Place) -> None:
    """With a mark where it ends; nothing is skipped for one who had nothing."""
    await removed(place)

    (present,) = await read(place)

    hosts = {event.host: event for event in present.events if isinstance(event, HostChanged)}
    assert isinstance(present.events[-1], InSync)
    assert len(hosts) == HOSTS
    assert sum(event.after.phase is Phase.SUCCESS for event in hosts.values()) == 20
    assert not any(event.skipped for event in hosts.values())


async def test_the_present_comes_in_portions(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that continues from one of them gets the present again; all but the last have its cursor."""
    monkeypatch.setattr(follow, "PORTION_SIZE", 7)
    recorder = await removed(place)

    found = await read(place, recorder.recorded[0].cursor)

    assert len(found) > 2
    assert {batch.cursor for batch in found[:-1]} == {recorder.recorded[0].cursor}
    assert found[-1].cursor == recorder.recorded[-1].cursor
    assert {batch.sequence for batch in found} == {recorder.recorded[-1].sequence}
    assert broken_promises([recorder.recorded[0], *found], require_past_executions=False) == []
    assert await read(place, found[-1].cursor) == []


async def test_a_read_that_is_cancelled_takes_nothing_away(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whichever await: the next read goes on, through the portions of the present as well."""
    monkeypatch.setattr(follow, "PORTION_SIZE", 7)
    recorder = await removed(place)
    after = recorder.recorded[0].cursor
    whole = await read(place, after)

    for seed in range(20):
        follower = Journal(place.open()).follow("night", after=after, live=False)
        assert [batch async for batch in interrupted(follower, Random(seed), seconds=0.002)] == whole


async def test_a_reader_that_fell_behind_catches_up(place: Place) -> None:
    """Records may be removed while it reads slowly."""
    recorder = Recorder(place.open(Keep(bytes=1)))
    await recorder.open()
    await recorder.record(5)
    slow = Journal(place.open()).follow("night", live=False)
    first = await anext(slow)
    held = [batch async for batch in slow]
    late = Journal(place.open()).follow("night", after=first.cursor, live=False)
    await recorder.write_checkpoint()
    (caught_up,) = [batch async for batch in late]

    assert [batch.sequence for batch in (first, *held)] == [1, 2, 3, 4, 5]
    assert caught_up.cursor == recorder.recorded[-1].cursor
    assert all(event.skipped for event in caught_up.events if isinstance(event, HostChanged))


@pytest.mark.parametrize("cursor", ["3-ffffffff", "x", "0-0a1b2c3d", "2-0a1b2c3d.999"])
async def test_a_cursor_of_something_else_is_refused(place: Place, cursor: str) -> None:
    """Of another fleet, of an event that there never was, or none at all."""
    recorder = Recorder(place.open())
    await recorder.open()
    await recorder.record(3)

    with pytest.raises(UsageError, match="cursor"):
        await read(place, cursor)


async def test_a_fleet_that_is_not_there_is_an_error(place: Place) -> None:
    """Also one that is forgotten while somebody follows it."""
    recorder = Recorder(place.open(), name="day")
    await recorder.open()
    await recorder.record(1)
    journal = Journal(place.open())
    with pytest.raises(FleetNotFound, match="night"):
        await anext(journal.follow("night"))
    with pytest.raises(FleetNotFound, match="night"):
        await journal.snapshot("night", JOB)

    follower = journal.follow("day")
    await anext(follower)
    await journal.forget("day")
    with pytest.raises(FleetNotFound, match="forgotten"):
        await anext(follower)


async def test_a_snapshot_is_the_state_that_was_recorded_last(place: Place) -> None:
    """With and without a checkpoint."""
    recorder = Recorder(place.open())
    await recorder.open()
    await recorder.record(4)
    await recorder.write_checkpoint()
    await recorder.record(3)

    snapshot = await Journal(place.open()).snapshot("night", "2:100")

    assert snapshot is not None
    assert snapshot == await Journal(place.open()).snapshot("night", JOB)
    assert sum(h.status.is_success for h in snapshot.steps[0].hosts) == 7  # type: ignore[union-attr]
    assert await Journal(place.open()).snapshot("night", "2:999") is None


async def test_what_is_read_amounts_to_the_snapshot(place: Place) -> None:
    """Read in two parts, the second behind the cursor of the state."""
    recorder = Recorder(place.open(), hosts=3)
    await recorder.open()
    state = StreamState()
    for rounds in (2, 1):
        await recorder.record(rounds)
        for batch in await read(place, state.cursor):
            state.apply(batch)

    assert state.snapshot(JOB) == await Journal(place.open()).snapshot("night", JOB)
    assert state.counts() == {Phase.SUCCESS: 3}


async def test_a_live_reader_waits_for_a_store_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once, and once that it is back; one that is not live raises the error."""
    caplog.set_level(logging.INFO, logger="bkjob_async")
    monkeypatch.setattr(follow, "RETRY_SECONDS", 0.01)
    async with opened(sqlite_url(tmp_path)) as place:
        recorder = Recorder(place.open())
        await recorder.open()
        await recorder.record(2)
        store = place.open()
        live, once = Journal(store).follow("night"), Journal(store).follow("night", live=False)
        await anext(live)
        await anext(once)
        await anext(live)
        await anext(once)
        failures = 5
        really_read = store.read

        async def read_or_not(name: str, after: int, *, limit: int = 1000) -> Page:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise JournalUnavailable("away")
            return await really_read(name, after, limit=limit)

        monkeypatch.setattr(store, "read", read_or_not)
        with pytest.raises(JournalUnavailable, match="away"):
            await anext(once)
        await recorder.record(1)

        assert (await anext(live)).sequence == 3
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_reading_a_journal_loads_no_http_library() -> None:
    """Neither that, nor the client, nor redis where the journal is a file."""
    loaded = modules_after("from bkjob_async import open_journal; open_journal('sqlite:///x.db')")

    assert not {"aiohttp", "redis", "bkjob_async.client", "bkjob_async.watch"} & loaded


async def test_records_out_of_order_are_damage() -> None:
    """Who reads on behind the last of them would be given the same ones for ever."""
    store = MemoryStore()
    recorder = Recorder(store)
    await recorder.open()
    await recorder.record(5)
    records = fleets_in(store)["night"].records
    records.append(records[2])

    async with asyncio.timeout(5):
        with pytest.raises(JournalDamaged, match="record 3 of the fleet 'night' stands behind 5"):
            await load_fleet(store, "night")
        with pytest.raises(JournalDamaged):
            assert [batch async for batch in Journal(store).follow("night", live=False)]


async def test_tasks_that_share_a_reader_are_given_each_batch_once(place: Place) -> None:
    """They took each other's records for ones of a damaged journal."""
    recorder = Recorder(place.open())
    await recorder.open()
    await recorder.record(5)
    follower = Journal(place.open()).follow("night", live=False)
    found: list[Batch] = []

    async def work() -> None:
        async for batch in follower:
            found.append(batch)
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(3)))

    assert found == recorder.recorded
