"""A client of a simulated world, in process and in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from attrs import define
from yarl import URL

import bkjob_async as bkjob
from bkjob_async.dialects.common.dialect import Dialect
from bkjob_async.http_messages import HttpRequest, HttpResponse, Received
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.in_process import SendingTask, SimulatedTransport
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import broken_promises, truth_of

DIALECTS = ("gateway-v3", "esb-job")
URLS = {
    **dict.fromkeys(("gateway-v3", "gateway-v4"), "http://simulator/api/bk-job/prod"),
    **dict.fromkeys(("esb-job", "esb-jobv3"), "http://simulator"),
}
ALL_DIALECTS = tuple(URLS)
CREDENTIALS = bkjob.AppCredentials(bk_app_code="tests", bk_app_secret="not-to-be-seen", bk_username="admin")
SCOPE = bkjob.Scope.biz(2)
# So many equal requests at the same virtual time are a loop that never ends.
MOST_AT_ONCE = 1000


Spoil = Callable[[HttpRequest, float], HttpResponse | bkjob.BkJobError | None]


@define(eq=False)
class Exchange:
    """A *request*, and the *response* or error that was *received* for it; none of one that was cancelled.

    *is_true*: the response is what the platform returned.
    """

    request: HttpRequest
    sent: float
    received: float | None = None
    response: HttpResponse | bkjob.BkJobError | None = None
    is_true: bool = False


class RecordingTransport(SimulatedTransport):
    """The simulator's transport that records the URLs and times of requests.

    *delay* returns how many seconds a request takes more before the platform has it, and its response behind that.
    *spoil* may return a response or an error in place of the platform's, by request and time; *outdate* may
    return an older one in place of a response, and *tear* may change it. Every other poll goes the way of `begin`, as most
    do over real connections.
    """

    def __init__(self, platform: Platform, *, latency: float = 0.0) -> None:
        """Send requests to *platform*."""
        super().__init__(platform, latency=latency)
        self._begun = 0
        self._at_this_time = Counter[URL]()
        self.urls: list[str] = []
        self.times: list[float] = []
        self.spoilt: list[bool] = []
        self.exchanges: list[Exchange] = []
        self.delay: Callable[[HttpRequest, float], tuple[float, float]] = lambda _request, _now: (0.0, 0.0)
        self.spoil: Spoil = lambda _request, _now: None
        self.outdate: Callable[[HttpRequest, HttpResponse, float], HttpResponse] = (
            lambda _request, response, _now: response
        )
        self.tear: Callable[[HttpResponse, float], HttpResponse] = lambda response, _now: response

    def begin(
        self, request: HttpRequest, timeout: float, on_received: Callable[[Received], None]
    ) -> SendingTask | None:
        """Send every other *request* without being awaited."""
        self._begun += 1
        return super().begin(request, timeout, on_received) if self._begun % 2 else None

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        """Send *request*, and record its URL, and what comes of it."""
        exchange = Exchange(request, self.clock.now())
        if not self.times or self.times[-1] != exchange.sent:
            self._at_this_time.clear()
        self._at_this_time[request.url] += 1
        assert self._at_this_time[request.url] < MOST_AT_ONCE, "it is polled again and again without a pause"
        self.exchanges.append(exchange)
        self.urls.append(str(request.url))
        self.times.append(exchange.sent)
        spoilt = self.spoil(request, exchange.sent)
        self.spoilt.append(spoilt is not None)
        before, behind = self.delay(request, exchange.sent)
        try:
            if before:
                await asyncio.sleep(before)
            response = spoilt or await self._respond(exchange, timeout)
            if behind:
                await asyncio.sleep(behind)
            exchange.response = response
            if isinstance(response, bkjob.BkJobError):
                raise response
            return response
        finally:
            exchange.received = self.clock.now()

    async def _respond(self, exchange: Exchange, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - as above
        """Return the platform's response, as it is when it leaves the platform."""
        response = await super().send(exchange.request, timeout=timeout)
        now = self.clock.now()
        changed = self.tear(self.outdate(exchange.request, response, now), now)
        exchange.is_true = changed is response
        return changed


@asynccontextmanager
async def client_of(
    world: World | Platform, dialect: str | Dialect = "gateway-v3", *, latency: float = 0.0, **options: Any
) -> AsyncIterator[tuple[bkjob.JobClient, RecordingTransport]]:
    """Open a client of *world*; yield it with its transport, which counts requests."""
    platform = world if isinstance(world, Platform) else Platform(world)
    transport = RecordingTransport(platform, latency=latency)
    credentials = options.pop("credentials", CREDENTIALS)
    url = URLS[dialect if isinstance(dialect, str) else dialect.name]
    async with bkjob.connect(
        url, credentials, dialect=dialect, scope=SCOPE, transport=transport, **options
    ) as client:
        yield client, transport


async def watched(client: bkjob.JobClient, *refs: bkjob.Ref, **options: Any) -> list[bkjob.Batch]:
    """Watch *refs* to their end; return all batches."""
    async with client.watch(refs, **options) as watch:
        return [batch async for batch in watch.batches()]


def keeps_its_promise(batches: list[bkjob.Batch], world: World) -> bool:
    """Check a stream against the promise and against what really happened."""
    broken = broken_promises(batches, truth=truth_of(world.history()))
    assert broken == []
    return True


def moves_of(batches: list[bkjob.Batch]) -> list[tuple[object, ...]]:
    """Return every host's changes as (step, execution, label, before, after), in order."""
    return [
        (e.ref, e.execute_count, e.host.label, e.before.code if e.before else None, e.after.code)
        for batch in batches
        for e in batch.events
        if isinstance(e, bkjob.HostChanged)
    ]
