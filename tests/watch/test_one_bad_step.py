"""The platform refuses to read one step of a job, and shows the others."""

import asyncio
from collections import Counter

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.world.plans import HANGS, DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import FIRST_JOB_ID, FIRST_STEP_ID, World
from bkjob_async.testing import broken_promises
from tests.watch.clients import client_of

pytestmark = pytest.mark.looptime

HOSTS = 150
RUNS = HostOutcome(duration=DurationRange(20.0, 40.0))
FIRST = bkjob.JobRef(bkjob.Scope.biz(2), FIRST_JOB_ID)
JOB = SimulatedJob(steps=(StepPlan(hosts=HOSTS, outcomes=(RUNS,)),) * 3)
BAD = str(FIRST_STEP_ID + 1)
REFUSALS = {"internal": 1240002, "parameters": 1240003, "not found": 1244006, "forbidden": 9900403}


def refuse(request: HttpRequest, now: float, code: int) -> HttpResponse | None:
    """Refuse to read the second step."""
    about = f"{request.url} {(request.body or b'').decode()}"
    if now < 5.0 or BAD not in about or "get_step" not in about:
        return None
    return HttpResponse(status=200, body=b'{"result": false, "code": %d, "message": "no"}' % code)


@pytest.mark.parametrize("is_watched", [False, True])
async def test_a_watch_that_joins_is_given_the_other_steps(*, is_watched: bool) -> None:
    """They do not wait for the bad step, be that one of its targets or not."""
    world = World(1)
    job = world.add(JOB)
    async with client_of(world, interval=2.0) as (client, transport):
        transport.spoil = lambda request, now: refuse(request, now, 1240003)
        async with client.watch(job):
            await asyncio.sleep(60.0)
            first = job.step(FIRST_STEP_ID)
            targets = [first, job.step(FIRST_STEP_ID + 1)] if is_watched else [first]
            async with client.watch(targets, linger=None) as late:
                await asyncio.sleep(5.0)
                seen, counts = late.snapshot(first), late.counts(first)

    assert isinstance(seen, bkjob.StepSnapshot)
    assert seen.status.phase is bkjob.Phase.SUCCESS
    assert counts == {bkjob.Phase.SUCCESS: HOSTS}


@pytest.mark.parametrize("code", [1240003, 1244006, 9900403])
async def test_a_watch_that_joins_the_job_is_given_what_is_known(code: int) -> None:
    """After one trouble, which names the step, though that goes on and is never shown."""
    world = World(1)
    job = world.add(
        SimulatedJob(steps=(StepPlan(hosts=HOSTS, outcomes=(RUNS,)), StepPlan(outcomes=(HANGS,))))
    )
    batches: list[bkjob.Batch] = []
    async with client_of(world, interval=2.0) as (client, transport):
        transport.spoil = lambda request, now: refuse(request, now, code)
        async with client.watch(job, linger=None):
            await asyncio.sleep(60.0)
            async with client.watch(job, deadline=60.0) as late:
                with pytest.raises(bkjob.DeadlineExceeded):
                    async for batch in late.batches():
                        batches.append(batch)
                counts = late.counts()

    events = [event for batch in batches for event in batch.events]
    troubles = [event for event in events if isinstance(event, bkjob.Trouble)]
    assert counts == {bkjob.Phase.SUCCESS: HOSTS}
    assert [event.ref for event in troubles] == [job]
    assert BAD in troubles[0].message
    assert [event.after.code for event in events if isinstance(event, bkjob.StepChanged)] == [3, 2]
    assert broken_promises(batches) == []


async def events_of(code: int, *, by_steps: bool) -> tuple[list[bkjob.Event], Counter[bkjob.Phase]]:
    """Watch the job, or its steps, while its second step is refused; return the events, and the third step's hosts."""
    world = World(1)
    job = world.add(JOB)
    events: list[bkjob.Event] = []
    async with client_of(world, interval=2.0) as (client, transport):
        steps = [job.step(FIRST_STEP_ID + n) for n in range(3)]
        transport.spoil = lambda request, now: refuse(request, now, code)
        async with client.watch(steps if by_steps else job, deadline=500) as watch:
            async for event in watch:
                events.append(event)
            return events, Counter(watch.counts(steps[2] if by_steps else job))
    raise AssertionError


@pytest.mark.parametrize("code", REFUSALS.values(), ids=REFUSALS)
async def test_the_other_steps_are_read_on(code: int) -> None:
    """Each of them ends at its time; only the bad one is in trouble, or lost."""
    events, hosts = await events_of(code, by_steps=True)

    bad = FIRST.step(FIRST_STEP_ID + 1)
    assert hosts == {bkjob.Phase.SUCCESS: HOSTS}
    assert not [event for event in events if isinstance(event, bkjob.Stalled)]
    assert {event.ref for event in events if isinstance(event, bkjob.Trouble)} <= {bad}
    ended = [event.ref for event in events if isinstance(event, bkjob.Finished | bkjob.Lost)]
    assert sorted(ended, key=str) == [FIRST.step(FIRST_STEP_ID + n) for n in range(3)]


@pytest.mark.parametrize("by_steps", [False, True], ids=["job", "steps"])
@pytest.mark.parametrize("code", REFUSALS.values(), ids=REFUSALS)
async def test_trouble_with_one_step_is_reported_once(code: int, *, by_steps: bool) -> None:
    """That the job itself can be read is no recovery."""
    events, _ = await events_of(code, by_steps=by_steps)

    troubles = Counter(event.ref for event in events if isinstance(event, bkjob.Trouble))
    recoveries = Counter(event.ref for event in events if isinstance(event, bkjob.Recovered))
    assert all(count == 1 for count in troubles.values())
    assert all(count <= troubles[ref] for ref, count in recoveries.items())
