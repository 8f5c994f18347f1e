"""The control API over HTTP; callbacks that are really sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bkjob_async.simulator.servers.callbacks import CallbackSender, is_local_url
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.codes import FINAL_RUN
from bkjob_async.simulator.world.plans import HANGS, HostOutcome, SimulatedJob, StepPlan, exactly
from tests.simulator.http_calls import AUTHORIZATION, ask, of, request

Say = Callable[..., Awaitable[Any]]
Received = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def simulator() -> Simulator:
    """Return a world with one job whose hosts do nothing by themselves."""
    simulator = Simulator()
    simulator.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HANGS,)),)))
    return simulator


@pytest.fixture
async def say(simulator: Simulator) -> AsyncIterator[Say]:
    """Send control requests as any HTTP client does."""
    async with simulator.serve() as server, aiohttp.ClientSession() as session:

        async def say(method: str, path: str, status: int = 200, **given: Any) -> Any:
            url = f"{server.url}/_control/{path}"
            async with session.request(method, url, json=given or None) as response:
                assert response.status == status
                return await response.json()

        yield say


async def test_time_stops_and_moves_by_hand(say: Say) -> None:
    """Held, it is where it is put."""
    paused = await say("POST", "pause")
    moved = await say("POST", "advance", seconds=100)
    later = await say("GET", "")

    assert moved["now"] == later["now"] == paused["now"] + 100
    assert (await say("POST", "resume"))["paused"] is False


async def test_hosts_are_finished_and_failed_by_hand(simulator: Simulator, say: Say) -> None:
    """And the step and the job follow."""
    await say("POST", "pause")
    await say("POST", "advance", seconds=10)
    job = simulator.refs[0].job_instance_id
    await say("POST", "finish_host", job_instance_id=job, host="0:10.0.0.1")
    await say("POST", "fail_host", job_instance_id=job, host="0:10.0.0.2", tag="disk full")
    await say("POST", "advance", seconds=10)

    history = await say("GET", "history")
    assert [entry["moves"][-1][1] for entry in history["hosts"]] == [9, 104]
    assert (await say("GET", "jobs"))[0]["status"] == 4


async def test_faults_and_limits_are_set_by_hand(simulator: Simulator, say: Say) -> None:
    """And taken away again."""
    added = await say("POST", "faults", name="bad-gateway", times=2)
    assert added["active"][0]["name"] == "bad-gateway"
    await say("POST", "rate_limit", limit=5)
    assert simulator.platform.rate_limit is not None

    ended = await say("DELETE", "faults")
    await say("POST", "rate_limit")

    assert ended["active"] == []
    assert simulator.platform.rate_limit is None


async def test_jobs_are_added_by_hand(say: Say) -> None:
    """A scenario's, or one of one's own."""
    scenario = await say("POST", "jobs", scenario="all-succeed")
    (own,) = await say(
        "POST", "jobs", name="mine", steps=[{"hosts": 5, "fail": [1]}, {"kind": 3, "hosts": 0}]
    )

    assert len(scenario) == 1
    assert len(own["steps"]) == 2


async def test_launches_are_given_outcomes_by_hand(simulator: Simulator, say: Say) -> None:
    """Per host, for as many launches as are said; taken back when they are not wanted."""
    hosts = {
        "0:10.0.0.2": {"status": 104, "exit_code": 28, "tag": "disk full"},
        "0:10.0.0.3": {"status": None},
    }
    (given,) = await say("POST", "launch_outcomes", hosts=hosts, others={"duration": 1}, name="plan 1000")
    before = await say("GET", "launch_outcomes")
    launch = {"bk_scope_type": "biz", "bk_scope_id": "2", "job_plan_id": 1000}
    ask(simulator, "execute_job_plan", launch, method="POST")
    await say("POST", "pause")
    await say("POST", "advance", seconds=100)

    execution = simulator.step(simulator.steps(simulator.refs[-1])[0]).execution
    assert before == [given]
    assert execution is not None
    assert [row.status for row in execution.rows] == [9, 104, 7]
    assert execution.rows[1].group == (104, "disk full")
    assert await say("GET", "launch_outcomes") == []
    await say("POST", "launch_outcomes", times=None)
    assert await say("DELETE", "launch_outcomes") == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8080"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Host": "127.0.0.2"}, 200),
        ({"Host": "simulator:8080"}, 200),
        ({"Host": "evil.example.com"}, 403),
        ({"Host": "localhost.evil.example.com"}, 403),
        ({"Host": "10.0.0.1"}, 403),
        ({"Origin": "http://evil.example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
    ],
)
async def test_no_web_page_has_a_hand_on_it(
    simulator: Simulator, headers: dict[str, str], status: int
) -> None:
    """Neither from another site, nor by a name of its own that was bent to this address."""
    async with (
        simulator.serve(control_names=["simulator"]) as server,
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/_control/pause", headers=headers) as response,
    ):
        answer = await response.json()

    assert response.status == status
    assert ("error" in answer) == (status == 403)
    assert simulator.clock.is_paused == (status == 200)


@pytest.mark.parametrize(
    ("method", "path", "status", "given"),
    [
        ("GET", "nonsense", 404, {}),
        ("POST", "advance", 400, {}),
        ("POST", "advance", 400, {"seconds": -1}),
        ("POST", "finish_host", 400, {"job_instance_id": 1, "host": "x"}),
        ("POST", "faults", 400, {"name": "nonsense"}),
        ("POST", "jobs", 400, {"scenario": "nonsense"}),
        ("POST", "launch_outcomes", 400, {"host": {"0:10.0.0.1": {}}}),
        ("POST", "launch_outcomes", 400, {"hosts": {"0:10.0.0.1": {"fails": True}}}),
        ("POST", "launch_outcomes", 400, {"times": 0}),
    ],
)
async def test_control_that_makes_no_sense_is_rejected(
    say: Say, method: str, path: str, status: int, given: dict[str, Any]
) -> None:
    """400 or 404, and why."""
    assert (await say(method, path, status, **given))["error"]


# Callbacks ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def listener() -> AsyncIterator[tuple[str, Received, list[int]]]:
    """Listen for callbacks; yield the URL, what came, and the statuses to answer with (200 when none is left)."""
    received: Received = []
    statuses: list[int] = []

    async def hear(request: web.Request) -> web.Response:
        received.append((request.content_type, json.loads(await request.read())))
        return web.Response(status=statuses.pop(0) if statuses else 200)

    app = web.Application()

    async def move(_request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/heard")

    app.router.add_post("/heard", hear)
    app.router.add_post("/moved", move)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/heard", received, statuses
    await runner.cleanup()


async def called_back(url: str, received: Received, *, count: int, fault: str | None = None) -> None:
    """Let a job end, and wait until so many callbacks came."""
    simulator = Simulator(speed=20.0)
    outcomes = (HostOutcome(duration=exactly(2.0)),)
    simulator.add(SimulatedJob(steps=(StepPlan(outcomes=outcomes),), callback_url=url))
    with ExitStack() as stack:
        if fault:
            stack.enter_context(simulator.fault(fault))
        async with simulator.serve(), asyncio.timeout(5.0):
            while simulator.job(simulator.refs[0]).status not in FINAL_RUN or len(received) < count:  # noqa: ASYNC110 - another server's hearing has no event
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)


async def test_a_callback_is_really_sent(listener: tuple[str, Received, list[int]]) -> None:
    """Once, as JSON, when the job has ended."""
    url, received, _ = listener

    await called_back(url, received, count=1)

    ((kind, content),) = received
    assert kind == "application/json"
    assert content["status"] == 3
    assert [step["status"] for step in content["step_instances"]] == [3]


@pytest.mark.parametrize("status", [500, 201, 204])
async def test_a_callback_is_tried_once_more_as_a_form(
    listener: tuple[str, Received, list[int]], status: int
) -> None:
    """Only 200 is success; the second try is the last."""
    url, received, statuses = listener
    statuses += [status, status]

    await called_back(url, received, count=2)

    assert [kind for kind, _ in received] == ["application/json", "application/x-www-form-urlencoded"]
    assert received[0][1] == received[1][1]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("callback-doubled", [("application/json", 3), ("application/json", 3)]),
        ("callback-form", [("application/x-www-form-urlencoded", 3)]),
        ("callback-early", [("application/json", 1), ("application/json", 3)]),
    ],
)
async def test_callbacks_go_wrong(
    listener: tuple[str, Received, list[int]], fault: str, expected: list[tuple[str, int]]
) -> None:
    """Twice, as a form at once, or before the end."""
    url, received, _ = listener

    await called_back(url, received, count=len(expected), fault=fault)

    assert [(kind, content["status"]) for kind, content in received] == expected


async def test_a_callback_can_be_lost(listener: tuple[str, Received, list[int]]) -> None:
    """Nothing comes, and nothing says so."""
    url, received, _ = listener

    await called_back(url, received, count=0, fault="callback-lost")

    assert received == []


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8080/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:1/x", True),
        ("http://LOCALHOST:1", True),
        ("http://example.com/x", False),
        ("http://10.0.0.1/x", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1@example.com/x", False),
        ("http://[::", False),
        ("nonsense", False),
    ],
)
def test_callbacks_stay_on_this_machine(url: str, here: bool) -> None:  # noqa: FBT001 - a table
    """Whatever a URL looks like."""
    assert is_local_url(url) == here


@pytest.mark.looptime
@pytest.mark.parametrize("remote", [False, True])
async def test_callbacks_go_elsewhere_only_when_asked_to(
    remote: bool,  # noqa: FBT001 - both ways
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without it, a warning says that one was kept back, and keeps the URL to itself."""
    simulator = Simulator()
    simulator.add(SimulatedJob(callback_url="http://elsewhere.example.com/?token=secret-token"))
    went_out: list[str] = []

    async def post(_self: CallbackSender, url: str, _content: bytes, _kind: str) -> int:
        went_out.append(url)
        return 200

    monkeypatch.setattr(CallbackSender, "_post", post)
    sender = simulator.callbacks(remote=remote)
    sender.start()
    await asyncio.sleep(60.0)
    await sender.aclose()

    assert (len(went_out), sender.sent, sender.blocked) == ((1, 1, 0) if remote else (0, 0, 1))
    assert ("remote_callbacks" in caplog.text) != remote
    assert "secret-token" not in caplog.text


