"""The transport with real sockets that behave badly."""

import asyncio
import gzip
import ssl
import sys
import traceback
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from bkjob_async.errors import InvalidResponse, RequestTimedOut, TransportFailed, UsageError
from bkjob_async.http_messages import HttpRequest
from bkjob_async.wire import aiohttp_transport
from bkjob_async.wire.aiohttp_transport import AiohttpTransport, HttpOptions
from bkjob_async.wire.bodies import reading as bodies
from bkjob_async.wire.clean_connections import MAX_READ
from tests.wire import raw_server
from tests.wire.full_server import full_server

Serve = Callable[[Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]], Awaitable[URL]]


@pytest.fixture(autouse=True, params=["fast", "ordinary"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use either path; nobody who sends a request can tell them apart."""
    if request.param == "ordinary":
        monkeypatch.setattr(aiohttp_transport, "FastHttpClient", lambda *_: None)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve raw connections on a loopback port; closed at the end."""
    servers: list[asyncio.Server] = []
    connections: set[asyncio.StreamWriter] = set()

    async def start(handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> URL:
        async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.add(writer)
            try:
                try:
                    await reader.readuntil(b"\r\n\r\n")
                except asyncio.IncompleteReadError:
                    return  # the client gave up before it sent its request
                await handle(reader, writer)
            finally:
                writer.close()
                await writer.wait_closed()
                connections.discard(writer)

        server = await asyncio.start_server(connection, "127.0.0.1", 0)
        servers.append(server)
        return URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()
    while connections:  # noqa: ASYNC110 - each handler ends by itself; nobody could set an event
        await asyncio.sleep(0)


async def get(url: URL, *, within: float = 5.0) -> bytes:
    """Get *url* with a transport of its own."""
    transport = AiohttpTransport()
    try:
        return (await transport.send(HttpRequest(method="GET", url=url), timeout=within)).body
    finally:
        await transport.aclose()


async def test_half_a_body_is_no_answer(serve: Serve) -> None:
    """A connection that breaks in the middle says so."""

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    with pytest.raises(TransportFailed, match="cut off"):
        await get(await serve(handle))


async def test_a_closed_connection_is_no_answer(serve: Serve) -> None:
    """Nothing came back, and it may have been received."""

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    with pytest.raises(TransportFailed) as failed:
        await get(await serve(handle))
    assert failed.value.details.sent


COOKIE = b"Set-Cookie: bk_ticket=kept-to-itself"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("head", "said"),
    [
        (COOKIE + b"; HttpOnly\r\nX-Part", "the server closed the connection"),
        (COOKIE + b"\0\r\n\r\n", "invalid HTTP"),
        (COOKIE.replace(b":", b"\0:") + b"\r\n\r\n", "invalid HTTP"),
        (COOKIE * 1000 + b"\r\nContent-Length: 1\r\n\r\n", ""),
        (COOKIE + b"\r\nContent-Length: -1\r\n\r\n", "invalid HTTP"),
        (COOKIE + b"\r\nTransfer-Encoding: chunked\r\n\r\nkept-to-itself", ""),
    ],
    ids=["cut off", "null", "name", "long", "length", "chunk"],
)
async def test_an_error_shows_nothing_of_the_head_of_a_response(
    serve: Serve, method: str, head: bytes, said: str
) -> None:
    """A gateway sets cookies; aiohttp's errors show the line they are about, or all that has come."""

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        await writer.drain()

    transport = AiohttpTransport()
    try:
        with pytest.raises(TransportFailed) as failed:
            await transport.send(HttpRequest(method=method, url=await serve(handle)), timeout=5.0)
    finally:
        await transport.aclose()

    assert said in str(failed.value)
    assert "kept-to-itself" not in f"{failed.value} {failed.value!r}"


async def test_what_others_say_of_an_error_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes into logs and reports."""

    async def fail(*_: object, **_more: object) -> None:
        raise aiohttp.ClientConnectionError("far too long " * 1000)

    monkeypatch.setattr(aiohttp.ClientSession, "request", fail)
    transport = AiohttpTransport()
    try:
        with pytest.raises(TransportFailed, match="ClientConnectionError: far too long") as failed:
            await transport.send(HttpRequest(method="POST", url=URL("http://127.0.0.1:1/")), timeout=5.0)
    finally:
        await transport.aclose()

    assert len(failed.value.details.message) < 600


async def test_silence_times_out(serve: Serve) -> None:
    """The time limit is the caller's, for the whole response."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await reader.read()  # until the client hangs up

    with pytest.raises(RequestTimedOut, match=r"within 0\.05 s"):
        await get(await serve(handle), within=0.05)


async def test_a_refused_connection_was_never_sent(unused_tcp_port: int) -> None:
    """Only then may a command safely go out again. The error is the same whichever way the request went."""
    with pytest.raises(TransportFailed) as failed:
        await get(URL(f"http://127.0.0.1:{unused_tcp_port}/"))

    assert not failed.value.details.sent
    assert failed.value.details.message.startswith(
        f"cannot connect to 127.0.0.1:{unused_tcp_port}: ConnectionRefusedError: [Errno"
    )


async def test_a_proxy_that_cannot_be_reached_is_named(unused_tcp_port: int) -> None:
    """And not the platform, which nobody has tried."""
    transport = AiohttpTransport(HttpOptions(proxy=f"http://user:geheim@127.0.0.1:{unused_tcp_port}"))
    try:
        with pytest.raises(TransportFailed, match=f"the proxy 127.0.0.1:{unused_tcp_port}: ") as failed:
            await transport.send(HttpRequest(method="GET", url=URL("http://127.0.0.1:1/")), timeout=5.0)
    finally:
        await transport.aclose()

    assert "geheim" not in str(failed.value)


async def test_a_redirect_is_an_answer(serve: Serve) -> None:
    """Credentials never follow a redirect to somewhere else."""

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    transport = AiohttpTransport()
    answer = await transport.send(HttpRequest(method="GET", url=await serve(handle)), timeout=5)
    await transport.aclose()

    assert answer.status == 302


async def test_connections_are_kept_and_bounded() -> None:
    """A hundred requests share few connections."""
    peers = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = URL(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=4)) as lent:
        transport = AiohttpTransport(session=lent)
        request = HttpRequest(method="GET", url=url)
        answers = await asyncio.gather(*(transport.send(request, timeout=5) for _ in range(100)))
        await transport.aclose()
        assert not lent.closed
    await runner.cleanup()

    assert {answer.body for answer in answers} == {b"ok"}
    assert len(peers) <= 4


async def test_a_closed_transport_opens_nothing_new() -> None:
    """A call that comes too late would leave a session behind that nobody closes."""
    transport = AiohttpTransport()
    await transport.aclose()

    with pytest.raises(TransportFailed, match="the transport is closed") as failed:
        await transport.send(HttpRequest(method="GET", url=URL("http://127.0.0.1:1/")), timeout=5)
    assert not failed.value.details.sent


async def test_a_lent_session_that_its_owner_closed_is_an_error_of_ours() -> None:
    """Aiohttp says RuntimeError, which nobody expects from a call."""
    async with aiohttp.ClientSession() as lent:
        transport = AiohttpTransport(session=lent)

    with pytest.raises(TransportFailed, match="lent aiohttp session is closed") as failed:
        await transport.send(HttpRequest(method="GET", url=URL("http://127.0.0.1:1/")), timeout=5)
    assert "keep it open as long as the client" in str(failed.value)
    assert "network" not in str(failed.value)


async def test_a_host_that_cannot_be_one_is_an_error_of_ours() -> None:
    """The resolver says UnicodeError to a name with a part of more than 63 letters."""
    with pytest.raises(TransportFailed) as failed:
        await get(URL(f"http://{'a' * 70}.invalid/"))

    assert not failed.value.details.sent


async def test_a_proxy_that_refuses_does_not_show_its_password() -> None:
    """Not in the error, nor in what stands behind it."""
    no = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with raw_server.serving(lambda *_: no) as (proxy, url):
        options = HttpOptions(proxy=f"http://me:pa55word@127.0.0.1:{url.port}")
        transport = AiohttpTransport(options)
        with pytest.raises(TransportFailed, match="HTTP 407") as failed:
            await transport.send(HttpRequest(method="GET", url=URL("https://platform.invalid/")), timeout=5)
        await transport.aclose()

    error = failed.value
    assert "the proxy asks for a user and password, or refuses those of its URL: HTTP 407" in str(error)
    assert b"Proxy-Authorization: Basic" in proxy.heads[0]
    assert "pa55word" not in "".join(traceback.format_exception(error)) + repr(error) + repr(options)
    assert (error.__cause__, error.details.sent) == (None, False)


async def test_a_proxy_is_given_its_credentials() -> None:
    """Over plain HTTP the password goes with the request itself."""
    async with raw_server.serving(lambda *_: raw_server.answer(b"ok", "Connection: close")) as (proxy, url):
        transport = AiohttpTransport(HttpOptions(proxy=f"http://me:pa55word@127.0.0.1:{url.port}"))
        found = await transport.send(
            HttpRequest(method="GET", url=URL("http://platform.invalid/")), timeout=5
        )
        await transport.aclose()

    assert found.body == b"ok"
    assert b"GET http://platform.invalid/" in proxy.heads[0]
    assert b"Proxy-Authorization: Basic bWU6cGE1NXdvcmQ=" in proxy.heads[0]


async def test_further_headers_go_with_every_request() -> None:
    """Those of the request itself win."""
    seen: list[dict[str, str]] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        seen.append(dict(request.headers))
        return web.Response()

    server = web.Server(handler)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    transport = AiohttpTransport(HttpOptions(headers={"X-Team": "infra", "X-Mine": "no"}))
    url = URL(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    await transport.send(HttpRequest(method="GET", url=url, headers={"X-Mine": "yes"}), timeout=5)
    await transport.aclose()
    await runner.cleanup()

    (headers,) = seen
    assert (headers["X-Team"], headers["X-Mine"]) == ("infra", "yes")


@pytest.mark.parametrize("headers", [{"X-Team": "a\r\nX-Other: b"}, {"X Team": "a"}, {"": "a"}, {"X": "ä"}])
def test_headers_that_would_break_a_request_are_refused(headers: dict[str, str]) -> None:
    """At once, as the caller's mistake."""
    with pytest.raises(UsageError):
        HttpOptions(headers=headers)


@pytest.mark.parametrize("proxy", ["proxy:3128", "socks5://proxy:1080", ""])
def test_a_proxy_that_cannot_be_one_is_refused(proxy: str) -> None:
    """Not at the first request, where aiohttp says ValueError."""
    with pytest.raises(UsageError):
        HttpOptions(proxy=proxy)


async def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is what it unpacks to."""
    monkeypatch.setattr(bodies, "MAX_BODY_SIZE", 1_000_000)
    packed = gzip.compress(b" " * 20_000_000)

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
        writer.write(head.encode() + packed)
        await writer.drain()

    with pytest.raises(InvalidResponse, match="larger than"):
        await get(await serve(handle))


BODY = b'{"code": 0, "data": "' + b"x" * 50_000 + b'"}'


def packed_answer(body: bytes, encoding: str, length: int | None = None) -> bytes:
    """Return a response with a compressed body, of a wrong length where one is given."""
    length = len(body) if length is None else length
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + body


def answering(answer: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Return a handler that gives *answer*, whatever was requested."""

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return handle


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "deflate"])
async def test_a_packed_body_is_unpacked(serve: Serve, encoding: str) -> None:
    """In whichever of the common ways it was packed."""
    packed = zlib.compress(BODY) if encoding == "deflate" else gzip.compress(BODY)

    assert await get(await serve(answering(packed_answer(packed, encoding)))) == BODY


