"""Bytes that come before, between and after responses, each in a read of its own."""

from __future__ import annotations

import asyncio
import gc
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bkjob_async.errors import TransportFailed
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.wire.aiohttp_transport import AiohttpTransport, HttpOptions
from bkjob_async.wire.bodies.budget import BodyBudget
from bkjob_async.wire.fast_http.connection import Connection
from bkjob_async.wire.fast_http.response_parser import ResponseParser
from tests.hostile import server_context
from tests.wire.raw_server import RawServer, answer, responding, serving

HINT = b"HTTP/1.1 103 Early Hints\r\n\r\n"
PAUSE = 0.02
MIB = 1024 * 1024


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


def test_headers_of_an_interim_response_or_a_trailer_are_not_those_of_the_response() -> None:
    """Nor do they say how its body ends; the first of two of one name counts."""
    parser = ResponseParser(BodyBudget(MIB))
    interim = b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\nX: hint\r\n\r\n"

    assert not parser.feed(memoryview(interim + b"HTTP/1.1 200 OK\r\nY: a\r\ny: b\r\n\r\nhello"))
    status, headers, body = parser.end(None)
    assert (status, {**headers}, body) == (200, {"y": "a"}, b"hello")

    parser = ResponseParser(BodyBudget(MIB))
    chunks = b"5\r\nhello\r\n0\r\nX: trailer\r\n\r\n"
    assert parser.feed(memoryview(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks))
    status, headers, body = parser.take()
    assert (status, {**headers}, body) == (200, {"transfer-encoding": "chunked"}, b"hello")


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


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_server_that_ends_a_tls_connection_within_a_body_is_an_error() -> None:
    """Of the request alone: no callback of the event loop fails."""
    for body in (answer(b"{}")[:-1], answer(b"{}")[:20], CHUNKED + b"2\r\n{}", b""):
        async with serving(lambda *_, body=body: body, server_context(), last=lambda _: True) as (_, url):
            transport = AiohttpTransport(HttpOptions(ssl=False))
            with pytest.raises(TransportFailed):
                await ask(transport, HttpRequest(method="GET", url=url))
            await transport.aclose()


@pytest.mark.parametrize("is_closed_by", ["client", "server"])
async def test_a_closed_tls_connection_is_let_go_at_once(is_closed_by: str) -> None:
    """Its buffers, a quarter of a megabyte each, do not stay until the garbage is collected."""
    if is_closed_by == "server" and "uvloop" in type(asyncio.get_running_loop()).__module__:
        pytest.skip("uvloop keeps a connection that the server has closed until the garbage is collected")
    gc.collect()
    gc.disable()
    try:
        ends, context = is_closed_by == "server", server_context()
        async with serving(lambda *_: answer(b"{}"), context, last=lambda _: ends) as (server, url):
            transport = AiohttpTransport(HttpOptions(ssl=False))
            request = HttpRequest(method="GET", url=url)
            await asyncio.gather(*(ask(transport, request) for _ in range(3)))
            if ends:
                await server.ended()
                await asyncio.sleep(PAUSE)
            await transport.aclose()
        kept = [each for each in gc.get_objects() if type(each) in (Connection, SSLProtocol)]
    finally:
        gc.enable()

    assert kept == []
