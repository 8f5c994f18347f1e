"""Connections that stay with whoever asks the same server again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError

from bkjob_async.wire.bodies import too_long
from bkjob_async.wire.body_budget import FREE, MIB, BodyBudget
from bkjob_async.wire.chunks import BadChunks, Chunks
from bkjob_async.wire.fast_http.response_parser import (
    Answer,
    PartialResponse,
    Surplus,
    parse_response,
    without_interim,
)

# Servers close what is idle for a minute or so; a connection unused for this to twice this many seconds is closed first.
IDLE_TIMEOUT = 15.0
# So much is read at a time, as asyncio does. It makes room for it anew at each read, which for a small answer takes longer
# than all else about reading it.
ROOM = 256 * 1024
# A body asks the budget for so much at a time at most.
LARGEST_STEP = 4 * MIB
# So many bytes of interim answers may come before the real one.
LONGEST_INTERIM = 64 * 1024
NO_TRACES: list[aiohttp.tracing.Trace] = []
NO_TIME_LIMIT = aiohttp.ClientTimeout(total=None)


class Connection(asyncio.BufferedProtocol):
    """A connection that carries one request after the other.

    It listens in place of aiohttp's own *handler*, for answers that come whole and are as usual. Any other is handed over
    from its first byte, and so is whatever comes unasked; the handler then listens until the line is `ready` again.
    What is read lies in *room*, which all lines of a loop share, for no longer than it takes to look at it.
    """

    __slots__ = (
        "_budget",
        "_filling",
        "_interim",
        "_is_listening",
        "_loop",
        "_room",
        "_waiter",
        "connection",
        "handler",
        "transport",
    )

    def __init__(
        self, connection: aiohttp.connector.Connection, room: memoryview, budget: BodyBudget
    ) -> None:
        """Take over a connection that was just fetched; raise what aiohttp raises where it is closed."""
        handler, transport = connection.protocol, connection.transport
        if handler is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        self.connection = connection
        self.handler: ResponseHandler = handler
        self.transport = transport
        self._room = room
        self._budget = budget
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[Answer | None] | None = None
        self._filling: BodyReader | None = None
        self._interim = 0
        self._is_listening = False

    def prepare(self) -> bool:
        """Get ready to read answers; return whether the connection is of any use."""
        is_of_use = self.ready()
        self.handler.set_response_params(read_until_eof=True, auto_decompress=False)
        return is_of_use

    def ready(self) -> bool:
        """Listen; return whether it is open, and nothing came unasked that would be taken for the next answer."""
        if self.transport.is_closing():
            return False
        if not self._is_listening:
            if self.handler.should_close:
                return False
            self.transport.set_protocol(self)
            self._is_listening = True
        return True

    async def ask(self, words: bytes) -> Answer | None:
        """Send a request; return the answer, None where the handler has it, or heard that there will be none."""
        waiter: asyncio.Future[Answer | None] = self._loop.create_future()
        self._waiter = waiter
        self._interim = 0
        self.transport.write(words)
        try:
            return await waiter
        finally:
            self._waiter = None  # it holds the answer

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio asks so
        """Return where the next bytes go."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Take in an answer, or how it begins."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            # It would be taken for the next answer.
            self.transport.close()
            return
        data = bytes(self._room[:nbytes])
        if data.startswith(b"HTTP/1.1 1"):
            behind = self._behind_interim(data)
            if not behind:
                return
            data = behind
        found = parse_response(data)
        if isinstance(found, PartialResponse):
            self._filling = BodyReader(self, found, self._room, self._budget)
            self.transport.set_protocol(self._filling)
            self._filling.begin()
            return
        if isinstance(found, Surplus):
            self.transport.close()
            found = found.answer
        if found is None:
            self._hand_over(data)
        waiter.set_result(found)

    def _behind_interim(self, data: bytes) -> bytes:
        """Return what comes behind interim answers; nothing where that has still to come."""
        behind = without_interim(data)
        self._interim += len(data) - len(behind or b"")
        if behind is None or self._interim > LONGEST_INTERIM:
            self.failed(HttpProcessingError(message="there is no end of interim answers"))
        return behind or b""

    def filled(self, answer: Answer, *, has_surplus: bool) -> None:
        """Take in an answer that is whole by now; *has_surplus*: more came than belongs to it."""
        self._filling = None
        self.transport.set_protocol(self)
        if has_surplus:
            self.transport.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)

    def failed(self, error: Exception) -> None:
        """Take note that an answer cannot be read."""
        self._filling = None
        self.transport.set_protocol(self)
        self.transport.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def eof_received(self) -> None:
        """Let the transport close itself."""
        self.handler.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the handler find out what that means for whoever waits."""
        if self._filling is not None:
            self.failed(self._filling.broken_off(exc))
        self._hand_over()
        self.handler.connection_lost(exc)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def pause_writing(self) -> None:
        """Take note that more was written than goes out at once."""
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        """Take note that it went out."""
        self.handler.resume_writing()

    def _hand_over(self, data: bytes = b"") -> None:
        """Let the handler listen from here on, and have what it missed."""
        if self._is_listening:
            self._is_listening = False
            self.transport.set_protocol(self.handler)
        if data:
            self.handler.data_received(data)

    def release(self) -> None:
        """Give the connection back."""
        self._hand_over()
        self.connection.release()

    def close(self) -> None:
        """Hang up."""
        if self._filling is not None:
            self._filling.leave()
            self._filling = None
        self._hand_over()
        self.connection.close()


class BodyReader(asyncio.BufferedProtocol):
    """Takes in the rest of a body for a line.

    Room is made as bytes arrive, never on the word of a head alone, and only as far as the budget goes: until there is
    more, nothing is read. One byte more than belongs to the body is asked for, which shows that there is more.
    """

    __slots__ = ("_budget", "_chunks", "_line", "_part", "_received", "_room", "_share")

    def __init__(self, line: Connection, part: PartialResponse, room: memoryview, budget: BodyBudget) -> None:
        """Go on after *part*, by way of *room*."""
        self._line = line
        self._part = part
        self._room = room
        self._budget = budget
        self._share = budget.share()
        self._chunks = Chunks() if part.size is None else None
        self._received = self._chunks.body if self._chunks is not None else BytesIO()

    def begin(self) -> None:
        """Take in what came with the head."""
        if self._part.size is not None and self._part.size > self._budget.largest:
            self._fail(too_long(self._budget, self._part.status))
        else:
            self._take_in(self._part.begun)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio asks so
        """Return where the next bytes go."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Take in *nbytes* more."""
        self._take_in(self._room[:nbytes])

    def _take_in(self, data: bytes | memoryview) -> None:
        part, received, chunks = self._part, self._received, self._chunks
        if chunks is not None:
            try:
                chunks.feed(bytes(data))
            except BadChunks as error:
                self._fail(HttpProcessingError(message=str(error)))
                return
            is_whole, has_surplus = chunks.is_whole, chunks.has_surplus
        else:
            assert part.size is not None  # noqa: S101 - it comes in chunks otherwise
            left = part.size - received.tell()
            received.write(data[:left])
            is_whole, has_surplus = len(data) >= left, len(data) > left
        size = received.tell()
        if size > self._budget.largest:
            self._fail(too_long(self._budget, part.status))
        elif is_whole:
            answer = part.status, part.headers, received.getvalue()
            self.leave()
            self._line.filled(answer, has_surplus=has_surplus)
        elif not self._has_room_beyond(size):
            self._line.transport.pause_reading()

    def _has_room_beyond(self, size: int) -> bool:
        """Take what the next bytes need; resume reading when that is there later on."""
        count = size + ROOM - FREE - self._share.taken
        return count <= 0 or self._share.take(max(count, min(size, LARGEST_STEP)), self._go_on)

    def _go_on(self) -> None:
        if not self._line.transport.is_closing():
            self._line.transport.resume_reading()

    def _fail(self, error: Exception) -> None:
        self.leave()
        self._line.failed(error)

    def broken_off(self, error: Exception | None) -> Exception:
        """Return the error of a body that ends before its time."""
        reason = f": {error}" if error is not None else ""
        came = self._received.tell()
        self.leave()
        return aiohttp.ClientPayloadError(f"{came} bytes came of {self._part.size or 'chunks'}{reason}")

    def leave(self) -> None:
        """Let go of what came, and give back what was taken of the budget."""
        self._received.close()
        self._share.release()

    def eof_received(self) -> None:
        """Let the transport close itself."""
        self._line.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that there will be no more."""
        self._line.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._line.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._line.resume_writing()


class ConnectionPool:
    """The connections to one server that wait to be used again, the last one first.

    They count towards the connector's limit. As long as anybody waits for the connector, nothing is kept here.
    """

    __slots__ = ("_budget", "_connector", "_idle", "_least", "_room", "_timer", "_wanted")

    def __init__(self, connector: aiohttp.BaseConnector, budget: BodyBudget) -> None:
        """Hold none yet; bodies are bounded by *budget*."""
        self._connector = connector
        self._budget = budget
        self._idle: list[Connection] = []
        self._wanted = 0
        self._room = memoryview(bytearray(ROOM))
        # So many at the bottom were not used since the timer was set.
        self._least = 0
        self._timer: asyncio.TimerHandle | None = None

    def take(self) -> Connection | None:
        """Return an open line, None where there is none."""
        idle = self._idle
        while idle:
            line = idle.pop()
            if len(idle) < self._least:  # noqa: PLR1730 - at each request
                self._least = len(idle)
            if line.ready():
                return line
            line.close()
        return None

    async def open(self, sample: aiohttp.ClientRequest) -> Connection:
        """Return a line that the connector has, or makes, for requests like *sample*."""
        with self.making_room():
            connection = await self._connector.connect(sample, traces=NO_TRACES, timeout=NO_TIME_LIMIT)
        try:
            line = Connection(connection, self._room, self._budget)
            is_of_use = line.prepare()
        except BaseException:
            connection.close()
            raise
        if not is_of_use:
            line.close()
            raise aiohttp.ServerDisconnectedError
        return line

    def put(self, line: Connection, *, last: bool) -> None:
        """Keep *line* until it is used again, unless somebody waits for it; *last*: it has carried all it will."""
        if last or line.transport.is_closing():
            line.close()
            return
        if self._wanted:
            line.release()
            return
        self._idle.append(line)
        if self._timer is None:
            self._set_timer()

    @contextmanager
    def making_room(self) -> Iterator[None]:
        """Keep no line from the connector meanwhile: it may have to give one to somebody else."""
        self._wanted += 1
        self.let_go()
        try:
            yield
        finally:
            self._wanted -= 1

    def let_go(self) -> None:
        """Give all lines back to the connector."""
        while self._idle:
            self._idle.pop().release()

    def _set_timer(self) -> None:
        self._least = len(self._idle)
        self._timer = asyncio.get_running_loop().call_later(IDLE_TIMEOUT, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        for line in self._idle[: self._least]:
            line.close()
        del self._idle[: self._least]
        if self._idle:
            self._set_timer()

    def close(self) -> None:
        """Give all lines back, and keep none any more."""
        self._wanted += 1
        self.let_go()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
