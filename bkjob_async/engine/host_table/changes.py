"""Hosts of one step that stand elsewhere, column by column: objects are made of those somebody reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from msgspec import Struct

from bkjob_async.model.poll_view import HostRow


class Move(Struct, frozen=True):
    """One host stands elsewhere: its place in the table, codes before and after, and its row.

    *row* is None where no answer listed the host, and all others were counted elsewhere.
    """

    index: int
    before: int | None
    after: int
    row: HostRow | None


class Moves(Sequence[Move]):
    """Hosts that moved at one look, each at the same position of all four columns."""

    __slots__ = ("afters", "befores", "places", "rows")

    def __init__(
        self,
        places: Sequence[int],
        befores: Sequence[int | None],
        afters: Sequence[int],
        rows: Sequence[HostRow | None],
    ) -> None:
        """Hold the columns; nobody may change them any more."""
        self.places = places
        self.befores = befores
        self.afters = afters
        self.rows = rows

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Move]:
        return map(Move, self.places, self.befores, self.afters, self.rows)

    @overload
    def __getitem__(self, index: int) -> Move: ...

    @overload
    def __getitem__(self, index: slice) -> Moves: ...

    def __getitem__(self, index: int | slice) -> Move | Moves:
        if isinstance(index, slice):
            return Moves(self.places[index], self.befores[index], self.afters[index], self.rows[index])
        return Move(self.places[index], self.befores[index], self.afters[index], self.rows[index])

    def __add__(self, more: Moves) -> Moves:
        """Return these moves and *more* behind them."""
        if not more.places:
            return self
        if not self.places:
            return more
        return Moves(
            [*self.places, *more.places],
            [*self.befores, *more.befores],
            [*self.afters, *more.afters],
            [*self.rows, *more.rows],
        )

    def into(self, codes: Iterable[int]) -> Iterator[Move]:
        """Yield the moves to *codes*, one code after the other."""
        afters = self.afters
        for code in codes:
            place = -1
            for _ in range(afters.count(code)):
                place = afters.index(code, place + 1)
                yield self[place]

    def with_rows(self, rows: Sequence[HostRow | None]) -> Moves:
        """Return the same moves by other readings of their rows."""
        return Moves(self.places, self.befores, self.afters, rows)


NO_MOVES = Moves((), (), (), ())


class Taken(Struct, frozen=True, gc=False):
    """What one look brought: its *moves*; whether every row could be *believed*; the *places* of its rows.

    A place of -1 is a row that names nobody, or one of several that another speaks for; where *each_once*, there is none.
    """

    moves: Moves
    believed: bool
    places: Sequence[int]
    each_once: bool = True
