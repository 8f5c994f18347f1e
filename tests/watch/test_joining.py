"""What a watch receives of targets that were watched before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from json import dumps, loads
from typing import TypeVar

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpResponse
from bkjob_async.simulator.world.plans import (
    FAILS,
    HANGS,
    IGNORES_STOP,
    SUCCEEDS,
    HostOutcome,
    Rolling,
    SimulatedJob,
    StepPlan,
    exactly,
)
from bkjob_async.simulator.world.world import FIRST_STEP_ID, World
from bkjob_async.testing import broken_promises, truth_of
from tests.watch.clients import ALL_DIALECTS, DIALECTS, client_of, keeps_its_promise, watched
from tests.watch.inside import limit_log, log_of, note_operation
from tests.watch.test_journal import reading

pytestmark = pytest.mark.looptime
E = TypeVar("E")

LONG = HostOutcome(duration=exactly(40.0))
RETRIED = SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(FAILS,), retry_outcomes=(LONG,)),))
REFUSED = HttpResponse(status=200, body=b'{"result": false, "code": 1238001, "message": "no permission"}')
HTML = HttpResponse(status=500, body=b"<html>oops</html>")


def retry(world: World, job: bkjob.JobRef, step: int = 0) -> None:
    """Let somebody else run the failed hosts of a step again."""
    world.advance(asyncio.get_running_loop().time())
    world.operate_step(world.jobs[job.job_instance_id].steps[step], 2)


def of_type(batches: list[bkjob.Batch], *kinds: type[E]) -> list[E]:
    """Return the events of these kinds, in order."""
    return [event for batch in batches for event in batch.events if isinstance(event, kinds)]


async def first_end(watch: bkjob.Watch) -> None:
    """Read a watch until something has finished, or was lost."""
    async for event in watch:
        if isinstance(event, bkjob.Finished | bkjob.Lost):
            return


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_wait_is_never_answered_with_what_another_watch_remembers(dialect: str) -> None:
    """Somebody else retried the job since the other watch saw it fail."""
    world = World(1)
    job = world.add(RETRIED)
    async with client_of(world, dialect) as (client, transport), client.watch(job, linger=None) as old:
        await first_end(old)
        await asyncio.sleep(60)
        retry(world, job)
        await asyncio.sleep(1)
        asked = transport.requests
        result = await client.wait(job)
        again = transport.requests - asked
        reported = [batch async for batch in closed(old)]

    assert result.ok
    assert again > 0
    assert keeps_its_promise(reported, world)
    ends = [event.result.ok for event in of_type(reported, bkjob.Finished)]
    assert ends == [False, True]
    assert len(of_type(reported, bkjob.Reopened)) == 2  # the step, and its job


async def closed(watch: bkjob.Watch) -> AsyncIterator[bkjob.Batch]:
    """Close a watch; yield all that it was reported."""
    await watch.aclose()
    async for batch in watch.batches():
        yield batch


@pytest.mark.parametrize("target", ["job", "step"])
async def test_a_watch_that_joins_an_end_reads_it_again(target: str) -> None:
    """Nobody touched the job: one question, then the end as it is."""
    world = World(2)
    job = world.add(RETRIED)
    step = world.jobs[job.job_instance_id].steps[0].ref
    ref = job if target == "job" else step
    async with client_of(world) as (client, transport), client.watch([job, step], linger=None) as old:
        await first_end(old)
        await asyncio.sleep(60)
        asked = transport.requests
        batches = await watched(client, ref)

    assert transport.requests - asked == 1
    assert keeps_its_promise(batches, world)
    assert [event.ref for event in of_type(batches, bkjob.Finished)] == [ref]
    assert len(of_type(batches, bkjob.HostChanged)) == 2
    assert len(of_type(batches, bkjob.InSync)) == 1


async def test_an_answer_that_was_asked_for_before_the_join_does_not_count() -> None:
    """It may be older than the wish to know."""
    world = World(3)
    job = world.add(RETRIED)
    async with (
        client_of(world, latency=2.0) as (client, transport),
        client.watch(job, linger=None) as old,
    ):
        await first_end(old)
        await asyncio.sleep(60)
        old.nudge(job)
        await asyncio.sleep(0.5)
        asked = len(transport.times)
        joined = asyncio.get_running_loop().time()
        await client.wait(job)

    assert [time for time in transport.times[asked:] if time > joined]


async def test_access_granted_again_is_seen_by_who_joins_and_lost_stays_lost() -> None:
    """The older watch has reported the loss of the target, and reports no more of it; a wait there ends with the loss."""
    world = World(4)
    job = world.add(
        SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HostOutcome(duration=exactly(100.0)),)),))
    )
    async with client_of(world) as (client, transport), client.watch(job, linger=None) as old:
        transport.spoil = lambda _request, now: REFUSED if 5.0 < now < 50.0 else None
        await first_end(old)
        await asyncio.sleep(60)
        async with client.watch(job) as other:
            batches = [await anext(other.batches())]
            with pytest.raises(bkjob.TargetLost):  # no end of it will be told here
                await asyncio.wait_for(old.wait(job), 3600.0)
            batches += [batch async for batch in other.batches(after=batches[0].cursor)]
        with pytest.raises(bkjob.TargetLost):
            await asyncio.wait_for(old.wait(job), 3600.0)
        reported = [batch async for batch in closed(old)]

    assert keeps_its_promise(batches, world)
    assert [event.result.ok for event in of_type(batches, bkjob.Finished)] == [True]
    assert not of_type(batches, bkjob.Lost)
    assert isinstance(reported[-1].events[-1], bkjob.Lost)
    assert keeps_its_promise(reported, world)


async def test_a_refusal_from_before_the_join_loses_nothing() -> None:
    """Access may have been granted again meanwhile: the job is requested once more."""
    world = World(4)
    job = world.add(
        SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HostOutcome(duration=exactly(200.0)),)),))
    )
    async with client_of(world, interval=5.0) as (client, transport):
        transport.spoil = lambda _request, now: REFUSED if 20.0 < now < 60.0 else None
        transport.delay = lambda _request, now: (0.0, 40.0) if 50.0 < now < 60.0 else (0.0, 0.0)
        first = asyncio.create_task(watched(client, job))
        await asyncio.sleep(70)
        assert transport.times[-1] < 60.0
        both = await asyncio.gather(first, watched(client, job))

    for batches in both:
        assert keeps_its_promise(batches, world)
        assert [event.result.ok for event in of_type(batches, bkjob.Finished)] == [True]


async def test_a_step_that_was_not_there_before_the_join_is_not_lost() -> None:
    """It takes two responses of its job without it, and both were asked for before: the job is requested once more."""
    world = World(4)
    job = world.add(
        SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HostOutcome(duration=exactly(200.0)),)),))
    )
    step = job.step(FIRST_STEP_ID)
    async with client_of(world, "esb-jobv3", interval=5.0) as (client, transport):
        transport.spoil = lambda _request, now: without_steps(job) if now < 20.0 else None
        transport.delay = lambda _request, now: (0.0, 40.0) if 4.0 < now < 20.0 else (0.0, 0.0)
        first = asyncio.create_task(watched(client, step))
        await asyncio.sleep(30)
        assert 4.0 < transport.times[-1] < 20.0
        both = await asyncio.gather(first, watched(client, step))

    for batches in both:
        assert keeps_its_promise(batches, world)
        assert [event.result.ok for event in of_type(batches, bkjob.Finished)] == [True]


def without_steps(job: bkjob.JobRef) -> HttpResponse:
    """Return a response about a job that runs and has no steps yet."""
    instance = {
        "job_instance_id": job.job_instance_id,
        "bk_scope_type": "biz",
        "bk_scope_id": "2",
        "status": 2,
    }
    data = {"finished": False, "job_instance": instance, "step_instance_list": []}
    return HttpResponse(status=200, body=dumps({"code": 0, "result": True, "data": data}).encode())


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
@pytest.mark.parametrize("level", bkjob.DetailLevel)
async def test_no_host_of_a_step_that_was_skipped_is_reported_as_it_was_before(
    dialect: str, level: bkjob.DetailLevel
) -> None:
    """Its hosts stop one by one, longer than they are waited for: each is read again, large as the step is."""
    world = World(5)
    skipped = StepPlan(hosts=110, outcomes=(IGNORES_STOP,), skip_duration=90.0)
    job = world.add(SimulatedJob(steps=(skipped, StepPlan(hosts=1, outcomes=(HANGS,)))))
    loop = asyncio.get_running_loop()
    async with (
        client_of(world, dialect) as (client, _),
        client.watch(job, linger=None, detail_level=level),
        client.watch(job, linger=None) as watch,
        client.watch([], linger=None, detail_level=level) as joining,
    ):
        for seconds, operate in ((5.0, stop), (5.0, skip), (40.0, None)):
            await asyncio.sleep(seconds)
            world.advance(loop.time())
            if operate is not None:
                operate(world, job)
        await watch.aclose()
        added = loop.time()
        joining.add(job)
        await asyncio.sleep(30.0)
        await joining.aclose()
        reported: dict[tuple[bkjob.StepRef, int, str], int] = {}
        async for change in joining.hosts():
            run = (change.ref, change.execute_count, change.host.label)
            reported.setdefault(run, change.after.code)
        world.advance(loop.time())

    truth = truth_of(world.history())
    possible = {run: truth.hosts[run][truth.index_at(run, added) :] for run in reported}
    assert len(reported) >= 110
    assert {run: code for run, code in reported.items() if code not in possible[run]} == {}


def stop(world: World, job: bkjob.JobRef) -> None:
    """Let somebody else stop a job."""
    world.operate_job(world.jobs[job.job_instance_id], 1)


def skip(world: World, job: bkjob.JobRef) -> None:
    """Let somebody else skip the first step of a job."""
    world.operate_step(world.jobs[job.job_instance_id].steps[0], 12)


async def test_what_is_still_lost_is_lost_for_who_joins() -> None:
    """It is asked about again, and reported to the new watch only."""
    world = World(4)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HANGS,)),)))
    async with client_of(world) as (client, transport), client.watch(job, linger=None) as old:
        transport.spoil = lambda _request, now: REFUSED if now > 5.0 else None
        await first_end(old)
        asked = len(transport.urls)
        await asyncio.sleep(60)
        with pytest.raises(bkjob.TargetLost):
            await client.wait(job)
        again = len(transport.urls) - asked
        reported = [batch async for batch in closed(old)]

    assert 0 < again < 5
    assert len(of_type(reported, bkjob.Lost)) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("order", ["both at once", "step later", "job later"])
async def test_a_job_and_its_step_are_delivered_once(order: str, dialect: str) -> None:
    """To whoever watches both, whether they were followed before or not."""
    world = World(5)
    plan = SimulatedJob(
        steps=(StepPlan(hosts=3, outcomes=(SUCCEEDS, LONG)), StepPlan(hosts=3, outcomes=(SUCCEEDS,)))
    )
    job = world.add(plan)
    step = world.jobs[job.job_instance_id].steps[0].ref
    async with client_of(world, dialect) as (client, _), client.watch([job, step], linger=None):
        await asyncio.sleep(12)
        orders: dict[str, tuple[list[bkjob.Ref], list[bkjob.Ref]]] = {
            "both at once": ([job, step], []),
            "step later": ([job], [step]),
            "job later": ([step], [job]),
        }
        first, later = orders[order]
        async with client.watch(first) as watch:
            await asyncio.sleep(5)
            watch.add(*later)
            batches = [batch async for batch in watch.batches()]

    assert keeps_its_promise(batches, world)
    assert sorted(str(event.ref) for event in of_type(batches, bkjob.Finished)) == sorted(
        map(str, (job, step))
    )
    seen = [(e.ref, e.host, e.after) for e in of_type(batches, bkjob.HostChanged)]
    assert len(seen) == len(set(seen))


async def test_a_step_added_to_a_watch_of_its_job_after_its_end() -> None:
    """Its changes were reported with the job's; what is new is how it ended."""
    world = World(6)
    job = world.add(
        SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(SUCCEEDS,)), StepPlan(hosts=2, outcomes=(LONG,))))
    )
    step = world.jobs[job.job_instance_id].steps[0].ref
    async with client_of(world) as (client, _), client.watch(job) as watch:
        await asyncio.sleep(20)
        watch.add(step)
        batches = [batch async for batch in watch.batches()]

    assert keeps_its_promise(batches, world)
    assert [event.ref for event in of_type(batches, bkjob.Finished)] == [step, job]
    assert len(of_type(batches, bkjob.HostChanged)) == len(
        {(e.ref, e.host, e.after) for e in of_type(batches, bkjob.HostChanged)}
    )


async def test_a_slow_reader_gets_the_hosts_of_what_was_added() -> None:
    """They moved before this watch joined, and the log no longer holds what was reported then."""
    world = World(7)
    quick = SimulatedJob(steps=(StepPlan(hosts=6, outcomes=(HostOutcome(duration=exactly(2.0)),)),))
    other, many = world.add(SimulatedJob(steps=(StepPlan(hosts=5, outcomes=(LONG,)),))), world.add(quick)
    async with client_of(world) as (client, _), client.watch(many, linger=None):
        await asyncio.sleep(20)
        watch = client.watch(other)
        limit_log(watch, 4)
        async with watch:
            batches: list[bkjob.Batch] = []
            async for batch in watch.batches():
                batches.append(batch)
                if len(batches) == 1:
                    watch.add(many)
                    await asyncio.sleep(100)

    assert broken_promises(batches, truth=truth_of(world.history())) == []
    assert len({e.host for e in of_type(batches, bkjob.HostChanged) if e.ref.job == many}) == 6
    assert {e.ref for e in of_type(batches, bkjob.Finished)} == {other, many}


async def test_a_late_reader_of_what_is_lost_is_given_nothing_that_another_watch_saw() -> None:
    """The watch has joined after the last answer; what was true before that is no change for it."""
    world = World(4)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HANGS,)),)))
    async with client_of(world) as (client, transport), client.watch(job, linger=None) as old:
        transport.spoil = lambda _request, now: REFUSED if now > 5.0 else None
        async for event in old:
            if isinstance(event, bkjob.Trouble):
                break
        watch = client.watch(job)
        limit_log(watch, 1)
        async with watch:
            at_once = [batch async for batch in watch.batches()]
            late = [batch async for batch in watch.batches()]

    assert len(of_type(at_once, bkjob.Lost)) == 1
    assert [event.ref for event in of_type(late, bkjob.Lost)] == [job]
    assert not of_type(late, bkjob.JobChanged, bkjob.StepChanged, bkjob.HostChanged)


async def test_a_reader_that_fell_behind_receives_a_loss_once() -> None:
    """It was reported before, and lies in what was compacted away for others only."""
    world = World(8)
    outcomes = {n: HostOutcome(duration=exactly(20.0 + 10.0 * n)) for n in range(6)}
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=6, pinned=outcomes),)))
    nobody = bkjob.JobRef(job.scope, 404)
    async with client_of(world) as (client, _):
        watch = client.watch([job, nobody])
        limit_log(watch, 4)
        async with watch:
            batches: list[bkjob.Batch] = []
            async for batch in watch.batches():
                batches.append(batch)
                if of_type([batch], bkjob.Lost):
                    await asyncio.sleep(100)

    assert len(of_type(batches, bkjob.Lost)) == 1
    assert broken_promises(batches, truth=truth_of(world.history())) == []


@pytest.mark.parametrize("target", ["job", "step"])
async def test_a_watch_that_joins_during_trouble_receives_it_first(target: str) -> None:
    """And then that it recovered."""
    world = World(9)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(LONG,)),)))
    step = world.jobs[job.job_instance_id].steps[0].ref
    ref = job if target == "job" else step
    async with client_of(world) as (client, transport), client.watch(job):
        transport.spoil = lambda _request, now: HTML if 5.0 < now < 30.0 else None
        await asyncio.sleep(15)
        batches = await watched(client, ref)

    assert keeps_its_promise(batches, world)
    assert [event.ref for event in of_type(batches, bkjob.Trouble)] == [ref]
    assert [event.ref for event in of_type(batches, bkjob.Recovered)] == [ref]


