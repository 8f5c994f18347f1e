"""One connection to the server, borrowed from aiohttp's connector."""

from __future__ import annotations

import asyncio
import os

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError

from bkjob_async.errors import InvalidResponse
from bkjob_async.wire.bodies.budget import BodyBudget
from bkjob_async.wire.bodies.reading import STREAM_BUFFER_SIZE, RawResponse, read_body
from bkjob_async.wire.clean_connections import is_readable
from bkjob_async.wire.fast_http.batched_reads import BatchedReads
from bkjob_async.wire.fast_http.body_reader import BodyReader
from bkjob_async.wire.fast_http.response_parser import (
    MAX_INTERIM_RESPONSES,
    OverlongResponse,
    PartialResponse,
    parse_response,
    skip_interim_responses,
)

# Interim responses of this many bytes may come before the real one.
MAX_INTERIM_SIZE = 64 * 1024
ENDLESS_INTERIM = "interim responses without end"


class Connection(asyncio.BufferedProtocol):
    """A connection that carries one request after the other.

    It is the transport's protocol in place of aiohttp's own *handler*, and reads responses of the usual shape. For any
    other shape, and for the end of the connection, it makes the handler the protocol again and gives it every byte from
    the first on, until `is_usable` takes the connection back. What is read lies in *read_buffer* only until it is parsed,
    so that all connections of an event loop can share one.
    """

    __slots__ = (
        "_batched_reads",
        "_body_reader",
        "_borrowed",
        "_budget",
        "_descriptor",
        "_interim_size",
        "_is_batched",
        "_is_protocol",
        "_loop",
        "_read_buffer",
        "_waiter",
        "handler",
        "transport",
    )

    def __init__(
        self,
        borrowed: aiohttp.connector.Connection,
        read_buffer: memoryview,
        budget: BodyBudget,
        batched_reads: BatchedReads | None = None,
    ) -> None:
        """Take over what the connector has just handed out; raise `ServerDisconnectedError` if it is closed.

        Responses that come in one read are read by *batched_reads*, where it is given and there is no TLS.
        """
        handler, transport = borrowed.protocol, borrowed.transport
        if handler is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        self._borrowed = borrowed
        self.handler: ResponseHandler = handler
        self.transport = transport
        self._read_buffer = read_buffer
        self._budget = budget
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[RawResponse | None] | None = None
        self._body_reader: BodyReader | None = None
        self._interim_size = 0
        self._is_protocol = False
        is_plain = transport.get_extra_info("sslcontext") is None
        self._batched_reads = batched_reads if is_plain else None
        sock = transport.get_extra_info("socket") if is_plain else None
        self._descriptor: int = -1 if sock is None else sock.fileno()
        self._is_batched = False

    def start(self) -> bool:
        """Prepare for the first request; return whether the connection can carry one."""
        is_usable = self.is_usable()
        self.handler.set_response_params(
            read_until_eof=True, auto_decompress=False, read_bufsize=STREAM_BUFFER_SIZE
        )
        return is_usable

    def is_usable(self) -> bool:
        """Become the protocol; return False when closed, or when bytes came that would pass for the next response."""
        if self.transport.is_closing():
            return False
        if not self._is_protocol:
            if self.handler.should_close:
                return False
            self.transport.set_protocol(self)
            self._is_protocol = True
        # Bytes that came since the event loop looked are not read yet. With TLS they may be tickets.
        if self._descriptor >= 0 and is_readable(self._descriptor):
            return False
        if self._batched_reads is not None and not self._is_batched:
            self.transport.pause_reading()
            self._batched_reads.add(self._descriptor, self)
            self._is_batched = True
        return True

    async def send(self, request_bytes: bytes) -> RawResponse | None:
        """Send a request and return its response, or None where `read_by_handler` has to read it."""
        waiter: asyncio.Future[RawResponse | None] = self._loop.create_future()
        self._waiter = waiter
        self._interim_size = 0
        self.transport.write(request_bytes)
        try:
            return await waiter
        finally:
            self._waiter = None  # it holds the response

    async def read_by_handler(self) -> RawResponse:
        """Let aiohttp read a response of any shape, or raise its error for a connection that ended."""
        for _ in range(MAX_INTERIM_RESPONSES):
            message, content = await self.handler.read()
            if message.code == 101 or not 100 <= message.code < 200:
                body = await read_body(content, message.headers, message.code, self._budget)
                return message.code, message.headers, body
        raise HttpProcessingError(message=ENDLESS_INTERIM)

    # Called by the transport ----------------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the signature is asyncio's
        """Return where the next bytes go."""
        return self._read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read a response, its beginning, or more of its body."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            # Nobody asked: it would pass for the next response.
            self._close_transport()
            return
        if self._body_reader is not None:
            self._feed_body(self._body_reader, self._read_buffer[:nbytes])
            return
        data = bytes(self._read_buffer[:nbytes])
        if data.startswith(b"HTTP/1.1 1"):
            data = self._skip_interim(data)
            if not data:
                return
        found = parse_response(data)
        if isinstance(found, PartialResponse):
            self._read_by_transport()
            self._body_reader = BodyReader(found, self.transport, self._budget)
            self._feed_body(self._body_reader, found.body_start)
            return
        if found is None:
            self._return_to_handler(data)
            waiter.set_result(None)
        elif isinstance(found, OverlongResponse):
            waiter.set_result(found.response)
            self._close_transport()
        else:
            waiter.set_result(found)

    def on_readable(self, *, is_ending: bool) -> None:
        """Read what has come in place of the transport, which still handles the end of the connection."""
        size = 0
        if not (is_ending or self.transport.is_closing()):
            try:
                size = os.readv(self._descriptor, (self._read_buffer,))
            except BlockingIOError:
                return
            except OSError:
                pass  # the transport finds it, too
        if size:
            self.buffer_updated(size)
        else:
            self._read_by_transport()

    def _read_by_transport(self) -> None:
        """Let the transport read what comes until the next request."""
        if self._batched_reads is not None and self._is_batched:
            self._is_batched = False
            self._batched_reads.remove(self._descriptor)
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def _skip_interim(self, data: bytes) -> bytes:
        """Return what follows interim responses, empty if that is yet to come."""
        rest = skip_interim_responses(data)
        self._interim_size += len(data) - len(rest or b"")
        if rest is None or self._interim_size > MAX_INTERIM_SIZE:
            self._fail(HttpProcessingError(message=ENDLESS_INTERIM))
        return rest or b""

    def _feed_body(self, reader: BodyReader, data: bytes | memoryview) -> None:
        try:
            response = reader.feed(data)
        except (HttpProcessingError, InvalidResponse) as error:
            self._fail(error)
            return
        if response is None:
            return
        self._body_reader = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(response)
        if reader.has_surplus:
            self._close_transport()

    def _fail(self, error: Exception) -> None:
        """Raise *error* in `send`, and close the connection."""
        self._close_body_reader()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self._close_transport()

    def eof_received(self) -> None:
        """Let the transport close itself."""
        self.handler.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let `send` fail within a body; outside of one, let the handler find the error."""
        if self._body_reader is not None:
            self._fail(self._body_reader.truncated(exc))
        self._return_to_handler()
        self.handler.connection_lost(exc)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def pause_writing(self) -> None:
        """Tell the handler that the transport's buffer is full."""
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        """Tell the handler that the transport's buffer has drained."""
        self.handler.resume_writing()

    # The end --------------------------------------------------------------------------------------------------------

    def _close_transport(self) -> None:
        """Close the transport unless it closes already; what `send` returns or raises has to be settled before.

        A transport with TLS may have more bytes for `buffer_updated` while it closes. When closed twice, it drops its
        connection, and all but closing fails.
        """
        self._read_by_transport()
        if not self.transport.is_closing():
            self.transport.close()

    def _return_to_handler(self, data: bytes = b"") -> None:
        """Make aiohttp's handler the protocol again, and give it *data*.

        A transport that closes keeps its protocol: nothing is read any more, and `connection_lost` tells the handler.
        """
        self._read_by_transport()
        if self._is_protocol:
            self._is_protocol = False
            if not self.transport.is_closing():
                # With TLS, asyncio keeps the methods of its last buffered protocol: this object, and with it the transport.
                self.transport.set_protocol(asyncio.BufferedProtocol())
                self.transport.set_protocol(self.handler)
        if data:
            self.handler.data_received(data)

    def _close_body_reader(self) -> None:
        reader, self._body_reader = self._body_reader, None
        if reader is not None:
            reader.close()

    def release(self) -> None:
        """Give the connection back to the connector, for others to use."""
        self._return_to_handler()
        self._borrowed.release()

    def close(self) -> None:
        """Close the connection."""
        self._close_body_reader()
        self._return_to_handler()
        self._borrowed.close()
