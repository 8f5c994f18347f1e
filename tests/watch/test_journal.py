"""A watch with a journal: what it records, who may hold it, and what happens when the store is away."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.engine.journaling import jobs as jobs_module
from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.errors import JournalUnavailable
from bkjob_async.http_messages import HttpResponse
from bkjob_async.journal.follow import present_batches
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.keep import Keep
from bkjob_async.journal.loading import load_fleet
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.journal.store import Checkpoint, Holder, Opened
from bkjob_async.model.journal_errors import StoreBehind
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.world.plans import HANGS, DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import broken_promises, truth_of
from bkjob_async.watch.cooperative import EXHAUSTED, CooperativeIterator
from bkjob_async.watch.journaling import checkpoints, compaction, fleet_journal, record_queue
from bkjob_async.watch.stream.stream import EventStream
from tests.watch.clients import client_of
from tests.watch.inside import cursors_of, end_of, fleets_in, journal_of

pytestmark = pytest.mark.looptime

REFUSED = HttpResponse(status=200, body=b'{"result": false, "code": 1238001, "message": "no permission"}')
SLOW = SimulatedJob(
    steps=(
        StepPlan(
            hosts=4,
            outcomes=(
                HostOutcome(duration=DurationRange(5.0, 60.0)),
                HostOutcome(status=104, exit_code=2, duration=DurationRange(3.0, 9.0), tag="full"),
            ),
        ),
    )
)


class FailingStore(MemoryStore):
    """A store that can be taken away, and can lose what it has."""

    is_away = False
    answers_are_lost = False
    appends = 0

    async def append(self, name: str, **written: Any) -> None:
        """Append, unless the store is away."""
        self.appends += 1
        if self.is_away:
            raise JournalUnavailable("the disk is full")
        await super().append(name, **written)
        if self.answers_are_lost:
            raise JournalUnavailable("no answer")

    def lose(self, name: str, count: int, *, with_term: bool = True) -> None:
        """Lose the newest records, and the term that wrote them if that is as new."""
        fleet = self._fleets[name]
        del fleet.records[-count:]
        fleet.head = fleet.records[-1].sequence if fleet.records else fleet.removed_to
        fleet.term -= with_term


@asynccontextmanager
async def fleet(
    world: World, store: MemoryStore, *refs: bkjob.Ref, **options: Any
) -> AsyncIterator[bkjob.Watch]:
    """Open the fleet `night` in a client of its own, as another process does."""
    async with (
        client_of(Platform(world)) as (client, _),
        client.watch(refs, journal=Journal(store), name="night", **options) as watch,
    ):
        yield watch


async def read(watch: bkjob.Watch, events: list[bkjob.Event], after: str | None = None) -> None:
    """Read a watch to its end."""
    async for event in watch.events(after=after):
        events.append(event)


@asynccontextmanager
async def reading(watch: bkjob.Watch, after: str | None = None) -> AsyncIterator[list[bkjob.Event]]:
    """Read a watch in the background; yield what it reported."""
    events: list[bkjob.Event] = []
    task = asyncio.create_task(read(watch, events, after))
    yield events
    task.cancel()
    await asyncio.wait([task])


def kinds(events: Sequence[bkjob.Event]) -> list[str]:
    """Return the kinds of *events*."""
    return [event.kind for event in events]


async def test_a_second_process_delivers_what_has_changed() -> None:
    """First `Resumed`, then changes, and each host once; the results are those of the whole."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job) as watch, reading(watch) as first:
        await asyncio.sleep(10.0)
    second: list[bkjob.Event] = []
    async with fleet(world, store) as watch:
        await read(watch, second, first[-1].cursor)
        results = await watch.results()

    assert "resumed" not in kinds(first)
    assert "resumed" in kinds(second)
    ends = [
        e.host.label for e in (*first, *second) if isinstance(e, bkjob.HostChanged) and e.after.is_finished
    ]
    assert len(ends) == len(set(ends)) == 4
    result = results[job]
    assert isinstance(result, bkjob.JobResult)
    assert {(host.tag, host.exit_code) for step in result.steps for host in step.failed} == {("full", 2)}


