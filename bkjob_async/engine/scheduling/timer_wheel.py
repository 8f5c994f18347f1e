"""A timer wheel: due times in slots, each item at most once."""

from __future__ import annotations

import heapq
from math import floor, inf
from operator import itemgetter
from typing import Generic, Protocol, TypeVar


class Scheduled(Protocol):
    """An item that stores its own due time in its only schedule; a dict of due times would double the memory."""

    due: float | None


K = TypeVar("K", bound=Scheduled)

# Slots a second. Only the slot whose time has come is sorted.
SLOTS = 64


class TimerWheel(Generic[K]):
    """Due times of items, in order of time, then of arrival.

    An item is in the plain list of its slot, and stores when it is due: that takes far less memory than an
    entry of a heap, and less time to add. Moving or removing an item leaves a dead entry that is dropped when
    its slot comes up; the wheel is rebuilt when dead entries outnumber the live ones.

    No item is due before `first_due`, which is infinite for an empty wheel. An item that was moved or removed
    may leave it too early, until `pop_all_due` comes to it.
    """

    __slots__ = ("_counter", "_entries", "_loaded", "_loaded_slot", "_order", "_size", "_slots", "first_due")

    def __init__(self) -> None:
        self._size = 0
        self._slots: dict[int, list[K]] = {}
        self._order: list[int] = []
        # The entries of the slots up to `_loaded_slot`, as a heap.
        self._loaded: list[tuple[float, int, K]] = []
        self._loaded_slot = -1
        self.first_due = inf
        self._counter = 0
        self._entries = 0

    def __len__(self) -> int:
        return self._size

    def put(self, key: K, due: float) -> None:
        """Make *key* due at *due*, whenever it was due before."""
        if key.due is None:
            self._size += 1
        key.due = due
        self.first_due = min(self.first_due, due)
        self._insert(key, due)
        if self._entries > 64 and self._entries > 2 * self._size:
            self._rebuild()

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
        if self.first_due > now:
            return found
        while len(found) < most:
            if not self._loaded:
                if not self._order or self._order[0] > now * SLOTS:
                    break
                self._load_slot()
                continue
            if self._loaded[0][0] > now:
                break
            due, _, key = heapq.heappop(self._loaded)
            self._entries -= 1
            if key.due == due:  # else an entry of an earlier time: it was moved
                key.due = None
                self._size -= 1
                found.append(key)
        self.first_due = self._earliest()
        return found

    def _insert(self, key: K, due: float) -> None:
        slot = floor(due * SLOTS)
        self._entries += 1
        if slot <= self._loaded_slot:
            self._counter += 1
            heapq.heappush(self._loaded, (due, self._counter, key))
            return
        waiting = self._slots.get(slot)
        if waiting is None:
            self._slots[slot] = [key]
            heapq.heappush(self._order, slot)
        else:
            waiting.append(key)

    def _earliest(self) -> float:
        """Return the first due time; remove the dead entries before it."""
        while self._loaded:
            due, _, key = self._loaded[0]
            if key.due == due:
                return due
            heapq.heappop(self._loaded)
            self._entries -= 1
        while self._order:
            slot = self._order[0]
            live = self._live_entries(slot)
            if live:
                return min(live)[0]
            self._entries -= len(self._slots.pop(slot))
            heapq.heappop(self._order)
        return inf

    def _load_slot(self) -> None:
        """Sort the entries of the next slot."""
        slot = self._loaded_slot = heapq.heappop(self._order)
        self._loaded = self._live_entries(slot)
        heapq.heapify(self._loaded)
        self._entries += len(self._loaded) - len(self._slots.pop(slot))

    def _live_entries(self, slot: int) -> list[tuple[float, int, K]]:
        """Return the live entries of a slot, numbered in order of arrival."""
        number = self._counter
        self._counter += len(self._slots[slot])
        return [
            (at, n, key)
            for n, key in enumerate(self._slots[slot], number)
            if (at := key.due) is not None and floor(at * SLOTS) == slot
        ]

    def _rebuild(self) -> None:
        """Remove every dead entry."""
        entries = [key for _, _, key in sorted(self._loaded, key=itemgetter(0, 1))]
        for slot in sorted(self._order):
            entries += self._slots[slot]
        self._slots, self._order, self._loaded, self._entries = {}, [], [], 0
        live: list[tuple[K, float]] = []
        for key in entries:
            if key.due is not None:
                live.append((key, key.due))
                key.due = None  # so that it is laid once
        for key, due in live:
            key.due = due
            self._insert(key, due)
