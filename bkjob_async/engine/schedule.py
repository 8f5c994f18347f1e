"""What is due when: a heap of due times, each thing in it at most once."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Schedule(Generic[K]):
    """Due times of things, in order of time, then of arrival.

    Moving or removing a thing leaves a dead entry behind that is dropped when it comes up; the heap is rebuilt when
    dead entries outnumber the living.
    """

    __slots__ = ("_counter", "_due", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._due: dict[K, tuple[float, int]] = {}
        self._counter = 0

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: K) -> bool:
        return key in self._due

    def put(self, key: K, due: float) -> None:
        """Make *key* due at *due*, wherever it was before."""
        self._counter += 1
        self._due[key] = (due, self._counter)
        heapq.heappush(self._heap, (due, self._counter, key))
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._due):
            self._heap = [(due, number, key) for key, (due, number) in self._due.items()]
            heapq.heapify(self._heap)

    def hasten(self, key: K, due: float) -> None:
        """Make *key* due at *due* unless it is due earlier."""
        known = self._due.get(key)
        if known is None or due < known[0]:
            self.put(key, due)

    def discard(self, key: K) -> None:
        """Forget *key*; harmless when it is not there."""
        self._due.pop(key, None)

    def due_at(self, key: K) -> float | None:
        """Return when *key* is due, None when it is not scheduled."""
        known = self._due.get(key)
        return known[0] if known else None

    def next_due(self) -> float | None:
        """Return when the first thing is due, None when nothing is."""
        heap = self._heap
        while heap:
            due, number, key = heap[0]
            if self._due.get(key) == (due, number):
                return due
            heapq.heappop(heap)
        return None

    def pop_due(self, now: float) -> K | None:
        """Remove and return the first thing that is due by *now*."""
        due = self.next_due()
        if due is None or due > now:
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._due[key]
        return key
