"""Every fault, as a plain HTTP client sees it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from bkjob_async.errors import RequestTimedOut, TransportFailed
from bkjob_async.simulator.faults.faults import FAULTS, Fault, parse_fault
from bkjob_async.simulator.faults.rate_limit import RateLimit
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan, exactly
from tests.simulator.http_calls import AUTHORIZATION, body, of, request

Seen = tuple[int, dict[str, str], bytes]
Get = Callable[..., Awaitable[Seen]]


@pytest.fixture
def simulator() -> Simulator:
    """Return a world with one finished job, whose time is paused."""
    simulator = Simulator()
    simulator.add(SimulatedJob(steps=(StepPlan(hosts=4),)))
    simulator.world.advance_to_end()
    return simulator


@pytest.fixture
async def get(simulator: Simulator) -> AsyncIterator[Get]:
    """Request the job's status over HTTP, from the gateway or the ESB."""
    headers = {"X-Bkapi-Authorization": AUTHORIZATION}
    async with simulator.serve() as server, aiohttp.ClientSession(headers=headers) as session:

        async def get(dialect: str, *, timeout: float = 30.0) -> Seen:  # noqa: ASYNC109 - the client's own
            parameters = {**of(simulator.refs[0], dialect), "return_ip_result": True}
            question = request(dialect, "get_job_instance_status", parameters)
            patience = aiohttp.ClientTimeout(total=timeout)
            async with session.get(server.url + question.url.raw_path_qs, timeout=patience) as response:
                return response.status, dict(response.headers), await response.read()

        yield get


@pytest.mark.parametrize(
    ("name", "dialect", "expected"),
    [
        ("gateway-rate-limit", "gateway-v3", (429, 1642902)),
        ("gateway-concurrency", "gateway-v3", (429, 1642904)),
        ("esb-rate-limit", "esb-job", (200, 1306429)),
        ("esb-timeout", "esb-job", (200, 1306201)),
        ("internal-error", "gateway-v3", (200, 1240002)),
        ("database-away", "gateway-v3", (200, 1252001)),
        ("gateway-timeout-json", "gateway-v3", (504, 1650401)),
    ],
)
async def test_refusals_come_with_their_code(
    simulator: Simulator, get: Get, name: str, dialect: str, expected: tuple[int, int]
) -> None:
    """In the envelope of gateway, ESB or Job, `result` false."""
    with simulator.fault(name):
        status, _, content = await get(dialect)

    envelope = json.loads(content)
    assert (status, envelope["code"]) == expected
    assert envelope["result"] is False


async def test_a_throttled_client_gets_the_limit_in_headers(simulator: Simulator, get: Get) -> None:
    """And never by `Retry-After`."""
    with simulator.fault("gateway-rate-limit"):
        _, headers, _ = await get("gateway-v3")

    reported = {name.lower(): value for name, value in headers.items()}
    assert reported["x-bkapi-ratelimit-reset"] == "2"
    assert reported["x-bkapi-error-code"] == "1642902"
    assert "retry-after" not in reported


@pytest.mark.parametrize(
    ("name", "status"), [("bad-gateway", 502), ("gateway-timeout", 504), ("login-page", 200)]
)
async def test_proxies_answer_in_html(simulator: Simulator, get: Get, name: str, status: int) -> None:
    """A page where JSON should be."""
    with simulator.fault(name):
        seen, headers, content = await get("gateway-v3")

    assert (seen, headers["Content-Type"].split(";")[0]) == (status, "text/html")
    assert content.startswith(b"<html>")


async def test_a_response_can_be_empty(simulator: Simulator, get: Get) -> None:
    """401 and nothing else."""
    with simulator.fault("empty-401"):
        assert (await get("gateway-v3"))[::2] == (401, b"")


async def test_half_a_body_breaks_off(simulator: Simulator, get: Get) -> None:
    """The connection ends before the announced length."""
    with simulator.fault("half-body"), pytest.raises(aiohttp.ClientPayloadError):
        await get("gateway-v3")


@pytest.mark.parametrize("name", ["half-json", "garbage"])
async def test_a_body_can_be_no_json(simulator: Simulator, get: Get, name: str) -> None:
    """Whole, with status 200, and unreadable."""
    with simulator.fault(name):
        status, _, content = await get("gateway-v3")

    assert status == 200
    with pytest.raises(ValueError, match=r".*"):
        json.loads(content)


