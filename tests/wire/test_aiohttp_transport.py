"""Real sockets that behave badly, and what the transport makes of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from bkjob_async.errors import RequestTimedOut, TransportFailed
from bkjob_async.http_messages import HttpRequest
from bkjob_async.wire.aiohttp_transport import AiohttpTransport

Serve = Callable[[Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]], Awaitable[URL]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve raw connections on a loopback port; closed at the end."""
    servers: list[asyncio.Server] = []
    connections: set[asyncio.StreamWriter] = set()

    async def start(handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> URL:
        async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.add(writer)
            try:
                await reader.readuntil(b"\r\n\r\n")
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

    with pytest.raises(TransportFailed, match="broke off"):
        await get(await serve(handle))


async def test_a_closed_connection_is_no_answer(serve: Serve) -> None:
    """Nothing came back, and it may have been received."""

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    with pytest.raises(TransportFailed) as failed:
        await get(await serve(handle))
    assert failed.value.facts.sent


async def test_silence_times_out(serve: Serve) -> None:
    """The time limit is the caller's, for the whole answer."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await reader.read()  # until the client hangs up

    with pytest.raises(RequestTimedOut, match=r"within 0\.05 s"):
        await get(await serve(handle), within=0.05)


async def test_a_refused_connection_was_never_sent(unused_tcp_port: int) -> None:
    """Only then may a command safely go out again."""
    with pytest.raises(TransportFailed) as failed:
        await get(URL(f"http://127.0.0.1:{unused_tcp_port}/"))

    assert not failed.value.facts.sent


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
