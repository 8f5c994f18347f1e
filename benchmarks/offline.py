"""Watchers without a platform: one that is never answered, one that is answered at once and always the same."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from attrs import define

from bkjob_async.dialects.registry import dialect
from bkjob_async.engine.flow_control.rate_limit import Limit
from bkjob_async.engine.scheduling.poll_interval import Cadence
from bkjob_async.engine.scheduling.poll_planner import Pacing
from bkjob_async.model.poll_view import StepLook
from bkjob_async.watch.watcher import Watcher
from bkjob_async.wire.request_limiter import Admission
from bkjob_async.wire.session import Session


@define
class Silence:
    """A session that takes every question; *answer* comes at once, None never."""

    answer: StepLook | None = None
    dialect = dialect("gateway-v3")
    admission = Admission(Limit())

    async def look(self, _question: object) -> Any:
        """Answer, or wait for ever."""
        if self.answer is None:
            await asyncio.get_running_loop().create_future()
        return self.answer


def watcher_without_platform(answer: StepLook | None = None) -> Watcher:
    """Return a watcher that hears *answer* to whatever it asks, or nothing; it asks again once an hour."""
    session = cast("Session", Silence(answer))
    return Watcher(session, pacing=Pacing(Cadence(interval=3600.0)), workers=4, observers=())