async def test_results_include_what_ended_before() -> None:
    """A process that is opened after the end has the result in full."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job) as watch:
        whole = await watch.results()
    async with fleet(world, store) as watch:
        again = await watch.results()

    assert again == whole


async def test_readers_are_given_what_is_stored_only(caplog: pytest.LogCaptureFixture) -> None:
    """While the store is away there is one trouble, then nothing, then all of it, and the end of the trouble."""
    caplog.set_level(logging.INFO, logger="bkjob_async.journal")
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None) as watch, reading(watch) as events:
        await asyncio.sleep(4.0)
        store.is_away = True
        before = len(events)
        await asyncio.sleep(70.0)
        away = events[before:]
        store.is_away = False
        await asyncio.sleep(2.0)
        after = events[before + len(away) :]

    assert [(e.kind, getattr(e, "error", None)) for e in away] == [("trouble", "JournalUnavailable")]
    assert "host_changed" in kinds(after)
    assert [e.error for e in after if isinstance(e, bkjob.Recovered)] == ["JournalUnavailable"]
    assert all(b"JournalUnavailable" not in each.data for each in (await store.read("night", 0)).records)
    assert [(each.name, each.levelname) for each in caplog.records] == [
        ("bkjob_async.journal", "WARNING"),
        ("bkjob_async.journal", "INFO"),
    ]


@pytest.mark.parametrize("lives_before", [0, 1])
async def test_the_cursor_of_a_process_that_stored_nothing_is_good_in_the_next(lives_before: int) -> None:
    """A reader had nothing but the trouble with the store; it goes on behind what it had before that."""
    world, store = World(11), FailingStore()
    ref = world.add(SLOW)
    had = list[bkjob.Event]()
    for _ in range(lives_before):
        async with fleet(world, store, ref) as watch, reading(watch) as events:
            await asyncio.sleep(6.0)
        had += events
    store.is_away = True
    async with fleet(world, store, ref) as watch, reading(watch, had[-1].cursor if had else "") as events:
        await asyncio.sleep(3.0)
        cursor = events[-1].cursor
    store.is_away = False

    assert kinds(events) == ["trouble"]
    async with fleet(world, store, ref) as watch, reading(watch, cursor) as more:
        await asyncio.sleep(120.0)
    reported = [bkjob.Batch(n, (event,), event.cursor) for n, event in enumerate([*had, *more], 1)]
    assert broken_promises(reported, truth=truth_of(world.history())) == []


async def test_polling_pauses_while_too_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and polling goes on when the store is back."""
    monkeypatch.setattr(record_queue, "MAX_WAITING", 3)
    world, store = World(1), FailingStore()
    jobs = [world.add(SLOW) for _ in range(3)]
    async with fleet(world, store, *jobs, linger=None) as watch:
        await asyncio.sleep(2.0)
        store.is_away = True
        await asyncio.sleep(30.0)
        polls = watch.stats().polls
        await asyncio.sleep(60.0)
        paused = watch.stats().polls
        store.is_away = False
        await asyncio.sleep(10.0)

        assert paused == polls
        assert watch.stats().polls > paused


async def test_records_that_come_all_the_time_are_appended_together() -> None:
    """A single one is stored in some milliseconds; where others follow, there are at most fifty appends a second."""
    world, store = World(1), FailingStore()
    async with fleet(world, store, world.add(SLOW), linger=None) as watch:
        await asyncio.sleep(120.0)
        journal = journal_of(watch)
        assert journal is not None
        journal.records.put_empty()
        await asyncio.sleep(0.01)
        assert journal.head == journal.records.last_put

        before = store.appends
        for _ in range(1000):
            journal.records.put_empty()
            await asyncio.sleep(0.001)

        assert 40 <= store.appends - before <= 52


async def test_readers_are_given_all_that_an_append_has_stored_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A portion for each turn of the event loop would fall behind where a turn brings more than a portion."""
    world, store, loop = World(1), FailingStore(), asyncio.get_running_loop()
    jobs = [world.add(SLOW) for _ in range(60)]
    given: list[int] = []
    later: list[int] = []
    give = EventStream.append

    def on_stored(stream: EventStream, batch: bkjob.Batch) -> None:
        if not given:
            loop.call_soon(lambda: later.append(len(given)))
        given.append(batch.sequence)
        give(stream, batch)

    async with fleet(world, store, *jobs, linger=None) as watch:
        await asyncio.sleep(2.0)
        store.is_away = True
        await asyncio.sleep(2.0)
        journal = journal_of(watch)
        assert journal is not None
        monkeypatch.setattr(EventStream, "append", on_stored)
        store.is_away = False
        await asyncio.sleep(2.0)

    assert later[0] > len(jobs) // 3


async def test_an_older_holder_ends_as_superseded() -> None:
    """Its readers raise, its polling stops, and it stores nothing any more."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job) as older:
        await asyncio.sleep(4.0)
        async with fleet(world, store):
            with pytest.raises(bkjob.Superseded):
                await read(older, [])
            polls = older.stats().polls
            await asyncio.sleep(20.0)

            assert older.stats().polls == polls


async def test_of_two_that_open_a_fleet_at_once_one_goes_on() -> None:
    """The other is superseded; what is stored has everything once, and what each delivered."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    delivered: list[list[bkjob.Event]] = [[], []]

    async def hold(number: int) -> str:
        try:
            async with fleet(world, store, job) as watch:
                await read(watch, delivered[number])
        except bkjob.Superseded:
            return "superseded"
        return "ended"

    ends = await asyncio.gather(hold(0), hold(1))
    stored = [batch async for batch in Journal(store).follow("night", live=False)]
    by_cursor = {event.cursor: event for batch in stored for event in batch.events}

    assert sorted(ends) == ["ended", "superseded"]
    assert broken_promises(stored, truth=truth_of(world.history())) == []
    assert all(by_cursor[event.cursor] == event for events in delivered for event in events)


async def test_without_takeover_a_busy_fleet_is_left_alone() -> None:
    """The error names who holds it."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job):
        with pytest.raises(bkjob.FleetBusy) as caught:
            async with fleet(world, store, takeover=False):
                pass
    async with fleet(world, store, takeover=False):
        pass

    assert caught.value.pid


async def test_an_opening_that_is_cancelled_leaves_the_fleet_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who waits until nobody has it need not wait until it is silent."""
    world, store = World(1), MemoryStore()
    job = world.add(SLOW)
    async with fleet(world, store, job):
        pass
    read_all = store.read

    async def slowly(*args: Any, **options: Any) -> Any:
        await asyncio.sleep(5.0)
        return await read_all(*args, **options)

    monkeypatch.setattr(store, "read", slowly)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.0), fleet(world, store):
            pass
    async with fleet(world, store, takeover=False) as watch:
        assert watch.targets == {job}


async def test_what_is_not_stored_at_the_end_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    """After five seconds the watch ends all the same, with a warning."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    with caplog.at_level(logging.WARNING, "bkjob_async"):
        async with fleet(world, store, job):
            await asyncio.sleep(0.5)
            store.is_away = True
            await asyncio.sleep(20.0)

    assert [record.levelname for record in caplog.records if "could not be stored" in record.message] == [
        "WARNING"
    ]


