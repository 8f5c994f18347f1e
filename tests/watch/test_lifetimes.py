"""Opening, leaving, cancelling: no orphaned task, no warning, no exception group of one."""

import asyncio
import gc
import threading
import traceback
import weakref
from typing import Any

import looptime
import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.world.plans import HANGS, HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import CREDENTIALS, SCOPE, URLS, client_of
from tests.watch.inside import pending_runs

pytestmark = pytest.mark.looptime


def hanging_world(jobs: int = 1) -> tuple[World, list[bkjob.JobRef]]:
    """Return a world whose jobs never end by themselves."""
    world = World(1)
    return world, [
        world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HANGS,)),))) for _ in range(jobs)
    ]


def others() -> set[asyncio.Task[object]]:
    """Return every task but the test's own."""
    return asyncio.all_tasks() - {asyncio.current_task()}


async def test_opened_in_one_task_and_closed_in_another() -> None:
    """Fixtures do this; no cancel scope is held open between."""
    world, jobs = hanging_world()
    client = bkjob.connect(URLS["gateway-v3"], CREDENTIALS, transport=SimulatedTransport(Platform(world)))
    opened: list[bkjob.Watch] = []

    async def acquire() -> None:
        await client.__aenter__()
        opened.append(await client.watch(jobs).__aenter__())
        await anext(aiter(opened[0]))

    async def release() -> None:
        await opened[0].__aexit__(None, None, None)
        await client.__aexit__(None, None, None)

    await asyncio.create_task(acquire())
    await asyncio.create_task(release())

    assert others() == set()


async def test_an_exception_in_the_body_comes_out_as_itself() -> None:
    """Not inside a group, and nothing is left running."""
    world, jobs = hanging_world()
    with pytest.raises(ZeroDivisionError):
        async with client_of(world) as (client, _), client.watch(jobs) as watch:
            async for _event in watch:
                raise ZeroDivisionError

    assert others() == set()


async def test_breaking_out_of_the_loop_leaves_nothing_behind() -> None:
    """The engine's tasks end with the watch, not with the client."""
    world, jobs = hanging_world(50)
    async with client_of(world) as (client, _):
        async with client.watch(jobs) as watch:
            async for event in watch:
                if isinstance(event, bkjob.InSync):
                    break
            assert others()
        assert others() == set()


async def test_a_timeout_around_it_is_the_callers_own() -> None:
    """`asyncio.timeout` ends the loop and passes through untouched."""
    world, jobs = hanging_world()
    async with client_of(world) as (client, _):
        with pytest.raises(TimeoutError) as timeout:
            async with asyncio.timeout(30):
                async with client.watch(jobs) as watch:
                    async for _event in watch:
                        pass
        assert not isinstance(timeout.value, bkjob.BkJobError)
        assert others() == set()


async def test_cancelling_a_reader_hurts_nobody() -> None:
    """The others go on reading the same watch."""
    world, jobs = hanging_world()
    async with client_of(world) as (client, _), client.watch(jobs) as watch:

        async def read() -> None:
            async for _event in watch:
                pass

        reader = asyncio.create_task(read())
        await asyncio.sleep(5)
        reader.cancel()
        await asyncio.wait([reader])
        assert reader.cancelled()
        assert isinstance(await anext(aiter(watch)), bkjob.JobChanged)


async def test_a_passed_deadline_says_where_things_stand() -> None:
    """What there is is delivered first; the exception carries the last snapshot, and the job is not touched."""
    world, jobs = hanging_world()
    events = []
    async with client_of(world) as (client, transport):
        async with client.watch(jobs, deadline=20) as watch:
            with pytest.raises(bkjob.DeadlineExceeded) as passed:
                async for event in watch:
                    events.append(event)
        assert not any("operate" in url for url in transport.urls)

    assert isinstance(passed.value, TimeoutError)
    assert [event.kind for event in events][:2] == ["job_changed", "step_changed"]
    snapshot = passed.value.snapshots[jobs[0]]
    assert isinstance(snapshot, bkjob.JobSnapshot)
    assert snapshot.status.phase is bkjob.Phase.RUNNING
    assert passed.value.cursor


async def test_an_engine_crash_comes_out_of_the_next_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As itself, from every reader; the body is not cancelled."""
    world, jobs = hanging_world()
    async with client_of(world) as (client, _):
        monkeypatch.setattr("bkjob_async.watch.polling.target_poller.plan_poll", lambda *_, **__: 1 // 0)
        async with client.watch(jobs) as watch:
            await asyncio.sleep(1)  # the body goes on
            with pytest.raises(ZeroDivisionError):
                await anext(aiter(watch))
            with pytest.raises(ZeroDivisionError):
                await watch.results()
        assert others() == set()


async def test_a_slow_reader_misses_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fell off the log comes as the newest change of each host, marked."""
    monkeypatch.setattr("bkjob_async.engine.stream.event_log.EventLog.__init__.__defaults__", (20,))
    world = World(7)
    job = world.add(
        SimulatedJob(
            steps=(
                StepPlan(
                    hosts=30,
                    outcomes=(
                        HostOutcome(start_delay=exactly(2.0), duration=exactly(8.0)),
                        HostOutcome(duration=exactly(20.0)),
                    ),
                ),
            )
        )
    )
    async with client_of(world) as (client, _), client.watch(job) as watch:
        reader = watch.hosts()
        first = await anext(reader)
        await asyncio.sleep(120)
        rest = [event async for event in reader]

    assert not first.skipped
    last = {event.host.label: event for event in [first, *rest]}
    assert len(last) == 30
    assert {event.after.code for event in last.values()} == {9}
    assert any(event.skipped for event in rest)


