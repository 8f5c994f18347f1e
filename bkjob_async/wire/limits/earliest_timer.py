"""A timer that is set to several times, and fires at the earliest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf


class EarliestTimer:
    """Calls *on_time* at the earliest loop time that it is set to, with that time: `at`, inf while it is not set."""

    __slots__ = ("_handle", "_on_time", "at")

    def __init__(self, on_time: Callable[[float], object]) -> None:
        self._on_time = on_time
        self._handle: asyncio.TimerHandle | None = None
        self.at = (
            inf  # kept here: the handles of other event loops than asyncio's do not all say when they fire
        )

    def set(self, at: float) -> None:
        """Fire at *at*, unless that is earlier already."""
        if at < self.at:
            self.cancel()
            self.at = at
            self._handle = asyncio.get_running_loop().call_at(at, self._fire)

    def cancel(self) -> None:
        """Fire no more until it is set again; harmless when repeated."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle, self.at = None, inf

    def _fire(self) -> None:
        at, self._handle, self.at = self.at, None, inf
        self._on_time(at)
