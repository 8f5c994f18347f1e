"""A lent aiohttp session is used as its owner set it up, for every request."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bkjob_async.errors import RequestTimedOut, UsageError
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.wire.aiohttp_transport import AiohttpTransport
from tests.wire.full_server import full_server
from tests.wire.raw_server import answer, responding, serving

Send = Callable[[str, URL], Awaitable[HttpResponse]]

METHODS = ["GET", "POST"]


@asynccontextmanager
async def sending(session: aiohttp.ClientSession) -> AsyncIterator[Send]:
    """Yield a function that sends a request through a lent *session*, closed at the end."""
    transport = AiohttpTransport(session=session)

    async def send(method: str, url: URL) -> HttpResponse:
        body = None if method == "GET" else b"{}"
        return await transport.send(HttpRequest(method=method, url=url, body=body), timeout=5)

    async with session:
        try:
            yield send
        finally:
            await transport.aclose()


class AtLoopback(AbstractResolver):
    """A resolver that finds every name on this machine."""

    def __init__(self) -> None:
        self.is_closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the loopback address."""
        found = ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)
        return [found]

    async def close(self) -> None:
        """Note that it was closed."""
        self.is_closed = True


def replying(*_: object) -> bytes:
    """Return the response to any request, the last of its connection."""
    return answer(b"ok", "Connection: close")


@pytest.mark.parametrize("method", METHODS)
async def test_its_proxy_sees_every_request(method: str) -> None:
    """A command that went around it would carry its credentials where nobody expects them."""
    async with serving(replying) as (proxy, at), sending(aiohttp.ClientSession(proxy=at.origin())) as send:
        response = await send(method, URL("http://platform.invalid/x"))

    assert response.body == b"ok"
    assert proxy.heads[0].startswith(f"{method} http://platform.invalid/x ".encode())


@pytest.mark.parametrize("method", METHODS)
async def test_its_resolver_finds_the_server_of_every_request(method: str) -> None:
    """And stays open: it belongs to whoever made it."""
    resolver = AtLoopback()
    async with serving(replying) as (server, at):
        connector = aiohttp.TCPConnector(resolver=resolver, family=socket.AF_INET)
        async with sending(aiohttp.ClientSession(connector=connector)) as send:
            response = await send(method, at.with_host("platform.invalid"))

    assert (response.body, len(server.heads), resolver.is_closed) == (b"ok", 1, False)


@pytest.mark.parametrize("method", METHODS)
async def test_its_middlewares_see_every_request(method: str) -> None:
    """They may sign it."""

    async def sign(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers["X-Signature"] = "s1gned"
        return await handler(request)

    async with (
        serving(replying) as (server, at),
        sending(aiohttp.ClientSession(middlewares=(sign,))) as send,
    ):
        await send(method, at)

    assert b"X-Signature: s1gned" in server.heads[0]


@pytest.mark.parametrize("method", METHODS)
async def test_its_headers_are_read_for_every_request(method: str) -> None:
    """Its owner may change them between two requests."""
    async with (
        serving(replying) as (server, at),
        sending(session := aiohttp.ClientSession()) as send,
    ):
        for number in "12":
            session.headers["X-Token"] = number
            await send(method, at)

    assert [b"X-Token: 1" in server.heads[0], b"X-Token: 2" in server.heads[1]] == [True, True]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is one loopback address")
@pytest.mark.parametrize("method", METHODS)
async def test_its_local_address_is_that_of_every_request(method: str) -> None:
    """A firewall may let no other through."""
    peers: list[str] = []

    async def respond(_: int, __: int, ___: bytes, writer: asyncio.StreamWriter) -> bool:
        peers.append(writer.get_extra_info("peername")[0])
        writer.write(replying())
        await writer.drain()
        return False

    async with responding(respond) as (_, at):
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.9", 0))
        async with sending(aiohttp.ClientSession(connector=connector)) as send:
            await send(method, at)

    assert peers == ["127.0.0.9"]


@pytest.mark.parametrize("method", METHODS)
async def test_its_sockets_are_those_of_every_request(method: str) -> None:
    """They may be marked, or bound to a device."""
    made: list[socket.socket] = []

    def make(address: tuple[Any, ...]) -> socket.socket:
        made.append(socket.socket(*address[:3]))
        return made[-1]

    async with serving(replying) as (_, at):
        connector = aiohttp.TCPConnector(socket_factory=make)
        async with sending(aiohttp.ClientSession(connector=connector)) as send:
            await send(method, at)

    assert len(made) == 1


async def test_a_session_that_cannot_be_read_is_refused() -> None:
    """By the name of the option that sends commands through it."""
    connector = aiohttp.TCPConnector()
    del connector._socket_factory
    async with sending(aiohttp.ClientSession(connector=connector)) as send:
        with pytest.raises(UsageError, match="commands_through_lent_session=True"):
            await send("POST", URL("http://127.0.0.1:1/"))


@pytest.mark.parametrize("method", METHODS)
async def test_a_status_that_it_raises_for_is_a_response(method: str) -> None:
    """The platform says there why it refuses."""
    refusal = b"HTTP/1.1 401 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    async with (
        serving(lambda *_: refusal) as (_, at),
        sending(aiohttp.ClientSession(raise_for_status=True)) as send,
    ):
        response = await send(method, at)

    assert (response.status, response.body) == (401, b"{}")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the connection is refused")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "limits",
    [
        aiohttp.ClientTimeout(total=None, sock_connect=0.05),
        aiohttp.ClientTimeout(total=None, connect=0.05),
        aiohttp.ClientTimeout(total=0.05),
    ],
)
async def test_its_own_time_limit_before_there_is_a_connection(
    method: str, limits: aiohttp.ClientTimeout
) -> None:
    """Nothing was sent, and it was not the client's limit."""
    with full_server() as at:
        async with sending(aiohttp.ClientSession(timeout=limits)) as send:
            with pytest.raises(RequestTimedOut) as failed:
                await send(method, at)

    message, sent = failed.value.details.message, failed.value.details.sent
    if method == "GET" and limits.total is not None:  # aiohttp's own connector does not tell that it waited
        assert (message, sent) == ("no response within the time limit of the lent session", True)
    else:
        assert (message, sent) == ("no connection within the time limit of the lent session", False)


async def test_its_own_time_limit_of_a_response() -> None:
    """What was sent may have been executed."""
    limits = aiohttp.ClientTimeout(total=None, sock_read=0.05)

    async def respond(*_: object) -> bool:
        await asyncio.sleep(0.2)
        return False

    async with responding(respond) as (_, at), sending(aiohttp.ClientSession(timeout=limits)) as send:
        with pytest.raises(RequestTimedOut, match="no response within the time limit of the lent") as failed:
            await send("POST", at)

    assert failed.value.details.sent
