"""Usual slips are `UsageError`s that name the remedy, before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import FAILS, SimulatedJob, StepPlan
from tests.client.clients import CREDENTIALS, URLS


@pytest.mark.parametrize(
    ("slip", "remedy"),
    [
        (lambda: bkjob.Scope.biz("2"), r"Scope\.biz\(2\)"),  # type: ignore[arg-type]
        (lambda: bkjob.Scope.biz(0), r"Scope\.biz\(2\)"),
        (lambda: bkjob.JobRef(2, 100), r"JobRef\(Scope\.biz\(2\), \.\.\.\)"),  # type: ignore[arg-type]
        (lambda: bkjob.JobRef(bkjob.Scope.biz(2), "100"), "job_instance_id=100"),  # type: ignore[arg-type]
        (lambda: bkjob.parse_ref("xx"), r"'2:100', '2:100/200'"),
        (lambda: bkjob.parse_ref(100), "as_ref"),  # type: ignore[arg-type]
        (lambda: bkjob.HostKey.parse("web-1"), "'cloud:ip'"),
        (lambda: bkjob.as_ref(5), r"connect\(scope=\.\.\.\)"),
    ],
)
def test_a_wrong_name_says_what_to_write(slip: Callable[[], Any], remedy: str) -> None:
    """Instead."""
    with pytest.raises(bkjob.UsageError, match=remedy):
        slip()


@pytest.mark.looptime
async def test_a_wait_for_an_id_without_a_scope_says_where_to_give_it() -> None:
    """Nothing was sent."""
    transport = Simulator().transport()
    async with bkjob.connect(URLS["gateway-v3"], CREDENTIALS, transport=transport) as client:
        with pytest.raises(bkjob.UsageError, match=r"connect\(scope=\.\.\.\), or a JobRef"):
            await client.wait(5)
        with pytest.raises(bkjob.UsageError, match="positive"):
            await client.wait("2:100", deadline=-5)

    assert transport.requests == 0


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"scope": 2}, r"scope must be a Scope, not 2: scope=Scope\.biz\(2\)"),
        ({"url": 5}, "the URL must be a text, not int"),
        ({"interval": "1"}, "interval must be a number, not '1'"),
        ({"interval": -1}, "interval must be positive, not -1"),
        ({"interval": float("nan")}, "interval must be positive, not nan"),
        ({"requests_per_second": 0}, "requests_per_second must be positive, not 0"),
        ({"max_in_flight": 0}, "max_in_flight must be positive, not 0"),
        ({"max_in_flight": 1.5}, "max_in_flight must be a whole number"),
        ({"request_timeout": None}, "request_timeout must be a positive number"),
        ({"credentials": bkjob.AppCredentials}, "credentials must be AppCredentials, an AccessToken"),
    ],
)
def test_an_option_that_cannot_work_is_refused_by_its_name(given: dict[str, Any], remedy: str) -> None:
    """By `connect`, not by what is made of it later."""
    options = {"url": URLS["gateway-v3"], "credentials": CREDENTIALS, **given}

    with pytest.raises(bkjob.UsageError, match=remedy):
        bkjob.connect(**options)


@pytest.mark.looptime
async def test_a_provider_that_is_not_async_is_named() -> None:
    """A lambda that returns credentials is the usual slip; and a deadline is no date."""
    async with bkjob.connect(
        URLS["gateway-v3"],
        lambda: CREDENTIALS,  # type: ignore[arg-type]
        scope=bkjob.Scope.biz(2),
        transport=Simulator().transport(),
    ) as client:
        with pytest.raises(bkjob.NotAuthenticated, match="provider is not async: write it as async def"):
            await client.get_job_instance_status(100)
        with pytest.raises(bkjob.UsageError, match="a deadline is seconds or a timedelta, not datetime"):
            await client.wait(100, deadline=datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]


def test_a_client_says_that_it_needs_an_event_loop_of_asyncio() -> None:
    """What runs coroutines without one, as trio does, is told; it must not wait for what never comes."""
    client = bkjob.connect(URLS["gateway-v3"], CREDENTIALS, transport=Simulator().transport())

    with pytest.raises(bkjob.WrongEventLoop, match="no asyncio event loop runs here"):
        client.__aenter__().send(None)


async def test_another_thread_is_told_where_a_client_is_used() -> None:
    """Where no event loop runs at all."""
    async with bkjob.connect(URLS["gateway-v3"], CREDENTIALS, transport=Simulator().transport()) as client:
        with pytest.raises(bkjob.WrongEventLoop, match="not from other threads"):
            await asyncio.to_thread(client.watch, "2:100")


@pytest.mark.looptime
async def test_a_missing_async_is_named() -> None:
    """For a client, a watch, a reader and a list; each names the client that needs none."""
    simulator = Simulator()
    job = simulator.add(SimulatedJob())
    async with bkjob.connect(
        URLS["gateway-v3"], CREDENTIALS, scope=bkjob.Scope.biz(2), transport=simulator.transport()
    ) as client:
        watch: Any = client.watch(job)
        plans: Any = client.get_job_plan_list()
        opened: Any = client
        with (
            pytest.raises(bkjob.UsageError, match=r"async with bkjob_async\.connect.*bkjob_async\.sync"),
            opened,
        ):
            pass
        with pytest.raises(bkjob.UsageError, match=r"async with client\.watch.*bkjob_async\.sync"), watch:
            pass
        for asynchronous, remedy in (
            (watch, "async for event in watch"),
            (watch.hosts(), "async for item in reader"),
            (plans, r"await list\.all\(\)"),
        ):
            with pytest.raises(bkjob.UsageError, match=f"{remedy}.*bkjob_async\\.sync"):
                list(asynchronous)


@pytest.mark.looptime
async def test_a_watch_says_what_it_was_given_in_place_of_a_choice() -> None:
    """A phase that is a word is one; a wrong word was a reader without events."""
    simulator = Simulator()
    job = simulator.add(SimulatedJob(steps=(StepPlan(hosts=3, pinned={1: FAILS}),)))
    async with bkjob.connect(URLS["gateway-v3"], CREDENTIALS, transport=simulator.transport()) as client:
        wrong: list[tuple[Callable[[], Any], str]] = [
            (lambda: client.watch(job, detail_level="END_ONLY"), "such as DetailLevel.END_ONLY"),  # type: ignore[arg-type]
            (lambda: client.watch(job, linger=-1), "linger is a number of seconds, or None"),
            (lambda: client.watch(job, linger="5"), "linger is a number of seconds, or None"),  # type: ignore[arg-type]
            (lambda: client.with_options(scope=3), "scope must be a Scope, not 3"),  # type: ignore[arg-type]
        ]
        for slip, remedy in wrong:
            with pytest.raises(bkjob.UsageError, match=remedy):
                slip()
        for until in ("finished", bkjob.HostsDone):
            with pytest.raises(bkjob.UsageError, match="until is a condition, such as HostsDone"):
                await client.wait(job, until=until)  # type: ignore[arg-type]
        async with client.watch(job) as watch:
            with pytest.raises(bkjob.UsageError, match="'failed' is no phase"):
                watch.hosts(phase="failed")  # type: ignore[arg-type]
            named = [change async for change in watch.hosts(phase="FAILED")]  # type: ignore[arg-type]

    assert [change.host.label for change in named] == ["0:10.0.0.2"]


@pytest.mark.looptime
async def test_a_time_without_a_zone_says_how_to_write_one() -> None:
    """In lists; a number is no time."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    async with bkjob.connect(
        URLS["gateway-v3"], CREDENTIALS, scope=bkjob.Scope.biz(2), transport=Simulator().transport()
    ) as client:
        for begin, remedy in (
            (now.replace(tzinfo=None), r"create_time_start needs a zone: datetime\.now\(UTC\)"),
            (1, "create_time_start is a datetime with a zone, not 1"),
        ):
            with pytest.raises(bkjob.UsageError, match=remedy):
                [job async for job in client.get_job_instance_list(begin, now)]  # type: ignore[arg-type]