async def test_use_in_another_loop_raises_a_helpful_error() -> None:
    """One client, one event loop."""
    world, jobs = hanging_world()
    found: list[BaseException] = []
    async with client_of(world) as (client, _):
        made = client.watch(jobs)

        def elsewhere() -> None:
            async def use() -> None:
                client.watch(jobs)

            async def open_it() -> None:
                await asyncio.wait_for(made.__aenter__(), 1.0)

            for used in (use, open_it, client.aclose):
                try:
                    asyncio.run(used())
                except bkjob.WrongEventLoop as error:
                    found.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        client.watch(jobs)

    assert ["connect() once per loop" in str(error) for error in found] == [True] * 3


async def test_an_open_watch_in_another_loop_raises_a_helpful_error() -> None:
    """It has its own event loop, too: elsewhere its readers would wait for ever, and changes come in between."""
    world, jobs = hanging_world()
    found: list[BaseException] = []
    async with client_of(world) as (client, _), client.watch(jobs, linger=None) as watch:

        async def wait() -> None:
            await watch.wait(jobs[0])

        async def read() -> None:
            async for _event in watch:
                pass

        async def change() -> None:
            watch.add(*jobs)

        async def drop() -> None:
            watch.drop(*jobs)

        async def nudge() -> None:
            watch.nudge(jobs[0])

        def elsewhere() -> None:
            for used in (wait, read, change, drop, nudge, watch.aclose):
                try:
                    asyncio.run(asyncio.wait_for(used(), 1.0))
                except bkjob.WrongEventLoop as error:
                    found.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert watch.is_open

    assert ["another event loop or process" in str(error) for error in found] == [True] * 6
    with pytest.raises(bkjob.WrongEventLoop):
        await asyncio.to_thread(watch.nudge, jobs[0])


async def test_each_reader_raises_the_end_of_a_watch_with_its_own_traceback() -> None:
    """It is one error, and its traceback does not grow with each reader."""
    world, jobs = hanging_world()
    depths: list[int] = []
    async with client_of(world) as (client, _), client.watch(jobs, deadline=5.0, linger=None) as watch:

        async def read() -> None:
            try:
                async for _event in watch:
                    pass
            except bkjob.DeadlineExceeded as error:
                depths.append(len(traceback.extract_tb(error.__traceback__)))

        await asyncio.gather(*(read() for _ in range(4)))

    assert len(set(depths)) == 1, depths


async def test_a_closed_client_says_so() -> None:
    """Before it is opened, and after it was closed; a watch left open ends with the client."""
    world, jobs = hanging_world()
    client = bkjob.connect(
        URLS["gateway-v3"], CREDENTIALS, scope=SCOPE, transport=SimulatedTransport(Platform(world))
    )
    with pytest.raises(bkjob.ClientClosed, match="open the client first"):
        client.watch(jobs)
    async with client:
        watch = await client.watch(jobs).__aenter__()
        await anext(aiter(watch))
    with pytest.raises(bkjob.ClientClosed, match="while this watch was open"):
        async for _event in watch:
            pass
    with pytest.raises(bkjob.ClientClosed, match="closed"):
        await client.get_job_instance_status(1)
    assert others() == set()


@pytest.mark.parametrize("recorded", [{}, {"journal": "memory:closed", "name": "night"}])
@pytest.mark.parametrize("turns", range(4))
async def test_a_watch_is_not_opened_when_its_client_is_closed(recorded: dict[str, Any], turns: int) -> None:
    """Neither afterwards, nor where that happens while its journal is opened: nothing would be polled any more."""
    world, jobs = hanging_world()
    async with client_of(world) as (client, transport):
        watch = client.watch(jobs, **recorded)
        if recorded:
            opening = asyncio.create_task(watch.__aenter__())
            for _ in range(turns):
                await asyncio.sleep(0)
            assert not watch.is_open
    with pytest.raises(bkjob.ClientClosed, match="make another with connect"):
        await (opening if recorded else watch.__aenter__())

    assert not watch.is_open
    assert transport.urls == []
    assert others() == set()


@pytest.mark.parametrize("closed", [True, False])
def test_a_watch_that_nobody_holds_is_not_kept_in_memory(*, closed: bool) -> None:
    """The collector of cycles does not look into states of jobs, so none may refer back to its subscribers."""

    async def look() -> weakref.ref[bkjob.Watch]:
        world, jobs = hanging_world()
        client = bkjob.connect(URLS["gateway-v3"], CREDENTIALS, transport=SimulatedTransport(Platform(world)))
        await client.__aenter__()
        watch = client.watch(jobs, linger=None)
        await watch.__aenter__()
        async for event in watch:
            if isinstance(event, bkjob.HostChanged):
                break
        if closed:
            await client.aclose()
        return weakref.ref(watch)

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        watch = runner.run(look())
    del runner
    gc.collect()

    assert watch() is None


@pytest.mark.looptime
async def test_calls_that_add_nothing_are_not_kept() -> None:
    """A program may add what it finds each second, and find nothing for weeks."""
    async with client_of(World(1)) as (client, _), client.watch(linger=None) as watch:
        for _ in range(100):
            watch.add()
            watch.drop()

        assert pending_runs(watch) == 0
