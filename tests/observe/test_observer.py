"""One observation for each thing that happens inside a client."""

from __future__ import annotations

import asyncio
import logging
import queue
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpResponse
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.observe.observer import OBSERVATIONS
from bkjob_async.simulator.world.plans import HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of, watched
from tests.watch.inside import limit_log

pytestmark = pytest.mark.looptime

PLAN = SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(HostOutcome(duration=exactly(20.0)),)),))
HTML = HttpResponse(status=502, headers={"content-type": "text/html"}, body=b"<html>502 Bad Gateway</html>")


class Recorder:
    """An observer that keeps what it receives."""

    def __init__(self, *kinds: type[bkjob.observations.Observation], polls: bool = True) -> None:
        """Listen to *kinds* only; to all, if there are none."""
        if kinds:
            self.kinds = frozenset(kinds)
        self.polls = polls
        self.seen: list[Any] = []

    def __call__(self, observation: bkjob.observations.Observation, /) -> None:
        """Keep an observation."""
        self.seen.append(observation)

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the observations of one kind."""
        return [each for each in self.seen if type(each) is kind]


def world_of(jobs: int) -> tuple[World, list[bkjob.JobRef]]:
    """Return a world of short jobs."""
    world = World(1)
    return world, [world.add(PLAN) for _ in range(jobs)]


async def test_every_request_to_the_platform_is_observed() -> None:
    """As many as it received, each with its operation, status and size, and the name of the client."""
    world, jobs = world_of(3)
    recorder = Recorder(bkjob.observations.RequestSent)
    async with client_of(world, observers=[recorder], name="nightly", latency=0.25) as (client, door):
        await watched(client, *jobs)
        await client.get_job_instance_status(jobs[0])

    assert len(recorder.seen) == len(door.urls)
    assert {each.client for each in recorder.seen} == {"nightly"}
    assert {(each.outcome, each.http_status, each.method) for each in recorder.seen} == {("ok", 200, "GET")}
    assert [each.seconds for each in recorder.seen] == pytest.approx([0.25] * len(door.urls))
    assert all(
        each.bytes > 100 and each.request_id and each.path.startswith("/api/") for each in recorder.seen
    )
    assert [each.is_poll for each in recorder.seen] == [True] * (len(door.urls) - 1) + [False]


async def test_each_attempt_is_a_request_of_its_own() -> None:
    """Two failures and a success: three observations, numbered, each with its outcome."""
    world, jobs = world_of(1)
    recorder = Recorder(bkjob.observations.RequestSent)
    async with client_of(world, observers=[recorder]) as (client, door):
        door.spoil = lambda _request, _now: HTML if len(door.urls) < 3 else None
        await client.get_job_instance_status(jobs[0])

    reported = [(each.attempt, each.outcome, each.http_status) for each in recorder.seen]
    assert reported == [(1, "PlatformTrouble", 502), (2, "PlatformTrouble", 502), (3, "ok", 200)]


async def test_a_request_that_is_cancelled_is_observed() -> None:
    """It was sent: the platform has counted it."""
    world, jobs = world_of(1)
    recorder = Recorder(bkjob.observations.RequestSent)
    async with client_of(world, observers=[recorder], latency=5.0) as (client, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await client.get_job_instance_status(jobs[0])

    (request,) = recorder.seen
    assert (request.outcome, request.http_status, request.bytes) == ("CancelledError", None, 0)
    assert request.seconds == pytest.approx(1.0)


async def test_time_in_the_queue_is_kept_apart_from_the_request() -> None:
    """Two requests a second: the fourth waited for a second and a half."""
    world, jobs = world_of(1)
    recorder = Recorder(bkjob.observations.RequestSent)
    async with client_of(world, observers=[recorder], requests_per_second=2.0, latency=0.1) as (client, _):
        await asyncio.gather(*(client.get_job_instance_status(jobs[0]) for _ in range(4)))

    assert max(each.queue_seconds for each in recorder.seen) >= 1.0
    assert [each.seconds for each in recorder.seen] == pytest.approx([0.1] * 4)


async def test_a_poll_tells_its_events_and_how_late_an_end_was_seen() -> None:
    """Events by kind; for each target whose end it saw, when that was last seen running."""
    world, jobs = world_of(2)
    step = world.jobs[jobs[1].job_instance_id].steps[0].ref
    recorder = Recorder(bkjob.observations.PollCompleted)
    async with client_of(world, observers=[recorder]) as (client, _):
        batches = await watched(client, jobs[0], step)

    reported: Counter[str] = Counter()
    for poll in recorder.seen:
        reported.update(poll.events_by_kind)
        assert poll.watches == (1,)
    assert reported == Counter(event.kind for batch in batches for event in batch.events) - Counter(in_sync=1)
    lags = dict(lag for poll in recorder.seen for lag in poll.lag_bounds)
    assert lags.keys() == {jobs[0], step}
    assert all(0.0 < seconds <= 6.0 for seconds in lags.values())


@pytest.mark.parametrize("level", list(bkjob.DetailLevel))
async def test_a_poll_that_shows_an_end_and_gives_no_event_counts(level: bkjob.DetailLevel) -> None:
    """For the end only, the first response that shows it has no hosts, and nothing is reported before they are read."""
    world, jobs = world_of(3)
    recorder = Recorder(bkjob.observations.PollCompleted)
    async with client_of(world, observers=[recorder], latency=0.01) as (client, _):
        client.stats(count=True)
        async with client.watch(jobs, detail_level=level) as watch:
            await watch.results()
        counters = client.stats().counters

    lags = [seconds for poll in recorder.seen for _, seconds in poll.lag_bounds]
    assert len(lags) == 3
    assert counters is not None
    counted = counters.lags["job"]
    assert sum(counted.counts) == 3
    assert counted.sum == pytest.approx(sum(lags))


async def test_a_rate_limit_is_observed_when_announced_and_when_refused() -> None:
    """With the pause that follows."""
    world, jobs = world_of(1)
    recorder = Recorder(bkjob.observations.RateLimitHit)
    used_up = {
        "x-bkapi-ratelimit-limit": "5",
        "x-bkapi-ratelimit-remaining": "0",
        "x-bkapi-ratelimit-reset": "7",
    }
    async with client_of(world, observers=[recorder]) as (client, door):
        door.tear = lambda response, _now: HttpResponse(
            status=200, headers={**response.headers, **used_up}, body=response.body
        )
        await client.get_job_instance_status(jobs[0])
    async with client_of(world, observers=[recorder]) as (client, door):
        door.spoil = lambda _request, _now: HttpResponse(
            status=429, headers={"x-bkapi-ratelimit-reset": "3"}, body=b'{"code": 1642902, "result": false}'
        )
        with pytest.raises(bkjob.Throttled):
            await client.with_options(retries=bkjob.Retries(attempts=1)).get_job_instance_status(jobs[0])

    announced, refused = recorder.seen
    assert (announced.refused, announced.pause) == (False, 7.0)
    assert refused.refused
    assert refused.pause >= 3.0


async def test_an_outage_opens_the_breaker_once_and_closes_it_once() -> None:
    """One failure and one recovery for all targets come with it."""
    world, jobs = world_of(20)
    recorder = Recorder(
        bkjob.observations.BreakerChanged,
        bkjob.observations.PollingFailed,
        bkjob.observations.PollingRecovered,
    )
    async with client_of(world, observers=[recorder]) as (client, door):
        door.spoil = lambda _request, now: HTML if 5 < now < 15 else None
        await watched(client, *jobs)

    assert [each.is_open for each in recorder.of(bkjob.observations.BreakerChanged)] == [True, False]
    (failed,) = [each for each in recorder.of(bkjob.observations.PollingFailed) if each.ref is None]
    assert (failed.targets, failed.error, failed.operation) == (
        20,
        "PlatformTrouble",
        "get_job_instance_status",
    )
    assert [each.ref for each in recorder.of(bkjob.observations.PollingRecovered)].count(None) == 1


async def test_launches_and_operations_are_accepted_refused_or_unknown() -> None:
    """Each is one observation, with the job where it is known."""
    world, jobs = world_of(1)
    recorder = Recorder(bkjob.observations.OperationSent)

    async with client_of(world, observers=[recorder]) as (client, door):
        launched = await client.fast_execute_script("uptime", ["0:10.0.0.1"], account_alias="root")
        with pytest.raises(bkjob.CallFailed):
            await client.operate_job_instance(jobs[0].job_instance_id + 99, 1)
        door.spoil = lambda _request, _now: HTML
        with pytest.raises(bkjob.OutcomeUnknown):
            await client.operate_job_instance(jobs[0], 1)

    reported = [(each.operation, each.outcome, each.is_launch, each.ref) for each in recorder.seen]
    assert reported[0] == ("fast_execute_script", "accepted", True, launched.ref)
    assert reported[1][:3] == ("operate_job_instance", "refused", False)
    assert reported[2] == ("operate_job_instance", "unknown", False, jobs[0])


async def test_a_watch_is_observed_when_it_opens_and_when_it_ends() -> None:
    """Its number, its targets, its own polls, and the error that ended it."""
    world, jobs = world_of(5)
    recorder = Recorder(bkjob.observations.WatchOpened, bkjob.observations.WatchClosed)
    async with client_of(world, observers=[recorder]) as (client, door):
        await watched(client, *jobs)
        polls = len(door.urls)
        with pytest.raises(bkjob.DeadlineExceeded):
            await watched(client, world.add(PLAN), deadline=3.0)

    opened, closed, again, passed = recorder.seen
    assert (opened.watch, opened.targets, again.watch, again.targets) == (1, 5, 2, 1)
    assert (closed.watch, closed.over, closed.polls, closed.error) == (1, 5, polls, None)
    assert (passed.watch, passed.over, passed.seconds, passed.error) == (2, 0, 3.0, "DeadlineExceeded")


async def test_an_observer_receives_the_kinds_that_it_names() -> None:
    """A plain function receives all; `polls = False` leaves out polls and their requests."""
    world, jobs = world_of(2)
    everything: list[bkjob.observations.Observation] = []
    few, no_polls = Recorder(bkjob.observations.WatchClosed), Recorder(polls=False)
    async with client_of(world, observers=[everything.append, few, no_polls]) as (client, _):
        await watched(client, *jobs)
        await client.get_job_instance_status(jobs[0])

    kinds = {type(each) for each in everything}
    assert kinds == {
        bkjob.observations.WatchOpened,
        bkjob.observations.RequestSent,
        bkjob.observations.PollCompleted,
        bkjob.observations.WatchClosed,
    }
    assert few.seen == [each for each in everything if isinstance(each, bkjob.observations.WatchClosed)]
    assert {type(each) for each in no_polls.seen} == kinds - {bkjob.observations.PollCompleted}
    assert [each.is_poll for each in no_polls.of(bkjob.observations.RequestSent)] == [False]


async def test_an_observer_may_leave_out_quiet_polls() -> None:
    """And is given the numbers in which the client counts them; others still receive all."""
    everything: list[bkjob.observations.Observation] = []
    given: dict[str, Any] = {}
    no_quiet_ones = Recorder()
    no_quiet_ones.quiet_polls = False  # type: ignore[attr-defined]
    no_quiet_ones.counting = given.__setitem__  # type: ignore[attr-defined]
    for observers in ([no_quiet_ones], [no_quiet_ones, everything.append]):
        no_quiet_ones.seen.clear()
        world, jobs = world_of(2)
        async with client_of(world, observers=observers, name="mine") as (client, _):
            await watched(client, *jobs)
            polls = no_quiet_ones.of(bkjob.observations.PollCompleted)

            assert polls
            assert all(poll.events for poll in polls)
            assert no_quiet_ones.of(bkjob.observations.RequestSent) == []
            assert given["mine"].polls.total == client.stats().polls

    assert len([each for each in everything if isinstance(each, bkjob.observations.PollCompleted)]) > len(
        polls
    )


async def test_an_observation_that_nobody_listens_to_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without observers, and with the log at its usual level, a whole watch creates none."""
    made: list[str] = []
    for kind in OBSERVATIONS:

        def note(self: Any, kind: type[Any] = kind, **_fields: Any) -> None:
            made.append(kind.__name__)

        monkeypatch.setattr(kind, "__init__", note)
    world, jobs = world_of(2)
    logging.getLogger("bkjob_async").setLevel(logging.WARNING)
    async with client_of(world) as (client, _):
        await watched(client, *jobs)
        await client.fast_execute_script("uptime", ["0:10.0.0.1"], account_alias="root")

    assert made == []