@pytest.mark.parametrize("unpacks", [True, False])
async def test_a_lent_session_may_unpack_by_itself_or_not(serve: Serve, unpacks: bool) -> None:  # noqa: FBT001 - a parameter
    """The response is the same."""
    url = await serve(answering(packed_answer(gzip.compress(BODY), "gzip")))
    async with aiohttp.ClientSession(auto_decompress=unpacks) as lent:
        transport = AiohttpTransport(session=lent)
        answer = await transport.send(HttpRequest(method="GET", url=url), timeout=5)
        await transport.aclose()

    assert answer.body == BODY


async def test_half_a_packed_body_is_no_answer(serve: Serve) -> None:
    """Although the server says that it is whole."""
    half = gzip.compress(BODY)[:60]

    with pytest.raises(TransportFailed, match="damaged: the compressed body is incomplete"):
        await get(await serve(answering(packed_answer(half, "gzip"))))
    with pytest.raises(TransportFailed, match="cut off"):
        await get(await serve(answering(packed_answer(half, "gzip", length=100))))


async def test_a_damaged_packed_body_is_no_answer(serve: Serve) -> None:
    """Nothing of it can be believed."""
    damaged = bytearray(gzip.compress(BODY))
    damaged[30] ^= 255

    with pytest.raises(TransportFailed, match="the compressed body is broken"):
        await get(await serve(answering(packed_answer(bytes(damaged), "gzip"))))


