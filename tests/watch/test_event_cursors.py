"""A reader may continue from any event: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar
from unittest import mock

import looptime
import pytest
from attrs import evolve
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import bkjob_async as bkjob
from bkjob_async.simulator.world.plans import HANGS, HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import broken_promises, truth_of
from tests.watch.clients import client_of
from tests.watch.histories import jobs
from tests.watch.inside import cursors_of, limit_log, unsettled_in

plans = st.lists(jobs, min_size=1, max_size=3).map(tuple)
operations = st.lists(
    st.tuples(st.floats(0, 90), st.sampled_from([2, 2, 2, 8, 8, 11]), st.integers(0, 2)), max_size=3
).map(sorted)
a_few = settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

T = TypeVar("T")
Act = Callable[[bkjob.JobClient, World, list[bkjob.JobRef]], Awaitable[None]]


def in_virtual_time(plans: Sequence[SimulatedJob], act: Act) -> None:
    """Run *act* with a client of a world of these *plans*."""

    async def main() -> None:
        world = World(1)
        refs = [world.add(plan) for plan in plans]
        async with client_of(world) as (client, _):
            await act(client, world, refs)

    with asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=0)) as runner:
        runner.run(main())


async def operate(
    client: bkjob.JobClient,
    world: World,
    refs: Sequence[bkjob.JobRef],
    operations: Iterable[tuple[float, int, int]],
) -> None:
    """Do what people do to steps, at its time, where the platform lets them."""
    now = 0.0
    for moment, code, number in operations:
        await asyncio.sleep(moment - now)
        now = moment
        step = world.jobs[refs[number % len(refs)].job_instance_id].current_step.ref
        try:
            await client.operate_step_instance(step, operation_code=code)
        except bkjob.ClientClosed:
            return  # the example is over
        except bkjob.CallFailed:
            continue


async def all_of(reader: AsyncIterator[T]) -> list[T]:
    """Read to the end, or to the deadline of the watch."""
    read: list[T] = []
    try:
        async for item in reader:
            read.append(item)
    except bkjob.DeadlineExceeded:
        pass
    return read


def same(some: Sequence[object], others: Sequence[object]) -> bool:
    """Whether both hold the same objects, not only equal ones."""
    return len(some) == len(others) and all(a is b for a, b in zip(some, others, strict=True))


@a_few
@given(plans, operations)
def test_every_reader_goes_on_behind_the_event_that_it_is_given(
    plans: tuple[SimulatedJob, ...], operations: list[tuple[float, int, int]]
) -> None:
    """Cut anywhere, each way of reading and each filter yields exactly what comes behind."""

    async def act(client: bkjob.JobClient, world: World, refs: list[bkjob.JobRef]) -> None:
        async with client.watch(refs, deadline=150.0, linger=20.0) as watch:
            acting = asyncio.create_task(operate(client, world, refs, operations))
            whole = await all_of(watch.events())
            await acting
        batches = await all_of(watch.batches())
        step = next((e.ref for e in whole if isinstance(e, bkjob.HostChanged)), refs[0].step(1))
        for n, event in enumerate(whole):
            rest, after = whole[n + 1 :], event.cursor
            hosts = [e for e in rest if isinstance(e, bkjob.HostChanged)]
            about = [e for e in rest if e.ref is None or refs[0] in (e.ref, e.ref.job)]
            done = [e for e in hosts if e.after.phase is bkjob.Phase.SUCCESS]
            assert same(await all_of(watch.events(after=after)), rest)
            assert same(await all_of(watch.events(ref=refs[0], after=after)), about)
            assert same(await all_of(watch.events(scope=refs[0].scope, after=after)), rest)
            assert same(await all_of(watch.hosts(after=after)), hosts)
            assert same(await all_of(watch.hosts(ref=step, after=after)), [e for e in hosts if e.ref == step])
            assert same(await all_of(watch.hosts(phase=bkjob.Phase.SUCCESS, after=after)), done)
            ends = [e.result for e in rest if isinstance(e, bkjob.Finished)]
            assert same(await all_of(watch.as_finished(after=after)), ends)
            left = await all_of(watch.batches(after=after))
            assert same([e for batch in left for e in batch.events], rest)
            assert [b.cursor for b in left] == [b.cursor for b in batches[len(batches) - len(left) :]]
        assert len({event.cursor for event in whole}) == len(whole)

    in_virtual_time(plans, act)


@a_few
@given(plans, operations, st.integers(0, 60))
def test_another_watch_goes_on_behind_it_too(
    plans: tuple[SimulatedJob, ...], operations: list[tuple[float, int, int]], seed: int
) -> None:
    """What both are given comes neither twice nor never, whatever else one of them is given."""

    async def act(client: bkjob.JobClient, world: World, refs: list[bkjob.JobRef]) -> None:
        single = world.jobs[refs[0].job_instance_id].steps[0].ref
        async with (
            client.watch([*refs, single], deadline=150.0, linger=20.0) as one,
            client.watch([single, refs[-1]], deadline=150.0, linger=20.0) as other,
        ):
            acting = asyncio.create_task(operate(client, world, refs, operations))
            mine, theirs = await all_of(one.events()), await all_of(other.events())
            await acting
        for some, others, watch in ((mine, theirs, other), (theirs, mine, one)):
            shared = {id(event) for event in some} & {id(event) for event in others}
            for n, event in list(enumerate(some))[seed % 3 :: 3]:
                rest = await all_of(watch.events(after=event.cursor))
                expected = [id(e) for e in some[n + 1 :] if id(e) in shared]
                assert [id(e) for e in rest if id(e) in shared] == expected

    in_virtual_time(plans, act)


@a_few
@given(plans, operations, st.data())
def test_behind_an_event_that_was_compacted_away_comes_the_newest_of_each_host(
    plans: tuple[SimulatedJob, ...], operations: list[tuple[float, int, int]], data: st.DataObject
) -> None:
    """Both pieces together are a stream that keeps its promise."""

    async def act(client: bkjob.JobClient, world: World, refs: list[bkjob.JobRef]) -> None:
        watch = client.watch(refs, deadline=150.0, linger=20.0)
        limit_log(watch, 12)
        pieces: list[bkjob.Batch] = []
        async with watch:
            acting = asyncio.create_task(operate(client, world, refs, operations))
            reader = watch.batches()
            pause = data.draw(st.floats(0.1, 100.0))
            try:
                async for batch in reader:
                    pieces.append(batch)
                    if asyncio.get_running_loop().time() > pause:
                        break
            except bkjob.DeadlineExceeded:
                pass
            *before, last = pieces
            number = data.draw(st.integers(0, len(last.events) - 1))
            had = evolve(last, events=tuple(last.events)[: number + 1])
            await asyncio.sleep(data.draw(st.floats(0.0, 100.0)))
            rest = []
            try:
                async for batch in watch.batches(after=had.events[-1].cursor):
                    rest.append(batch)
            except bkjob.DeadlineExceeded:
                pass
            await acting
        ends = {
            e.ref for b in (*pieces, *rest) for e in b.events if isinstance(e, bkjob.Finished | bkjob.Lost)
        }
        assert ends >= watch.targets - unsettled_in(watch)
        if rest and rest[0].sequence == last.sequence:
            tail = tuple(last.events)[number + 1 :]
            assert same(rest[0].events, tail)
            joined = [*before, last, *rest[1:]]
        else:
            repeated = [without(batch, had.events) for batch in rest]
            joined = [*before, had, *(batch for batch in repeated if batch.events)]
        assert broken_promises(joined, truth=truth_of(world.history())) == []

    in_virtual_time(plans, act)


def without(batch: bkjob.Batch, reported: Iterable[bkjob.Event]) -> bkjob.Batch:
    """Return a batch without what may come again: the ends of the very batch that the cut went through."""
    again = [e for e in reported if isinstance(e, bkjob.Finished)]
    events = tuple(e for e in batch.events if e not in again)
    return evolve(batch, events=events)


def test_inside_the_present_a_cursor_is_the_one_from_before_it() -> None:
    """Whoever is cut there begins it anew, and misses nothing."""

    async def act(client: bkjob.JobClient, world: World, refs: list[bkjob.JobRef]) -> None:
        watch = client.watch(refs, linger=None)
        limit_log(watch, 20)
        async with watch:
            early = watch.events()
            had = [await anext(early) for _ in range(3)]
            await asyncio.sleep(60.0)
            for cursor in ("", had[-1].cursor):
                reader = watch.events(after=cursor)
                present = [await anext(reader)]
                while not isinstance(present[-1], bkjob.InSync):
                    present.append(await anext(reader))
                again = watch.events(after=present[5].cursor)

                assert {event.cursor for event in present[:-1]} == {cursor}
                assert [await anext(again) for _ in present] == present
                assert present[-1].cursor not in ("", had[-1].cursor)

    with mock.patch("bkjob_async.watch.stream.stream.PORTION_SIZE", 20):
        in_virtual_time([SimulatedJob(steps=(StepPlan(hosts=4, outcomes=(HANGS,)),))] * 30, act)


@pytest.mark.looptime
async def test_a_later_watch_delivers_what_was_behind_the_event() -> None:
    """Where the first was cut within a batch, the next begins with the present, all of it marked as skipped."""
    world = World(3)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=4),)))
    async with client_of(world) as (client, _):
        async with client.watch(job) as watch:
            reader = watch.events()
            had = [await anext(reader) for _ in range(3)]
        async with client.watch(job) as again:
            rest = [event async for event in again.events(after=had[-1].cursor)]

    hosts = {event.host for event in rest if isinstance(event, bkjob.HostChanged)}
    synced = next(n for n, event in enumerate(rest) if isinstance(event, bkjob.InSync))
    assert len(hosts) == 4
    assert all(event.skipped for event in rest[:synced] if isinstance(event, bkjob.HostChanged))


@pytest.mark.looptime
async def test_the_newest_cursor_is_from_before_a_later_watch() -> None:
    """Nothing was looked at in between: still the present is what was missed."""
    world = World(3)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=4, outcomes=(HANGS,)),)))
    async with client_of(world) as (client, _), client.watch(job) as watch:
        reader = watch.batches()
        last = await anext(reader)
        assert last.sequence == cursors_of(client).last
        async with client.watch(job) as again:
            first = await anext(again.events(after=last.cursor))

    assert isinstance(first, bkjob.JobChanged)
    assert first.skipped


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (".0", "not a cursor"),
        (".", "not a cursor"),
        (".1.1", "not a cursor"),
        (".x", "not a cursor"),
        (".-1", "not a cursor"),
        (".999", "never given out"),
    ],
)
async def test_a_place_in_a_batch_that_is_none_is_refused(ending: str, words: str) -> None:
    """Nonsense, or an event that its batch never had."""
    world = World(3)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=4),)))
    async with client_of(world) as (client, _), client.watch(job) as watch:
        batch = await anext(watch.batches())
        with pytest.raises(bkjob.UsageError, match=words):
            watch.events(after=batch.cursor + ending)


def test_inside_the_batch_of_a_join_that_was_compacted_away() -> None:
    """What the reader may have had comes again as skipped, and it is in sync only once."""

    async def act(client: bkjob.JobClient, world: World, refs: list[bkjob.JobRef]) -> None:
        async with client.watch(refs, linger=None) as first:
            await anext(aiter(first))
            await asyncio.sleep(30.0)
            watch = client.watch(refs, linger=None)
            limit_log(watch, 6)
            async with watch:
                batch = await anext(watch.batches())
                hosts = [event for event in batch.events if isinstance(event, bkjob.HostChanged)]
                await asyncio.sleep(60.0)

                rest = [event async for event in until_quiet(watch.events(after=hosts[1].cursor))]
                in_sync = [event async for event in until_quiet(watch.events(after=batch.events[-1].cursor))]

        assert isinstance(batch.events[-1], bkjob.InSync)
        repeated = [event for event in rest if isinstance(event, bkjob.HostChanged)]
        assert repeated
        assert all(event.skipped for event in repeated)
        assert sum(isinstance(event, bkjob.InSync) for event in rest) == 1
        assert not any(isinstance(event, bkjob.InSync) for event in in_sync)

    long = (outcome(3.0), outcome(40.0), outcome(50.0), outcome(70.0), HANGS)
    in_virtual_time([SimulatedJob(steps=(StepPlan(hosts=5, pinned=dict(enumerate(long))),))], act)


def outcome(seconds: float) -> HostOutcome:
    """Return a host that succeeds after so many seconds."""
    return HostOutcome(duration=exactly(seconds))


async def until_quiet(reader: bkjob.Reader[T]) -> AsyncIterator[T]:
    """Yield what a reader has by now."""
    while True:
        try:
            async with asyncio.timeout(0.5):
                item = await anext(reader)
        except TimeoutError:
            return
        yield item