async def test_a_target_that_cannot_be_polled_is_one_failure_until_it_can() -> None:
    """However many polls fail meanwhile; after it has recovered, the next failure is another one."""
    world, jobs = world_of(3)
    bad = str(jobs[0].job_instance_id)
    recorder = Recorder(bkjob.observations.PollingFailed, bkjob.observations.PollingRecovered)
    async with client_of(world, observers=[recorder], interval=1.0) as (client, door):
        door.spoil = lambda request, now: (
            HTML if bad in str(request.url) and (3 < now < 9 or 13 < now < 17) else None
        )
        await watched(client, *jobs)

    assert [(type(each), each.ref) for each in recorder.seen] == [
        (bkjob.observations.PollingFailed, jobs[0]),
        (bkjob.observations.PollingRecovered, jobs[0]),
    ] * 2


async def test_readers_that_fell_behind_are_counted() -> None:
    """Not those that begin late: they have read nothing yet."""
    world, jobs = world_of(20)
    async with client_of(world) as (client, _):
        async with client.watch(jobs, linger=None) as watch:
            slow, late = watch.batches(), watch.batches()
            for _ in range(3):
                await anext(slow)
            limit_log(watch, 10)
            await asyncio.sleep(40.0)
            for reader in (slow, late):
                await anext(reader)
            during = client.stats().fallen_behind
        after = client.stats().fallen_behind

    assert (during, after) == (1, 1)


