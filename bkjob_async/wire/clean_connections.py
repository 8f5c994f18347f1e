"""Connections on which nothing was received before the request: a stray response must not answer it."""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

from bkjob_async.errors import ErrorDetails, TransportFailed

# So many connections are opened in place of each other before the server is given up.
ATTEMPTS = 3
# The note of an error, or a cancellation, before there was a connection.
NOT_CONNECTED = "there was no connection yet, so nothing was sent"
# aiohttp parses all bytes of one read at once: 256 KiB of tiny chunks or of interim responses would block the event loop
# for a tenth of a second. So a read brings MAX_READ bytes at most, and MIN_READ once those of one turn of the event loop
# have taken MAX_TURN seconds together.
MAX_READ, MIN_READ, MAX_TURN = 16 * 1024, 512, 0.01


class ReadTurn:
    """Tells how many bytes a connection may read in this turn of the event loop."""

    def __init__(self, clock: Callable[[], float], call_soon: Callable[[Callable[[], None]], object]) -> None:
        """Use a *clock* that moves within a turn; *call_soon* calls a function in the next one."""
        self._clock = clock
        self._call_soon = call_soon
        self._start: float | None = None

    def read_size(self) -> int:
        """Return a number of bytes."""
        now = self._clock()
        if self._start is None:
            self._start = now
            self._call_soon(self._end)
        return MAX_READ if now - self._start < MAX_TURN else MIN_READ

    def _end(self) -> None:
        self._start = None


class BoundedHandler(ResponseHandler, asyncio.BufferedProtocol):
    """aiohttp's protocol, for which the event loop reads as many bytes at a time as *turn* says."""

    def __init__(self, loop: asyncio.AbstractEventLoop, turn: ReadTurn) -> None:
        super().__init__(loop)
        self._turn = turn
        self._read_buffer = memoryview(b"")

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the signature is asyncio's
        """Return where the next bytes go."""
        self._read_buffer = memoryview(bytearray(self._turn.read_size()))
        return self._read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Give what came to aiohttp's parser."""
        self.data_received(bytes(self._read_buffer[:nbytes]))


class CleanConnector(aiohttp.TCPConnector):
    """A connector that gives out no connection on which bytes came in since its last response, or since it was opened.

    Proxies and load balancers do write to idle connections: a 408 before they close them, a second response. aiohttp looks
    for such bytes when a connection comes back to the pool, and takes those that come later for the next response. Where
    connections are encrypted, bytes that the event loop has yet to read are not seen here: the tickets of TLS 1.3 are such
    bytes, too.
    """

    def __init__(self, **options: Any) -> None:
        """Take aiohttp's options; must be called in the event loop."""
        super().__init__(**options)
        loop = asyncio.get_running_loop()
        turn = ReadTurn(time.monotonic, loop.call_soon)
        # aiohttp has no other place for it. A version that does not look here reads as much as the event loop lets it.
        self._factory = cast("partial[ResponseHandler]", partial(BoundedHandler, loop, turn))

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> aiohttp.connector.Connection:
        """Return a connection from the pool or a new one; raise `TransportFailed` where the server always writes first.

        A note to any error, and to whoever is cancelled, says that nothing was sent; a proxy's connection does not count.
        """
        for _ in range(ATTEMPTS):
            try:
                connection = await super().connect(req, traces, timeout)
            except BaseException as error:
                error.add_note(NOT_CONNECTED)
                raise
            try:
                await asyncio.sleep(0)  # what has arrived by now is read
                is_clean = not has_received(connection)
            except BaseException:
                connection.close()
                raise
            if is_clean:
                return connection
            connection.close()
        message = (
            f"the server wrote to {ATTEMPTS} connections, one after the other, before a request was sent"
        )
        raise TransportFailed(ErrorDetails(message=message, sent=False))


def had_no_connection(error: BaseException | None) -> bool:
    """Return True where *error*, or what caused it, was raised before its request had a connection."""
    while error is not None:
        if NOT_CONNECTED in getattr(error, "__notes__", ()):
            return True
        error = error.__cause__
    return False


def has_received(connection: aiohttp.connector.Connection) -> bool:
    """Return True where bytes, or the end, have come over an unused *connection*."""
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or protocol.should_close or transport.is_closing():
        return True
    if transport.get_extra_info("ssl_object") is not None:
        return False
    sock = transport.get_extra_info("socket")
    return sock is not None and bool(arrivals_at(sock.fileno())())


def arrivals_at(descriptor: int) -> Callable[[], Sequence[object]]:
    """Return a function that returns something where a read would return at once, else nothing."""
    if not hasattr(select, "poll"):  # Windows, whose select knows no limit of descriptors
        return lambda: select.select([descriptor], [], [], 0)[0]
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return partial(poll.poll, 0)
