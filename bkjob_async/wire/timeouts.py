"""Timeouts of many requests with one timer."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Protocol


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
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = inf

    def add(self, expiring: Expiring) -> None:
        """Have something expire at its time, unless `discard` comes first."""
        self._running.add(expiring)
        if expiring.at < self._fires_at:
            self._set_timer(expiring.at)

    def discard(self, expiring: Expiring) -> None:
        """Forget something that has ended; harmless when repeated."""
        self._running.discard(expiring)

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._fires_at = asyncio.get_running_loop().call_at(at, self._on_timer), at

    def _on_timer(self) -> None:
        self._fires_at = inf
        now = asyncio.get_running_loop().time()
        try:
            for expiring in [each for each in self._running if each.at <= now]:
                self._running.discard(expiring)
                expiring.expire()
        finally:  # an error of one must not keep the others from ending
            if self._running:
                self._set_timer(min(each.at for each in self._running))

    def close(self) -> None:
        """Cancel the timer, unless something is yet to expire."""
        if self._timer is not None and not self._running:
            self._timer.cancel()
            self._fires_at = inf
