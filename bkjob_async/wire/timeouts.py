"""Timeouts of many requests with one timer."""

from __future__ import annotations

import asyncio
from typing import Protocol

from bkjob_async.wire.limits.earliest_timer import EarliestTimer


class Expiring(Protocol):
    """What ends by itself before loop time *at*, or else by `expire`."""

    at: float

    def expire(self) -> None:
        """End now."""
        ...


class TimeoutManager:
    """Ends what takes too long.

    Nearly every request comes back in time, so a timer of its own for each would be created for nothing.
    """

    def __init__(self) -> None:
        self._running: set[Expiring] = set()
        self._timer = EarliestTimer(self._on_time)

    def add(self, expiring: Expiring) -> None:
        """Have something expire at its time, unless `discard` comes first."""
        self._running.add(expiring)
        if expiring.at < self._timer.at:  # at each request
            self._timer.set(expiring.at)

    def discard(self, expiring: Expiring) -> None:
        """Forget something that has ended; harmless when repeated."""
        self._running.discard(expiring)

    def _on_time(self, _at: float) -> None:
        now = asyncio.get_running_loop().time()
        try:
            for expiring in [each for each in self._running if each.at <= now]:
                self._running.discard(expiring)
                expiring.expire()
        finally:  # an error of one must not keep the others from ending
            if self._running:
                self._timer.set(min(each.at for each in self._running))

    def close(self) -> None:
        """Cancel the timer, unless something is yet to expire."""
        if not self._running:
            self._timer.cancel()
