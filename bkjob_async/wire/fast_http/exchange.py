"""A request and its response without a task: a callback gets what it ends with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from bkjob_async.http_messages import HttpRequest
from bkjob_async.wire.bodies.reading import RawResponse
from bkjob_async.wire.fast_http.client import FastHttpClient
from bkjob_async.wire.fast_http.connection import Connection, Outcome
from bkjob_async.wire.timeouts import TimeoutManager
from bkjob_async.wire.transport import Received


class Exchange(Struct, eq=False):
    """A *request* sent over *connection*, and its *outcome* once it has one; *on_end* is called then.

    It expires after *timeout* seconds, *at* a time of the loop's clock, with a `TimeoutError` for its outcome.
    """

    timeouts: TimeoutManager
    request: HttpRequest
    timeout: float
    on_received: Callable[[Received], None]
    on_end: Callable[[Exchange], None]
    connection: Connection | None = None
    outcome: Outcome | None = None
    at: float = 0.0
    on_outcome: Callable[[Outcome], None] | None = None

    def begin(self, client: FastHttpClient) -> bool:
        """Send the request; return False where *client* cannot do so at once."""
        on_outcome = self._end
        connection = client.begin(self.request, on_outcome)
        if connection is None:
            return False
        self.connection, self.on_outcome = connection, on_outcome
        self.at = asyncio.get_running_loop().time() + self.timeout
        self.timeouts.add(self)
        return True

    def _end(self, outcome: Outcome) -> None:
        self.timeouts.discard(self)
        self.outcome, self.on_outcome = outcome, None
        self.on_end(self)

    def expire(self) -> None:
        """End with a `TimeoutError`."""
        self.cancel()
        self._end(TimeoutError())

    def cancel(self) -> None:
        """Let the exchange have no outcome; harmless when repeated."""
        self.timeouts.discard(self)
        if self.connection is not None and self.on_outcome is not None:
            self.connection.cancel(self.on_outcome)

    def response(self) -> RawResponse:
        """Return the response, or raise the error, that it has ended with."""
        assert self.outcome is not None  # noqa: S101 - it has ended
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome
