"""The connections of a client: new ones, and idle ones that are used again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from attrs import define, field

from bkjob_async.wire.bodies.budget import BodyBudget
from bkjob_async.wire.fast_http.batched_reads import BatchedReads, open_batched_reads
from bkjob_async.wire.fast_http.body_reader import READ_BUFFER_SIZE
from bkjob_async.wire.fast_http.connection import Connection

# Servers close connections that are idle for a minute or so. One that was not used for this many seconds, or for up to
# twice as many, is closed first.
IDLE_TIMEOUT = 15.0
NO_TRACES: list[aiohttp.tracing.Trace] = []
NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


@define(eq=False)
class ConnectionPool:
    """Idle connections to one server; the one used last is used next. *budget* bounds the bodies of all.

    They count towards the limit of *connector*. While anybody waits for the connector, no connection stays here.
    """

    connector: aiohttp.BaseConnector
    budget: BodyBudget
    _idle: list[Connection] = field(factory=list, init=False)
    _waiting: int = field(default=0, init=False)
    _batched_reads: BatchedReads | None = field(default=None, init=False)
    _read_buffer: memoryview = field(factory=lambda: memoryview(bytearray(READ_BUFFER_SIZE)), init=False)
    # This many, from the start of the list, were not used since the timer was set.
    _unused: int = field(default=0, init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    def take_idle(self) -> Connection | None:
        """Return an open connection, or None when no idle one is left."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if len(idle) < self._unused:  # noqa: PLR1730 - at each request
                self._unused = len(idle)
            if connection.is_usable():
                return connection
            connection.close()
        return None

    async def connect(self, sample: aiohttp.ClientRequest) -> Connection:
        """Return a connection that the connector has or opens for requests like *sample*."""
        with self.yielding_to_connector():
            borrowed = await self.connector.connect(sample, traces=NO_TRACES, timeout=NO_TIMEOUT)
        try:
            if self._batched_reads is None:
                self._batched_reads = open_batched_reads(self._idle)
            connection = Connection(borrowed, self._read_buffer, self.budget, self._batched_reads)
            is_usable = connection.start()
        except BaseException:
            borrowed.close()
            raise
        if not is_usable:
            connection.close()
            raise aiohttp.ServerDisconnectedError
        return connection

    def release(self, connection: Connection, *, reusable: bool) -> None:
        """Keep *connection* for the next request, unless it is not *reusable* or a request waits for the connector."""
        if not reusable or connection.transport.is_closing():
            connection.close()
            return
        if self._waiting:
            connection.release()
            return
        self._idle.append(connection)
        if self._timer is None:
            self._start_timer()

    @contextmanager
    def yielding_to_connector(self) -> Iterator[None]:
        """Hold no idle connection meanwhile: the connector may need it for another request."""
        self._waiting += 1
        self._release_all()
        try:
            yield
        finally:
            self._waiting -= 1

    def _release_all(self) -> None:
        while self._idle:
            self._idle.pop().release()

    def _start_timer(self) -> None:
        self._unused = len(self._idle)
        self._timer = asyncio.get_running_loop().call_later(IDLE_TIMEOUT, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        for connection in self._idle[: self._unused]:
            connection.close()
        del self._idle[: self._unused]
        if self._idle:
            self._start_timer()

    def close(self) -> None:
        """Give all connections back to the connector, now and from now on."""
        self._waiting += 1
        self._release_all()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
