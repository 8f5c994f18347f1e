"""Operations on whole columns of bytes, one byte for each host of a table.

The loops over hosts run inside CPython: columns are compared as one large number each, and searched as a string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from operator import itemgetter
from typing import Any, TypeVar, overload

K = TypeVar("K")
V = TypeVar("V")

ByteColumn = bytes | bytearray
"""A byte for each host of a table."""

# Fewer than one in so many hosts are handled one by one instead of all at once.
SPARSE = 16

CHANGED = 255


def marking_all_but(*smalls: int) -> bytes:
    """Return a translation table that turns *smalls* to 0 and all other bytes to 255."""
    table = bytearray((CHANGED,)) * 256
    for small in smalls:
        table[small] = 0
    return bytes(table)


_MARK_NONZERO = marking_all_but(0)


def differing(one: ByteColumn, other: ByteColumn) -> Sequence[int]:
    """Return the positions at which two columns differ; a range where they differ at each."""
    difference = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return marked(difference.to_bytes(len(one), "little").translate(_MARK_NONZERO))


def marked(marks: bytes) -> Sequence[int]:
    """Return the positions that are 255; a range where all are."""
    if marks and 0 not in marks:
        return range(len(marks))
    positions: list[int] = []
    position = marks.find(CHANGED)
    while position >= 0:
        positions.append(position)
        if len(positions) * SPARSE > len(marks):
            return list(compress(range(len(marks)), marks))
        position = marks.find(CHANGED, position + 1)
    return positions


@overload
def picked(things: Mapping[K, V], keys: Sequence[K]) -> Sequence[V]: ...


@overload
def picked(things: Sequence[V], keys: Sequence[int]) -> Sequence[V]: ...


def picked(things: Any, keys: Sequence[Any]) -> Sequence[Any]:
    """Return the items of *things* at *keys*; half the time of a list comprehension."""
    # `itemgetter` takes at least one key, and returns a single item bare.
    return itemgetter(*keys)(things) if len(keys) > 1 else [things[key] for key in keys]


def each_picked(keys: Sequence[int], *columns: Sequence[Any]) -> list[Any]:
    """Return the items of each column at *keys*."""
    if len(keys) > 1:
        pick = itemgetter(*keys)
        return [pick(column) for column in columns]
    return [[column[key] for key in keys] for column in columns]
