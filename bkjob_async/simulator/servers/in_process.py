"""A transport that calls the simulated platform inside the process."""

from __future__ import annotations

from collections import Counter

import anyio

from bkjob_async.errors import ErrorDetails, RequestTimedOut, TransportFailed
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.faults.faults import PIECES, Delivery
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.clock import WorldClock


class SimulatedTransport:
    """Carries requests to a platform in this process; a `Transport`.

    World time follows the event loop's: under a virtual clock hours pass in milliseconds. *latency* is the seconds
    between a request and its answer. `request_counts` counts requests by operation, `most_in_flight` is how many were under
    way at once.
    """

    def __init__(self, platform: Platform, *, clock: WorldClock | None = None, latency: float = 0.0) -> None:
        """Open a door to *platform*."""
        self.platform = platform
        self.clock = clock or WorldClock()
        self.latency = latency
        self.request_counts: Counter[str] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0
        self.closed = False

    @property
    def requests(self) -> int:
        """How many requests there were."""
        return self.request_counts.total()

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - per call, not per task
        """Send *request* and return the whole answer."""
        if self.closed:
            raise TransportFailed(ErrorDetails(message="the transport is closed", sent=False))
        self.clock.now()
        self.request_counts[request.url.path.rstrip("/").rpartition("/")[2]] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            with anyio.fail_after(timeout):
                # Even a platform without latency lets others have their turn.
                await anyio.sleep(self.latency)
                return await self._carried(self.platform.deliver(request, self.clock.now()))
        except TimeoutError as error:
            raise RequestTimedOut(ErrorDetails(message=f"no answer within {timeout:g} s")) from error
        finally:
            self.in_flight -= 1

    async def _carried(self, delivery: Delivery) -> HttpResponse:
        """Let an answer travel the way it does."""
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
        """Let go of connections; harmless when repeated."""
        self.closed = True
