"""A store that lost its newest records while a watch writes: what its own readers are given, behind any cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.loading import load_fleet
from bkjob_async.journal.store import Holder
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.world.plans import HANGS, SUCCEEDS, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import broken_promises, truth_of
from bkjob_async.watch.journaling import fleet_journal, opening
from tests.watch.clients import client_of
from tests.watch.inside import cursors_of, end_of, fleets_in, journal_of, limit_log
from tests.watch.lost_records import state_in
from tests.watch.resume_run import is_local
from tests.watch.test_journal import SLOW, FailingStore, fleet, follow, kinds, read_batches, reading

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("begins", ["opening", "all"])
@pytest.mark.parametrize("later", [2.0, 5.0, 12.0, 100.0])
async def test_a_reader_that_fell_behind_misses_no_host(begins: str, later: float) -> None:
    """What it has not read left the log, and was lost by the store: it is given the newest of that."""
    world, store, given = World(1), FailingStore(), list[bkjob.Batch]()
    jobs = [world.add(SLOW) for _ in range(3)]
    async with fleet(world, store, *jobs, linger=None) as watch:
        limit_log(watch, 4)
        reader = watch.batches(after=None if begins == "opening" else "")
        given.append(await anext(reader))
        await asyncio.sleep(30.0)
        kept = [
            record for record in fleets_in(store)["night"].records if record.sequence <= given[-1].sequence
        ]
        store.lose("night", len(fleets_in(store)["night"].records) - len(kept), with_term=False)
        await asyncio.sleep(later)
        whole = list[bkjob.Batch]()
        for source, batches in ((reader, given), (watch.batches(after=""), whole)):
            try:
                async with asyncio.timeout(100.0):
                    async for batch in source:
                        batches.append(batch)
            except TimeoutError:
                pass

    # The trouble with the store itself has left the log, and is not recorded.
    broken = broken_promises(given, truth=truth_of(world.history()))
    assert [each for each in broken if "JournalUnavailable" not in each] == []
    assert len(state_in(whole)) == 18
    assert state_in(given) == state_in(whole)


async def test_a_reader_of_earlier_records_misses_no_host() -> None:
    """The store lost what was written before the watch was opened; the watch knows it, and tells it those who read on."""
    world, store, had, given = World(1), FailingStore(), list[bkjob.Batch](), list[bkjob.Batch]()
    jobs = [world.add(SLOW) for _ in range(3)]
    async with fleet(world, store, *jobs, linger=None) as watch:
        task = asyncio.create_task(read_batches(watch, had))
        await asyncio.sleep(2.0)
        count, cursor = len(fleets_in(store)["night"].records), had[-1].cursor
        task.cancel()
        await asyncio.sleep(20.0)
    async with fleet(world, store, linger=None) as watch:
        await asyncio.sleep(5.0)
        store.lose("night", len(fleets_in(store)["night"].records) - count)
        await asyncio.sleep(100.0)
        task = asyncio.create_task(read_batches(watch, given, cursor))
        await asyncio.sleep(1.0)
        task.cancel()

    every = [*had, *given]
    assert broken_promises(every, truth=truth_of(world.history())) == []
    assert len(state_in(every)) == 18
    assert all(not isinstance(code, int) or code not in (5, 7) for code in state_in(every).values())


async def test_the_watch_that_was_opened_last_goes_on() -> None:
    """The store lost both openings before the first watch had found out about the second."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None) as first:
        await asyncio.sleep(95.0)
        async with fleet(world, store, linger=None) as second:
            await asyncio.sleep(1.0)
            fleets_in(store).clear()
            for watch in (second, first):
                journal = journal_of(watch)
                assert journal is not None
                journal.records.put_empty()
                await asyncio.sleep(3.0)
            stored = [batch async for batch in Journal(store).follow("night", live=False)]

            with pytest.raises(bkjob.Superseded):
                await asyncio.wait_for(first.results(), 60.0)
            assert second._stream.state == "open"
            assert state_in(stored)[job] == (4, True)


async def test_trouble_with_a_store_is_no_loss() -> None:
    """A watch lost its fleet while it could not append: who reads it late is given its records, none of them skipped."""
    world, store, given = World(1), FailingStore(), list[bkjob.Batch]()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None) as first:
        limit_log(first, 4)
        await asyncio.sleep(8.0)
        journal = journal_of(first)
        assert journal is not None
        for is_away, seconds in ((True, 3.0), (False, 30.0), (True, 3.0)):  # the first trouble leaves the log
            store.is_away = is_away
            journal.records.put_empty()
            await asyncio.sleep(seconds)
        stored = [batch async for batch in Journal(store).follow("night", live=False)]
        async with fleet(world, store, linger=None):
            store.is_away = False
            await asyncio.sleep(10.0)
            with pytest.raises(bkjob.Superseded):
                async for batch in first.batches():
                    given.append(batch)

    assert [batch for batch in given if not is_local(batch)] == stored


