"""No secret is in any output, log or error, whatever goes wrong."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.model.json_values import event_to_json
from tests.client.clients import DIALECTS

SECRETS = (
    APP_SECRET := "app-s3cret-0a1b2c3d",
    TICKET := "t1cket-4e5f6a7b",
    PARAMETER := "--password=param3ter-8c9d",
    PASSWORD := "h0st-passw0rd-1e2f",
    VARIABLE := "c1pher-value-3a4b",
    VAULT := "vault-t0ken-5c6d",
    CONTENT := "db_url = f1le-c0ntent-7e8f",
    CALLBACK := "callb4ck-t0ken-9a0b-1c2d",
    QUERY := "qu3ry-t0ken-2d3e",
)
CREDENTIALS = bkjob.AppCredentials(
    bk_app_code="app", bk_app_secret=APP_SECRET, bk_username="admin", bk_ticket=TICKET
)
JOB = bkjob.JobRef(bkjob.Scope.biz(2), 100)
CALLBACK_URL = f"http://hooks.example.com/job/{CALLBACK}?t={QUERY}"
PASSWORDS = [{"bk_host_id": 1, "password": PASSWORD}]


def whole(status: int, body: str, *headers: str) -> bytes:
    """Return a response as bytes."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def refusing(status: int, code: int, echo: str) -> bytes:
    """Return a refusal that repeats all that was sent."""
    body = {"result": False, "code": code, "message": echo, "data": {echo: echo}, "permission": {"x": echo}}
    return whole(status, json.dumps(body))


def kinds(echo: str) -> dict[str, bytes | None]:
    """Return what a server does: bytes that it sends, None to hang up, and nothing to let the client wait."""
    where = f"Location: http://x:{APP_SECRET}@y/{APP_SECRET}?{TICKET}"
    return {
        "silence": b"",
        "hang-up": None,
        "garbage": b"what? " + echo.encode() + b"\r\n\r\n",
        "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + echo.encode(),
        "html": whole(200, f"<html><title>{echo}</title>"),
        "half JSON": whole(200, f'{{"result": true, "data": "{echo}'),
        "other JSON": whole(200, json.dumps({"result": True, "code": 0, "data": {echo: [echo]}})),
        "redirect": whole(302, "", where),
        "401": refusing(401, 1640001, echo),
        "403": refusing(403, 9900403, echo),
        "429": refusing(429, 1642901, echo),
        "500": refusing(500, 1240002, echo),
        "packed": whole(200, "no gzip: " + echo, "Content-Encoding: gzip"),
        "unknown": whole(200, echo, "Content-Encoding: br"),
    }


Verb = Callable[[bkjob.JobClient], Awaitable[object]]


async def watched(client: bkjob.JobClient) -> list[str]:
    """Watch for a moment; return all that was seen."""
    seen: list[str] = []
    with suppress(bkjob.DeadlineExceeded):
        async with client.watch(JOB, deadline=0.1) as watch:
            async for event in watch:
                seen += [str(event), repr(event), json.dumps(event_to_json(event))]
    return seen


VERBS: dict[str, Verb] = {
    "read": lambda client: client.get_job_instance_status(100),
    "by name": lambda client: client.call("any_thing", {"password": PASSWORD, "bk_token": TICKET}),
    "by name, GET": lambda client: client.call("any_thing", {"db_password": PASSWORD}, method="GET"),
    "script": lambda client: client.run_script("echo", ["0:10.0.0.1"], parameters=PARAMETER),
    "sensitive script": lambda client: client.fast_execute_script(
        "echo", [1], script_param=PARAMETER, is_param_sensitive=True, host_password_list=PASSWORDS
    ),
    "plan": lambda client: client.run_plan(7, {"KEY": VARIABLE}),
    "push file": lambda client: client.push_config_file(
        {"text.conf": CONTENT, "bytes.conf": CONTENT.encode()}, "/etc", [1], callback_url=CALLBACK_URL
    ),
    "script with callback": lambda client: client.fast_execute_script("echo", [1], callback_url=CALLBACK_URL),
    "operate": lambda client: client.operate_job_instance(100, 1),
    "wait": lambda client: client.wait(JOB, deadline=0.1),
    "watch": watched,
}
# What a call carries beside credentials; a response may repeat it. What nobody called sensitive is in no frame all the same.
OWN = {
    "by name": PASSWORD,
    "by name, GET": PASSWORD,
    "sensitive script": f"{PARAMETER} {PASSWORD}",
    "plan": VARIABLE,
    "push file": f"{CONTENT} {CALLBACK_URL}",
    "script with callback": CALLBACK_URL,
}


