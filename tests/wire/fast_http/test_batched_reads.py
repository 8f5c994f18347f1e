"""Where responses are read together, what is no response is not taken for one."""

from __future__ import annotations

import asyncio
import socket

import pytest

from bkjob_async.http_messages import HttpRequest, HttpResponse, Received
from bkjob_async.watch.polling.poll_runner import BusyKey
from bkjob_async.wire.aiohttp_transport import AiohttpTransport
from bkjob_async.wire.bodies.budget import MIB, BodyBudget
from bkjob_async.wire.bodies.reading import RawResponse
from bkjob_async.wire.fast_http import batched_reads
from bkjob_async.wire.fast_http.batched_reads import (
    FEWEST_AWAITED,
    LARGE,
    BatchedTransport,
    open_batched_reads,
)
from bkjob_async.wire.fast_http.connection import Connection
from bkjob_async.wire.fast_http.response_parser import ResponseParser
from bkjob_async.wire.limits.permits import DUE, Permit
from tests.wire.raw_server import answer, responding

WINDOW = 0.1


@pytest.mark.parametrize("path", ["forging", "ending"])
async def test_a_connection_that_is_not_silent_in_a_window_is_not_used_again(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More bytes than a response would pass for the next one; one that has ended has no next one."""
    monkeypatch.setattr(batched_reads, "WINDOW", 5 * WINDOW)
    let_go, headers = asyncio.Event(), dict[str, str]()

    async def respond(_connection: int, _request: int, head: bytes, writer: asyncio.StreamWriter) -> bool:
        if b"/waiting" in head:
            await let_go.wait()
        writer.write(answer(b"{}"))
        await writer.drain()
        await asyncio.sleep(WINDOW / 20)
        if b"/forging" in head:
            writer.write(answer(b'{"forged": true}'))
        return b"/ending" not in head

    async with responding(respond) as (server, url):
        transport = AiohttpTransport()

        async def ask(name: str) -> bytes:
            request = HttpRequest(method="GET", url=url.with_path(f"/{name}"), headers=headers)
            return (await transport.send(request, timeout=5.0)).body

        try:
            waiting = [asyncio.create_task(ask("waiting")) for _ in range(FEWEST_AWAITED + 1)]
            await asyncio.sleep(WINDOW / 2)
            first = await ask(path)
            await asyncio.sleep(WINDOW / 2)  # the window has not ended, so nobody has read what came
            second = await ask("at-once")
            connections = server.connections
            let_go.set()
            await asyncio.gather(*waiting)
        finally:
            await transport.aclose()

    assert (first, second) == (b"{}", b"{}")
    assert connections == FEWEST_AWAITED + 3


async def test_large_responses_are_read_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows one in the same turn of the server does not wait for a window to end."""
    monkeypatch.setattr(batched_reads, "WINDOW", 60.0)
    let_go, headers = asyncio.Event(), dict[str, str]()
    body = b'"%b"' % (b"x" * 2 * LARGE)

    async def respond(_connection: int, _request: int, head: bytes, writer: asyncio.StreamWriter) -> bool:
        if b"/waiting" in head:
            await let_go.wait()
        for begin in range(0, len(reply := answer(body)), LARGE // 2):
            writer.write(reply[begin : begin + LARGE // 2])
            await writer.drain()
            await asyncio.sleep(0.001)
        return True

    async with responding(respond) as (_, url):
        transport = AiohttpTransport()

        async def ask(name: str) -> bytes:
            request = HttpRequest(method="GET", url=url.with_path(f"/{name}"), headers=headers)
            return (await transport.send(request, timeout=5.0)).body

        try:
            waiting = [asyncio.create_task(ask("waiting")) for _ in range(FEWEST_AWAITED + 1)]
            large = [await ask("large") for _ in range(3)]
            let_go.set()
            await asyncio.gather(*waiting)
        finally:
            await transport.aclose()

    assert large == [body] * 3


async def test_responses_of_a_server_that_is_faster_are_read_as_they_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All that was awaited came at once: what was requested then does not wait for a window to end."""
    monkeypatch.setattr(batched_reads, "WINDOW", 60.0)
    together, rounds = 2 * FEWEST_AWAITED, 3
    waiting: list[asyncio.StreamWriter] = []
    done = asyncio.Event()
    came: list[Received] = []

    async def respond(_connection: int, _request: int, _head: bytes, writer: asyncio.StreamWriter) -> bool:
        waiting.append(writer)
        if len(waiting) == together:
            for each in waiting:
                each.write(answer(b"{}"))
            waiting.clear()
        return True

    async with responding(respond) as (_, url):
        transport = AiohttpTransport()
        request = HttpRequest(method="GET", url=url, headers={})

        def ask_again(received: Received) -> None:
            came.append(received)
            if len(came) <= together * (rounds - 1):
                transport.begin(request, 5.0, ask_again)
            elif len(came) == together * rounds:
                done.set()

        try:
            for _ in range(together):
                transport.begin(request, 5.0, ask_again)
            async with asyncio.timeout(4.0):
                await done.wait()
        finally:
            await transport.aclose()

    assert all(isinstance(each, HttpResponse) for each in came)


async def test_what_does_not_fit_into_a_socket_is_sent_later() -> None:
    """A request may be long, and its server slow."""
    reads = open_batched_reads([])
    if reads is None:
        pytest.skip("this event loop or system reads each connection by itself")
    own, other = socket.socketpair()
    own.setblocking(False)
    other.setblocking(False)
    connection = Connection(memoryview(bytearray(16)), BodyBudget(4 * MIB), lambda _: None)
    transport = BatchedTransport(own, connection, reads)
    data = bytes(range(256)) * 16_384
    for at in range(0, len(data), 3 * MIB):
        transport.write(data[at : at + 3 * MIB])
    received = b""
    while len(received) < len(data):
        received += await reads.loop.sock_recv(other, MIB)
    transport.abort()
    end = await reads.loop.sock_recv(other, 1)
    other.close()

    assert received == data
    assert end == b""


async def test_a_response_that_cannot_be_taken_is_an_error_of_its_own_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others that are read in the same turn are answered."""
    monkeypatch.setattr(batched_reads, "WINDOW", WINDOW)
    take, taken, headers = ResponseParser.take, list[ResponseParser](), dict[str, str]()

    def fail_once(self: ResponseParser) -> RawResponse:
        taken.append(self)
        if len(taken) == FEWEST_AWAITED:
            raise MemoryError("no room for a body")
        return take(self)

    async def respond(_connection: int, _request: int, _head: bytes, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer(b"{}"))
        return True

    monkeypatch.setattr(ResponseParser, "take", fail_once)
    async with responding(respond) as (_, url):
        transport = AiohttpTransport()
        request = HttpRequest(method="GET", url=url, headers=headers)
        try:
            asking = [transport.send(request, timeout=5.0) for _ in range(4 * FEWEST_AWAITED)]
            found = await asyncio.gather(*asking, return_exceptions=True)
        finally:
            await transport.aclose()

    assert [type(each).__name__ for each in found if isinstance(each, BaseException)] == ["MemoryError"]


async def test_an_error_of_whoever_is_called_back_harms_no_other_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The event loop reports it; the others are read after the window in which it came."""
    monkeypatch.setattr(batched_reads, "WINDOW", WINDOW)
    let_go, reported, headers = asyncio.Event(), list[str](), dict[str, str]()
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: reported.append(type(context["exception"]).__name__)
    )

    async def respond(_connection: int, _request: int, head: bytes, writer: asyncio.StreamWriter) -> bool:
        if b"/waiting" in head:
            await let_go.wait()
        writer.write(answer(b"{}"))
        return True

    def fail(_received: object) -> None:
        raise ZeroDivisionError

    async with responding(respond) as (_, url):
        transport = AiohttpTransport()

        def request(name: str) -> HttpRequest:
            return HttpRequest(method="GET", url=url.with_path(f"/{name}"), headers=headers)

        try:
            sends = [transport.send(request("waiting"), timeout=5.0) for _ in range(FEWEST_AWAITED + 1)]
            waiting = [asyncio.create_task(send) for send in sends]
            await asyncio.sleep(WINDOW / 2)
            await transport.send(request("first"), timeout=5.0)  # a window begins
            transport.begin(request("failing"), 5.0, fail)
            await asyncio.sleep(2 * WINDOW)
            let_go.set()
            async with asyncio.timeout(2.0):
                await asyncio.gather(*waiting)
        finally:
            await transport.aclose()

    assert reported == ["ZeroDivisionError"]


async def test_a_request_under_way_shows_no_secret() -> None:
    """Nor does its permit, nor anything else that shows what it is made of."""
    secret, arrived = "hush-hush-hush", asyncio.Event()

    async def respond(_connection: int, _request: int, _head: bytes, _writer: asyncio.StreamWriter) -> bool:
        arrived.set()
        await asyncio.sleep(0)
        return False

    async with responding(respond) as (_, url):
        transport = AiohttpTransport()
        request = HttpRequest(method="GET", url=url, headers={"X-Auth": secret})
        ended = asyncio.Event()
        under_way = transport.begin(request, 5.0, lambda _received: ended.set())
        permit = Permit("scope", "name", DUE, 0.0, 0.0, 0.0, request=request, under_way=under_way)
        shown = [repr(BusyKey(permit))]
        await arrived.wait()
        shown.append(repr(BusyKey(permit)))
        await ended.wait()
        shown.append(repr(BusyKey(permit)))
        await transport.aclose()

    assert secret not in str(shown)
    assert all("Exchange" in each for each in shown)