async def test_the_end_waits_for_the_store() -> None:
    """All that was reported is stored when the watch is left."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job) as watch:
        await asyncio.sleep(0.5)
        store.is_away = True
        await asyncio.sleep(20.0)
        asyncio.get_running_loop().call_later(2.0, setattr, store, "is_away", False)
    reported: list[bkjob.Event] = []
    await read(watch, reported)

    assert "host_changed" in kinds(reported)
    assert (await store.fleets())[0].is_held is False


async def test_a_dropped_target_is_gone_for_good() -> None:
    """The next process does not watch it; one that was added later it does."""
    world, store = World(1), FailingStore()
    one, other = world.add(SLOW), world.add(SLOW)
    async with fleet(world, store, one, linger=None) as watch:
        await asyncio.sleep(1.0)
        watch.add(other)
        watch.drop(one)
        await asyncio.sleep(1.0)
    async with fleet(world, store, linger=None) as watch:
        assert watch.targets == {other}


async def test_another_watch_of_the_client_does_not_hide_what_changed() -> None:
    """The fleet is given the difference to its own record, not the present as at first sight."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None) as watch, reading(watch) as first:
        await asyncio.sleep(8.0)
    async with client_of(Platform(world)) as (client, _), client.watch(job, linger=None):
        await asyncio.sleep(20.0)
        async with (
            client.watch(journal=Journal(store), name="night", linger=None) as watch,
            reading(watch, first[-1].cursor) as second,
        ):
            await asyncio.sleep(60.0)

    last: dict[str, bkjob.HostStatus] = {}
    for event in (*first, *second):
        if isinstance(event, bkjob.HostChanged):
            assert event.before == last.get(event.host.label)
            last[event.host.label] = event.after
    assert all(status.is_finished for status in last.values())


async def test_a_store_that_lost_its_newest_records_is_reported_again() -> None:
    """The writer takes a new term and stores all that it knows in their place; readers miss nothing, and no change comes twice.

    Who has not read all of what was lost is given the newest of the rest, marked.
    """
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None) as watch, reading(watch) as events:
        await asyncio.sleep(12.0)
        first = [batch async for batch in Journal(store).follow("night", live=False)]
        store.lose("night", 2)
        await asyncio.sleep(70.0)
    again: list[bkjob.Event] = []
    async with fleet(world, store, linger=0.0) as watch:
        await read(watch, again, after="")
    behind = Journal(store).follow("night", after=first[-2].cursor, live=False)
    rest = [event async for batch in behind for event in batch.events]
    had = [event for batch in first[:-1] for event in batch.events]

    assert [e.error for e in events if isinstance(e, bkjob.Trouble)] == ["JournalUnavailable"]
    assert any(isinstance(e, bkjob.HostChanged) and e.skipped for e in rest)
    for seen in (events, again, [*had, *rest]):
        last = {e.host.label: e.after for e in seen if isinstance(e, bkjob.HostChanged)}
        assert len(last) == 4
        assert all(status.is_finished for status in last.values())


async def test_records_that_were_lost_while_nothing_happens_are_stored_again() -> None:
    """All is over, and the watch stays open: its signs of life find out what the store has."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None):
        await asyncio.sleep(200.0)
        before = [batch async for batch in Journal(store).follow("night", live=False)]
        store.lose("night", 4, with_term=False)
        left = [batch async for batch in Journal(store).follow("night", live=False)]
        await asyncio.sleep(30.0)
        after = [batch async for batch in Journal(store).follow("night", live=False)]

    assert last_codes(left) != last_codes(before)
    assert last_codes(after) == last_codes(before)
    for batches, is_over in ((before, True), (left, False), (after, True)):
        assert is_over == any(isinstance(e, bkjob.Finished) for batch in batches for e in batch.events)


async def test_what_was_continued_beside_another_watch_is_stored_again_as_known() -> None:
    """The store lost the opening as well, and has what an earlier process reported: nothing begins anew there."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None):
        await asyncio.sleep(6.0)
    async with client_of(Platform(world)) as (client, _), client.watch(job, linger=None):
        await asyncio.sleep(3.0)
        async with client.watch((), journal=Journal(store), name="night", linger=None):
            head = fleets_in(store)["night"].head
            await asyncio.sleep(5.0)
            newer = [record for record in fleets_in(store)["night"].records if record.sequence > head]
            store.lose("night", len(newer), with_term=False)
            await asyncio.sleep(60.0)
    stored = [batch async for batch in Journal(store).follow("night", live=False)]

    assert len(newer) > 1
    assert broken_promises(stored) == []
    assert last_codes(stored)
    assert not {5, 7} & {*last_codes(stored).values()}


