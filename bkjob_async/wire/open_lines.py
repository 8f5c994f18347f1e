"""Connections that stay with whoever asks the same server again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp.client_proto import ResponseHandler

from bkjob_async.wire.bodies import LARGEST_BODY
from bkjob_async.wire.whole_answers import Answer, Part, answer_in

# Servers close what is idle for a minute or so; a connection unused for this to twice this many seconds is closed first.
UNUSED = 15.0
# From so many bytes on, a body goes straight to where it will stay; aiohttp copies it twice.
LARGE = 1_000_000
# So much is read at a time, as asyncio does. It makes room for it anew at each read, which for a small answer takes longer
# than all else about reading it.
ROOM = 256 * 1024
NO_TRACES: list[aiohttp.tracing.Trace] = []
NO_TIME_LIMIT = aiohttp.ClientTimeout(total=None)


class Line(asyncio.BufferedProtocol):
    """A connection that carries one request after the other.

    It listens in place of aiohttp's own *handler*, for answers that come whole and are as usual. Any other is handed over
    from its first byte, and so is whatever comes unasked; the handler then listens until the line is `ready` again.
    What is read lies in *room*, which all lines of a loop share, for no longer than it takes to look at it.
    """

    __slots__ = (
        "_filling",
        "_is_listening",
        "_loop",
        "_room",
        "_waiter",
        "connection",
        "handler",
        "transport",
    )

    def __init__(self, connection: aiohttp.connector.Connection, room: memoryview) -> None:
        """Take over a connection that was just fetched; raise what aiohttp raises where it is closed."""
        handler, transport = connection.protocol, connection.transport
        if handler is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        self.connection = connection
        self.handler: ResponseHandler = handler
        self.transport = transport
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[Answer | None] | None = None
        self._filling: Filling | None = None
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
        data, waiter = bytes(self._room[:nbytes]), self._waiter
        if waiter is None or waiter.done():
            self._hand_over(data)
            return
        found = answer_in(data)
        if isinstance(found, Part):
            if LARGE <= found.size <= LARGEST_BODY:
                self._filling = Filling(self, found)
                self.transport.set_protocol(self._filling)
                return
            found = None
        if found is None:
            self._hand_over(data)
        waiter.set_result(found)

    def filled(self, answer: Answer) -> None:
        """Take in a large answer that is whole by now."""
        self._filling = None
        self.transport.set_protocol(self)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)

    def eof_received(self) -> None:
        """Let the transport close itself."""
        self.handler.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the handler find out what that means for whoever waits."""
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
        if self._filling is not None:
            data, self._filling = self._filling.came(), None
        if data:
            self.handler.data_received(data)

    def release(self) -> None:
        """Give the connection back."""
        self._hand_over()
        self.connection.release()

    def close(self) -> None:
        """Hang up."""
        self._filling = None
        self._hand_over()
        self.connection.close()


class Filling(asyncio.BufferedProtocol):
    """Takes in the rest of a large body for a line."""

    __slots__ = ("_at", "_body", "_line", "_part", "_view")

    def __init__(self, line: Line, part: Part) -> None:
        """Go on after *part*."""
        self._line = line
        self._part = part
        self._body = bytearray(part.size)
        self._view = memoryview(self._body)
        self._at = len(part.begun)
        self._view[: self._at] = part.begun

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio asks so
        """Return where the next bytes go: never more than belong to this body."""
        return self._view[self._at :]

    def buffer_updated(self, nbytes: int) -> None:
        """Take note of *nbytes* more."""
        self._at += nbytes
        if self._at == self._part.size:
            self._line.filled((self._part.status, self._part.headers, bytes(self._body)))

    def came(self) -> bytes:
        """Return all that came so far, head and all."""
        return self._part.head + self._view[: self._at]

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


class OpenLines:
    """The connections to one server that wait to be used again, the last one first.

    They count towards the connector's limit. As long as anybody waits for the connector, nothing is kept here.
    """

    __slots__ = ("_connector", "_idle", "_least", "_room", "_timer", "_wanted")

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        """Hold none yet."""
        self._connector = connector
        self._idle: list[Line] = []
        self._wanted = 0
        self._room = memoryview(bytearray(ROOM))
        # So many at the bottom were not used since the timer was set.
        self._least = 0
        self._timer: asyncio.TimerHandle | None = None

    def take(self) -> Line | None:
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

    async def open(self, sample: aiohttp.ClientRequest) -> Line:
        """Return a line that the connector has, or makes, for requests like *sample*."""
        with self.making_room():
            connection = await self._connector.connect(sample, traces=NO_TRACES, timeout=NO_TIME_LIMIT)
        try:
            line = Line(connection, self._room)
            is_of_use = line.prepare()
        except BaseException:
            connection.close()
            raise
        if not is_of_use:
            line.close()
            raise aiohttp.ServerDisconnectedError
        return line

    def put(self, line: Line, *, last: bool) -> None:
        """Keep *line* until it is used again, unless somebody waits for it; *last*: it has carried all it will."""
        if self._wanted or last:
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
        self._timer = asyncio.get_running_loop().call_later(UNUSED, self._on_timer)

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
