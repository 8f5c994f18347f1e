"""A bound on the memory that response bodies take together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MIB = 1024 * 1024
# This many bytes of each body are not counted; there are no more bodies than connections.
UNCOUNTED_BYTES = 256 * 1024


class BodyBudget:
    """The bytes that all bodies of one client may hold at once, while they arrive and are decompressed.

    A body for which there are too few bytes waits until another is done. The oldest one never waits, so that one always
    makes progress: together they hold *size* bytes and what the oldest one holds, at most *max_body_size*.
    """

    def __init__(self, max_body_size: int) -> None:
        """Let one body have *max_body_size* bytes."""
        self.max_body_size = max_body_size
        self.size = max_body_size // 4
        self.reserved = 0
        self.decompression_lock = asyncio.Lock()
        # Those that have bytes or wait for some, the oldest first.
        self.reservations: dict[Reservation, None] = {}


class Reservation:
    """The part of *budget* that one body has: *size* bytes. It must be closed."""

    __slots__ = ("_budget", "size", "waiting")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.size = 0
        # The bytes that it waits for, and what is called when it has them.
        self.waiting: tuple[int, Callable[[], object]] | None = None

    def reserve(self, count: int, callback: Callable[[], object]) -> bool:
        """Reserve *count* bytes more; where there are too few, return False and call *callback* once it is done."""
        if self.try_add(count):
            return True
        self.waiting = count, callback
        return False

    def try_add(self, count: int) -> bool:
        """Reserve *count* bytes more if that many are free, or if this is the oldest."""
        budget = self._budget
        budget.reservations[self] = None
        if budget.reserved + count > budget.size and self is not next(iter(budget.reservations)):
            return False
        budget.reserved += count
        self.size += count
        return True

    async def wait_for_total(self, size: int) -> None:
        """Wait until a body of *size* bytes may be held."""
        count = size - UNCOUNTED_BYTES - self.size
        if count <= 0:
            return
        reserved = asyncio.Event()
        if not self.reserve(count, reserved.set):
            await reserved.wait()

    def close(self) -> None:
        """Give everything back, and to those that wait, the oldest first; harmless when repeated."""
        reservations = self._budget.reservations
        if self not in reservations:
            return
        del reservations[self]
        self._budget.reserved -= self.size
        self.size, self.waiting = 0, None
        for other in tuple(reservations):
            if other.waiting is not None:
                count, callback = other.waiting
                if not other.try_add(count):
                    return
                other.waiting = None
                callback()