async def test_a_term_that_the_store_gave_out_twice_leaves_records_in_order() -> None:
    """It lost that the first had opened the fleet, and the second had its number; what the first knows goes behind."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None) as first:
        await asyncio.sleep(6.0)
        fleets_in(store)["night"].term -= 1
        async with client_of(Platform(world)) as (client, _):
            cursors_of(client).go_on_behind(1000)
            async with client.watch((), journal=Journal(store), name="night", linger=None) as second:
                await asyncio.sleep(60.0)
                with pytest.raises(bkjob.Superseded):
                    await second.results()
        assert first.counts()
    numbers = [record.sequence for record in fleets_in(store)["night"].records]
    stored = [batch async for batch in Journal(store).follow("night", live=False)]

    assert numbers == sorted(numbers)
    assert broken_promises(stored) == []
    assert last_codes(stored)
    assert not {5, 7} & {*last_codes(stored).values()}


async def test_targets_that_are_still_restored_are_recorded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store loses the fleet while a watch takes up what it had: all targets are in the journal afterwards."""
    world, store = World(1), FailingStore()
    jobs = [world.add(SLOW) for _ in range(30)]
    async with fleet(world, store, *jobs, linger=None):
        await asyncio.sleep(6.0)
    monkeypatch.setattr(CooperativeIterator, "_run_slice", run_one_step)
    async with fleet(world, store, linger=None) as watch:
        fleets_in(store).clear()
        await asyncio.sleep(5.0)
        monkeypatch.undo()
        assert len(watch.targets) == 30
        await asyncio.sleep(90.0)
    fold = (await load_fleet(store, "night")).fold

    assert set(fold.targets) == set(jobs)
    assert all(fold.jobs[job].has_finished(job) for job in jobs)


async def test_a_watch_that_is_left_while_it_restores_leaves_the_store_what_it_has() -> None:
    """The store has lost a record at that time: what was restored so far does not replace the whole fleet."""
    world, store = World(1), FailingStore()
    jobs = [world.add(SLOW) for _ in range(200)]
    async with fleet(world, store, *jobs, linger=None):
        await asyncio.sleep(90.0)
    async with fleet(world, store, linger=None) as watch:
        restored = len(watch.targets)
        store.lose("night", 1, with_term=False)
    left = (await load_fleet(store, "night")).fold

    assert 0 < restored < 200
    assert isinstance(end_of(watch), bkjob.JournalError)
    assert set(left.targets) == set(jobs)
    assert not fleets_in(store)["night"].is_held
    async with fleet(world, store, linger=None) as watch:
        await asyncio.sleep(5.0)
        assert watch.targets == set(jobs)


async def test_a_late_reader_of_a_fleet_that_was_lost_ends() -> None:
    """The watch has ended, and nobody stores again what it reported before it: that is told once, and is nothing."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None):
        await asyncio.sleep(6.0)
    async with fleet(world, store, linger=None) as watch:
        await asyncio.sleep(6.0)
    fleets_in(store).clear()
    batches: list[bkjob.Batch] = []
    async with asyncio.timeout(100.0):
        await read_batches(watch, batches, "")

    assert len({batch.sequence for batch in batches}) == len(batches) < 10
    assert [type(event) for event in batches[0].events] == [bkjob.InSync]


async def test_a_late_reader_is_given_what_another_process_wrote_in_place_of_what_was_lost() -> None:
    """Its watch was superseded, and then the store lost the fleet: the log begins behind what nobody has any more."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None):
        await asyncio.sleep(6.0)
    batches: list[bkjob.Batch] = []
    async with fleet(world, store, linger=None) as watch:
        await asyncio.sleep(6.0)
        async with fleet(world, store, linger=None):
            await asyncio.sleep(20.0)
            fleets_in(store).clear()
            await asyncio.sleep(20.0)
        with suppress(bkjob.Superseded):
            await read_batches(watch, batches, "")

    known = ("JournalUnavailable", "comes after batch")
    assert [broken for broken in broken_promises(batches) if not any(each in broken for each in known)] == []
    assert last_codes(batches)


async def test_a_fleet_that_is_forgotten_while_it_is_opened_stays_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who opens it is superseded, as everybody is who had it."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None):
        await asyncio.sleep(6.0)

    async def forget_first(self: MemoryStore, name: str, **_named: object) -> Checkpoint | None:
        monkeypatch.undo()
        await self.forget(name)
        return None

    monkeypatch.setattr(MemoryStore, "checkpoint", forget_first)
    async with fleet(world, store, linger=None) as watch:
        with pytest.raises(bkjob.Superseded):
            async with asyncio.timeout(300.0):
                await watch.results()
    assert await store.fleets() == []


async def test_a_present_that_has_more_than_the_log_is_not_repeated_by_it() -> None:
    """An append was made and its answer lost: who begins with the stored present has what the log is still to get."""
    world, store = World(1), FailingStore(Keep(bytes=1))
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None):
        await asyncio.sleep(6.0)
    fold = (await load_fleet(store, "night")).fold
    await store.write_checkpoint("night", Checkpoint(fold.sequence, [*fold.parts()]), term=1)
    store.answers_are_lost = True
    batches: list[bkjob.Batch] = []
    async with fleet(world, store, linger=None) as watch:
        await asyncio.sleep(2.0)
        reading = asyncio.create_task(read_batches(watch, batches, ""))
        await asyncio.sleep(2.0)
        store.answers_are_lost = False
        await asyncio.sleep(60.0)
    await reading

    assert [broken for broken in broken_promises(batches) if "JournalUnavailable" not in broken] == []
    assert not {5, 7} & {*last_codes(batches).values()}


async def test_a_checkpoint_behind_another_writers_records_has_their_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first writer reports its state again behind them: who follows is given that, not only what is newer to the writer."""
    monkeypatch.setattr(checkpoints, "SMALLEST_WEIGHT", 0)
    world, store = World(1), FailingStore(Keep(bytes=1))
    job = world.add(SLOW)
    batches: list[bkjob.Batch] = []
    async with fleet(world, store, job, linger=None):
        await asyncio.sleep(4.0)
        fleets_in(store).clear()
        async with client_of(Platform(world)) as (client, _):
            cursors_of(client).go_on_behind(1 << 20)
            async with client.watch((), journal=Journal(store), name="night", linger=None):
                await asyncio.sleep(0.1)
        following = asyncio.create_task(follow(store, batches))
        await asyncio.sleep(90.0)
    following.cancel()
    fold = (await load_fleet(store, "night")).fold

    assert last_codes(batches) == last_codes([bkjob.Batch(1, tuple(present_of(fold)), "")]) != {}


async def test_a_fleet_that_is_too_large_for_a_checkpoint_keeps_all_its_records(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That is logged, not with each record; who opens it later is given everything."""
    monkeypatch.setattr(checkpoints, "SMALLEST_WEIGHT", 400)
    monkeypatch.setattr(checkpoints, "MAX_CHECKPOINT", 100)
    world, store = World(1), FailingStore(Keep(bytes=1))
    job = world.add(SLOW)
    with caplog.at_level(logging.WARNING, "bkjob_async.journal"):
        async with fleet(world, store, job, linger=None):
            await asyncio.sleep(90.0)
    checkpoint = await store.checkpoint("night")
    batches = [batch async for batch in Journal(store).follow("night", live=False)]

    assert checkpoint is None
    assert {record.message for record in caplog.records} == {
        "the fleet 'night' is too large for a checkpoint (0 MiB): all its records are kept"
    }
    assert 1 <= len(caplog.records) < store.appends / 2
    assert broken_promises(batches, truth=truth_of(world.history())) == []


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.9])
async def test_two_writers_with_one_term_are_told_apart_by_their_numbers(seconds: int) -> None:
    """The store lost all of the fleet, and both have reported as many batches at some time: one of them goes on."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None) as first:
        await asyncio.sleep(seconds)
        fleets_in(store).clear()
        async with fleet(world, store, job, linger=None) as second:
            await asyncio.sleep(90.0)
            refused = [watch for watch in (first, second) if end_of(watch) is not None]
    stored = [batch async for batch in Journal(store).follow("night", live=False)]

    assert len(refused) == 1
    assert broken_promises(stored) == []
    assert not {5, 7} & {*last_codes(stored).values()}


async def test_what_happens_while_lost_records_are_written_again_is_reported_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The jobs are written in slices, and go on between them: here and in the journal each change comes once."""
    monkeypatch.setattr(compaction, "in_slices", slowly)
    monkeypatch.setattr(fleet_journal, "in_slices", slowly)
    monkeypatch.setattr(jobs_module, "HOSTS_IN_PART", 1)
    world, store = World(1), FailingStore()
    jobs = [world.add(SLOW) for _ in range(30)]
    async with fleet(world, store, *jobs, linger=None) as watch:
        reported, followed = list[bkjob.Batch](), list[bkjob.Batch]()
        task = asyncio.create_task(read_batches(watch, reported))
        following = asyncio.create_task(follow(store, followed))
        for _ in range(6):
            await asyncio.sleep(15.0)
            store.lose("night", 1)
        await asyncio.sleep(70.0)
        for each in (task, following):
            each.cancel()
        await asyncio.wait([task, following])
    stored = [batch async for batch in Journal(store).follow("night", live=False)]

    truth = truth_of(world.history())
    assert broken_promises([b for b in reported if not is_trouble(b)], truth=truth) == []
    assert broken_promises(stored, truth=truth) == []
    # A follower may look while the store is behind, and is given the present that is left, marked.
    assert repeated(followed) == []
    for who, batches in (("here", reported), ("journal", stored), ("follower", followed)):
        ends = {e.ref for b in batches for e in b.events if isinstance(e, bkjob.Finished)}
        assert ends == set(jobs), who


async def test_what_waits_while_all_is_stored_anew_is_given_once_however_often_that_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The store has gone back, and is away when the checkpoint is written; once it was written, and the answer is lost."""
    world, store = World(1), FailingStore()
    jobs = [world.add(SLOW) for _ in range(10)]
    failures = iter(["before", "before", "after", "after"])
    write = store.write_checkpoint

    async def write_seldom(name: str, checkpoint: Checkpoint, **written: Any) -> None:
        failure = next(failures, "") if written.get("all_behind") is not None else ""
        if failure == "before":
            raise JournalUnavailable("no connection")
        await write(name, checkpoint, **written)
        if failure:
            raise JournalUnavailable("no answer")

    monkeypatch.setattr(store, "write_checkpoint", write_seldom)
    async with fleet(world, store, *jobs, linger=None) as watch:
        reported: list[bkjob.Batch] = []
        task = asyncio.create_task(read_batches(watch, reported))
        await asyncio.sleep(20.0)
        had = [batch async for batch in Journal(store).follow("night", live=False)]
        store.lose("night", 3)
        await asyncio.sleep(100.0)
        task.cancel()
        await asyncio.wait([task])
    rest = [batch async for batch in Journal(store).follow("night", after=had[-1].cursor, live=False)]

    truth = truth_of(world.history())
    assert next(failures, None) is None
    assert broken_promises([b for b in reported if not is_trouble(b)], truth=truth) == []
    assert broken_promises([*had, *rest], truth=truth) == []
    for who, batches in (("here", reported), ("journal", [*had, *rest])):
        assert {e.ref for b in batches for e in b.events if isinstance(e, bkjob.Finished)} == {*jobs}, who


def repeated(batches: Iterable[bkjob.Batch]) -> list[bkjob.HostChanged]:
    """Return the changes of hosts, not marked, to what was given before."""
    given: dict[object, int] = {}
    found = list[bkjob.HostChanged]()
    for event in (event for batch in batches for event in batch.events):
        if isinstance(event, bkjob.HostChanged):
            key = event.ref, event.execute_count, event.host
            if given.get(key) == event.after.code and not event.skipped:
                found.append(event)
            given[key] = event.after.code
    return found


def last_codes(batches: Iterable[bkjob.Batch]) -> dict[object, int]:
    """Return the last status of each host that was reported."""
    changes = [e for batch in batches for e in batch.events if isinstance(e, bkjob.HostChanged)]
    return {event.host: event.after.code for event in changes}


async def follow(store: MemoryStore, batches: list[bkjob.Batch], after: str | None = None) -> None:
    """Follow the fleet as another process does."""
    async for batch in Journal(store).follow("night", after=after):
        batches.append(batch)


@pytest.mark.parametrize("count", [2, 3])
async def test_readers_of_lost_records_are_given_the_whole_present(count: int) -> None:
    """A store lost its newest records, and another process writes: what it reports has numbers that were used before."""
    world, store = World(11), FailingStore()
    ref = world.add(SLOW)
    live, late, resumed = list[bkjob.Batch](), list[bkjob.Batch](), list[bkjob.Batch]()
    async with fleet(world, store, ref):
        following = asyncio.create_task(follow(store, live))
        await asyncio.sleep(10.0)
    await asyncio.sleep(1.0)
    store.lose("night", count)
    cursor, had = live[-1].cursor, len(live)
    await asyncio.sleep(4.0)

    async with fleet(world, store) as watch:
        tasks = [
            asyncio.create_task(follow(store, late, cursor)),
            asyncio.create_task(read_batches(watch, resumed, cursor)),
        ]
        await asyncio.sleep(100.0)
    for task in (following, *tasks):
        task.cancel()
    for more in (live[had:], late, resumed):
        assert last_codes([*live[:had], *more]) == last_codes(live) != {}
        changes = [e for batch in more for e in batch.events if isinstance(e, bkjob.HostChanged)]
        assert [event.skipped for event in changes[:4]] == [True] * 4
        reported = [
            bkjob.Batch(n, batch.events, batch.cursor) for n, batch in enumerate([*live[:had], *more], 1)
        ]
        assert broken_promises(reported) == []


async def test_a_follower_reads_on_across_takeovers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It need not read the state of the whole fleet for that."""

    async def refuse(*_: object) -> None:
        raise AssertionError

    world, store, batches = World(11), FailingStore(), list[bkjob.Batch]()
    ref = world.add(SLOW)
    monkeypatch.setattr("bkjob_async.journal.follow.load_fleet", refuse)
    async with fleet(world, store, ref):
        following = asyncio.create_task(follow(store, batches))
        await asyncio.sleep(6.0)
        async with fleet(world, store):
            await asyncio.sleep(6.0)
        async with fleet(world, store):
            await asyncio.sleep(100.0)
    following.cancel()

    truth = truth_of(world.history())
    assert broken_promises(batches, truth=truth) == []
    assert batches[-1].events[-1].kind == "finished"


async def test_a_reader_of_a_fleet_that_was_forgotten_is_given_the_next_one_of_its_name() -> None:
    """Its records have numbers that the reader is beyond."""
    world, store = World(11), FailingStore()
    ref, other = world.add(SLOW), world.add(SLOW)
    batches = list[bkjob.Batch]()
    async with fleet(world, store, ref):
        following = asyncio.create_task(follow(store, batches))
        await asyncio.sleep(30.0)
    await store.forget("night")

    async with fleet(world, store, other):
        await asyncio.sleep(60.0)
    following.cancel()

    reported = {e.ref: e for batch in batches for e in batch.events if isinstance(e, bkjob.JobChanged)}
    assert reported[other].is_finished


async def slowly(items: Iterable[Any]) -> AsyncIterator[Any]:
    """Yield *items*, a tenth of a second apart."""
    for item in items:
        yield item
        await asyncio.sleep(0.1)


def run_one_step(self: CooperativeIterator) -> None:
    """Run one step, and the next one a twentieth of a second later."""
    self._is_running = next(self._iterator, EXHAUSTED) is not EXHAUSTED
    if self._is_running:
        asyncio.get_running_loop().call_later(0.05, self._run_slice)


def present_of(fold: Fold) -> Iterable[bkjob.Event]:
    """Return the present state of a fleet as events."""
    return [event for batch in present_batches(fold, 0, "") for event in batch.events]


def is_trouble(batch: bkjob.Batch) -> bool:
    """Return True for a batch of trouble with the store, or of its end."""
    return isinstance(batch.events[0], bkjob.Trouble | bkjob.Recovered)


async def read_batches(watch: bkjob.Watch, batches: list[bkjob.Batch], after: str | None = None) -> None:
    """Read a watch, batch by batch."""
    async for batch in watch.batches(after=after):
        batches.append(batch)


async def test_what_was_learnt_is_used_by_the_next_process() -> None:
    """Unless that was given something else."""
    world, store = World(1), FailingStore()
    job = world.add(SimulatedJob(name="deploy", steps=SLOW.steps))
    async with fleet(world, store, job) as watch:
        await watch.results()
    async with client_of(Platform(world)) as (client, _):
        assert client.durations() == ()
        async with client.watch(journal=Journal(store), name="night", linger=None):
            assert {each.job for each in client.durations()} == {"deploy"}


