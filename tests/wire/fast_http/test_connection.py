"""Bytes that come before, between and after responses, each in a read of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError

from bkjob_async.errors import TransportFailed
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.wire.aiohttp_transport import AiohttpTransport, HttpOptions
from bkjob_async.wire.bodies.budget import MIB, BodyBudget
from bkjob_async.wire.bodies.reading import RawResponse
from bkjob_async.wire.fast_http.connection import Connection
from tests.hostile import server_context
from tests.wire.raw_server import RawServer, answer, responding, serving

HINT = b"HTTP/1.1 103 Early Hints\r\n\r\n"
PAUSE = 0.02


@asynccontextmanager
async def connected(*pieces: bytes) -> AsyncIterator[tuple[RawServer, AiohttpTransport, HttpRequest]]:
    """Yield a server that responds with *pieces*, a short pause between them, a transport and a request for it."""

    async def respond(_connection: int, _request: int, _head: bytes, writer: asyncio.StreamWriter) -> bool:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(PAUSE)
        return True

    async with responding(respond) as (server, url):
        transport = AiohttpTransport()
        try:
            yield server, transport, HttpRequest(method="GET", url=url)
        finally:
            await transport.aclose()


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


# Transports that read while they close ------------------------------------------------------------------------------

FORGED = answer(b'{"forged": true}')
NEVER_RETURNED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class TlsLikeTransport(asyncio.Transport):
    """Closes as a transport with TLS does: decrypts what it still has, and fails at any call once closed twice."""

    def __init__(self, handler: ResponseHandler) -> None:
        super().__init__()
        self.protocol: asyncio.BaseProtocol | None = handler
        self.times_closed = 0
        self.unread = b""

    def is_closing(self) -> bool:
        """Return whether it was closed."""
        return self.times_closed > 0

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Replace the protocol."""
        assert self.protocol is not None
        self.protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send nothing."""

    def pause_reading(self) -> None:
        """Fail when it was closed twice."""
        assert self.protocol is not None

    def close(self) -> None:
        """Give the protocol what is left."""
        self.times_closed += 1
        if self.times_closed > 1:
            self.protocol = None
        elif self.unread:
            self.receive(self.unread)

    def receive(self, data: bytes) -> None:
        """Give *data* to the protocol."""
        assert isinstance(self.protocol, asyncio.BufferedProtocol)
        memoryview(self.protocol.get_buffer(-1))[: len(data)] = data
        self.protocol.buffer_updated(len(data))


class Borrowed:
    """A connection of aiohttp's connector."""

    def __init__(self) -> None:
        self.protocol = ResponseHandler(asyncio.get_running_loop())
        self.transport = TlsLikeTransport(self.protocol)
        self.protocol.connection_made(self.transport)

    def close(self) -> None:
        """Close the handler, as the connector does."""
        self.protocol.close()


@asynccontextmanager
async def asking() -> AsyncIterator[tuple[Connection, TlsLikeTransport, asyncio.Task[RawResponse | None]]]:
    """Yield a connection, its transport and a request that waits for its response."""
    borrowed = Borrowed()
    connection = Connection(
        cast("aiohttp.connector.Connection", borrowed), memoryview(bytearray(100_000)), BodyBudget(MIB)
    )
    assert connection.start()
    request = asyncio.create_task(connection.send(b"GET"))
    await asyncio.sleep(0)
    yield connection, borrowed.transport, request
    connection.close()
    connection.connection_lost(None)


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (answer(b"{}") + b"surplus", b""),
        (answer(b"{}")[:-1], b"}surplus"),
        (NEVER_RETURNED + b"2\r\n{}", b"\r\n0\r\n\r\nsurplus"),
    ],
    ids=["in one read", "in two reads", "in chunks"],
)
async def test_bytes_read_while_closing_are_no_response(first: bytes, rest: bytes) -> None:
    """What follows the surplus may look like one."""
    async with asking() as (_, transport, request):
        transport.unread = FORGED
        transport.receive(first)
        if rest:
            transport.receive(rest)

        response = await request
        assert response is not None
        assert (response[2], transport.times_closed) == (b"{}", 1)


async def test_bytes_behind_a_broken_body_are_no_response() -> None:
    """The error stands."""
    async with asking() as (_, transport, request):
        transport.unread = FORGED
        transport.receive(NEVER_RETURNED + b"2\r\n{}")
        transport.receive(b"no chunk\n")

        with pytest.raises(HttpProcessingError):
            await request


@pytest.mark.parametrize("begun", [b"", answer(b"{}")[:-1]])
async def test_a_transport_that_the_server_closes_is_left_alone(begun: bytes) -> None:
    """Closed twice, it would fail when aiohttp's handler takes over."""
    async with asking() as (connection, transport, request):
        if begun:
            transport.receive(begun)
        transport.times_closed = 1
        connection.connection_lost(None)
        transport.close()

        if begun:
            with pytest.raises(aiohttp.ClientPayloadError):
                await request
        else:
            assert await request is None


async def test_a_server_that_ends_a_tls_connection_within_a_body_is_an_error() -> None:
    """Of the request alone: no callback of the event loop fails."""
    for body in (answer(b"{}")[:-1], answer(b"{}")[:20], NEVER_RETURNED + b"2\r\n{}", b""):
        async with serving(lambda *_, body=body: body, server_context(), last=lambda _: True) as (_, url):
            transport = AiohttpTransport(HttpOptions(ssl=False))
            with pytest.raises(TransportFailed):
                await ask(transport, HttpRequest(method="GET", url=url))
            await transport.aclose()
