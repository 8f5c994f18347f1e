"""A failed poll says something about the poll, never about the job."""

import asyncio
import logging

import pytest
from msgspec.structs import replace
from yarl import URL

import bkjob_async as bkjob
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.world.plans import HANGS, HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import CREDENTIALS, DIALECTS, SCOPE, client_of, keeps_its_promise, watched
from tests.watch.inside import limit_log

pytestmark = pytest.mark.looptime

HTML = HttpResponse(
    status=502, headers={"content-type": "text/html"}, body=b"<html><h1>502 Bad Gateway</h1></html>"
)
FORBIDDEN = HttpResponse(status=200, body=b'{"result": false, "code": 9900403, "message": "apply for it"}')
SPOILT: dict[str, HttpResponse | bkjob.BkJobError] = {
    "html": HTML,
    "html in 200": HttpResponse(status=200, body=b"<html>please log in</html>"),
    "half a body": HttpResponse(status=200, body=b'{"result": true, "code": 0, "data": {"job_in'),
    "nothing": HttpResponse(status=200, body=b""),
    "refused": bkjob.TransportFailed(bkjob.ErrorDetails(message="connection refused", sent=False)),
    "broken off": bkjob.TransportFailed(bkjob.ErrorDetails(message="the answer broke off")),
    "timeout": bkjob.RequestTimedOut(bkjob.ErrorDetails(message="no answer within 30 s")),
    "result false": HttpResponse(
        status=200, body=b'{"result": false, "code": 1240002, "message": "internal", "job_request_id": "r1"}'
    ),
    "throttled": HttpResponse(
        status=429,
        headers={"x-bkapi-ratelimit-reset": "2"},
        body=b'{"code": 1642902, "result": false, "data": null}',
    ),
    "throttled for one API": HttpResponse(
        status=429,
        headers={"x-bkapi-ratelimit-reset": "2"},
        body=b'{"code": 1642903, "result": false, "data": null}',
    ),
    "throttled in 200": HttpResponse(
        status=200, body=b'{"result": false, "code": 1306429, "message": "slow down"}'
    ),
}
NOT_THERE = HttpResponse(status=200, body=b'{"result": false, "code": 1244006, "message": "no such job"}')
RUNS = HostOutcome(duration=exactly(40.0))


def world_of(jobs: int) -> tuple[World, list[bkjob.JobRef]]:
    """Return a world of jobs that take most of a minute."""
    world = World(1)
    return world, [world.add(SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(RUNS,)),))) for _ in range(jobs)]


def is_about(request: HttpRequest, job: bkjob.JobRef) -> bool:
    """Return whether a request asks about *job*."""
    number = str(job.job_instance_id)
    return number in str(request.url) or number in (request.body or b"").decode()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", SPOILT)
async def test_one_bad_target_is_a_fact_in_the_stream(kind: str, dialect: str) -> None:
    """Its polls fail for a while: reported once, recovered once; no other target notices, and it ends as it did."""
    world, jobs = world_of(20)
    async with client_of(world, dialect) as (client, transport):

        def spoil(request: HttpRequest, now: float) -> HttpResponse | bkjob.BkJobError | None:
            return SPOILT[kind] if 5 < now < 25 and is_about(request, jobs[3]) else None

        transport.spoil = spoil
        batches = await watched(client, *jobs)

    assert keeps_its_promise(batches, world)
    events = [event for batch in batches for event in batch.events]
    assert {e.ref for e in events if isinstance(e, bkjob.Finished) and e.result.ok} == set(jobs)
    troubles = [e for e in events if isinstance(e, bkjob.Trouble)]
    recoveries = [e for e in events if isinstance(e, bkjob.Recovered)]
    expected = [] if kind.startswith("throttled") else [jobs[3]]
    assert [e.ref for e in troubles] == [e.ref for e in recoveries] == expected


