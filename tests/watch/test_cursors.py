"""Cursors: a reader continues where another one left, and nothing is missed in between."""

import asyncio

import pytest
from attrs import evolve

import bkjob_async as bkjob
from bkjob_async.simulator.world.plans import HANGS, HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import broken_promises, truth_of
from tests.watch.clients import client_of, keeps_its_promise, watched
from tests.watch.inside import limit_log

pytestmark = pytest.mark.looptime
PLAN = SimulatedJob(
    steps=(
        StepPlan(hosts=4, outcomes=(HostOutcome(duration=exactly(6.0)), HostOutcome(duration=exactly(20.0)))),
    )
)


async def test_a_reader_continues_behind_any_batch() -> None:
    """Read up to a cursor by one and behind it by another: together it is the stream."""
    world = World(1)
    jobs = [world.add(PLAN) for _ in range(3)]
    async with client_of(world) as (client, _), client.watch(jobs) as watch:
        whole = [batch async for batch in watch.batches()]
        for n, batch in enumerate(whole):
            rest = [later async for later in watch.batches(after=batch.cursor)]
            assert rest == whole[n + 1 :]
        events = [event async for event in watch.events(after=whole[1].events[-1].cursor)]
        ends = [result.ref async for result in watch.as_finished(after=whole[-2].cursor)]

    assert keeps_its_promise(whole, world)
    assert events == [event for batch in whole[2:] for event in batch.events]
    assert ends == [e.ref for e in whole[-1].events if isinstance(e, bkjob.Finished)]


async def test_a_reader_that_was_left_says_where_to_continue() -> None:
    """Its cursor is that of the last batch consumed whole; one left in the middle is read again."""
    world = World(1)
    job = world.add(PLAN)
    async with client_of(world) as (client, _), client.watch(job) as watch:
        whole = [batch async for batch in watch.batches()]
        reader = watch.events()
        for _ in range(len(whole[0].events) + 1):
            await anext(reader)
        rest = [batch async for batch in watch.batches(after=reader.cursor)]
        unread = watch.events()
        everything = [batch async for batch in watch.batches(after=unread.cursor)]

    assert len(whole[1].events) > 1
    assert rest == whole[1:]
    assert everything == whole


async def test_what_was_compacted_behind_a_cursor_comes_as_the_newest_of_each_host() -> None:
    """The stream that was cut and continued keeps the promise as one that was not."""
    world = World(2)
    jobs = [world.add(PLAN) for _ in range(30)]
    first: list[bkjob.Batch] = []
    async with client_of(world) as (client, _):
        watch = client.watch(jobs)
        limit_log(watch, 50)
        async with watch:
            reader = watch.batches()
            first += [await anext(reader) for _ in range(5)]
            await asyncio.sleep(60)
            rest = [batch async for batch in watch.batches(after=reader.cursor)]

    # The last batch that was had is not known to be consumed before the next is asked for.
    assert reader.cursor == first[-2].cursor
    assert broken_promises([*first[:-1], *rest], truth=truth_of(world.history())) == []
    assert any(isinstance(e, bkjob.HostChanged) and e.skipped for e in rest[0].events)
    assert {e.ref for b in (*first, *rest) for e in b.events if isinstance(e, bkjob.Finished)} == set(jobs)


async def test_a_reader_that_is_late_for_a_fleet_catches_up_in_portions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others have their turn in between, and who leaves it half-way begins again where it began."""
    monkeypatch.setattr("bkjob_async.watch.stream.stream.PORTION_SIZE", 20)
    world = World(4)
    jobs = [world.add(SimulatedJob(steps=(StepPlan(hosts=4, outcomes=(HANGS,)),))) for _ in range(30)]
    late: list[bkjob.Batch] = []
    async with client_of(world) as (client, _):
        watch = client.watch(jobs, linger=None)
        limit_log(watch, 20)
        async with watch:
            await asyncio.sleep(60.0)
            reader = watch.batches()
            for turn in range(1, 1000):
                late.append(await anext(reader))
                if any(isinstance(event, bkjob.InSync) for event in late[-1].events):
                    break
                if turn == 3:
                    world.operate_job(world.jobs[jobs[-1].job_instance_id], 1)
                    watch.nudge(jobs[-1])
                    await asyncio.sleep(5.0)
            again = watch.batches(after=late[1].cursor)
            repeated = [await anext(again) for _ in range(5)]

    assert 6 < len(late) < 30
    assert max(sum(isinstance(e, bkjob.HostChanged) for e in batch.events) for batch in late) == 16
    assert broken_promises(late, truth=truth_of(world.history())) == []
    assert [batch.cursor for batch in late[:-1]] == [""] * (len(late) - 1)
    assert late[-1].cursor == late[-1].events[-1].cursor != ""
    assert repeated[0].events == late[0].events


async def test_a_deadline_leaves_a_cursor_for_the_next_watch() -> None:
    """In a later watch the present comes first, marked as what was missed; then what is new."""
    world = World(3)
    job = world.add(PLAN)
    before: list[bkjob.Batch] = []
    async with client_of(world) as (client, _):
        with pytest.raises(bkjob.DeadlineExceeded) as late:
            async with client.watch(job, deadline=10.0) as watch:
                async for batch in watch.batches():
                    before.append(batch)
        again = client.watch(job)
        reader = again.batches(after=late.value.cursor)
        async with again:
            after = [batch async for batch in reader]

    assert late.value.cursor == before[-1].cursor
    joined = [*before, *(without_in_sync(batch) for batch in after)]
    assert broken_promises([b for b in joined if b.events], truth=truth_of(world.history())) == []
    synced = next(n for n, b in enumerate(after) if any(isinstance(e, bkjob.InSync) for e in b.events))
    marks = [
        [event.skipped for event in batch.events if isinstance(event, bkjob.HostChanged)] for batch in after
    ]
    assert all(all(marked) for marked in marks[: synced + 1])
    assert not any(any(marked) for marked in marks[synced + 1 :])
    assert sum(map(len, marks[synced + 1 :])) == 2


def without_in_sync(batch: bkjob.Batch) -> bkjob.Batch:
    """Return a batch without the marker that only a stream's beginning has."""
    return evolve(batch, events=tuple(e for e in batch.events if not isinstance(e, bkjob.InSync)))


@pytest.mark.parametrize(
    ("cursor", "words"),
    [
        ("yesterday", "not a cursor"),
        ("-1", "not a cursor"),
        ("²-x", "not a cursor"),
        ("9" * 5000, "not a cursor"),
        ("3", "another client"),
        ("3-0000", "another client"),
        ("OWN0", "never given out"),
        ("OWN999999", "never given out"),
        ("ANOTHER", "another client"),
    ],
)
async def test_a_cursor_that_is_none_is_refused(cursor: str, words: str) -> None:
    """Nonsense, another client's, one from the future: an error at once, not an empty stream."""
    world = World(4)
    job = world.add(PLAN)
    async with client_of(world) as (client, _), client_of(world) as (other, _):
        mine, theirs = await watched(client, job), await watched(other, job)
        number, _, name = mine[-1].cursor.partition("-")
        if cursor.startswith("OWN"):
            cursor = f"{cursor[3:]}-{name}"
        elif cursor == "ANOTHER":
            cursor = theirs[-1].cursor
        watch = client.watch(job)
        for read in (watch.events, watch.hosts, watch.batches, watch.as_finished):
            with pytest.raises(bkjob.UsageError, match=words):
                read(after=cursor)

    assert int(number) == mine[-1].sequence
