"""Bytes that come before, between and after responses, each in a read of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from yarl import URL

from bkjob_async.errors import TransportFailed
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.wire.aiohttp_transport import AiohttpTransport
from tests.wire.raw_server import answer

HINT = b"HTTP/1.1 103 Early Hints\r\n\r\n"
PAUSE = 0.02


class Server:
    """Answers each request with *pieces*, a moment between them; counts its connections."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the client leaves."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(PAUSE)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def ended(self) -> None:
        """Wait until every client has left."""
        while self._tasks:  # noqa: ASYNC110 - each ends by itself; nobody could set an event
            await asyncio.sleep(0.001)


@asynccontextmanager
async def connected(*pieces: bytes) -> AsyncIterator[tuple[Server, AiohttpTransport, HttpRequest]]:
    """Return a server, a transport and a request for it."""
    handler = Server(*pieces)
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    transport = AiohttpTransport()
    url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")
    try:
        yield handler, transport, HttpRequest(method="GET", url=url)
    finally:
        await transport.aclose()
        await handler.ended()
        server.close()
        await server.wait_closed()


async def ask(transport: AiohttpTransport, request: HttpRequest) -> HttpResponse:
    """Send a request."""
    return await transport.send(request, timeout=5.0)


async def test_an_interim_response_in_a_read_of_its_own_is_skipped() -> None:
    """The real one follows later, over the same connection."""
    async with connected(HINT, HINT, answer(b"{}")) as (server, transport, request):
        answers = [await ask(transport, request) for _ in range(2)]

    assert [each.body for each in answers] == [b"{}", b"{}"]
    assert server.connections == 1


async def test_interim_responses_without_end_are_an_error() -> None:
    """However they are spread over the reads."""
    for pieces in ([HINT * 40], [HINT * 10 + b"X: " + b"y" * 70_000]):
        async with connected(*pieces) as (_, transport, request):
            with pytest.raises(TransportFailed):
                await ask(transport, request)


async def test_a_connection_on_which_bytes_come_unasked_is_closed() -> None:
    """They would pass for the next response."""
    async with connected(answer(b"{}"), answer(b'{"forged": true}')) as (server, transport, request):
        first = await ask(transport, request)
        await asyncio.sleep(3 * PAUSE)
        second = await ask(transport, request)

    assert (first.body, second.body) == (b"{}", b"{}")
    assert server.connections == 2


async def test_a_response_of_another_shape_in_two_reads_is_read_by_aiohttp() -> None:
    """Its head ends in the second."""
    whole = answer(b"{}")
    async with connected(whole[:20], whole[20:]) as (_, transport, request):
        answers = [await ask(transport, request) for _ in range(2)]

    assert [each.body for each in answers] == [b"{}", b"{}"]
