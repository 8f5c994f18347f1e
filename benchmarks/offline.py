"""Watchers without a platform: one that is never answered, one that is answered at once and always the same."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from attrs import define

from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.engine.flow_control.rate_limit import RateLimiter
from bkjob_async.engine.scheduling.poll_interval import PollIntervals
from bkjob_async.engine.scheduling.poll_planner import PollPlanner
from bkjob_async.model.poll_view import StepPollView
from bkjob_async.watch.watcher import PollTargets
from bkjob_async.wire.request_limiter import RequestLimiter
from bkjob_async.wire.session import Session


@define
class Silence:
    """A session that takes every question; *answer* comes at once, None never."""

    answer: StepPollView | None = None
    dialect = dialect_by_name("gateway-v3")
    limiter = RequestLimiter(RateLimiter())

    async def look(self, _question: object) -> Any:
        """Answer, or wait for ever."""
        if self.answer is None:
            await asyncio.get_running_loop().create_future()
        return self.answer


def watcher_without_platform(answer: StepPollView | None = None) -> PollTargets:
    """Return a watcher that hears *answer* to whatever it asks, or nothing; it asks again once an hour."""
    session = cast("Session", Silence(answer))
    return PollTargets(
        session, poll_planner=PollPlanner(PollIntervals(interval=3600.0)), workers=4, observers=()
    )