def chain(error: BaseException | None) -> list[BaseException]:
    """Return an error and all that stands behind it, shown or not."""
    links: list[BaseException] = []
    waiting = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and link not in links:
            links.append(link)
            waiting += [link.__cause__, link.__context__]
    return links


def frames(trace: TracebackType | None) -> list[str]:
    """Return what an error tracker keeps of each frame of ours: its variables."""
    found = []
    while trace is not None:
        if "/tests/" not in trace.tb_frame.f_code.co_filename:
            found += [repr(value) for value in trace.tb_frame.f_locals.values()]
        trace = trace.tb_next
    return found


def texts(error: BaseException) -> list[str]:
    """Return what an error says, in each of its forms."""
    return [
        text
        for link in chain(error)
        for text in (str(link), repr(link), repr(vars(link)), *getattr(link, "__notes__", ()))
    ]


def leaks(shown: list[str]) -> list[str]:
    """Return what shows a secret."""
    return [text[:2000] for text in shown if any(secret in text for secret in SECRETS)]


@asynccontextmanager
async def server(kind: bytes | None) -> AsyncIterator[str]:
    """Serve the same to every request."""
    others = asyncio.all_tasks()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
            if kind == b"":
                await reader.read()
            elif kind is not None:
                writer.write(kind)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        # Connections that were accepted and not handled yet have a task, too, which needs the listener; each ends when its
        # client has gone.
        while asyncio.all_tasks() - others:  # noqa: ASYNC110
            await asyncio.sleep(0)
        listener.close()
        await listener.wait_closed()


def client_at(url: str, dialect: str, **options: Any) -> bkjob.JobClient:
    """Return a client that asks once and does not wait long."""
    credentials = options.pop("credentials", CREDENTIALS)
    return bkjob.connect(
        url,
        credentials,
        dialect=dialect,
        scope=bkjob.Scope.biz(2),
        request_timeout=0.05,
        retries=bkjob.Retries(attempts=1),
        **options,
    )


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Keep every line of every log."""
    caplog.set_level(logging.DEBUG)
    return caplog


async def attempted(client: bkjob.JobClient, verb: str) -> tuple[list[str], list[str]]:
    """Return all that is said, and all that frames hold."""
    try:
        said = await VERBS[verb](client)
    except (bkjob.BkJobError, asyncio.CancelledError) as error:
        return texts(error), [held for link in chain(error) for held in frames(link.__traceback__)]
    # What is returned is what was requested; only events are made by us.
    return (said if isinstance(said, list) else []), []


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_no_failure_shows_a_secret(dialect: str, verb: str, log: pytest.LogCaptureFixture) -> None:
    """Not in its text, not in a frame, not in what observers and logs receive, whatever the server does."""
    asyncio.get_running_loop().set_debug(True)
    echo = f"{APP_SECRET} {TICKET} {OWN.get(verb, '')}".strip()
    for name, kind in kinds(echo).items():
        reported: list[object] = []
        async with server(kind) as url, client_at(url, dialect, observers=[reported.append]) as client:
            said, held = await attempted(client, verb)
            logged = [f"{record.getMessage()} {record.exc_text}" for record in log.records]

            assert leaks([*said, *logged, *map(repr, reported)]) == [], name
            assert leaks(held) == [], name
            log.clear()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_no_refused_connection_shows_a_secret(dialect: str, verb: str) -> None:
    """Nobody listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with client_at(f"http://127.0.0.1:{taken.getsockname()[1]}", dialect) as client:
            said, held = await attempted(client, verb)

    assert leaks(said) == []
    assert leaks(held) == []


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_no_cancellation_shows_a_secret(dialect: str, verb: str) -> None:
    """Whoever is cancelled passes through every frame on the way."""
    async with server(b"") as url, client_at(url, dialect) as client:
        task = asyncio.create_task(attempted(client, verb))
        await asyncio.sleep(0.02)
        task.cancel()
        said, held = await task

    assert leaks(said) == []
    assert leaks(held) == []


LAUNCHES: list[bkjob.operations.Operation[Any]] = [
    bkjob.operations.PushConfigFile(
        scope=bkjob.Scope.biz(2),
        files={"a.conf": CONTENT},
        file_target_path="/etc",
        targets=[1],
        callback_url=CALLBACK_URL,
    ),
    bkjob.operations.FastExecuteScript(
        scope=bkjob.Scope.biz(2),
        targets=[1],
        script_content=PASSWORD,
        script_param=PARAMETER,
        host_password_list=PASSWORDS,
        callback_url=CALLBACK_URL,
    ),
    bkjob.operations.FastExecuteSql(
        scope=bkjob.Scope.biz(2),
        targets=[1],
        db_account_id=1,
        script_content=PASSWORD,
        callback_url=CALLBACK_URL,
    ),
    bkjob.operations.FastTransferFile(
        scope=bkjob.Scope.biz(2), sources=(), file_target_path="/", targets=[1], callback_url=CALLBACK_URL
    ),
    bkjob.operations.ExecuteJobPlan(
        scope=bkjob.Scope.biz(2), job_plan_id=7, global_vars={"KEY": VARIABLE}, callback_url=CALLBACK_URL
    ),
]


@pytest.mark.parametrize("launch", LAUNCHES, ids=lambda launch: type(launch).__name__)
def test_the_repr_of_a_launch_shows_no_secret(launch: bkjob.operations.Operation[Any]) -> None:
    """Contents, parameters, variables and the token in a callback URL."""
    assert leaks([repr(launch), str(launch)]) == []


@pytest.mark.parametrize("body", [kinds(APP_SECRET)["garbage"], None])
async def test_credentials_in_the_body_do_not_show(body: bytes | None) -> None:
    """As an ESB that knows no header wants them."""
    async with server(body) as url, client_at(url, "esb-job", credentials_in="body") as client:
        said, held = await attempted(client, "read")

    assert leaks([*said, *held]) == []


FAILURES: list[BaseException] = [
    OSError(f"vault at http://vault/{VAULT} is away"),
    ValueError(VAULT),
    bkjob.NotAuthenticated(bkjob.ErrorDetails(message=f"token={VAULT}")),
    bkjob.UsageError(f"password={VAULT}"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_what_a_provider_raises_does_not_show(failure: Exception) -> None:
    """Nor the variables of its frames: it may have the secret half read."""

    async def provider() -> bkjob.Credentials:
        token = VAULT
        await asyncio.sleep(0)
        raise failure from KeyError(token)

    async with server(None) as url, client_at(url, "gateway-v3", credentials=provider) as client:
        for verb in ("read", "operate", "watch"):
            said, held = await attempted(client, verb)

            assert leaks([*said, *held]) == []


async def test_a_provider_that_fails_when_nobody_waits_any_more_is_not_logged(
    log: pytest.LogCaptureFixture,
) -> None:
    """`Task exception was never retrieved` would show its frames."""

    async def provider() -> bkjob.Credentials:
        await asyncio.sleep(0.02)
        raise OSError(VAULT)

    async with server(None) as url, client_at(url, "gateway-v3", credentials=provider) as client:
        task = asyncio.create_task(client.get_job_instance_status(1))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0.05)
        gc.collect()

    assert [record.getMessage() for record in log.records if record.levelno > logging.DEBUG] == []


async def test_a_task_that_nobody_asks_logs_no_secret(
    log: pytest.LogCaptureFixture, loop_errors: list[dict[str, object]]
) -> None:
    """Asyncio writes what it failed with, and how it came about."""
    async with server(kinds(PASSWORD)["401"]) as url, client_at(url, "gateway-v3") as client:
        task = asyncio.create_task(client.call("any_thing", {"password": PASSWORD}))
        await asyncio.sleep(0.05)
        assert task.done()
        del task
        gc.collect()

    assert any("never retrieved" in record.getMessage() for record in log.records)
    assert leaks([log.text]) == []
    loop_errors.clear()