@pytest.mark.parametrize("dialect", ["esb-job", "esb-jobv3", "gateway-v3", "gateway-v4"])
async def test_answers_about_another_job_are_not_believed(dialect: str) -> None:
    """For a while each answer about one job is that about another, which is over: trouble, and no word of its end."""
    world, jobs = world_of(2)
    over = world.add(SimulatedJob(steps=(StepPlan(hosts=1),)))
    async with client_of(world, dialect) as (client, transport):

        def spoil(request: HttpRequest, now: float) -> HttpResponse | None:
            if not (5 < now < 25 and is_about(request, jobs[1])):
                return None
            url = str(request.url).replace(str(jobs[1].job_instance_id), str(over.job_instance_id))
            return transport.platform.deliver(replace(request, url=URL(url)), now).response

        transport.spoil = spoil
        batches = await watched(client, *jobs, over)

    assert keeps_its_promise(batches, world)
    events = [event for batch in batches for event in batch.events]
    (trouble,) = [e for e in events if isinstance(e, bkjob.Trouble)]
    assert (trouble.ref, trouble.error) == (jobs[1], "InvalidResponse")
    assert f"the response is about another job: asked for {jobs[1]}, got {over}" in trouble.message
    assert [e.ref for e in events if isinstance(e, bkjob.Recovered)] == [jobs[1]]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_is_not_there_is_lost_and_not_failed(dialect: str) -> None:
    """An unknown job, and a step that its job does not have, end as not found, whether or not the job is watched."""
    world, (*jobs, other) = world_of(3)
    nobody = bkjob.JobRef(SCOPE, 404)
    missing = (nobody, jobs[0].step(405), other.step(406), bkjob.JobRef(SCOPE, 407).step(1))
    async with (
        client_of(world, dialect) as (client, _),
        client.watch([*jobs, *missing], deadline=600) as watch,
    ):
        ended = await watch.results()
        with pytest.raises(bkjob.TargetLost, match="not_found"):
            await client.wait(nobody)

    lost = {ref: end.reason for ref, end in ended.items() if isinstance(end, bkjob.Lost)}
    assert lost == dict.fromkeys(missing, bkjob.LostReason.NOT_FOUND)


async def test_a_job_archived_while_it_is_watched_is_gone() -> None:
    """It could be read before, and that is what the reason says."""
    world, jobs = world_of(1)
    async with client_of(world) as (client, transport), client.watch(jobs) as watch:

        def spoil(_request: HttpRequest, now: float) -> HttpResponse | None:
            body = b'{"result": false, "code": 1244006, "message": "no such instance"}'
            return HttpResponse(status=200, body=body) if now > 10 else None

        transport.spoil = spoil
        ended = await watch.results()

    lost = ended[jobs[0]]
    assert isinstance(lost, bkjob.Lost)
    assert lost.reason is bkjob.LostReason.GONE


@pytest.mark.parametrize(("refusals", "is_lost"), [(1, False), (2, False), (3, True)])
async def test_other_errors_are_no_refusals(refusals: int, is_lost: bool) -> None:  # noqa: FBT001 - the case
    """Of a target that fails for some time, one refusal does not say that the user may not read it."""
    world, jobs = world_of(2)
    async with client_of(world) as (client, transport), client.watch(jobs) as watch:
        failing = [SPOILT["half a body"]] * 4 + [FORBIDDEN] * refusals

        def spoil(request: HttpRequest, now: float) -> HttpResponse | bkjob.BkJobError | None:
            return failing.pop(0) if now > 4 and failing and is_about(request, jobs[0]) else None

        transport.spoil = spoil
        ended = await watch.results()

    assert not failing
    assert isinstance(ended[jobs[0]], bkjob.Lost) is is_lost


@pytest.mark.parametrize("refusal", ["not found", "forbidden"])
async def test_a_platform_that_fails_over_loses_nothing(refusal: str) -> None:
    """For a while it shows an empty database, or refuses everybody; jobs that were read before are followed on."""
    world, jobs = world_of(20)
    not_found = HttpResponse(
        status=200, body=b'{"result": false, "code": 1244006, "message": "no such instance"}'
    )
    answer = not_found if refusal == "not found" else FORBIDDEN
    async with client_of(world) as (client, transport):
        transport.spoil = lambda _request, now: answer if 3 < now < 23 else None
        batches = await watched(client, *jobs)

    assert keeps_its_promise(batches, world)
    events = [event for batch in batches for event in batch.events]
    assert not [event for event in events if isinstance(event, bkjob.Lost)]
    assert {event.ref for event in events if isinstance(event, bkjob.Trouble)} == {*jobs}
    assert {event.ref for event in events if isinstance(event, bkjob.Finished)} == {*jobs}


async def test_a_lost_target_stays_lost_for_a_late_reader() -> None:
    """What a poll shows of it afterwards, because somebody nudged it, is not delivered: its loss is, and why."""
    world, (job, other) = world_of(2)
    async with client_of(world) as (client, transport), client.watch((job, other), linger=None) as watch:
        limit_log(watch, 4)
        transport.spoil = lambda request, now: FORBIDDEN if 5 < now < 40 and is_about(request, job) else None
        await asyncio.sleep(60.0)
        watch.nudge(job)
        await asyncio.sleep(30.0)
        late: list[bkjob.Event] = []
        async for event in watch:
            late.append(event)
            if isinstance(event, bkjob.InSync):
                break

    assert [event.kind for event in late if event.ref == job] == ["lost", "trouble"]
    assert [event.kind for event in late if event.ref == other][-1] == "finished"


