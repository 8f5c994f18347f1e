"""A queue of timed events, which change the simulated world."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class EventQueue:
    """Runs actions in the order of their times; equal times run in the order of creation."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._made = 0

    def __len__(self) -> int:
        return len(self._due)

    @property
    def next_at(self) -> float | None:
        """When the next action is due."""
        return self._due[0][0] if self._due else None

    def at(self, at: float, action: Callable[..., None], *arguments: Any) -> None:
        """Schedule an action at a time; in order and at the next `advance` when that is past."""
        self._made += 1
        heappush(self._due, (max(at, self.now), self._made, action, arguments))

    def after(self, seconds: float, action: Callable[..., None], *arguments: Any) -> None:
        """Schedule an action *seconds* from now."""
        self.at(self.now + seconds, action, *arguments)

    def advance(self, now: float) -> None:
        """Run all actions that are due until *now*; time never runs backwards."""
        due = self._due
        while due and due[0][0] <= now:
            self.now, _, action, arguments = heappop(due)
            action(*arguments)
        self.now = max(self.now, now)