@pytest.mark.parametrize("wrong", [3, Recorder(int)])  # type: ignore[arg-type]
def test_what_cannot_observe_is_refused_at_once(wrong: Any) -> None:
    """Something that cannot be called, or that wants what there is not."""
    with pytest.raises(bkjob.UsageError, match="observer"):
        ObserverDispatch([wrong])


async def test_a_watch_counts_its_own_polls_and_says_how_far_they_keep_up() -> None:
    """Not those of other watches, except for targets that both have; with a limit, polls are late and it says so."""
    world, jobs = world_of(60)
    async with client_of(world, requests_per_second=5.0, latency=0.5, interval=1.0) as (client, door):
        async with client.watch(jobs[:50]) as many, client.watch(jobs[45:]) as few:
            await asyncio.sleep(14.1)
            of_many, of_few, of_all = many.stats(), few.stats(), client.stats()
            shown = repr(many)
        after = many.stats()

    assert of_many.polls + of_few.polls >= of_all.polls > of_many.polls > of_few.polls > 0
    assert of_all.polls >= len(door.urls) // 2
    assert of_all.polls_due >= of_many.due > 15 >= of_few.due
    assert 0 < of_many.in_flight <= of_all.polls_in_flight <= 32
    assert of_all.oldest_unseen == of_many.oldest_unseen
    assert of_all.oldest_unseen is not None
    assert of_all.requests_per_second == 5.0
    assert of_all.queue > 0
    assert f"{of_many.polls} polls" in shown
    assert (after.due, after.in_flight, after.oldest_unseen) == (0, 0, None)
    assert after.polls >= of_many.polls


