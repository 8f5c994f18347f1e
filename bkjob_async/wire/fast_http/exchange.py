"""A request and its response without a task: a callback gets what it ends with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from bkjob_async.wire.bodies.reading import RawResponse
from bkjob_async.wire.clean_connections import NOT_CONNECTED
from bkjob_async.wire.fast_http.connection import Connection, Outcome
from bkjob_async.wire.fast_http.pool import ConnectionPool
from bkjob_async.wire.timeouts import TimeoutManager


class Exchange(Struct, eq=False, kw_only=True):
    """A request, sent as *request_bytes* over a connection of *pool*, and its *outcome*.

    *on_end* is called with the exchange, once, later, unless it is cancelled. At loop time *at* it expires, with a
    `TimeoutError` for its outcome. Like aiohttp, it sends the request once more, over a new connection, when its
    connection turns out to be closed. Request and outcome may hold credentials, so neither shows in the repr.
    """

    pool: ConnectionPool
    timeouts: TimeoutManager
    request_bytes: bytes
    at: float
    on_end: Callable[[Exchange], None]
    connection: Connection | None = None
    outcome: Outcome | None = None
    _opening: asyncio.Task[Connection] | None = None
    _is_retry: bool = False
    _is_over: bool = False

    def __repr__(self) -> str:
        return f"Exchange(at={self.at})"

    def begin(self) -> None:
        """Send the request over an idle connection, or a new one."""
        self.timeouts.add(self)
        connection = self.pool.take_idle()
        if connection is None:
            self._open()
        else:
            self._send(connection)

    def _open(self) -> None:
        self._opening = self.pool.open()
        self._opening.add_done_callback(self._on_opened)

    def _on_opened(self, opening: asyncio.Task[Connection]) -> None:
        self._opening = None
        error = ConnectionAbortedError("the client is closed") if opening.cancelled() else opening.exception()
        if self._is_over:
            if error is None:
                opening.result().close()
        elif isinstance(error, Exception):
            self._end(error)
        else:
            self._send(opening.result())

    def _send(self, connection: Connection) -> None:
        self.connection = connection
        connection.send(self.request_bytes, self._on_outcome)

    def _on_outcome(self, outcome: Outcome) -> None:
        if self._is_over:
            return
        if isinstance(outcome, ConnectionResetError) and not self._is_retry:
            self._is_retry = True
            self._open()
        else:
            self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        self.timeouts.discard(self)
        self.outcome, self._is_over = outcome, True
        self.on_end(self)

    def expire(self) -> None:
        """End with a `TimeoutError`, which has a note where it waited for a connection."""
        self.cancel()
        error = TimeoutError()
        if self._opening is not None:
            error.add_note(NOT_CONNECTED)
        self._end(error)

    def cancel(self) -> None:
        """Let the exchange have no outcome; harmless when repeated."""
        self._is_over = True
        self.timeouts.discard(self)
        if self._opening is not None:
            self._opening.cancel()
        if self.connection is not None:
            self.connection.cancel(self._on_outcome)

    def response(self) -> RawResponse:
        """Return the response, or raise the error, that it has ended with."""
        assert self.outcome is not None  # noqa: S101 - it has ended
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome
