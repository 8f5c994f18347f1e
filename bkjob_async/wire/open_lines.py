"""Connections that stay with whoever asks the same server again and again, instead of going back to the pool each time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp.client_proto import ResponseHandler

# Servers close what is idle for a minute or so; a connection unused for this to twice this many seconds is closed first.
UNUSED = 15.0
NO_TRACES: list[aiohttp.tracing.Trace] = []
NO_TIME_LIMIT = aiohttp.ClientTimeout(total=None)


class Line:
    """A connection that carries one request after the other."""

    __slots__ = ("connection", "protocol", "transport")

    def __init__(self, connection: aiohttp.connector.Connection) -> None:
        """Take over a connection that was just fetched."""
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        self.connection = connection
        self.protocol: ResponseHandler = protocol
        self.transport: asyncio.WriteTransport = transport

    @property
    def is_quiet(self) -> bool:
        """Whether it is open, and nothing came that nobody asked for: that would be taken for the next answer."""
        return not (self.transport.is_closing() or self.protocol.should_close)

    def prepare(self) -> bool:
        """Get ready to read answers; return whether the connection is of any use."""
        if not self.is_quiet:
            return False
        self.protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        return True

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


class OpenLines:
    """The connections to one server that wait to be used again, the last one first.

    They count towards the connector's limit. As long as anybody waits for the connector, nothing is kept here.
    """

    __slots__ = ("_connector", "_idle", "_least", "_timer", "_wanted")

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        """Hold none yet."""
        self._connector = connector
        self._idle: list[Line] = []
        self._wanted = 0
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
            if line.is_quiet:
                return line
            line.close()
        return None

    async def open(self, sample: aiohttp.ClientRequest) -> Line:
        """Return a line that the connector has, or makes, for requests like *sample*."""
        with self.making_room():
            line = Line(await self._connector.connect(sample, traces=NO_TRACES, timeout=NO_TIME_LIMIT))
        try:
            is_of_use = line.prepare()
        except BaseException:
            line.close()
            raise
        if not is_of_use:
            line.close()
            raise aiohttp.ServerDisconnectedError
        return line

    def put(self, line: Line, *, last: bool) -> None:
        """Keep *line* until it is used again, unless somebody waits for it; *last*: it has carried all it will."""
        if self._wanted or last:
            line.connection.release()
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
            self._idle.pop().connection.release()

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