async def test_a_watch_that_joins_after_trouble_receives_none() -> None:
    """The first answer after the join is a good one."""
    world = World(9)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(LONG,)),)))
    async with client_of(world) as (client, transport), client.watch(job) as old:
        transport.spoil = lambda _request, now: HTML if 5.0 < now < 15.0 else None
        async for event in old:
            if isinstance(event, bkjob.Trouble):
                break
        transport.spoil = lambda _request, _now: None
        batches = await watched(client, job)

    assert keeps_its_promise(batches, world)
    assert not of_type(batches, bkjob.Trouble)
    assert not of_type(batches, bkjob.Recovered)


async def test_an_operation_then_a_wait_while_another_watch_holds_the_end() -> None:
    """The platform shows the old end for a moment, and the other watch remembers it."""
    world = World(10)
    job = world.add(RETRIED)
    async with client_of(world) as (client, _), client.watch(job, linger=None) as old:
        await first_end(old)
        await asyncio.sleep(60)
        step = world.jobs[job.job_instance_id].steps[0].ref
        await client.operate_step_instance(step, operation_code=2)
        result = await client.wait(job)

    assert result.ok


async def test_a_target_dropped_and_added_again_begins_anew() -> None:
    """From the beginning, and truly: it was read in between."""
    world = World(11)
    job = world.add(RETRIED)
    async with (
        client_of(world) as (client, _),
        client.watch(job, linger=None) as other,
        client.watch(job, linger=None) as watch,
    ):
        await first_end(other)
        latest = log_of(watch).newest
        assert latest is not None
        watch.drop(job)
        await asyncio.sleep(60)
        retry(world, job)
        await asyncio.sleep(1)
        reader = watch.events(after=latest.cursor)
        watch.add(job)
        reported: list[bkjob.Event] = []
        async for event in reader:
            reported.append(event)
            if isinstance(event, bkjob.Finished):
                break

    assert isinstance(reported[-1], bkjob.Finished)
    assert reported[-1].result.ok
    steps = [event for event in reported if isinstance(event, bkjob.StepChanged)]
    assert steps[0].before is None
    assert not any(event.after.phase is bkjob.Phase.FAILED for event in steps)


async def test_a_step_that_joins_its_job_as_trouble_ends_receives_none() -> None:
    """The answer that shows that it is over is the first one for the step in this watch."""
    world = World(12)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(LONG,)),)))
    step = world.jobs[job.job_instance_id].steps[0].ref
    async with client_of(world) as (client, transport), client.watch(job) as watch, client.watch(step):
        transport.spoil = lambda _request, now: HTML if now > 5.0 else None
        await asyncio.sleep(20)
        transport.spoil = lambda _request, _now: None
        watch.add(step)
        batches = [batch async for batch in watch.batches()]

    assert keeps_its_promise(batches, world)
    assert [event.ref for event in of_type(batches, bkjob.Recovered)] == [job]


async def test_a_watch_that_joins_a_waiting_confirmation_receives_it() -> None:
    """Its step shows no hosts, so that no round of questions may end with asking for them again."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(kind=3, hosts=0),)))
    async with client_of(world) as (client, transport), client.watch(job, linger=None):
        await asyncio.sleep(30.0)
        async with client.watch(job, linger=None, deadline=10.0) as late:
            present = await anext(aiter(late.batches()))

    step = world.jobs[job.job_instance_id].steps[0].ref
    assert [str(event) for event in present.events if not isinstance(event, bkjob.InSync)] == [
        f"{job} job ∅ → WAITING",
        f"{step} step ∅ → WAITING",
        f"{step} step waits for a user (1): 0 hosts done",
    ]
    assert transport.request_counts["get_step_instance_status"] == 0


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("seconds", [0.1, 1.0, 3.0, 8.0, 20.0])
async def test_a_step_that_takes_the_place_of_its_job_is_reported_once(seconds: float, number: int) -> None:
    """Its state was given with the job; who follows the step alone is given its end, too."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2), StepPlan(hosts=2, outcomes=(LONG,)))))
    step = world.jobs[job.job_instance_id].steps[number].ref
    async with (
        client_of(world) as (client, _),
        client.watch(job, linger=None) as watch,
        reading(watch) as events,
    ):
        await asyncio.sleep(seconds)
        watch.add(step)
        watch.drop(job)
        await asyncio.sleep(120.0)

    reported: dict[object, object] = {}
    for event in events:
        if isinstance(event, bkjob.HostChanged | bkjob.StepChanged):
            about = (event.ref, event.host if isinstance(event, bkjob.HostChanged) else None)
            assert event.before == reported.get(about)
            reported[about] = event.after
    assert [event.ref for event in events if isinstance(event, bkjob.Finished)] == [step]


