"""The queue of due times: each item at most once."""

from __future__ import annotations

import heapq
from math import inf
from typing import Generic, Protocol, TypeVar


class Scheduled(Protocol):
    """An item that stores its own due time in its only schedule; a dict of due times would take more memory."""

    due: float | None


K = TypeVar("K", bound=Scheduled)

# The heap is made anew where it has more entries than these, and most of them are dead.
FEW_ENTRIES = 64


class TimerQueue(Generic[K]):
    """Due times of items, in order of time, then of arrival.

    Moving or removing an item leaves a dead entry, which is dropped when it comes first, or when dead entries outnumber
    the others.

    No item is due before `first_due`, which is infinite for an empty queue. An item that was moved or removed may leave it
    too early, until `pop_all_due` comes to it.
    """

    __slots__ = ("_arrivals", "_entries", "_size", "first_due")

    def __init__(self) -> None:
        self._size = self._arrivals = 0
        self._entries: list[tuple[float, int, K]] = []
        self.first_due = inf

    def __len__(self) -> int:
        return self._size

    def put(self, key: K, due: float) -> None:
        """Make *key* due at *due*, whenever it was due before."""
        if key.due is None:
            self._size += 1
        key.due = due
        self._arrivals += 1
        heapq.heappush(self._entries, (due, self._arrivals, key))
        if len(self._entries) > max(FEW_ENTRIES, 2 * self._size):
            # By item: one that returned to an earlier due time has two entries for it.
            alive = {key: (at, number, key) for at, number, key in self._entries if key.due == at}
            self._entries = [*alive.values()]
            heapq.heapify(self._entries)
        self.first_due = self._entries[0][0]

    def schedule_earlier(self, key: K, due: float) -> None:
        """Make *key* due at *due* unless it is due earlier."""
        if key.due is None or due < key.due:
            self.put(key, due)

    def discard(self, key: K) -> None:
        """Remove *key*; harmless when it is not scheduled."""
        if key.due is not None:
            key.due = None
            self._size -= 1

    def pop_all_due(self, now: float, most: int) -> list[K]:
        """Remove and return the items that are due by *now*, in order, *most* at most."""
        found: list[K] = []
        entries = self._entries
        while entries:
            due, _, key = entries[0]
            if key.due == due:  # else a dead entry
                if due > now or len(found) >= most:
                    break
                key.due = None
                self._size -= 1
                found.append(key)
            heapq.heappop(entries)
        self.first_due = entries[0][0] if entries else inf
        return found
