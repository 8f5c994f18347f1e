"""How much memory the bodies of answers may take together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

MIB = 1024 * 1024
# So many bytes of each body are not counted; there are no more bodies than connections.
FREE = 256 * 1024


class BodyBudget:
    """Bytes that all bodies of one client may hold at once, while they arrive and are unpacked.

    A body that finds no room waits until another is done. The oldest one never waits, so that there is always one that
    gets on: together they hold *size* bytes and what that one holds, at most *largest*.
    """

    def __init__(self, largest: int) -> None:
        """Let one body have *largest* bytes."""
        self.largest = largest
        self.size = largest // 4
        self.taken = 0
        self.inflating = asyncio.Lock()
        self._shares: dict[Share, None] = {}
        self._waiting: dict[Share, tuple[int, Callable[[], object]]] = {}

    def share(self) -> Share:
        """Return the share of one more body, empty yet; it must be released."""
        return Share(self)

    def take(self, share: Share, count: int) -> bool:
        """Give *count* bytes to *share* if there are as many, or if it is the oldest."""
        if self.taken + count > self.size and share is not next(iter(self._shares), share):
            return False
        self._shares[share] = None
        self.taken += count
        share.taken += count
        return True

    def wait(self, share: Share, count: int, told: Callable[[], object]) -> None:
        """Give *count* bytes to *share* as soon as there are as many, then call *told*."""
        self._shares[share] = None
        self._waiting[share] = count, told

    def leave(self, share: Share) -> None:
        """Take back what *share* has, and give it to those who wait, the oldest first."""
        if share not in self._shares:
            return
        del self._shares[share]
        self._waiting.pop(share, None)
        self.taken -= share.taken
        share.taken = 0
        for other in [other for other in self._shares if other in self._waiting]:
            count, told = self._waiting[other]
            if not self.take(other, count):
                return
            del self._waiting[other]
            told()


class Share:
    """What one body takes of the budget; a context manager that releases it."""

    __slots__ = ("_budget", "taken")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.taken = 0

    def take(self, count: int, told: Callable[[], object]) -> bool:
        """Take *count* bytes more; where there are too few, call *told* when they have been taken."""
        if self._budget.take(self, count):
            return True
        self._budget.wait(self, count, told)
        return False

    async def hold(self, size: int) -> None:
        """Wait until *size* bytes in all may be held."""
        count = size - FREE - self.taken
        if count <= 0:
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self.take(count, lambda: grant(turn)):
            await turn

    def release(self) -> None:
        """Give back everything; harmless when repeated."""
        self._budget.leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def grant(turn: asyncio.Future[None]) -> None:
    """Let whoever waits go on, unless it has gone."""
    if not turn.done():
        turn.set_result(None)
