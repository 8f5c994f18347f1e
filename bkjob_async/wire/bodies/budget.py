"""A bound on the memory that response bodies take together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

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
        self._reservations: dict[Reservation, None] = {}
        self._waiting: dict[Reservation, tuple[int, Callable[[], object]]] = {}

    def reservation(self) -> Reservation:
        """Return an empty reservation for one more body; it must be released."""
        return Reservation(self)

    def try_add(self, reservation: Reservation, count: int) -> bool:
        """Add *count* bytes to *reservation* if that many are free, or if it is the oldest."""
        if self.reserved + count > self.size and reservation is not next(
            iter(self._reservations), reservation
        ):
            return False
        self._reservations[reservation] = None
        self.reserved += count
        reservation.size += count
        return True

    def add_later(self, reservation: Reservation, count: int, callback: Callable[[], object]) -> None:
        """Add *count* bytes to *reservation* as soon as that many are free, then call *callback*."""
        self._reservations[reservation] = None
        self._waiting[reservation] = count, callback

    def release(self, reservation: Reservation) -> None:
        """Take the bytes of *reservation* back, and give them to those that wait, the oldest first."""
        if reservation not in self._reservations:
            return
        del self._reservations[reservation]
        self._waiting.pop(reservation, None)
        self.reserved -= reservation.size
        reservation.size = 0
        for other in [other for other in self._reservations if other in self._waiting]:
            count, callback = self._waiting[other]
            if not self.try_add(other, count):
                return
            del self._waiting[other]
            callback()


class Reservation:
    """The part of the budget that one body has: *size* bytes. A context manager that releases it."""

    __slots__ = ("_budget", "size")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.size = 0

    def reserve(self, count: int, callback: Callable[[], object]) -> bool:
        """Reserve *count* bytes more; where there are too few, return False and call *callback* once it is done."""
        if self._budget.try_add(self, count):
            return True
        self._budget.add_later(self, count, callback)
        return False

    async def wait_for_total(self, size: int) -> None:
        """Wait until a body of *size* bytes may be held."""
        count = size - UNCOUNTED_BYTES - self.size
        if count <= 0:
            return
        reserved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self.reserve(count, lambda: finish(reserved)):
            await reserved

    def release(self) -> None:
        """Give back everything; harmless when repeated."""
        self._budget.release(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def finish(future: asyncio.Future[None]) -> None:
    """Finish *future*, unless its waiter was cancelled."""
    if not future.done():
        future.set_result(None)
