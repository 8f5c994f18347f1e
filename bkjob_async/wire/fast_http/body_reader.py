"""The rest of a body that did not come in one read with its head."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp.http import HttpProcessingError

from bkjob_async.wire.bodies.budget import MIB, UNCOUNTED_BYTES, BodyBudget
from bkjob_async.wire.bodies.buffer import BodyBuffer
from bkjob_async.wire.bodies.reading import RawResponse, body_too_large
from bkjob_async.wire.fast_http.chunked_decoder import ChunkedDecoder, InvalidChunk
from bkjob_async.wire.fast_http.response_parser import PartialResponse

# The event loop reads this many bytes at a time at most. A fresh buffer for each read would cost more than all else
# about reading a small response, so all connections of a client read into the same one.
READ_BUFFER_SIZE = 256 * 1024
# A body reserves this many bytes of the budget at a time at most.
MAX_RESERVATION = 4 * MIB


class BodyReader:
    """Collect the body of one response.

    Memory is taken as bytes arrive, at most twice as much as came, never because a head announces more, and only as far
    as the budget allows: reading from *transport* pauses until the budget has more. `has_surplus` is True when more came
    than belongs to the body.
    """

    __slots__ = (
        "_budget",
        "_chunks",
        "_partial",
        "_received",
        "_reservation",
        "_transport",
        "has_surplus",
    )

    def __init__(self, partial: PartialResponse, transport: asyncio.Transport, budget: BodyBudget) -> None:
        """Continue *partial*, whose `body_start` is yet to be fed."""
        self._partial = partial
        self._transport = transport
        self._budget = budget
        self._reservation = budget.reservation()
        self._chunks = ChunkedDecoder() if partial.size is None else None
        self._received = self._chunks.body if self._chunks is not None else BodyBuffer(partial.size)
        self.has_surplus = False

    def feed(self, data: bytes | memoryview) -> RawResponse | None:
        """Take the next bytes; return the response once it is complete.

        Raises `InvalidResponse` for a body that is too large, and aiohttp's error for invalid chunks.
        """
        partial, received = self._partial, self._received
        if self._chunks is not None:
            is_complete = self._feed_chunks(self._chunks, bytes(data))
        else:
            assert partial.size is not None  # noqa: S101 - it comes in chunks otherwise
            if partial.size > self._budget.max_body_size:
                raise body_too_large(self._budget, partial.status)
            missing = partial.size - received.size
            received.write(data[:missing])
            is_complete, self.has_surplus = len(data) >= missing, len(data) > missing
        size = received.size
        if size > self._budget.max_body_size:
            raise body_too_large(self._budget, partial.status)
        if is_complete:
            response = partial.status, partial.headers, received.getvalue()
            self.close()
            return response
        if not self._reserve_next_read(size) and not self._transport.is_closing():
            self._transport.pause_reading()
        return None

    def _feed_chunks(self, chunks: ChunkedDecoder, data: bytes) -> bool:
        try:
            chunks.feed(data)
        except InvalidChunk as error:
            raise HttpProcessingError(message=str(error)) from None
        self.has_surplus = chunks.has_surplus
        return chunks.is_complete

    def _reserve_next_read(self, size: int) -> bool:
        """Reserve what the next read may bring; if that has to wait, reading resumes afterwards."""
        count = size + READ_BUFFER_SIZE - UNCOUNTED_BYTES - self._reservation.size
        if count <= 0:
            return True
        return self._reservation.reserve(max(count, min(size, MAX_RESERVATION)), self._resume)

    def _resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def truncated(self, error: Exception | None) -> Exception:
        """Return the error of a body that ends too early, because of *error* if there is one."""
        reason = f": {error}" if error is not None else ""
        expected = "a chunked body" if self._partial.size is None else f"{self._partial.size} bytes"
        return aiohttp.ClientPayloadError(f"{self._received.size} of {expected} came{reason}")

    def close(self) -> None:
        """Free the bytes received, and give the reservation back."""
        self._received.close()
        self._reservation.release()