async def test_a_client_says_that_the_platform_does_not_respond() -> None:
    """The breaker is open and time passes since anything was seen; its figures can be read when it is closed, too."""
    world, jobs = world_of(10)
    async with client_of(world, name="nightly") as (client, door):
        assert client.stats().targets == 0
        async with client.watch(jobs, linger=None):
            await asyncio.sleep(5.0)
            well = client.stats()
            door.spoil = lambda _request, _now: HTML
            await asyncio.sleep(60.0)
            badly = client.stats()
    closed = client.stats()

    assert (well.breaker_open, badly.breaker_open) == (False, True)
    assert well.oldest_unseen is not None
    assert well.oldest_unseen < 5.0
    assert badly.oldest_unseen == pytest.approx(60.0, abs=5.0)
    assert badly.in_trouble > 0
    assert badly.log_events > 10
    assert (closed.name, closed.watches, closed.targets, closed.counters) == ("nightly", 0, 0, None)


class FullQueue(logging.Handler):
    """A handler that raises what it meets, as handlers of one's own may."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise in place of writing *record*."""
        raise queue.Full(record.name)


@pytest.mark.parametrize("name", ["bkjob_async.requests", "bkjob_async.polling"])
async def test_a_handler_of_the_log_that_raises_ends_no_poll(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The watch is over in time, no permit is lost, and stderr says what was raised, as for handlers of the library."""
    world, jobs = world_of(2)
    its_logger, handler = logging.getLogger(name), FullQueue()
    level = its_logger.level
    its_logger.addHandler(handler)
    its_logger.setLevel(logging.DEBUG)
    try:
        async with client_of(world) as (client, _):
            await watched(client, *jobs)
            await client.get_job_instance_status(jobs[0])
            in_flight = client._session.limiter.limit.in_flight
    finally:
        its_logger.removeHandler(handler)
        its_logger.setLevel(level)

    assert in_flight == 0
    assert f"queue.Full: {name}" in capsys.readouterr().err


async def test_an_observer_and_a_handler_of_the_log_that_both_raise_end_no_poll() -> None:
    """The observer is removed although nobody can be told."""
    world, jobs = world_of(1)
    logger, handler, asked = logging.getLogger("bkjob_async"), FullQueue(), []

    def observe(observation: bkjob.observations.Observation, /) -> None:
        asked.append(observation)
        raise ZeroDivisionError

    logger.addHandler(handler)
    try:
        async with client_of(world, observers=[observe]) as (client, _):
            await watched(client, *jobs)
    finally:
        logger.removeHandler(handler)

    assert len(asked) == 1


class Surrounding:
    """An observer that surrounds calls, and raises what it is given as it leaves them."""

    kinds = frozenset[type[bkjob.observations.Observation]]()

    def __init__(self, leaving: BaseException | None = None, *, takes_errors: bool = False) -> None:
        """Raise *leaving*, or say that errors of calls are dealt with."""
        self.leaving, self.takes_errors = leaving, takes_errors
        self.seen: list[tuple[str, str]] = []

    def __call__(self, observation: bkjob.observations.Observation, /) -> None:
        """Receive nothing."""

    def around(self, verb: str, _ref: bkjob.Ref | None) -> Surrounds:
        """Return what surrounds a call."""
        return Surrounds(self, verb)


class Surrounds:
    """What surrounds one call named *verb*."""

    def __init__(self, observer: Surrounding, verb: str) -> None:
        """Tell *observer* what it is left with."""
        self.observer, self.verb = observer, verb

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        self.observer.seen.append((self.verb, "" if kind is None else kind.__name__))
        if self.observer.leaving is not None:
            raise self.observer.leaving
        return self.observer.takes_errors


@pytest.mark.parametrize("error", [RuntimeError("no collector"), asyncio.CancelledError()])
async def test_an_observer_that_raises_as_it_leaves_a_call_is_removed(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once; the caller has the job that was launched, and observers around it are left, too."""
    broken, around, within = Surrounding(error), Surrounding(), Surrounding()
    async with client_of(World(1), observers=[around, broken, within]) as (client, _):
        launches = [await client.launch_script("uptime", ["0:10.0.0.1"], account="root") for _ in range(2)]

    assert len({launch.ref for launch in launches}) == 2
    assert len(broken.seen) == 1
    assert around.seen == within.seen == [("fast_execute_script", "")] * 2
    assert [record.message for record in caplog.records if "an observer" in record.message] == [
        "an observer raised an error; it receives nothing any more: fast_execute_script"
    ]


async def test_an_observer_hides_no_error_of_a_call(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it makes of the error, which is not its own: the caller is given it, and the observer the next one."""

    class Raising(Surrounding):
        """Raises the error again, or another one where it is given one."""

        @contextmanager
        def around(self, verb: str, _ref: bkjob.Ref | None) -> Iterator[None]:  # type: ignore[override]
            try:
                yield
            except bkjob.BkJobError as error:
                self.seen.append((verb, type(error).__name__))
                if self.leaving is None:
                    raise
                raise self.leaving from error

    class Swallowing(Surrounding):
        @contextmanager
        def around(self, verb: str, _ref: bkjob.Ref | None) -> Iterator[None]:  # type: ignore[override]
            with suppress(bkjob.BkJobError):
                yield
            self.seen.append((verb, ""))

    translating, raising = Raising(RuntimeError("another error")), Raising()
    takes = Surrounding(takes_errors=True)
    swallowing = Swallowing()
    async with client_of(World(1), observers=[translating, takes, swallowing, raising]) as (client, _):
        for _ in range(2):
            with pytest.raises(bkjob.TargetLost):
                await client.wait("2:5", deadline=60)

    assert translating.seen == [("wait", "TargetLost")]
    assert takes.seen == raising.seen == [("wait", "TargetLost")] * 2
    assert swallowing.seen == [("wait", "")] * 2
    assert len([record for record in caplog.records if "an observer" in record.message]) == 1


async def test_an_observer_that_raises_as_it_leaves_several_calls_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Those that it surrounds already are left, too."""
    broken = Surrounding(RuntimeError("no collector"))
    async with client_of(World(1), observers=[broken], latency=1.0) as (client, _):
        calls = (client.fast_execute_script("uptime", ["0:10.0.0.1"], account_alias="root") for _ in range(3))
        await asyncio.gather(*calls)

    assert len(broken.seen) == 3
    assert len([record for record in caplog.records if "an observer" in record.message]) == 1


class Adding:
    """An observer that adds headers."""

    kinds = frozenset[type[bkjob.observations.Observation]]()

    def __init__(self, headers: Any) -> None:
        self._headers = headers

    def __call__(self, observation: bkjob.observations.Observation, /) -> None:
        """Do nothing."""

    def headers(self) -> Any:
        """Return the headers."""
        return self._headers


@pytest.mark.parametrize("wrong", [{"x": None}, {"x": 5}, {1: "a"}, {"x": "a\r\nb: c"}, None])
async def test_an_observer_whose_headers_no_request_can_have_is_removed(
    wrong: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The call is made without them."""
    world, jobs = world_of(1)
    async with client_of(world, observers=[Adding(wrong)]) as (client, _):
        for _ in range(2):
            await client.get_job_instance_status(jobs[0])

    assert caplog.text.count("an observer raised an error") == 1
