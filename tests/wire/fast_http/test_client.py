"""Requests past aiohttp's session: the same to both ends, whatever servers do."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import trustme
from yarl import URL

from bkjob_async.errors import RequestTimedOut, TransportFailed
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.wire import aiohttp_transport
from bkjob_async.wire.aiohttp_transport import AiohttpTransport, HttpOptions
from bkjob_async.wire.fast_http import connections as open_lines
from bkjob_async.wire.fast_http.client import FastHttpClient
from tests.wire.raw_server import answer, serving

HINTS = b"HTTP/1.1 103 Early ListHints\r\n\r\n"
IN_CHUNKS = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 146
    + b"7C0\r\n"
    + b"x" * 1984
    + b"\r\n0\r\n\r\n"
)
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
    """Get *url* as a look does, the same headers each time."""
    return await transport.send(HttpRequest(method="GET", url=url, headers=HEADERS), timeout=within)


@pytest.fixture
def no_usual_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let aiohttp's session refuse to send anything."""

    async def refuse(*_arguments: object, **_options: object) -> None:
        pytest.fail("a request went the usual way")

    monkeypatch.setattr(aiohttp.ClientSession, "_request", refuse)


@pytest.mark.usefixtures("no_usual_way")
async def test_looks_go_the_short_way() -> None:
    """Should this fail with a newer aiohttp, all still works, at more cost."""
    async with serving(lambda *_: answer(b"{}")) as (server, url), opened() as transport:
        answers = [await get(transport, url.with_query(n=n)) for n in range(3)]

    assert [(each.status, each.body) for each in answers] == [(200, b"{}")] * 3
    assert [head.split(b"\r\n")[0] for head in server.heads] == [
        b"GET /x?n=%d HTTP/1.1" % n for n in range(3)
    ]
    assert server.connections == 1


async def test_what_has_a_body_keeps_it_whatever_went_before() -> None:
    """Headers that were sent with looks may come with a command."""
    async with serving(lambda *_: answer(b"{}")) as (server, url), opened() as transport:
        for _ in range(3):
            await get(transport, url)
        request = HttpRequest(method="POST", url=url, headers=HEADERS, body=b'{"operation_code": 2}')
        await transport.send(request, timeout=5.0)

    assert server.heads[-1].startswith(b"POST /x HTTP/1.1\r\n")
    assert b"Content-Length: 21\r\n" in server.heads[-1]


async def test_both_ways_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server cannot tell them apart."""
    options = HttpOptions(headers={"X-Team": "infra"})
    async with serving(lambda *_: answer(b"{}")) as (server, url):
        async with opened(options) as transport:
            await get(transport, url)
        monkeypatch.setattr(aiohttp_transport, "FastHttpClient", lambda *_: None)
        async with opened(options) as transport:
            await get(transport, url)
    short, usual = (head.decode().split("\r\n") for head in server.heads)

    assert short[0] == usual[0]
    assert sorted(short) == sorted(usual)


@pytest.mark.parametrize("lacks", ["should_close", "set_response_params", "read"])
async def test_an_aiohttp_that_works_otherwise_is_used_the_usual_way(
    monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    """What is found missing once is not tried again."""

    class Strange:
        """The protocol of a connection, with something missing."""

        def __init__(self, protocol: object) -> None:
            self._protocol = protocol

        def __getattr__(self, name: str) -> object:
            if name == lacks:
                raise AttributeError(name)
            return getattr(self._protocol, name)

    tried = []
    ask, protocol = FastHttpClient.ask, vars(aiohttp.connector.Connection)["protocol"].fget

    async def ask_strangely(self: FastHttpClient, *arguments: Any) -> Any:
        tried.append(lacks)
        with monkeypatch.context() as patch:
            strange = property(lambda connection: Strange(protocol(connection)))
            patch.setattr(aiohttp.connector.Connection, "protocol", strange)
            return await ask(self, *arguments)

    monkeypatch.setattr(FastHttpClient, "ask", ask_strangely)
    unusual = answer(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0")
    async with serving(lambda *_: unusual) as (_, url), opened() as transport:
        answers = [await get(transport, url) for _ in range(3)]

    assert [each.body for each in answers] == [b"{}"] * 3
    assert tried == [lacks]


async def test_a_request_class_that_takes_something_else_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sample of a request cannot be made then."""

    def make(*_arguments: object) -> None:
        """Take none of the options that there are now."""

    monkeypatch.setattr(aiohttp, "ClientRequest", make)
    async with serving(lambda *_: answer(b"{}")) as (_, url), opened() as transport:
        answers = [await get(transport, url) for _ in range(3)]

    assert [each.body for each in answers] == [b"{}"] * 3


@pytest.mark.usefixtures("no_usual_way")
async def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure() -> None:
    """Servers may close what is idle at any time, also while the next request is on its way."""

    def reply(_connection: int, request: int, _head: bytes) -> bytes | None:
        return answer(b"{}") if request == 0 else None

    async with serving(reply) as (server, url), opened() as transport:
        answers = [await get(transport, url) for _ in range(4)]

    assert [each.body for each in answers] == [b"{}"] * 4
    assert server.connections == 4


