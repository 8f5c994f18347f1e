"""One connection to the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from bkjob_async.wire.bodies.budget import UNCOUNTED_BYTES, BodyBudget, Reservation
from bkjob_async.wire.bodies.reading import RawResponse
from bkjob_async.wire.clean_connections import arrivals_at
from bkjob_async.wire.fast_http.response_parser import ResponseParser

# The event loop reads this many bytes at a time at most. A fresh buffer for each read would cost more than all else
# about reading a small response, so all connections of a client read into the same one.
READ_BUFFER_SIZE = 256 * 1024
# A body reserves this many bytes of the budget at a time at most.
MAX_RESERVATION = 4 * 1024 * 1024

# What a request ends with: its response, or the error that it is to raise.
Outcome = RawResponse | Exception


class Connection(asyncio.BufferedProtocol):
    """A connection that carries one request after the other.

    It is closed by whatever leaves a response in doubt: bytes that nobody asked for, an error, the last response; else
    *release* gets it back. What is read lies in *read_buffer* only until it is parsed, so that connections can share
    one. Reading pauses while the *budget* has no room for more of a body. *is_partial* is True while more of a response
    is to come.
    """

    def __init__(
        self, read_buffer: memoryview, budget: BodyBudget, release: Callable[[Connection], None]
    ) -> None:
        """Wait for the transport."""
        self._release = release
        self._read_buffer = read_buffer
        self._reservation = Reservation(budget)
        self._parser = ResponseParser(budget)
        self._transport: asyncio.Transport | None = None
        # Of the request under way.
        self._on_outcome: Callable[[Outcome], None] | None = None
        # Returns nothing as long as nothing has come. With TLS that may be tickets, so nobody looks.
        self._arrivals: Callable[[], Sequence[object]] = tuple
        self.is_partial = False

    @property
    def is_open(self) -> bool:
        """Whether the connection can carry another request."""
        return self._transport is not None and not self._transport.is_closing()

    def is_usable(self) -> bool:
        """Return False when closed, or when bytes came that would pass for the next response.

        Some may have come since the event loop looked.
        """
        return self._transport is not None and not self._transport.is_closing() and not self._arrivals()

    def send(self, request_bytes: bytes, on_outcome: Callable[[Outcome], None]) -> None:
        """Send a request, and call *on_outcome* once, later, unless it is cancelled.

        It gets the response; `ConnectionResetError` where none came; `TransportFailed` or `InvalidResponse` for a bad one.
        After an error the connection is closed.
        """
        if self._transport is None:
            error = ConnectionResetError("the server closed the connection")
            asyncio.get_running_loop().call_soon(on_outcome, error)
            return
        self._on_outcome = on_outcome
        self._transport.write(request_bytes)

    def cancel(self, on_outcome: Callable[[Outcome], None]) -> None:
        """Close the connection if it still waits for the response of that request: it must not answer the next one."""
        if self._on_outcome == on_outcome:
            self._on_outcome = None
            self.close()

    def close(self) -> None:
        """Close the connection at once; a request under way ends with an error. Harmless when repeated."""
        self._reservation.close()
        self._parser.reset()
        # A transport with TLS that is closed twice drops its connection, and all but closing fails.
        if self._transport is not None and not self._transport.is_closing():
            self._transport.abort()

    # Called by the transport ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has all of it, but is no subclass
        if transport.get_extra_info("sslcontext") is None:
            self._arrivals = arrivals_at(transport.get_extra_info("socket").fileno())

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the signature is asyncio's
        """Return where the next bytes go."""
        return self._read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse a response, or a part of it."""
        on_outcome, parser = self._on_outcome, self._parser
        if on_outcome is None:
            self.close()  # nobody asked: it would pass for the next response
            return
        outcome: Outcome
        try:
            if not parser.feed(self._read_buffer[:nbytes]):
                self.is_partial = True
                self._reserve_next_read()
                return
            is_last = parser.is_last
            outcome = parser.take()
        except Exception as error:  # noqa: BLE001 - it is the outcome
            is_last, outcome = True, error
        self._on_outcome = None
        if is_last:
            self.close()
        else:
            if self.is_partial:
                self.is_partial = False
                self._reservation.close()
            self._release(self)
        on_outcome(outcome)

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
        """Let the end complete the response, or be an error; let go of the transport, which holds this object."""
        on_outcome, self._on_outcome, self._transport = self._on_outcome, None, None
        if on_outcome is None:
            self.close()
            return
        outcome: Outcome
        try:
            outcome = self._parser.end(exc)
        except Exception as error:  # noqa: BLE001 - it is the outcome
            outcome = error
        self.close()
        on_outcome(outcome)
