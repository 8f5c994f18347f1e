"""One connection to the server."""

from __future__ import annotations

import asyncio
from typing import cast

from bkjob_async.wire.bodies.budget import UNCOUNTED_BYTES, BodyBudget
from bkjob_async.wire.bodies.reading import RawResponse
from bkjob_async.wire.clean_connections import is_readable
from bkjob_async.wire.fast_http.response_parser import ResponseParser

# The event loop reads this many bytes at a time at most. A fresh buffer for each read would cost more than all else
# about reading a small response, so all connections of a client read into the same one.
READ_BUFFER_SIZE = 256 * 1024
# A body reserves this many bytes of the budget at a time at most.
MAX_RESERVATION = 4 * 1024 * 1024


class Connection(asyncio.BufferedProtocol):
    """A connection that carries one request after the other.

    It is closed by whatever leaves a response in doubt: bytes that nobody asked for, an error, the last response. What is
    read lies in *read_buffer* only until it is parsed, so that connections can share one. Reading pauses while the
    *budget* has no room for more of a body. *is_partial* is True while more of a response is to come.
    """

    __slots__ = (
        *("__weakref__", "_descriptor", "_loop", "_parser", "_read_buffer", "_reservation", "_transport"),
        "_waiter",
        "is_partial",
    )

    def __init__(self, read_buffer: memoryview, budget: BodyBudget) -> None:
        """Wait for the transport."""
        self._read_buffer = read_buffer
        self._reservation = budget.reservation()
        self._parser = ResponseParser(budget)
        self._transport: asyncio.Transport | None = None
        # Of the request under way; it holds the response, so it is let go of as soon as that has come.
        self._waiter: asyncio.Future[RawResponse] | None = None
        self._loop = asyncio.get_running_loop()
        self._descriptor = -1
        self.is_partial = False

    @property
    def is_open(self) -> bool:
        """Whether the connection can carry another request."""
        return self._transport is not None and not self._transport.is_closing()

    def is_usable(self) -> bool:
        """Return False when closed, or when bytes came that would pass for the next response.

        Some may have come since the event loop looked. With TLS they may be tickets.
        """
        if self._transport is None or self._transport.is_closing():
            return False
        return self._descriptor < 0 or not is_readable(self._descriptor)

    def send(self, request_bytes: bytes) -> asyncio.Future[RawResponse]:
        """Send a request; its response is the result of the future that is returned.

        Raises `ConnectionResetError` where none came, `TransportFailed` or `InvalidResponse` for a bad one. However this
        ends but by a response, the connection has to be closed.
        """
        if self._transport is None:
            raise ConnectionResetError("the server closed the connection")
        waiter = self._waiter = self._loop.create_future()
        self._transport.write(request_bytes)
        return waiter

    def close(self) -> None:
        """Close the connection at once; harmless when repeated."""
        if self._waiter is not None and self._waiter.done():
            self._waiter = None
        self._reservation.release()
        self._parser.close()
        # A transport with TLS that is closed twice drops its connection, and all but closing fails.
        if self._transport is not None and not self._transport.is_closing():
            self._transport.abort()

    # Called by the transport ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has all of it, but is no subclass
        if transport.get_extra_info("sslcontext") is None:
            self._descriptor = transport.get_extra_info("socket").fileno()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the signature is asyncio's
        """Return where the next bytes go."""
        return self._read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse a response, or a part of it."""
        waiter, parser = self._waiter, self._parser
        if waiter is None or waiter.done():
            self.close()  # nobody asked: it would pass for the next response
            return
        try:
            is_complete = parser.feed(self._read_buffer[:nbytes])
            is_last = parser.is_last
            response = parser.take() if is_complete else None
        except Exception as error:  # noqa: BLE001 - raised by `send`
            waiter.set_exception(error)
            self.close()
            return
        if response is None:
            self.is_partial = True
            self._reserve_next_read()
            return
        self._waiter = None
        waiter.set_result(response)
        if is_last:
            self.close()
        elif self.is_partial:
            self.is_partial = False
            self._reservation.release()

    def _reserve_next_read(self) -> None:
        """Reserve what the next read may bring; if that has to wait, reading resumes afterwards."""
        size = self._parser.size
        count = size + READ_BUFFER_SIZE - UNCOUNTED_BYTES - self._reservation.size
        if (
            count > 0
            and not self._reservation.reserve(max(count, min(size, MAX_RESERVATION)), self._resume)
            and self._transport is not None
        ):
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the end complete the response, or `send` fail; let go of the transport, which holds this object."""
        waiter, self._waiter, self._transport = self._waiter, None, None
        if waiter is not None and not waiter.done():
            try:
                waiter.set_result(self._parser.end(exc))
            except Exception as error:  # noqa: BLE001 - raised by `send`
                waiter.set_exception(error)
        self.close()
