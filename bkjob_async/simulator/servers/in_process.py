"""A transport that calls the simulated platform inside the process."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import anyio

from bkjob_async.errors import ErrorDetails, RequestTimedOut, TransportFailed
from bkjob_async.http_messages import HttpRequest, HttpResponse, Received
from bkjob_async.simulator.faults.faults import PIECES, Delivery
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.clock import WorldClock


class SimulatedTransport:
    """Sends requests to a platform in this process; a `CallbackTransport`.

    World time follows the event loop's: under a virtual clock hours pass in milliseconds. *latency* is the
    seconds between a request and its response. `request_counts` counts requests by operation,
    `most_in_flight` is how many were under way at once.
    """

    def __init__(self, platform: Platform, *, clock: WorldClock | None = None, latency: float = 0.0) -> None:
        """Send requests to *platform*."""
        self.platform = platform
        self.clock = clock or WorldClock()
        self.latency = latency
        self.request_counts: Counter[str] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0
        self.closed = False

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self.request_counts.total()

    def begin(
        self, request: HttpRequest, timeout: float, on_received: Callable[[Received], None]
    ) -> SendingTask | None:
        """Send *request*, and call *on_received* once, later, unless it is cancelled."""
        return SendingTask(self.send(request, timeout=timeout), on_received)

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - per call, not per task
        """Send *request* and return the whole response."""
        if self.closed:
            raise TransportFailed(ErrorDetails(message="the transport is closed", sent=False))
        self.clock.now()
        self.request_counts[request.url.path.rstrip("/").rpartition("/")[2]] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            with anyio.fail_after(timeout):
                # Even without latency other tasks must be able to run.
                await anyio.sleep(self.latency)
                return await self._carried(self.platform.deliver(request, self.clock.now()))
        except TimeoutError as error:
            raise RequestTimedOut(ErrorDetails(message=f"no answer within {timeout:g} s")) from error
        finally:
            self.in_flight -= 1

    async def _carried(self, delivery: Delivery) -> HttpResponse:
        """Return a response as its delivery says."""
        if delivery.hang:
            await anyio.sleep_forever()
        await anyio.sleep(delivery.delay)
        if delivery.reset:
            raise TransportFailed(ErrorDetails(message="the connection was reset"))
        if delivery.drip is not None:
            await anyio.sleep(delivery.drip * PIECES)
        if delivery.cut is not None:
            raise TransportFailed(ErrorDetails(message="the answer broke off"))
        return delivery.response

    async def aclose(self) -> None:
        """Do nothing: there are no connections to close."""
        self.closed = True


class SendingTask:
    """A request that a task sends: *on_received* gets what it comes to."""

    def __init__(
        self, sending: Coroutine[Any, Any, HttpResponse], on_received: Callable[[Received], None]
    ) -> None:
        """Begin to send."""
        self._on_received = on_received
        self._is_cancelled = False
        self._task = asyncio.get_running_loop().create_task(sending)
        self._task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[HttpResponse]) -> None:
        if self._is_cancelled or task.cancelled():
            return
        error = task.exception()
        self._on_received(task.result() if error is None else partial(raising, error))

    def cancel(self) -> None:
        """Let no response come; harmless when repeated."""
        self._is_cancelled = True
        self._task.cancel()


async def raising(error: BaseException) -> HttpResponse:
    """Raise *error*."""
    raise error