@pytest.mark.parametrize(
    "make",
    [
        lambda client: client.watch(1, journal="memory:"),
        lambda client: client.watch(1, name="night"),
        lambda client: client.watch(1, journal="memory:", name=""),
        lambda client: client.watch(1, journal="nowhere://x", name="night"),
    ],
)
async def test_half_a_journal_is_refused_at_once(make: Callable[[bkjob.JobClient], bkjob.Watch]) -> None:
    """The error names the remedy."""
    async with client_of(Platform(World(1))) as (client, _):
        with pytest.raises(bkjob.UsageError):
            make(client)


async def test_a_cursor_of_a_stranger_is_refused() -> None:
    """One of a process that never held the fleet names no place in it."""
    world, store = World(1), FailingStore()
    async with fleet(world, store, world.add(SLOW)) as watch:
        with pytest.raises(bkjob.UsageError):
            watch.batches(after="3-ffffffff")


def test_the_error_of_a_store_that_is_behind_says_where_it_is() -> None:
    """So the writer knows what to store again."""
    assert StoreBehind("behind", term=1, head=7).head == 7


class HangingStore(FailingStore):
    """A store that, once away, does not answer at all."""

    async def append(self, name: str, **written: Any) -> None:
        """Append, or hang."""
        if self.is_away:
            await asyncio.Event().wait()
        await super().append(name, **written)


@pytest.mark.parametrize("kind", [FailingStore, HangingStore])
@pytest.mark.parametrize("since", [0.0, 4.0, 9.9])
@pytest.mark.parametrize(
    "plan", [SLOW, SimulatedJob(steps=(StepPlan(hosts=2),))], ids=["goes on", "over before"]
)
@pytest.mark.parametrize("linger", [0.0, None])
async def test_a_deadline_ends_a_watch_whatever_its_store_does(
    kind: type[FailingStore], since: float, plan: SimulatedJob, linger: float | None
) -> None:
    """Within a second, and the error says what was not stored; the next watch reports it."""
    world, store = World(1), kind()
    job = world.add(plan)
    begun = asyncio.get_running_loop().time()
    seen: list[bkjob.Event] = []
    with pytest.raises(bkjob.DeadlineExceeded) as late:
        async with fleet(world, store, job, linger=linger, deadline=10.0) as watch:
            asyncio.get_running_loop().call_later(since, setattr, store, "is_away", True)
            async for event in watch:
                seen.append(event)
    taken = asyncio.get_running_loop().time() - begun
    store.is_away = False
    async with fleet(world, store, job) as again:  # its targets may not have been stored either
        events = [event async for event in again]

    assert 10.0 <= taken <= 11.0
    if plan is SLOW:
        assert "not over after 10 s" in str(late.value)
    if late.value.unstored:
        assert f"{late.value.unstored} event" in str(late.value)
        assert ("the disk is full" in str(late.value)) is (kind is FailingStore)
        assert isinstance(late.value.__cause__, JournalUnavailable) is (kind is FailingStore)
    told = [str(event) for event in (*seen, *events) if isinstance(event, bkjob.HostChanged | bkjob.Finished)]
    assert len(told) == len(set(told))
    assert any(isinstance(event, bkjob.Finished) for event in (*seen, *events))


class LateStore(FailingStore):
    """A store that takes nothing before a time on the loop's clock."""

    free_at = 0.0

    async def append(self, name: str, **written: Any) -> None:
        """Append when that time has come."""
        await asyncio.sleep(max(0.0, self.free_at - asyncio.get_running_loop().time()))
        await super().append(name, **written)


@pytest.mark.parametrize("plan", [SLOW, SimulatedJob(steps=(StepPlan(hosts=2),))], ids=["goes on", "is over"])
async def test_what_is_stored_soon_after_the_deadline_is_reported_whether_the_targets_are_over_or_not(
    plan: SimulatedJob,
) -> None:
    """A watch whose targets were over in time ends in order; it was late where the append of their ends was under way."""
    world, store, loop = World(1), LateStore(), asyncio.get_running_loop()
    job, error, events = world.add(plan), None, list[bkjob.Event]()
    async with fleet(world, store, job, deadline=20.0) as watch:
        store.free_at = loop.time() + 20.2
        try:
            await read(watch, events)
        except bkjob.DeadlineExceeded as late:
            error = late

    assert watch.recording is not None
    assert watch.recording.unstored == 0
    assert (error is None) is (plan is not SLOW)
    if error is None:
        assert kinds(events)[-1] == "finished"
    else:
        assert error.unstored == 0


