"""Finds hosts by id in a large table without an object for each of them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial


class HostIndex:
    """Names in order, and the place of each; twelve bytes a host, kept while hosts of a step move.

    A name stays where it is for as long as the table lives, so names that are learnt later are the only ones missing.
    """

    __slots__ = ("_names", "_places")

    def __init__(self, names: Sequence[int]) -> None:
        order = sorted(range(len(names)), key=names.__getitem__)
        self._places = array("I", order)
        self._names = array("Q", map(names.__getitem__, order))

    def places(self, names: Sequence[int]) -> list[int] | None:
        """Return the place of each of *names*, None when one of them is unknown."""
        found = list(map(partial(bisect_left, self._names), names))
        if not found or max(found) == len(self._names):
            return None
        if list(map(self._names.__getitem__, found)) != names:
            return None
        return list(map(self._places.__getitem__, found))