async def test_a_slow_drip_outlasts_a_timeout(simulator: Simulator, get: Get) -> None:
    """The first bytes are sent at once, the last too late."""
    with simulator.fault("slow-drip"), pytest.raises(TimeoutError):
        await get("gateway-v3", timeout=0.3)


async def test_a_connection_can_be_reset(simulator: Simulator, get: Get) -> None:
    """Without a response."""
    with simulator.fault("reset"), pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await get("gateway-v3")


async def test_a_response_may_never_come(simulator: Simulator, get: Get) -> None:
    """The connection stays open, silently."""
    with simulator.fault("hang"), pytest.raises(TimeoutError):
        await get("gateway-v3", timeout=0.3)


async def test_latency_delays_a_response(simulator: Simulator, get: Get) -> None:
    """It is the right one, only late."""
    with simulator.fault(Fault(name="late", delay=exactly(0.1))):
        started = time.monotonic()
        status, _, _ = await get("gateway-v3")

    assert status == 200
    assert time.monotonic() - started >= 0.1


def test_latency_has_jitter(simulator: Simulator) -> None:
    """No two responses have the same delay."""
    question = request("gateway-v3", "get_job_instance_status", of(simulator.refs[0]))
    with simulator.fault("latency"):
        delays = {simulator.platform.deliver(question, simulator.world.now).delay for _ in range(10)}

    assert len(delays) == 10
    assert min(delays) >= 0.05


async def test_a_charset_can_be_wrong(simulator: Simulator, get: Get) -> None:
    """GBK that is declared as UTF-8."""
    with simulator.fault("wrong-charset"):
        _, headers, content = await get("gateway-v3")

    assert "utf-8" in headers["Content-Type"]
    with pytest.raises(UnicodeDecodeError):
        content.decode()
    assert json.loads(content.decode("gbk"))["result"] is True


@pytest.mark.parametrize(("name", "rows"), [("duplicate-rows", 5), ("missing-rows", 3)])
async def test_rows_can_be_doubled_or_missing(simulator: Simulator, get: Get, name: str, rows: int) -> None:
    """Everything else is as it should be."""
    with simulator.fault(name):
        _, _, content = await get("gateway-v3")

    step = json.loads(content)["data"]["step_instance_list"][0]
    assert len(step["step_ip_result_list"]) == rows


async def test_codes_can_be_unknown(simulator: Simulator, get: Get) -> None:
    """On a host and on the step."""
    with simulator.fault("unknown-codes"):
        _, _, content = await get("gateway-v3")

    step = json.loads(content)["data"]["step_instance_list"][0]
    assert (step["status"], step["step_ip_result_list"][0]["status"]) == (99, 888)


async def test_fields_can_be_unknown(simulator: Simulator, get: Get) -> None:
    """Everywhere, beside the known ones."""
    with simulator.fault("unknown-fields"):
        _, _, content = await get("gateway-v3")

    answer = json.loads(content)
    assert answer["data"]["step_instance_list"][0]["bk_future"] == {"since": "4.0"}
    assert answer["result"] is True


def test_every_fault_is_tested_here_or_among_callbacks() -> None:
    """Every fault has a test."""
    here = {
        "latency", "gateway-rate-limit", "gateway-concurrency", "esb-rate-limit", "esb-timeout", "internal-error",
        "database-away", "iam-away", "cmdb-away", "gateway-timeout-json", "bad-gateway", "gateway-timeout", "login-page", "empty-401",
        "half-body", "half-json", "garbage", "slow-drip", "reset", "hang", "wrong-charset", "duplicate-rows",
        "missing-rows", "unknown-codes", "unknown-fields",
    }  # fmt: skip
    callbacks = {"callback-lost", "callback-doubled", "callback-form", "callback-early"}

    assert set(FAULTS) == here | callbacks


async def test_faults_apply_to_only_what_they_are_meant_for(simulator: Simulator, get: Get) -> None:
    """So many times, these operations, these jobs; nothing after the block."""
    ref = simulator.refs[0]
    with (
        simulator.fault("bad-gateway", times=1, jobs=[ref.job_instance_id]) as fault,
        simulator.fault("hang", operations=["get_step_instance_status"]),
        simulator.fault("reset", jobs=[1]),
    ):
        statuses = [(await get("gateway-v3"))[0] for _ in range(3)]

    assert statuses == [502, 200, 200]
    assert fault.hits == 1
    assert simulator.platform.faults == []