@pytest.mark.usefixtures("no_usual_way")
async def test_a_server_that_always_hangs_up_is_asked_twice() -> None:
    """As aiohttp does."""
    async with serving(lambda *_: None) as (server, url), opened() as transport:
        with pytest.raises(TransportFailed) as failed:
            await get(transport, url)

    assert failed.value.details.sent
    assert len(server.heads) == 2


@pytest.mark.usefixtures("no_usual_way")
async def test_what_comes_before_anything_was_asked_is_no_answer() -> None:
    """A server may say twice what it was asked once, or complain that nothing is asked."""

    def reply(connection: int, request: int, _head: bytes) -> bytes:
        once = answer(b"%d %d" % (connection, request))
        return once + answer(b"late") if connection == 0 else once

    async with serving(reply) as (_, url), opened() as transport:
        answers = [await get(transport, url) for _ in range(3)]

    assert [each.body for each in answers] == [b"0 0", b"1 0", b"1 1"]


@pytest.mark.usefixtures("no_usual_way")
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
    unusual = said.startswith(b"HTTP/1.1 204") or b"Connection: close" in said
    assert server.connections == (3 if unusual else 1)


@pytest.mark.usefixtures("no_usual_way")
@pytest.mark.parametrize("size", [1_000, 200_000, 3_000_000])
async def test_a_body_that_is_cut_is_no_answer(size: int) -> None:
    """However large, and wherever it is cut."""
    whole = answer(b"x" * size)

    def reply(connection: int, _request: int, _head: bytes) -> bytes | None:
        return (whole[:-1], whole[: size // 2], whole[:50], whole)[connection]

    async with serving(reply, last=lambda n: n < 3) as (_, url), opened() as transport:
        for _ in range(3):
            with pytest.raises(TransportFailed, match="broke off"):
                await get(transport, url)
        assert len((await get(transport, url)).body) == size


@pytest.mark.usefixtures("no_usual_way")
@pytest.mark.parametrize("said", [b"what?\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"])
async def test_what_is_not_http_is_no_answer(said: bytes) -> None:
    """And nobody waits for more of it."""
    async with serving(lambda *_: said) as (_, url), opened() as transport:
        with pytest.raises(TransportFailed, match="HttpProcessingError"):
            await get(transport, url)


@pytest.mark.usefixtures("no_usual_way")
async def test_whoever_gives_up_takes_the_connection_along() -> None:
    """An answer that comes too late must not be read as the next one's."""
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


@pytest.mark.parametrize("connections", [1, 2, 8])
async def test_nobody_waits_for_a_connection_that_is_kept(connections: int) -> None:
    """However few there may be, looks and what goes the usual way share them."""
    async with (
        serving(lambda *_: answer(b"{}")) as (server, url),
        opened(HttpOptions(connections=connections)) as transport,
    ):
        other = HttpRequest(method="POST", url=url, body=b"")
        for _ in range(3):
            sent = [transport.send(other, timeout=5) for _ in range(5)]
            answers = await asyncio.gather(*(get(transport, url) for _ in range(5)), *sent)
            assert [each.body for each in answers] == [b"{}"] * 10

    assert server.connections <= connections


async def test_another_server_is_reached_as_well() -> None:
    """By the usual way; lines are kept to one."""
    async with (
        serving(lambda *_: answer(b"one")) as (_, one),
        serving(lambda *_: answer(b"other")) as (_, other),
        opened(HttpOptions(connections=1)) as transport,
    ):
        bodies = [(await get(transport, url)).body for url in (one, other, one, other)]

    assert bodies == [b"one", b"other", b"one", b"other"]


@pytest.mark.usefixtures("no_usual_way")
@pytest.mark.parametrize("size", [10, 200_000, 3_000_000])
async def test_an_idle_line_holds_no_answer(size: int) -> None:
    """There may be many of them, and what they brought may be large."""
    async with serving(lambda *_: answer(b"x" * size)) as (_, url), opened() as transport:
        await get(transport, url)
        short = transport._short
        assert short is not None
        (line,) = short.lines._idle

        assert line._waiter is None
        assert line._filling is None


@pytest.mark.usefixtures("no_usual_way")
async def test_lines_that_are_not_used_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst of looks leaves no more connections behind than go on being used."""
    monkeypatch.setattr(open_lines, "IDLE_TIMEOUT", 0.02)
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


@pytest.mark.usefixtures("no_usual_way")
async def test_tls_is_the_connectors_business() -> None:
    """As are the authorities that are believed."""
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
    [HttpOptions(proxy="http://127.0.0.1:9"), HttpOptions(trust_env=True)],
    ids=["a proxy", "the environment"],
)
async def test_what_asks_for_more_than_a_connection_goes_the_usual_way(options: HttpOptions) -> None:
    """Proxies, and what the environment says of proxies and passwords."""
    async with opened(options) as transport:
        transport._opened()

        assert transport._short is None


async def test_a_header_that_would_break_the_request_is_never_sent() -> None:
    """Aiohttp refuses it."""
    async with serving(lambda *_: answer(b"{}")) as (server, url), opened() as transport:
        request = HttpRequest(method="GET", url=url, headers={"X": "a\r\nY: b"})
        with pytest.raises(ValueError, match="header"):
            await transport.send(request, timeout=5)

    assert server.heads == []
