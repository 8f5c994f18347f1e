"""The order of a response's hosts that is nearly the table's own, and columns that are read in it."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import compress
from typing import cast, overload

from bkjob_async.engine.host_table.columns.byte_columns import SPARSE, ByteColumn, picked


class ListedOrder(Sequence[int]):
    """The places of all hosts as a response lists them: in the table's order, except for the hosts *elsewhere*.

    The first *before* of those elsewhere are listed before the others, the rest after them. The whole list of places is
    made only when it is needed: few hosts change, and a column can be read in this order piece by piece.
    """

    __slots__ = ("_before", "_elsewhere", "_elsewhere_sorted", "_size", "_written")

    def __init__(self, size: int, elsewhere: Sequence[int], before: int) -> None:
        self._size = size
        self._elsewhere = elsewhere
        self._before = before
        self._elsewhere_sorted = sorted(elsewhere)
        self._written: list[int] | None = None

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> list[int]: ...

    def __getitem__(self, index: int | slice) -> int | list[int]:
        return self.written()[index]

    def written(self) -> list[int]:
        """Return all places as a list."""
        if self._written is None:
            in_order = bytearray(b"\1") * self._size
            for place in self._elsewhere:
                in_order[place] = 0
            before, after = self._elsewhere[: self._before], self._elsewhere[self._before :]
            self._written = [*before, *compress(range(self._size), in_order), *after]
        return self._written

    def at(self, positions: Sequence[int]) -> Sequence[int]:
        """Return the places at *positions*."""
        if len(positions) * SPARSE > self._size:
            return picked(self.written(), positions)
        begin, elsewhere = self._before, self._elsewhere
        end = begin + self._size - len(elsewhere)
        skipped = [place - n for n, place in enumerate(self._elsewhere_sorted)]
        return [
            elsewhere[n]
            if n < begin
            else elsewhere[n - end + begin]
            if n >= end
            else n - begin + bisect_right(skipped, n - begin)
            for n in positions
        ]

    def read(self, column: ByteColumn) -> bytes:
        """Return a *column* in this order."""
        elsewhere = bytes(picked(column, self._elsewhere))
        return b"".join((elsewhere[: self._before], self.in_order(column, 1), elsewhere[self._before :]))

    def in_order(self, column: ByteColumn, width: int) -> bytes:
        """Return a column of *width* bytes a host without the hosts elsewhere."""
        pieces, begin = list[ByteColumn](), 0
        for place in self._elsewhere_sorted:
            pieces.append(column[begin : width * place])
            begin = width * (place + 1)
        pieces.append(column[begin : width * self._size])
        return b"".join(pieces)


def places_if_sorted(ids: Sequence[int], elsewhere: Sequence[int], begin: int, end: int) -> list[int]:
    """Return the places of the ids *elsewhere*, were the table sorted by id; all other *ids* are from *begin* to *end*."""
    places = [0] * len(elsewhere)
    for rank, n in enumerate(sorted(range(len(elsewhere)), key=elsewhere.__getitem__)):
        places[n] = rank + bisect_left(ids, elsewhere[n], begin, end) - begin
    return places


def column_at(column: ByteColumn, places: Sequence[int]) -> bytes:
    """Return the bytes of a *column* at *places*; a range is all places."""
    if isinstance(places, range):
        return bytes(column)
    # Not `isinstance`, which takes longer for a class of `collections.abc` than the comparison of a small column.
    return places.read(column) if type(places) is ListedOrder else bytes(picked(column, places))


def column_of(ids: Sequence[int | None]) -> array[int] | None:
    """Return *ids* as a column; None where one of them is None or no number of 64 bits."""
    try:
        return array("Q", cast("Sequence[int]", ids))
    except (TypeError, OverflowError):
        return None


def pack_ids(ids: Sequence[int | None]) -> bytes | None:
    """Return *ids* in eight bytes each; None where one of them is None or no number of 64 bits."""
    column = column_of(ids)
    return None if column is None else column.tobytes()
