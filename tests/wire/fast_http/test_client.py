"""Requests that bypass aiohttp's session: the same to both ends, whatever servers do."""

import asyncio
import gc
import json
import ssl
import sys
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohappyeyeballs
import aiohttp
import pytest
import trustme
from attrs import evolve
from yarl import URL

import bkjob_async as bkjob
from bkjob_async.errors import RequestTimedOut, TransportFailed
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.wire.aiohttp_transport import AiohttpTransport, HttpOptions
from bkjob_async.wire.fast_http import pool as fast_pool
from tests.hostile import server_context
from tests.wire.begun import begun
from tests.wire.raw_server import answer, responding, serving

HINTS = b"HTTP/1.1 103 Early ListHints\r\n\r\n"
IN_CHUNKS = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 146
    + b"7C0\r\n"
    + b"x" * 1984
    + b"\r\n0\r\n\r\n"
)
CREDENTIALS = bkjob.AppCredentials(bk_app_code="tests", bk_app_secret="not-to-be-seen", bk_username="admin")
HEADERS = {"X-Bkapi-Authorization": '{"bk_app_code": "test"}', "Accept": "application/json"}


@asynccontextmanager
async def opened(options: HttpOptions | None = None) -> AsyncIterator[AiohttpTransport]:
    """Open a transport; closed at the end."""
    transport = AiohttpTransport(options)
    try:
        yield transport
    finally:
        await transport.aclose()


async def get(transport: AiohttpTransport, url: URL, *, within: float = 5.0) -> HttpResponse:
    """Get *url* as a poll does, the same headers each time."""
    request = HttpRequest(method="GET", url=url, headers=HEADERS)
    return await send(transport, request, within)


async def awaited(transport: AiohttpTransport, request: HttpRequest, within: float) -> HttpResponse:
    """Await the response, as calls do."""
    return await transport.send(request, timeout=within)


send: Callable[[AiohttpTransport, HttpRequest, float], Coroutine[Any, Any, HttpResponse]] = awaited


@pytest.fixture(autouse=True, params=[awaited, begun])
def send_so(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send as calls do, and as polls do."""
    monkeypatch.setattr(sys.modules[__name__], "send", request.param)


@pytest.fixture
def through_session(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the methods of the requests that go through aiohttp's session."""
    seen: list[str] = []
    request = aiohttp.ClientSession._request

    async def record(self: aiohttp.ClientSession, method: str, url: URL, **options: Any) -> Any:
        seen.append(method)
        return await request(self, method, url, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", record)
    return seen


@pytest.fixture
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail when a request goes through aiohttp's session."""

    async def refuse(*_arguments: object, **_options: object) -> None:
        pytest.fail("a request went through the session")

    monkeypatch.setattr(aiohttp.ClientSession, "_request", refuse)


@pytest.mark.usefixtures("no_session")
async def test_polls_bypass_the_session() -> None:
    """Should this fail with a newer aiohttp, all still works, at more cost."""
    async with serving(lambda *_: answer(b"{}")) as (server, url), opened() as transport:
        answers = [await get(transport, url.with_query(n=n)) for n in range(3)]

    assert [(each.status, each.body) for each in answers] == [(200, b"{}")] * 3
    assert [head.split(b"\r\n")[0] for head in server.heads] == [
        b"GET /x?n=%d HTTP/1.1" % n for n in range(3)
    ]
    assert server.connections == 1


async def test_a_request_with_a_body_keeps_it() -> None:
    """A command may have the same headers as the polls before it."""
    async with serving(lambda *_: answer(b"{}")) as (server, url), opened() as transport:
        for _ in range(3):
            await get(transport, url)
        request = HttpRequest(method="POST", url=url, headers=HEADERS, body=b'{"operation_code": 2}')
        await transport.send(request, timeout=5.0)

    assert server.heads[-1].startswith(b"POST /x HTTP/1.1\r\n")
    assert b"Content-Length: 21\r\n" in server.heads[-1]


async def test_both_paths_send_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server cannot tell them apart."""
    options = HttpOptions(headers={"X-Team": "infra"})
    async with serving(lambda *_: answer(b"{}")) as (server, url):
        async with opened(options) as transport:
            await get(transport, url)
        async with opened(evolve(options, fast=False)) as transport:
            await get(transport, url)
    fast, ordinary = (head.decode().split("\r\n") for head in server.heads)

    assert fast[0] == ordinary[0]
    assert sorted(fast) == sorted(ordinary)


async def test_a_session_with_trace_configurations_sees_every_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Instrumentation adds them to every session that is made in the process."""
    seen: list[str] = []

    async def on_request_start(_session: object, _context: object, params: Any) -> None:
        seen.append(str(params.url))

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(on_request_start)
    make = aiohttp.ClientSession.__init__
    monkeypatch.setattr(
        aiohttp.ClientSession,
        "__init__",
        lambda *args, **options: make(*args, **options, trace_configs=[trace]),
    )
    async with serving(lambda *_: answer(b"{}")) as (_, url), opened() as transport:
        for _ in range(3):
            await get(transport, url)

    assert seen == [str(url)] * 3


async def test_a_lent_session_sees_every_request(through_session: list[str]) -> None:
    """It may be traced, or a subclass."""
    async with serving(lambda *_: answer(b"{}")) as (_, url), aiohttp.ClientSession() as lent:
        transport = AiohttpTransport(session=lent)
        for _ in range(3):
            await get(transport, url)
        await transport.aclose()

    assert through_session == ["GET"] * 3


@pytest.mark.usefixtures("no_session")
async def test_an_idle_connection_that_the_server_closed_is_no_failure() -> None:
    """Servers may close what is idle at any time, also while the next request is on its way."""

    def reply(_connection: int, request: int, _head: bytes) -> bytes | None:
        return answer(b"{}") if request == 0 else None

    async with serving(reply) as (server, url), opened() as transport:
        answers = [await get(transport, url) for _ in range(4)]

    assert [each.body for each in answers] == [b"{}"] * 4
    assert server.connections == 4


@pytest.mark.usefixtures("no_session")
async def test_a_server_that_always_hangs_up_is_asked_twice() -> None:
    """As aiohttp does."""
    async with serving(lambda *_: None) as (server, url), opened() as transport:
        with pytest.raises(TransportFailed) as failed:
            await get(transport, url)

    assert failed.value.details.sent
    assert len(server.heads) == 2


@pytest.mark.usefixtures("no_session")
async def test_bytes_that_come_unasked_are_not_a_response() -> None:
    """A server may send a response twice, or one that nobody requested."""

    def reply(connection: int, request: int, _head: bytes) -> bytes:
        once = answer(b"%d %d" % (connection, request))
        return once + answer(b"late") if connection == 0 else once

    async with serving(reply) as (_, url), opened() as transport:
        answers = [await get(transport, url) for _ in range(3)]

    assert [each.body for each in answers] == [b"0 0", b"1 0", b"1 1"]


@pytest.mark.usefixtures("no_session")
@pytest.mark.parametrize(
    ("said", "status", "body"),
    [
        (HINTS + answer(b"{}"), 200, b"{}"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\n{\r\n1\r\n}\r\n0\r\nT: 1\r\n\r\n",
            200,
            b"{}",
        ),
        (IN_CHUNKS, 200, b"x" * 600_000),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", 200, b"{}"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", 200, b"{}"),
        (b"HTTP/1.0 502 Bad Gateway\r\nConnection: close\r\n\r\n<html>", 502, b"<html>"),
        (answer(b"x" * 3_000_000), 200, b"x" * 3_000_000),
        (answer(b"{}", "Set-Cookie: a=b", "X-Twice: 1", "X-Twice: 2"), 200, b"{}"),
    ],
)
async def test_answers_of_every_shape_are_read(said: bytes, status: int, body: bytes) -> None:
    """One after the other, over connections that are kept as long as the server keeps them."""
    async with serving(lambda *_: said) as (server, url), opened() as transport:
        answers = [await get(transport, url) for _ in range(3)]

    assert [(each.status, each.body) for each in answers] == [(status, body)] * 3
    # Behind what aiohttp has to read, nobody can see whether more came than belongs to it.
    is_last = said.startswith(b"HTTP/1.1 204") or b"Connection: close" in said
    assert server.connections == (3 if is_last else 1)


@pytest.mark.usefixtures("no_session")
@pytest.mark.parametrize("size", [1_000, 200_000, 3_000_000])
async def test_a_truncated_body_is_an_error(size: int) -> None:
    """However large, and wherever it is cut."""
    whole = answer(b"x" * size)

    def reply(connection: int, _request: int, _head: bytes) -> bytes | None:
        return (whole[:-1], whole[: size // 2], whole[:50], whole)[connection]

    async with serving(reply, last=lambda n: n < 3) as (_, url), opened() as transport:
        for _ in range(3):
            with pytest.raises(TransportFailed, match="cut off"):
                await get(transport, url)
        assert len((await get(transport, url)).body) == size


@pytest.mark.usefixtures("no_session")
@pytest.mark.parametrize(
    "said",
    [
        b"what?\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 099 What\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
async def test_invalid_http_is_an_error(said: bytes) -> None:
    """And nobody waits for more of it."""
    async with serving(lambda *_: said) as (_, url), opened() as transport:
        with pytest.raises(TransportFailed, match="invalid HTTP"):
            await get(transport, url)


@pytest.mark.usefixtures("no_session")
async def test_a_cancelled_request_closes_its_connection() -> None:
    """A response that comes too late must not be read as the next one's."""
    late = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"slow" in head:
            await late.wait()
        writer.write(answer(head.split()[1]))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    async with opened(HttpOptions(connections=1)) as transport:
        with pytest.raises(RequestTimedOut):
            await get(transport, url / "slow", within=0.05)
        task = asyncio.create_task(get(transport, url / "slow"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        late.set()
        found = await get(transport, url / "quick")
    server.close()
    await server.wait_closed()

    assert found.body == b"/quick"


@pytest.mark.usefixtures("no_session")
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_request_that_is_cancelled_at_any_time_answers_no_other(scheme: str) -> None:
    """Before it is sent, while its response comes in pieces, and when that has come but was not taken yet."""

    async def respond(_connection: int, _request: int, head: bytes, writer: asyncio.StreamWriter) -> bool:
        whole = answer(head.split()[1])
        for piece in (whole[:10], whole[10:-3], whole[-3:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return True

    context = server_context() if scheme == "https" else None
    async with responding(respond, context) as (_, url), opened(HttpOptions(ssl=False)) as transport:
        for turns in range(40):
            await get(transport, url)  # there is an idle connection
            cancelled = asyncio.create_task(get(transport, url / "cancelled"))
            for _ in range(turns):
                await asyncio.sleep(0)
            cancelled.cancel()
            found = await asyncio.gather(*(get(transport, url / f"{n}") for n in range(2)))
            with suppress(asyncio.CancelledError):
                await cancelled

            assert [each.body for each in found] == [b"/x/0", b"/x/1"]


@pytest.mark.usefixtures("no_session")
async def test_a_closed_transport_sends_no_request_again() -> None:
    """Whose response was awaited: its connection is closed."""
    came = asyncio.Event()

    async def respond(_connection: int, _request: int, _head: bytes, _writer: asyncio.StreamWriter) -> bool:
        came.set()
        return True

    async with responding(respond) as (server, url), opened() as transport:
        asking = asyncio.create_task(get(transport, url))
        await came.wait()
        await transport.aclose()
        with pytest.raises(TransportFailed):
            await asking
        await server.ended()

    assert len(server.heads) == 1


@pytest.mark.usefixtures("no_session")
async def test_a_call_that_looks_the_server_up_is_told_of_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """By an error: a task that nobody cancelled does not end as one that was."""

    async def look(*_: object, **__: object) -> Any:
        await asyncio.sleep(60.0)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look)
    async with opened() as transport:
        asking = asyncio.create_task(get(transport, URL("http://slow.example/x")))
        await asyncio.sleep(0.01)
        await transport.aclose()
        with pytest.raises(TransportFailed):
            await asking


@pytest.mark.usefixtures("no_session")
async def test_a_connection_that_opens_behind_the_end_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is closed."""
    connect, goes_on = aiohappyeyeballs.start_connection, asyncio.Event()

    async def connect_late(*arguments: Any, **options: Any) -> Any:
        sock = await connect(*arguments, **options)
        with suppress(asyncio.CancelledError):  # it came when the connection was open
            await goes_on.wait()
        return sock

    async def respond(*_: object) -> bool:
        return True

    monkeypatch.setattr(aiohappyeyeballs, "start_connection", connect_late)
    async with responding(respond) as (server, url), opened() as transport:
        asking = asyncio.create_task(get(transport, url))
        await asyncio.sleep(0.05)
        await transport.aclose()
        with pytest.raises(TransportFailed):
            await asking
        await server.ended()

    assert server.heads == []


@pytest.mark.parametrize("connections", [1, 2, 8])
async def test_connections_are_bounded(connections: int) -> None:
    """However many calls there are, no more requests than that are under way; what may change something has its own."""
    job = {"job_instance_id": 1, "bk_scope_type": "biz", "bk_scope_id": "2", "status": 3}
    body = json.dumps({"result": True, "code": 0, "data": {"finished": True, "job_instance": job}}).encode()
    ref = bkjob.JobRef(bkjob.Scope.biz(2), 1)
    async with (
        serving(lambda *_: answer(body)) as (server, url),
        bkjob.connect(str(url), CREDENTIALS, http=HttpOptions(connections=connections)) as client,
    ):
        for _ in range(3):
            jobs = await asyncio.gather(*(client.get_job_instance_status(ref) for _ in range(10)))
            assert [each.status.code for each in jobs] == [3] * 10

    assert server.connections <= connections


async def test_another_server_is_reached_as_well() -> None:
    """On the ordinary path: idle connections are kept to one server only."""
    async with (
        serving(lambda *_: answer(b"one")) as (_, one),
        serving(lambda *_: answer(b"other")) as (_, other),
        opened(HttpOptions(connections=1)) as transport,
    ):
        bodies = [(await get(transport, url)).body for url in (one, other, one, other)]

    assert bodies == [b"one", b"other", b"one", b"other"]


@pytest.mark.usefixtures("no_session")
async def test_an_idle_connection_holds_no_response() -> None:
    """There may be many connections, and their last responses may be large."""
    async with serving(lambda *_: answer(b"x" * 3_000_000)) as (server, url), opened() as transport:
        await get(transport, url)  # what is kept for all responses is there
        gc.collect()
        tracemalloc.start()
        try:
            size = len((await get(transport, url)).body)
            await asyncio.sleep(0)
            gc.collect()
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert (size, server.open) == (3_000_000, 1)
        assert held < 1_000_000


@pytest.mark.usefixtures("no_session")
async def test_unused_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst of polls leaves no more connections open than later polls use."""
    monkeypatch.setattr(fast_pool, "IDLE_TIMEOUT", 0.02)
    async with serving(lambda *_: answer(b"{}")) as (server, url), opened() as transport:
        await asyncio.gather(*(get(transport, url) for _ in range(8)))
        assert server.open == 8
        for _ in range(30):
            await get(transport, url)
            await asyncio.sleep(0.005)
        assert server.open == 1
        await asyncio.sleep(0.1)
        assert server.open == 0
        assert (await get(transport, url)).body == b"{}"


@pytest.mark.usefixtures("no_session")
async def test_tls_believes_the_authorities_of_the_options() -> None:
    """By default those of the system."""
    context, authority = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), trustme.CA()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with serving(lambda *_: answer(b"{}"), context) as (server, url):
        async with opened(HttpOptions(ssl=trusting)) as transport:
            answers = [await get(transport, url) for _ in range(3)]
        async with opened() as transport:
            with pytest.raises(TransportFailed, match="certificate"):
                await get(transport, url)

    assert [each.body for each in answers] == [b"{}"] * 3
    assert len(server.heads) == 3


@pytest.mark.parametrize(
    "options",
    [HttpOptions(proxy="http://127.0.0.1:9"), HttpOptions(trust_env=True), HttpOptions(fast=False)],
    ids=["a proxy", "the environment", "the switch"],
)
async def test_requests_that_need_the_session_go_through_it(
    options: HttpOptions, through_session: list[str]
) -> None:
    """A proxy, one from the environment, and the switch."""
    async with serving(lambda *_: answer(b"{}")) as (_, url), opened(options) as transport:
        for _ in range(2):
            with suppress(TransportFailed):  # nobody listens where the proxy should be
                await get(transport, url)

    assert through_session == ["GET"] * 2


async def test_a_header_that_would_break_the_request_is_never_sent() -> None:
    """Aiohttp refuses it."""
    async with serving(lambda *_: answer(b"{}")) as (server, url), opened() as transport:
        request = HttpRequest(method="GET", url=url, headers={"X": "a\r\nY: b"})
        with pytest.raises(ValueError, match="header"):
            await transport.send(request, timeout=5)

    assert server.heads == []