@pytest.mark.parametrize("reads_before", [True, False], ids=["read", "not read"])
@pytest.mark.parametrize("is_shared", [False, True], ids=["alone", "beside another watch"])
async def test_the_end_of_a_step_that_was_added_to_its_ended_job_is_recorded_once(
    *, reads_before: bool, is_shared: bool
) -> None:
    """It is given once the step was read again: by the process that added it, or the next; no checkpoint has it before."""
    world, store = World(1), MemoryStore()
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2),)))
    step = world.jobs[job.job_instance_id].steps[0].ref
    away = bkjob.TransportFailed(bkjob.ErrorDetails(message="connection refused", sent=False))
    delivered: list[bkjob.Event] = []

    async def read(watch: bkjob.Watch, after: str | None) -> None:
        async for event in watch.events(after=after):
            delivered.append(event)

    followed: list[bkjob.Event] = []
    async with client_of(world) as (client, transport):
        async with client.watch(job, journal=Journal(store), name="fleet", linger=None) as watch:
            reading = asyncio.create_task(read(watch, None))
            await watch.wait(job)
            transport.spoil = lambda _request, _now: away
            watch.add(step)
            await asyncio.sleep(20.0)
            fold = (await load_fleet(store, "fleet")).fold
            head, present = fold.sequence, [*fold.present(0, skipped=False)]
            await store.write_checkpoint("fleet", Checkpoint(head, [*fold.parts()]), term=1)
            if reads_before:
                transport.spoil = lambda _request, _now: None
                await asyncio.sleep(20.0)
        await reading
    async with (
        client_of(world) as (client, _),
        client.watch(job if is_shared else (), linger=None),
        client.watch(journal=Journal(store), name="fleet", linger=None) as watch,
    ):
        reading = asyncio.create_task(read(watch, delivered[-1].cursor))
        await asyncio.sleep(20.0)
    await reading
    fleet = fleets_in(store)["fleet"]
    fleet.records, fleet.removed_to = [each for each in fleet.records if each.sequence > head], head
    async for batch in Journal(store).follow("fleet", live=False):
        followed += batch.events

    assert [event.ref for event in present if isinstance(event, bkjob.Finished)] == [job]
    for events in (delivered, followed):
        ends = [event.ref for event in events if isinstance(event, bkjob.Finished)]
        assert sorted(ends, key=str) == [job, step]


async def test_a_job_that_was_added_behind_its_step_is_not_given_again_by_the_next_process() -> None:
    """It was given when it was read; it still runs, so that its end is not recorded."""
    world, store = World(1), MemoryStore()
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HANGS,)),)))
    world.advance(1.0)
    step = world.jobs[job.job_instance_id].steps[0].ref
    delivered: list[bkjob.Event] = []
    for added in (job, None):
        async with (
            client_of(world) as (client, _),
            client.watch(
                step if added else (), journal=Journal(store), name="fleet", linger=None, deadline=60.0
            ) as watch,
        ):
            await asyncio.sleep(10.0)
            if added:
                watch.add(added)
            await asyncio.sleep(20.0)
            await watch.aclose()
            after = delivered[-1].cursor if delivered else None
            delivered += [event async for event in watch.events(after=after)]

    statuses = [event.ref for event in delivered if isinstance(event, bkjob.JobChanged | bkjob.StepChanged)]
    assert sorted(statuses, key=str) == [job, step]


async def test_a_recorded_loss_is_a_result_although_another_watch_can_read_the_target() -> None:
    """It was told as lost in an earlier process, and stays so in this fleet."""
    world, store = World(4), FailingStore()
    job, other = world.add(SLOW), world.add(SLOW)
    async with client_of(Platform(world)) as (client, transport):
        transport.spoil = lambda _request, now: REFUSED if now > 5.0 else None
        async with client.watch(job, journal=Journal(store), name="night", linger=None) as watch:
            async for event in watch:
                if isinstance(event, bkjob.Lost):
                    break
        transport.spoil = lambda *_: None
        async with client.watch(job, linger=None) as beside:
            await anext(beside.batches())
            async with client.watch(other, journal=Journal(store), name="night") as again:
                results = await again.results()

    assert {ref: type(result).__name__ for ref, result in results.items()} == {
        job: "Lost",
        other: "JobResult",
    }


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_nothing_goes_on_where_leaving_is_cancelled(times: int) -> None:
    """Leaving waits for the store, which is away; who cancels that again does not wait."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with client_of(Platform(world)) as (client, _):

        async def follow() -> None:
            async with client.watch(job, journal=Journal(store), name="night"):
                await asyncio.sleep(6.0)
                store.is_away = True
                await asyncio.sleep(600.0)

        following = asyncio.create_task(follow())
        await asyncio.sleep(20.0)
        for _ in range(times):
            following.cancel()
            await asyncio.sleep(0.5)
        await asyncio.wait([following])
    appends = store.appends
    await asyncio.sleep(100.0)

    assert following.cancelled()
    assert store.appends == appends
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_file_is_closed_where_leaving_takes_too_long(tmp_path: Path) -> None:
    """Another program holds the file for longer than the time limit around the watch."""
    world, path = World(1), tmp_path / "fleet.db"
    other = sqlite3.connect(path, isolation_level=None)
    async with client_of(Platform(world)) as (client, _):
        with pytest.raises(TimeoutError):
            async with (
                asyncio.timeout(3.0),
                client.watch(world.add(SLOW), journal=f"sqlite:///{path}", name="night") as watch,
            ):
                await asyncio.sleep(1.5)
                other.execute("BEGIN EXCLUSIVE")
                watch.add(world.add(SLOW))
                await asyncio.sleep(0.5)
    other.execute("ROLLBACK")
    other.close()
    await asyncio.sleep(6.0)

    assert [thread.name for thread in threading.enumerate() if "journal" in thread.name] == []


class SlowToOpen(MemoryStore):
    """A store that has given a fleet to its holder a second before it says so."""

    async def open(self, name: str, holder: Holder, **options: Any) -> Opened:
        """Take the fleet."""
        opened = await super().open(name, holder, **options)
        await asyncio.sleep(1.0)
        return opened


async def test_a_fleet_is_free_again_where_its_opening_was_cancelled() -> None:
    """The store had given it already; others would wait for the holder's sign of life."""
    world, store = World(1), SlowToOpen()
    job = world.add(SLOW)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5), fleet(world, store, job):
            pass
    async with fleet(world, store, job, takeover=False) as watch:
        assert watch.is_open
    assert asyncio.all_tasks() == {asyncio.current_task()}
