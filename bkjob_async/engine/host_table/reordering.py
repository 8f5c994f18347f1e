"""The order in which a look lists a table's hosts, where it is nearly the table's own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import compress
from typing import overload

from bkjob_async.engine.host_table.id_index import picked

# Of a long order so small a share is looked for one by one.
SPARSE = 16

Cells = bytes | bytearray


class Reordering(Sequence[int]):
    """The places of all hosts of a table as a look lists them: in the table's order, but for those *elsewhere*.

    So many of them as *before* says are listed first, the others last. Only who asks for every place has them written
    down: few hosts move, and a column of the table can be read in this order piece by piece.
    """

    __slots__ = ("_before", "_elsewhere", "_left_out", "_size", "_written")

    def __init__(self, size: int, elsewhere: Sequence[int], before: int) -> None:
        self._size = size
        self._elsewhere = elsewhere
        self._before = before
        self._left_out = sorted(elsewhere)
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
        """Return every place."""
        if self._written is None:
            together = bytearray(b"\1") * self._size
            for place in self._elsewhere:
                together[place] = 0
            before, behind = self._elsewhere[: self._before], self._elsewhere[self._before :]
            self._written = [*before, *compress(range(self._size), together), *behind]
        return self._written

    def at(self, positions: Sequence[int]) -> Sequence[int]:
        """Return the places at *positions*."""
        if len(positions) * SPARSE > self._size:
            return picked(self.written(), positions)
        begin, elsewhere = self._before, self._elsewhere
        end = begin + self._size - len(elsewhere)
        passed = [place - n for n, place in enumerate(self._left_out)]
        return [
            elsewhere[n]
            if n < begin
            else elsewhere[n - end + begin]
            if n >= end
            else n - begin + bisect_right(passed, n - begin)
            for n in positions
        ]

    def read(self, column: Cells) -> bytes:
        """Return a *column* of a byte a host in this order."""
        apart = bytes(picked(column, self._elsewhere))
        return b"".join((apart[: self._before], self.together(column, 1), apart[self._before :]))

    def together(self, column: Cells, width: int) -> bytes:
        """Return a *column* of *width* bytes a host without the hosts elsewhere."""
        pieces, begin = list[Cells](), 0
        for place in self._left_out:
            pieces.append(column[begin : width * place])
            begin = width * (place + 1)
        pieces.append(column[begin : width * self._size])
        return b"".join(pieces)