class CutOffStore(FailingStore):
    """A store that one process cannot reach any more, from a *call* on that it makes; the call is made where its *answer* is lost.

    What others do goes to `other`.
    """

    def __init__(self, call: str, *, answer: bool) -> None:
        super().__init__()
        self.call, self.answer, self.is_cut, self.is_armed = call, answer, False, False
        self.other = FailingStore()
        self._fleets = self.other._fleets

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return (
            found
            if name.startswith("_") or not iscoroutinefunction(found)
            else partial(self._ask, name, found)
        )

    async def _ask(
        self, name: str, call: Callable[..., Awaitable[Any]], *arguments: Any, **named: Any
    ) -> Any:
        if self.is_armed and name == self.call:
            self.is_armed, self.is_cut = False, True
            if self.answer:
                await call(*arguments, **named)
        if self.is_cut:
            raise bkjob.JournalUnavailable("cut off")
        return await call(*arguments, **named)


CUTS = [
    ("open", True),
    ("open", False),
    ("checkpoint", False),
    ("write_checkpoint", True),
    ("write_checkpoint", False),
]


@pytest.mark.parametrize("cut", CUTS, ids=str)
@pytest.mark.parametrize("what", ["opened", "forgotten", "nothing"])
async def test_a_writer_that_is_cut_off_while_it_stores_anew_does_not_take_the_fleet_back(
    cut: tuple[str, bool], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process has opened the fleet meanwhile, and stored more there, or it was forgotten; else the writer goes on."""
    world, store = World(1), CutOffStore(cut[0], answer=cut[1])
    jobs = [world.add(SLOW) for _ in range(2)]
    async with fleet(world, store, jobs[0], linger=None) as first:
        await asyncio.sleep(20.0)
        store.lose("night", 1, with_term=False)
        store.is_armed = True
        await asyncio.sleep(40.0)
        assert store.is_cut
        if what == "opened":
            monkeypatch.setattr(opening, "own_holder", lambda: Holder("first", 1))
            monkeypatch.setattr(fleet_journal, "own_holder", lambda: Holder("second", 2))
            async with fleet(world, store.other, jobs[1], linger=None) as second:
                monkeypatch.setattr(fleet_journal, "own_holder", lambda: Holder("first", 1))
                await asyncio.sleep(10.0)
                store.is_cut = False
                await asyncio.sleep(20.0)
                assert isinstance(end_of(first), bkjob.Superseded)
                assert end_of(second) is None
                assert set((await load_fleet(store, "night")).fold.targets) == set(jobs)
        elif what == "forgotten":
            await store.other.forget("night")
            store.is_cut = False
            await asyncio.sleep(20.0)
            assert isinstance(end_of(first), bkjob.Superseded)
            assert await store.other.fleets() == []
        else:
            store.is_cut = False
            await asyncio.sleep(100.0)
            assert end_of(first) is None
            stored = [batch async for batch in Journal(store).follow("night", live=False)]
            assert state_in(stored)[jobs[0]] == (4, True)


async def test_what_others_wrote_behind_a_loss_is_replaced_by_all_that_the_older_watch_knows() -> None:
    """The store gave both the same term; the older one, for which all is over, goes on."""
    world, store = World(1), FailingStore()
    job, other = world.add(SLOW), world.add(SLOW)
    async with fleet(world, store, job, linger=None) as first:
        await asyncio.sleep(95.0)
        fleets_in(store).clear()
        async with client_of(Platform(world)) as (client, _):
            cursors_of(client).go_on_behind(1000)
            async with client.watch(other, journal=Journal(store), name="night", linger=None):
                await asyncio.sleep(0.5)
                journal = journal_of(first)
                assert journal is not None
                journal.records.put_empty()
                await asyncio.sleep(60.0)
        assert first._stream.state == "open"
    stored = [batch async for batch in Journal(store).follow("night", live=False)]

    assert broken_promises(stored, truth=truth_of(world.history())) == []
    assert state_in(stored)[job] == (4, True)


async def test_a_cursor_of_a_checkpoint_that_replaces_what_others_wrote_is_good() -> None:
    """A reader that was given the whole state there goes on behind it, and is not given that again."""
    world, store, given = World(1), FailingStore(), list[bkjob.Batch]()
    job, other = world.add(SLOW), world.add(SLOW)
    async with fleet(world, store, job, linger=None) as first:
        await asyncio.sleep(95.0)
        fleets_in(store).clear()
        async with client_of(Platform(world)) as (client, _):
            cursors_of(client).go_on_behind(1000)
            async with client.watch(other, journal=Journal(store), name="night", linger=None):
                await asyncio.sleep(0.5)
                following = asyncio.create_task(follow(store, given))
                await asyncio.sleep(0.5)
                journal_of(first).records.put_empty()
                await asyncio.sleep(5.0)
                following.cancel()
    behind = [batch async for batch in Journal(store).follow("night", after=given[-1].cursor, live=False)]

    assert state_in(given)[job] == (4, True)
    assert state_in(behind) == {}


async def test_a_step_that_is_watched_in_place_of_its_job_keeps_what_was_reported() -> None:
    """The store lost that change of targets, of a job that the client polls for another watch, too."""
    plan = SimulatedJob(steps=(StepPlan(hosts=4, outcomes=(SUCCEEDS, HANGS)),))
    world, store = World(1), FailingStore()
    job = world.add(plan)
    async with (
        client_of(Platform(world)) as (client, _),
        client.watch(job, linger=None),
        client.watch(job, journal=Journal(store), name="night", linger=None) as watch,
    ):
        await asyncio.sleep(120.0)
        known = watch.snapshot(job)
        assert isinstance(known, bkjob.JobSnapshot)
        step = known.steps[0].ref
        count = len(fleets_in(store)["night"].records)
        watch.add(step)
        watch.drop(job)
        await asyncio.sleep(30.0)
        store.lose("night", len(fleets_in(store)["night"].records) - count, with_term=False)
        await asyncio.sleep(30.0)
    fold = (await load_fleet(store, "night")).fold
    async with fleet(world, store, linger=None) as again, reading(again) as events:
        await asyncio.sleep(30.0)

    assert list(fold.targets) == [step]
    assert kinds(events) == ["resumed", "in_sync"]


async def test_a_client_knows_the_cursor_of_a_record_that_the_store_has_lost() -> None:
    """It gave it out itself, in an earlier watch; another process has gone on in the meantime."""
    world, store, had, given = World(1), FailingStore(), list[bkjob.Batch](), list[bkjob.Batch]()
    job = world.add(SLOW)
    async with client_of(Platform(world)) as (client, _):
        cursors_of(client).go_on_behind(1000)
        async with client.watch(job, journal=Journal(store), name="night", linger=None) as watch:
            task = asyncio.create_task(read_batches(watch, had))
            await asyncio.sleep(2.0)
            task.cancel()
        fleets_in(store).clear()
        async with fleet(world, store, job, linger=None):
            await asyncio.sleep(100.0)
        async with client.watch((), journal=Journal(store), name="night", linger=None) as watch:
            task = asyncio.create_task(read_batches(watch, given, had[-1].cursor))
            await asyncio.sleep(5.0)
            task.cancel()
    stored = [batch async for batch in Journal(store).follow("night", live=False)]

    assert state_in([*had, *given]) == state_in(stored)
    assert state_in(stored)[job] == (4, True)


async def test_trouble_that_the_store_has_lost_is_stored_again() -> None:
    """Who follows the journal, and had not read it, would be given its end alone."""
    world, store = World(1), FailingStore()
    job = world.add(SLOW)
    async with client_of(Platform(world)) as (client, door):
        spoil = door.spoil
        async with client.watch(job, journal=Journal(store), name="night", linger=None):
            await asyncio.sleep(3.0)
            count = len(fleets_in(store)["night"].records)
            had = [batch async for batch in Journal(store).follow("night", live=False)]
            door.spoil = lambda *_: bkjob.PlatformTrouble(bkjob.ErrorDetails(message="no"))
            await asyncio.sleep(20.0)
            store.lose("night", len(fleets_in(store)["night"].records) - count, with_term=False)
            await asyncio.sleep(15.0)
            behind = Journal(store).follow("night", after=had[-1].cursor, live=False)
            lost = [batch async for batch in behind]
            door.spoil = spoil
            await asyncio.sleep(100.0)
    rest = [batch async for batch in Journal(store).follow("night", after=lost[-1].cursor, live=False)]

    signals = [
        (event.kind, event.skipped)
        for batch in (*lost, *rest)
        for event in batch.events
        if isinstance(event, bkjob.Trouble | bkjob.Recovered)
    ]
    assert signals == [("trouble", True), ("recovered", False)]
    assert broken_promises([*had, *lost, *rest], truth=truth_of(world.history())) == []