async def test_a_callback_is_not_led_elsewhere(listener: tuple[str, Received, list[int]]) -> None:
    """A redirect is a failure like any other."""
    url, received, _ = listener
    elsewhere = url.replace("/heard", "/moved")

    await called_back(elsewhere, received, count=0)

    assert received == []


@pytest.mark.looptime
async def test_in_process_callbacks_go_where_they_are_carried() -> None:
    """Virtual time, no socket; again after a retry."""
    simulator = Simulator()
    url = "http://nowhere/heard"
    ref = simulator.add(
        SimulatedJob(steps=(StepPlan(pinned={0: HostOutcome(status=104)}),), callback_url=url)
    )
    on_page: list[int] = []

    async def post(_url: str, content: bytes, _kind: str) -> int:
        on_page.append(json.loads(content)["status"])
        return 200

    sender = simulator.callbacks(post=post)
    sender.start()
    await asyncio.sleep(30.0)
    step = simulator.steps(ref)[0]
    again = request("gateway-v3", "operate_step_instance", {**of(step), "operation_code": 2}, method="POST")
    await simulator.transport().send(again, timeout=1.0)
    await asyncio.sleep(30.0)
    await sender.aclose()

    assert on_page == [4, 3]


async def test_a_callback_url_stays_out_of_sight(simulator: Simulator, say: Say) -> None:
    """It may hold a token."""
    simulator.add(SimulatedJob(callback_url="http://nowhere/?token=secret-token"))

    reported = f"{await say('GET', 'jobs')} {await say('GET', 'history')} {simulator.world.jobs!r}"

    assert "secret-token" not in reported
    assert AUTHORIZATION not in reported
