"""Pollers without a platform: each request gets the same response at once, or none at all."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from attrs import define

from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.engine.flow_control.health import PlatformHealth
from bkjob_async.engine.flow_control.rate_limit import RateLimiter
from bkjob_async.engine.scheduling.poll_interval import PollIntervals
from bkjob_async.engine.scheduling.poll_planner import PollPlanner
from bkjob_async.model.credentials import AppCredentials
from bkjob_async.model.poll_view import StepPollView
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.watch.polling.poller import Poller
from bkjob_async.wire.credentials import CredentialsCache
from bkjob_async.wire.limits.request_limiter import RequestLimiter
from bkjob_async.wire.session import Session


@define
class OfflineSession:
    """A session whose response to every request is *response*; with None it never responds."""

    response: StepPollView | None = None
    dialect = dialect_by_name("gateway-v3")
    credentials = CredentialsCache(AppCredentials(bk_app_code="bench", bk_app_secret="bench"))  # noqa: S106 - made up
    limiter = RequestLimiter(RateLimiter())
    observe = ObserverDispatch()
    health = PlatformHealth()

    def begin_poll(self, *_request: object) -> bool:
        """Have every poll awaited."""
        return False

    async def poll(self, _request: object, _permit: object, _known: object = None) -> Any:
        """Return the response, or wait until cancelled."""
        if self.response is None:
            await asyncio.get_running_loop().create_future()
        return self.response


def poller_without_platform(response: StepPollView | None = None) -> Poller:
    """Return a poller that gets *response* to every request, or none; it polls each target once an hour."""
    session = cast("Session", OfflineSession(response))
    return Poller(session, poll_planner=PollPlanner(PollIntervals(interval=3600.0)))