async def test_an_outage_is_one_trouble_and_one_recovery() -> None:
    """Ten minutes without the platform: said once for all, probed rarely, and no burst afterwards."""
    world = World(1)
    slow = SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HostOutcome(duration=exactly(1500.0)),)),))
    jobs = [world.add(slow) for _ in range(100)]  # more than fit into a slice
    down, up = 300.0, 900.0
    async with client_of(world) as (client, transport):
        transport.spoil = lambda _request, now: HTML if down < now < up else None
        batches = await watched(client, *jobs)

    assert keeps_its_promise(batches, world)
    events = [event for batch in batches for event in batch.events]
    troubles = [e for e in events if isinstance(e, bkjob.Trouble)]
    assert [e.ref for e in troubles if e.ref is None] == [None]
    assert len(troubles) <= 1 + 5
    assert next(e for e in troubles if e.ref is None).targets == 100
    assert [e.targets for e in events if isinstance(e, bkjob.Recovered) and e.ref is None] == [100]
    normal = sum(200 <= t < 300 for t in transport.times) / 100
    during = sum(down + 10 < t < up for t in transport.times) / (up - down - 10)
    after = max(sum(start <= t < start + 10 for t in transport.times) / 10 for start in range(900, 1000, 10))
    assert during < 0.05 * normal
    assert after < 1.2 * normal


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_bad_credentials_are_everybodys_trouble_until_they_are_mended(
    dialect: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Polling pauses, says so once, and goes on; the secret is in no line of it."""
    world, jobs = world_of(10)
    platform = Platform(world, SiteConfig(app_secret="another"))
    with caplog.at_level(logging.DEBUG):
        async with client_of(platform, dialect) as (client, transport):
            mend = asyncio.get_running_loop().call_later(60, setattr, platform, "site", SiteConfig())
            batches = await watched(client, *jobs)
            asked_in_vain = sum(time < 60 for time in transport.times)
            assert not mend.cancelled()

    events = [event for batch in batches for event in batch.events]
    troubles = [e for e in events if isinstance(e, bkjob.Trouble)]
    assert [(e.ref, e.error) for e in troubles] == [(None, "NotAuthenticated")]
    assert [e.ref for e in events if isinstance(e, bkjob.Recovered)] == [None]
    assert asked_in_vain < 30
    assert sum(isinstance(e, bkjob.Finished) for e in events) == 10
    said = caplog.text + "".join(map(str, events)) + "".join(map(repr, events))
    assert CREDENTIALS.bk_app_secret not in said


async def test_a_wait_does_not_hang_on_bad_credentials() -> None:
    """Nobody mends them while a script waits; nothing was seen that could be lost."""
    world, jobs = world_of(1)
    async with client_of(Platform(world, SiteConfig(app_secret="another"))) as (client, _):
        for _ in range(2):
            with pytest.raises(bkjob.NotAuthenticated):
                await client.wait(jobs[0])


async def test_a_target_unseen_for_long_is_stalled_once() -> None:
    """Whoever watches a board wants to know that it is old."""
    world, jobs = world_of(5)
    async with client_of(world) as (client, transport):
        transport.spoil = lambda request, now: HTML if now < 200 and is_about(request, jobs[0]) else None
        batches = await watched(client, *jobs)

    stalled = [e for batch in batches for e in batch.events if isinstance(e, bkjob.Stalled)]
    assert [e.ref for e in stalled] == [jobs[0]]
    assert stalled[0].seconds >= 60


async def test_explain_says_why() -> None:
    """Why was it, or was it not, looked at, and when next."""
    world, jobs = world_of(2)
    async with client_of(world) as (client, transport):
        transport.spoil = lambda request, _now: HTML if is_about(request, jobs[1]) else None
        async with client.watch(jobs) as watch:
            await asyncio.sleep(20)
            well, badly = watch.explain(jobs[0]), watch.explain(jobs[1])
            unknown = watch.explain(bkjob.JobRef(SCOPE, 9))

    assert "running" in well.because
    assert well.next_in is not None
    assert well.next_in <= 2.0
    assert (badly.because, badly.seen_ago) == ("its last poll failed", None)
    assert badly.failures > 2
    assert unknown.because == "nobody watches it"


async def test_observers_receive_the_seconds_of_each_poll() -> None:
    """Whether it brought changes, none, or failed, and however long after the beginning."""
    world, jobs = world_of(2)
    seen: list[bkjob.observations.Observation] = []
    async with client_of(world, latency=0.5, observers=[seen.append]) as (client, transport):
        transport.tear = lambda response, now: HTML if 20 < now < 23 else response
        await watched(client, jobs[0], world.jobs[jobs[1].job_instance_id].steps[0].ref)
    polls = [each for each in seen if isinstance(each, bkjob.observations.PollCompleted)]

    assert {bool(poll.error) for poll in polls} == {bool(poll.events) for poll in polls} == {True, False}
    assert all(poll.seconds == pytest.approx(0.5, abs=0.2) for poll in polls if poll.error is None)
    assert all(0.5 <= poll.seconds + 1e-9 < 10 for poll in polls)


async def test_a_passed_deadline_is_raised_to_later_readers() -> None:
    """Leaving the watch, and leaving it again, does not make it one that ended by itself."""
    world, jobs = world_of(1)
    async with client_of(world) as (client, _), client.watch(jobs, deadline=2.0) as watch:
        await asyncio.sleep(3.0)
        await watch.aclose()
        await watch.aclose()

        with pytest.raises(bkjob.DeadlineExceeded):
            await watch.results()


@pytest.mark.parametrize("kind", ["throttled", "throttled in 200", "throttled for one API"])
async def test_a_deadline_that_a_rate_limit_used_up_says_so(kind: str) -> None:
    """It is no trouble of the stream; but whoever waited learns who must act."""
    world, jobs = world_of(1)
    async with client_of(world) as (client, transport):
        transport.spoil = lambda _request, _now: SPOILT[kind]
        with pytest.raises(bkjob.DeadlineExceeded, match="the last poll failed: Throttled: ") as late:
            await client.wait(jobs[0], deadline=10)
        transport.spoil = lambda _request, _now: None
        with pytest.raises(bkjob.DeadlineExceeded) as later:
            await client.wait(jobs[0], deadline=10)

    assert late.value.trouble is not None
    assert "send fewer requests" in late.value.trouble.message
    assert later.value.trouble is None


async def test_after_its_deadline_a_watch_explains_what_it_saw() -> None:
    """What it watched was seen, and nobody watches it any more; what it never watched was never seen."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HANGS,)),)))
    async with client_of(world, interval=2.0) as (client, _), client.watch(job, deadline=11) as watch:
        with pytest.raises(bkjob.DeadlineExceeded):
            await watch.results()
        await asyncio.sleep(4)
        seen, unknown = watch.explain(job), watch.explain(bkjob.JobRef(SCOPE, 9))

    assert seen.because == "nobody watches it any more"
    assert seen.seen_ago == pytest.approx(5.0, abs=1.0)
    assert str(unknown) == "2:9: nobody watches it; never seen, not due"


async def test_credentials_that_cannot_be_sent_are_a_trouble_of_the_polls() -> None:
    """Also where a provider gives them while a watch is open, and however often they are tried."""
    world = World(1, at_once=True)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HANGS,)),)))
    given: list[bkjob.Credentials] = [CREDENTIALS, bkjob.AccessToken(access_token="a-token")]
    troubles: list[bkjob.Trouble] = []

    async def provide() -> bkjob.Credentials:
        return given[0]

    async def read(watch: bkjob.Watch) -> None:
        troubles.extend([event async for event in watch if isinstance(event, bkjob.Trouble)])

    dialect = dialect_by_name("esb-job", credentials_in="body")
    async with client_of(world, dialect, credentials=provide) as (client, transport):
        async with client.watch(job, linger=None) as watch:
            reading = asyncio.create_task(read(watch))
            await asyncio.sleep(5.0)
            given.pop(0)
            transport.spoil = lambda _request, _now: HttpResponse(status=401, body=b"{}")
            await asyncio.sleep(60.0)
        await reading

    assert [each.error for each in troubles] == ["UsageError"]


