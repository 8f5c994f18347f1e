"""Finds the hosts of a large table by their ids while they move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar, cast, overload

from bkjob_async.engine.host_table.encoding import NON_NUMERIC_ID

K = TypeVar("K")
V = TypeVar("V")


class IdIndex:
    """The place of every name; ninety bytes a host, kept while hosts of a step move and dropped soon after.

    A name stays where it is for as long as the table lives, so names that are learnt later are the only ones missing.
    """

    __slots__ = ("_place_of",)

    def __init__(self, names: Sequence[int]) -> None:
        self._place_of = dict(zip(names, range(len(names)), strict=True))
        if max(names, default=0) >= NON_NUMERIC_ID:
            # What is no id must not be met by a row whose id is that very number.
            self._place_of = {name: place for name, place in self._place_of.items() if name < NON_NUMERIC_ID}

    def places(self, names: Sequence[int | None]) -> Sequence[int] | None:
        """Return the place of each of *names*, None when one of them is unknown."""
        try:
            return picked(self._place_of, cast("Sequence[int]", names))
        except KeyError:
            return None


@overload
def picked(things: Mapping[K, V], keys: Sequence[K]) -> Sequence[V]: ...


@overload
def picked(things: Sequence[V], keys: Sequence[int]) -> Sequence[V]: ...


def picked(things: Any, keys: Sequence[Any]) -> Sequence[Any]:
    """Return what *things* hold under each of *keys*; quicker by half than one by one."""
    # `itemgetter` takes one key at least, and returns what it gets by a single one bare.
    return itemgetter(*keys)(things) if len(keys) > 1 else [things[key] for key in keys]
