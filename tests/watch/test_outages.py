"""A platform that goes away and comes back is polled again at once, without a storm; in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen

import bkjob_async as bkjob
from bkjob_async.errors import ErrorDetails, RequestTimedOut, TransportFailed
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.world.plans import HANGS, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import CREDENTIALS, SCOPE, URLS

pytestmark = [pytest.mark.looptime, pytest.mark.slow]

LONG = SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HANGS,)),))
DOWN, LATER = 30.0, 330.0

Answer = HttpResponse | bkjob.BkJobError


def refused(body: bytes, status: int = 200, **headers: str) -> HttpResponse:
    """Return an answer that refuses."""
    return HttpResponse(
        status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=body
    )


SPOILT: dict[str, Callable[[], Answer]] = {
    "away": lambda: TransportFailed(ErrorDetails(message="connection refused", sent=False)),
    "503": lambda: refused(b"<html>503</html>", 503),
    "429": lambda: refused(b'{"code": 1642902, "result": false, "message": "no"}', 429),
    "1306429": lambda: refused(b'{"code": 1306429, "result": false, "message": "no"}'),
}


class Outage(SimulatedTransport):
    """The simulator's transport, in an outage of some kind from `down` to `up`; `times` has when requests went out."""

    def __init__(self, platform: Platform, kind: str, *, latency: float) -> None:
        super().__init__(platform, latency=latency)
        self.kind = kind
        self.down = self.up = 0.0
        self.times: list[float] = []

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        """Send *request*, or have it fail or hang as in the outage."""
        now = self.clock.now()
        self.times.append(now)
        if self.down <= now < self.up:
            if self.kind == "stopped":
                await asyncio.sleep(min(timeout, self.up - now))
                if self.up - now > timeout:
                    raise RequestTimedOut(ErrorDetails(message="no answer"))
            else:
                await asyncio.sleep(self.latency)
                answer = SPOILT[self.kind]()
                if isinstance(answer, bkjob.BkJobError):
                    raise answer
                return answer
        return await super().send(request, timeout=timeout)


@frozen(kw_only=True)
class Seen:
    """Requests a second: before, during, and by the second after the outage; a peak is the most in any one second.

    `first` is when the first went out after the return.
    """

    usual: float
    usual_peak: float
    during: float
    peak: float
    first: float
    after: Counter[int]

    def rate(self, since: int, until: int) -> float:
        """Return the mean rate between two seconds after the return, as a share of the usual."""
        return sum(self.after[second] for second in range(since, until)) / (until - since) / self.usual


def peak_of(times: list[float], since: float, until: float) -> float:
    """Return the most requests in any one second, to a tenth."""
    tenths = Counter(int(10 * (time - since)) for time in times if since <= time < until)
    return max(sum(tenths[n + m] for m in range(10)) for n in range(int(10 * (until - since)) - 9))


async def seen(
    kind: str, *, seconds: float, latency: float, jobs: int, down: float = DOWN, **options: Any
) -> Seen:
    """Watch *jobs* through an outage of so many *seconds*; return what requests there were."""
    world = World(1, at_once=True)
    refs = [world.add(LONG) for _ in range(jobs)]
    transport = Outage(Platform(world), kind, latency=latency)
    client = bkjob.connect(
        URLS["gateway-v3"], CREDENTIALS, scope=SCOPE, transport=transport, max_in_flight=128, **options
    )
    async with client, client.watch(refs, linger=None):
        transport.down, transport.up = down, down + seconds
        await asyncio.sleep(down + seconds + 20.0)
    up, times = transport.up, transport.times
    return Seen(
        usual=sum(down - 20 <= time < down for time in times) / 20,
        usual_peak=peak_of(times, down - 20, down),
        during=sum(down + 2 <= time < up for time in times) / max(0.1, seconds - 2),
        peak=peak_of(times, up, up + 20),
        first=min(time for time in times if time >= up) - up,
        after=Counter(int(time - up) for time in times if time >= up),
    )


@pytest.mark.parametrize("latency", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("seconds", [1.0, 60.0])
@pytest.mark.parametrize("jobs", [1, 60])
@pytest.mark.parametrize("kind", ["away", "503", "stopped"])
async def test_an_outage_is_over_when_the_platform_is_back(
    kind: str, jobs: int, seconds: float, latency: float
) -> None:
    """At a fixed interval: requests flow within two seconds and an answer's time, and never a storm."""
    outage = await seen(kind, seconds=seconds, latency=latency, jobs=jobs, interval=1.0)

    assert outage.first <= 2.0
    back = 3 + int(latency)
    assert outage.rate(back, back + 5) >= 0.9
    assert outage.peak <= max(1.2 * outage.usual, outage.usual + 3)


@pytest.mark.parametrize("kind", ["away", "stopped", "429"])
async def test_watches_without_an_interval_recover_as_soon(kind: str) -> None:
    """At the platform's own rhythm: all jobs are seen again in the time that a round of looks takes."""
    outage = await seen(kind, seconds=60.0, latency=0.3, jobs=60, down=LATER)

    assert outage.first <= 5.0 + 1.0 / outage.usual
    assert outage.rate(0, 20) >= 0.9
    assert outage.peak <= 1.2 * outage.usual_peak + 2


@pytest.mark.parametrize("latency", [0.01, 0.2, 0.5])
@pytest.mark.parametrize("seconds", [6.0, 60.0])
@pytest.mark.parametrize("kind", ["429", "1306429"])
async def test_a_time_of_refusals_teaches_no_rate(kind: str, seconds: float, latency: float) -> None:
    """Everything was refused, however little was asked: a second later it is asked, ten seconds later as much as before."""
    outage = await seen(kind, seconds=seconds, latency=latency, jobs=60, interval=1.0)

    assert outage.first <= 1.05 + latency
    assert outage.rate(10, 15) >= 0.9
    assert outage.peak <= 1.2 * outage.usual + 2