async def test_a_body_packed_as_nobody_asked_is_not_guessed_at(serve: Serve) -> None:
    """It is a response, but not one that can be used."""
    with pytest.raises(InvalidResponse, match="not asked for"):
        await get(await serve(answering(packed_answer(b"?", "zstd"))))


@pytest.mark.parametrize(
    ("own", "accept_compressed", "asked"),
    [
        ({}, True, "gzip"),
        ({}, False, "identity"),
        ({"accept-encoding": "deflate"}, True, "deflate"),
        ({"accept-encoding": "deflate"}, False, "deflate"),
    ],
)
async def test_packed_answers_are_asked_for(
    own: dict[str, str],
    accept_compressed: bool,  # noqa: FBT001 - a parameter
    asked: str,
) -> None:
    """Unless they are not worth it, or the user wants it otherwise."""
    heads: list[bytes] = []
    server = await asyncio.start_server(on_page(heads), "127.0.0.1", 0)
    url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    transport = AiohttpTransport(HttpOptions(headers=own))
    await transport.send(HttpRequest(method="GET", url=url, accept_compressed=accept_compressed), timeout=5)
    await transport.aclose()
    server.close()
    await server.wait_closed()

    lines = [line for line in heads[0].decode().lower().split("\r\n") if line.startswith("accept-encoding")]
    assert lines == [f"accept-encoding: {asked}"]