def test_a_share_of_requests_is_the_same_share_every_time() -> None:
    """Random choices are seeded."""

    def struck() -> list[int]:
        simulator = Simulator(seed=3)
        ref = simulator.add(SimulatedJob())
        question = request("gateway-v3", "get_job_instance_status", of(ref))
        with simulator.fault("bad-gateway", share=0.3):
            return [simulator.platform.deliver(question, 1.0).response.status for _ in range(200)]

    assert struck() == struck()
    assert 30 < struck().count(502) < 90


def test_a_command_behind_a_late_timeout_is_carried_out() -> None:
    """504 on a retry: the response is lost, the retry is not."""
    simulator = Simulator("retry-succeeds")
    simulator.world.advance_to_end()
    step = simulator.step(simulator.steps(simulator.refs[0])[0])
    question = request(
        "gateway-v3", "operate_step_instance", {**of(step.ref), "operation_code": 2}, method="POST"
    )

    with simulator.fault("bad-gateway"):
        simulator.platform.deliver(question, simulator.world.now)
    assert step.execute_count == 0

    with simulator.fault("gateway-timeout"):
        simulator.platform.deliver(question, simulator.world.now)
    assert step.execute_count == 1


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("reset", TransportFailed),
        ("half-body", TransportFailed),
        ("hang", RequestTimedOut),
        ("slow-drip", RequestTimedOut),
    ],
)
async def test_faults_of_the_network_reach_the_transport_in_process(
    name: str, error: type[Exception]
) -> None:
    """As the transport's own errors."""
    simulator = Simulator("all-succeed")
    question = request("gateway-v3", "get_job_instance_status", of(simulator.refs[0]))

    with simulator.fault(name), pytest.raises(error):
        await simulator.transport().send(question, timeout=2.0)


@pytest.mark.parametrize("name", ["hang", "slow-drip"])
async def test_a_response_that_nobody_waits_for_any_more_is_given_up(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No task is left of it, and no traceback in the log of whoever tests a timeout."""
    simulator = Simulator("all-succeed")
    async with simulator.serve() as server:
        url = f"{server.url}/api/v3/get_job_instance_status"
        before = asyncio.all_tasks()
        with simulator.fault(name):
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.3)) as session:
                with pytest.raises(TimeoutError):
                    await (await session.get(url)).read()
        await asyncio.sleep(1.5)
        left = asyncio.all_tasks() - before

    assert (left, caplog.records) == (set(), [])


async def test_hanging_requests_do_not_keep_a_server_from_closing() -> None:
    """It cancels them."""
    simulator = Simulator("all-succeed")
    async with aiohttp.ClientSession() as session:
        with simulator.fault("hang"):
            async with simulator.serve() as server:
                waiting = asyncio.create_task(session.get(f"{server.url}/api/v3/anything"))
                await asyncio.sleep(0.05)
            with pytest.raises(aiohttp.ClientError):
                await waiting


def test_the_rate_limit_is_a_fixed_window() -> None:
    """So many in each second, counted down in headers, refused with 429 or in the ESB's 200."""
    simulator = Simulator("all-succeed", rate_limit=RateLimit(2))
    question = request("gateway-v3", "get_job_instance_status", of(simulator.refs[0]))

    answers = [simulator.platform.respond(question, moment) for moment in (1.0, 1.2, 1.4, 2.0)]
    esb = request("esb-job", "get_job_instance_status", of(simulator.refs[0], "esb-job"))
    simulator.platform.respond(question, 2.1)
    refused = body(simulator.platform.respond(esb, 2.2))

    assert [answer.status for answer in answers] == [200, 200, 429, 200]
    assert [answer.headers["x-bkapi-ratelimit-remaining"] for answer in answers] == ["1", "0", "0", "1"]
    assert answers[2].headers["x-bkapi-ratelimit-reset"] == "1"
    assert refused["code"] == 1306429


@pytest.mark.parametrize(
    ("text", "share", "times"), [("hang", 1.0, None), ("reset:0.25", 0.25, None), ("garbage:1:3", 1.0, 3)]
)
def test_faults_can_be_written_on_a_command_line(text: str, share: float, times: int | None) -> None:
    """`NAME`, `NAME:SHARE`, `NAME:SHARE:TIMES`."""
    active = parse_fault(text)

    assert (active.share, active.times) == (share, times)


def test_an_unknown_fault_names_the_known_ones() -> None:
    """The error lists them."""
    with pytest.raises(KeyError, match="slow-drip"):
        parse_fault("nonsense")