async def test_a_stall_is_reported_again_after_a_response_that_shows_nothing_new() -> None:
    """What is known of a response's rows is asked for when it comes: the stall came meanwhile."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=10, outcomes=(HANGS,)),)))
    stalled = list[bkjob.Stalled]()
    async with client_of(world, interval=1.0, request_timeout=500.0) as (client, transport):
        asyncio.get_running_loop().call_later(20.5, setattr, transport, "latency", 200.0)
        with pytest.raises(bkjob.DeadlineExceeded):
            async with client.watch(job, deadline=2000.0) as watch:
                async for event in watch:
                    if isinstance(event, bkjob.Stalled):
                        stalled.append(event)

    assert len(stalled) == len([at for at in transport.times if at > 20.5])


@pytest.mark.parametrize("seconds", [4.0, 60.0])
async def test_what_was_just_launched_is_not_taken_for_missing(seconds: float) -> None:
    """Reads may come from a replica that lags behind; for how long is bounded."""
    world = World(1)
    async with client_of(world) as (client, transport):
        launched = await client.launch_script("true", "0:10.0.0.1")
        transport.spoil = lambda _request, now: NOT_THERE if now < seconds else None
        async with client.watch(launched.ref) as watch:
            events = [event async for event in watch]
        lost_at = asyncio.get_running_loop().time()
        with pytest.raises(bkjob.TargetLost):
            transport.spoil = lambda *_: NOT_THERE
            await client.wait(launched.ref.job_instance_id + 1)

    is_lost = any(isinstance(event, bkjob.Lost) for event in events)
    is_over = any(isinstance(event, bkjob.Finished) and event.result.ok for event in events)
    assert (is_lost, is_over) == ((True, False) if seconds > 30.0 else (False, True))
    assert not is_lost or 30.0 <= lost_at < 45.0
    assert asyncio.get_running_loop().time() < lost_at + 2.0
