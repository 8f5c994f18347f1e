"""Disturb the platform during the demonstration: limit its requests, and later let it not respond."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from attrs import define, field

from bkjob_async import Trouble
from bkjob_async.cli.watching.consumers import OpenWatch
from bkjob_async.model.text.printing import counted
from bkjob_async.simulator.faults.rate_limit import RateLimit
from bkjob_async.simulator.handlers.platform import Platform

# Seconds on the platform's clock.
LIMIT_BEGINS, LIMIT_ENDS = 4.0, 8.0
OUTAGE_BEGINS, OUTAGE_ENDS = 10.0, 13.0
REQUESTS_PER_SECOND = 20


@define(eq=False)
class Disturbances:
    """Limits requests of a *platform* for a while, and then makes it fail for a while; *say* writes when."""

    platform: Platform
    speed: float
    say: Callable[[str], None]
    refused: int = field(default=0, init=False)
    unanswered: int = field(default=0, init=False)
    troubles: int = field(default=0, init=False)

    async def consume(self, opened: OpenWatch) -> None:
        """Disturb the platform until the course of the demonstration ends, or the watch does."""
        following = asyncio.create_task(self._follow())
        try:
            async for batch in opened.watch.batches():
                self.troubles += sum(isinstance(event, Trouble) for event in batch.events)
        finally:
            following.cancel()
            await asyncio.wait({following})

    async def _follow(self) -> None:
        await self._sleep(LIMIT_BEGINS)
        async with self._limited():
            self.say(f"from now on the gateway takes {REQUESTS_PER_SECOND} requests a second")
            await self._sleep(LIMIT_ENDS - LIMIT_BEGINS)
        self.say("the gateway takes any number of requests again")
        await self._sleep(OUTAGE_BEGINS - LIMIT_ENDS)
        with self.platform.fault("bad-gateway") as fault:
            self.say("from now on the platform answers nothing but 502")
            try:
                await self._sleep(OUTAGE_ENDS - OUTAGE_BEGINS)
            finally:
                self.unanswered = fault.hits
        self.say("the platform is back: what happened meanwhile is read now")

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        limit = self.platform.rate_limit = RateLimit(REQUESTS_PER_SECOND)
        try:
            yield
        finally:
            self.platform.rate_limit = None
            self.refused = limit.refused

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    def summary(self) -> str:
        """Return what was survived."""
        return (
            f"On the way: a limit of {REQUESTS_PER_SECOND} requests/s ({self.refused} refused), and an outage of"
            f" {OUTAGE_ENDS - OUTAGE_BEGINS:.0f} s ({self.unanswered} requests failed), reported as trouble"
            f" {counted(self.troubles, 'time')}, and no job as failed because of it."
        )