def on_page(heads: list[bytes]) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Return a handler that keeps each request."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    return handle


async def test_headers_that_come_again_and_again_are_sent_all_the_same() -> None:
    """Whoever shares them, whatever comes in between, and however often they change."""
    seen: list[dict[str, str]] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return web.Response()

    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = URL(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    transport = AiohttpTransport(HttpOptions(headers={"X-Team": "infra", "X-Mine": "no"}, connections=1))
    shared = {name: {"X-Mine": name} for name in "abcdefg"}
    order = "aaabaacccaaddeeffggaa"
    for number, name in enumerate(order):
        request = HttpRequest(method="GET", url=url, headers=shared[name], accept_compressed=number % 2 == 0)
        await transport.send(request, timeout=5)
    await transport.aclose()
    await runner.cleanup()

    assert "".join(headers["x-mine"] for headers in seen) == order
    assert {headers["x-team"] for headers in seen} == {"infra"}
    assert [headers["accept-encoding"] for headers in seen[:3]] == ["gzip", "identity", "gzip"]


async def test_headers_are_shared_over_one_connection() -> None:
    """A session of its own is no connection of its own."""
    peers = set()

    async def handler(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(text="ok")

    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = URL(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    transport = AiohttpTransport(HttpOptions(connections=4))
    requests = [HttpRequest(method="GET", url=url, headers=headers) for headers in ({"X": "1"}, {"X": "2"})]
    for _ in range(30):
        await asyncio.gather(*(transport.send(request, timeout=5) for request in requests * 2))
    await transport.aclose()
    await runner.cleanup()

    assert len(peers) <= 4


@pytest.fixture
async def received(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many bytes aiohttp's protocol was given at a time."""
    if not isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
        pytest.skip("uvloop reads up to 256 KiB at a time, and lets nobody change that")
    received: list[int] = []
    feed = ResponseHandler.data_received

    def data_received(self: ResponseHandler, data: bytes) -> None:
        received.append(len(data))
        feed(self, data)

    monkeypatch.setattr(ResponseHandler, "data_received", data_received)
    return received


async def test_one_turn_of_the_loop_parses_few_bytes(serve: Serve, received: list[int]) -> None:
    """A flood of tiny chunks must not block the event loop for long."""
    body = b"x" * 1_000_000
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + body

    assert await get(await serve(answering(whole)), within=10.0) == body
    assert all(size <= MAX_READ for size in received)


async def test_one_turn_of_the_loop_decrypts_few_bytes(received: list[int]) -> None:
    """TLS is no way around the bound: at most the rest of one record comes with the next."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    body = b"x" * 1_000_000
    transport = AiohttpTransport(HttpOptions(ssl=False))
    async with raw_server.serving(lambda *_: raw_server.answer(body), context) as (_, url):
        response = await transport.send(HttpRequest(method="GET", url=url), timeout=10.0)
        await transport.aclose()

    assert response.body == body
    assert all(size < 2 * MAX_READ for size in received)


async def test_a_body_of_very_small_chunks_is_refused(serve: Serve) -> None:
    """It only keeps the client busy."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    few, many = b"1\r\nx\r\n" * 200, b"1\r\nx\r\n" * 20_000

    assert await get(await serve(answering(head + few + b"0\r\n\r\n"))) == b"x" * 200
    with pytest.raises(TransportFailed, match="small chunks"):
        await get(await serve(answering(head + many + b"0\r\n\r\n")))


async def test_https_in_place_of_http_is_named() -> None:
    """OpenSSL's "wrong version number" says nothing of the URL."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1")
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransportFailed, match="the server does not speak TLS at this port"):
            await get(URL(f"https://127.0.0.1:{port}/"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the connection is refused")
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_whose_connection_never_opens_was_not_sent(method: str) -> None:
    """A host that drops packets, or an event loop that was busy meanwhile: nothing can have been executed."""
    with full_server() as url:
        transport = AiohttpTransport()
        with pytest.raises(RequestTimedOut, match=r"no connection within 0\.05 s") as failed:
            await transport.send(HttpRequest(method=method, url=url), timeout=0.05)
        await transport.aclose()

    assert not failed.value.details.sent
