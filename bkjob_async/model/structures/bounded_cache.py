"""A cache of bounded size that keeps its first values while it is full."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# A full cache is emptied after it had no room so many times for each value that it holds.
TURNS = 16


class BoundedCache(Generic[K, V]):
    """Keeps values for the first keys; what finds no room has to be made each time.

    A cache that drops the oldest value instead is of no use to keys that come in turns: each is dropped just
    before it comes again, and every value lives long enough for the garbage collector to visit it. `values`
    is for lookups.
    """

    __slots__ = ("_refused", "_size", "values")

    def __init__(self, size: int) -> None:
        """Keep at most *size* values."""
        self.values: dict[K, V] = {}
        self._size = size
        self._refused = 0

    def keep(self, key: K, value: V) -> V:
        """Keep a new *value* if there is room, and return it; now and then make room for the keys of today."""
        if len(self.values) < self._size:
            self.values[key] = value
            return value
        self._refused += 1
        if self._refused >= TURNS * self._size:
            self._refused = 0
            self.values = {key: value}
        return value