@pytest.mark.parametrize("outage", [0.0, 200.0])
async def test_whoever_joins_what_is_over_is_given_its_end_although_rows_are_missing(outage: float) -> None:
    """Each host has a row for each of two batches; the first response lacks one of them, and is not believed at once."""
    torn = list[float]()

    def lose_a_host(response: HttpResponse, now: float) -> HttpResponse:
        answer = loads(response.body)
        groups = answer["data"].get("step_result_group_list")
        if now < 30.0 or torn or not groups:
            return response
        groups[0]["host_result_list"].pop()
        torn.append(now)
        return HttpResponse(status=200, body=dumps(answer).encode())

    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=120, rolling=Rolling(sizes=(1, 1), kind=2)),)))
    async with (
        client_of(world, "gateway-v3") as (client, transport),
        client.watch(job, linger=None) as watch,
    ):
        await first_end(watch)
        await asyncio.sleep(30.0)
        transport.tear = lose_a_host
        transport.spoil = lambda _request, now: HTML if torn and now < torn[0] + outage else None
        async with client.watch(job, deadline=400.0) as joined:
            ends = [event async for event in joined if isinstance(event, bkjob.Finished)]
            polls = joined.stats().polls

    assert torn
    assert [end.ref for end in ends] == [job]
    assert polls < 60


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_step_that_is_over_is_followed_without_its_job_before_its_end_is_sure(
    *, is_late: bool
) -> None:
    """Its hosts were given with the job, and count although that is dropped; the end comes once, also for a late reader."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2), StepPlan(hosts=1, outcomes=(HANGS,)))))
    step = world.jobs[job.job_instance_id].steps[0].ref
    async with client_of(world, interval=1.0) as (client, _), client.watch(job):
        await asyncio.sleep(20.0)
        note_operation(client, job)
        async with client.watch([job, step], linger=None) as watch:
            if is_late:
                limit_log(watch, 1)
            await asyncio.sleep(2.0)
            watch.drop(job)
            await asyncio.sleep(1.0)
            counts, given = watch.counts(), [batch async for batch in there(watch)]
            await asyncio.sleep(20.0)
            given += [batch async for batch in there(watch, after=given[-1].cursor)]

    assert counts == {bkjob.Phase.SUCCESS: 2}
    assert len([event for event in of_type(given, bkjob.HostChanged) if event.ref == step]) == 2
    assert [event.ref for event in of_type(given, bkjob.Finished)] == [step]
    assert of_type(given[:-1], bkjob.Finished) == []


async def there(watch: bkjob.Watch, after: str | None = None) -> AsyncIterator[bkjob.Batch]:
    """Yield what is there for a new reader, and wait for nothing."""
    reader = watch.batches(after=after)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            async for batch in reader:
                yield batch
