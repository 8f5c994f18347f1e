"""Status changes of one step's hosts as columns; an object is created for each change that is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from msgspec import Struct

from bkjob_async.engine.host_table.columns.byte_columns import picked
from bkjob_async.model.poll_view import HostRow


class StatusChange(Struct, frozen=True):
    """The status of one host has changed: its place in the table, the codes before and after, and its row.

    *row* is None where no response listed the host and its status was inferred from the counts.
    """

    place: int
    before: int | None
    after: int
    row: HostRow | None


class StatusChanges(Sequence[StatusChange]):
    """The changes of one poll in four columns: one host has the same index in all of them."""

    __slots__ = ("afters", "befores", "places", "rows")

    def __init__(
        self,
        places: Sequence[int],
        befores: Sequence[int | None],
        afters: Sequence[int],
        rows: Sequence[HostRow | None],
    ) -> None:
        """Hold the columns; the caller must not change them any more."""
        self.places = places
        self.befores = befores
        self.afters = afters
        self.rows = rows

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[StatusChange]:
        return map(StatusChange, self.places, self.befores, self.afters, self.rows)

    @overload
    def __getitem__(self, index: int) -> StatusChange: ...

    @overload
    def __getitem__(self, index: slice) -> StatusChanges: ...

    def __getitem__(self, index: int | slice) -> StatusChange | StatusChanges:
        if isinstance(index, slice):
            return StatusChanges(
                self.places[index], self.befores[index], self.afters[index], self.rows[index]
            )
        return StatusChange(self.places[index], self.befores[index], self.afters[index], self.rows[index])

    def __add__(self, other: StatusChanges) -> StatusChanges:
        """Return these changes and those of *other* after them."""
        if not other.places:
            return self
        if not self.places:
            return other
        return StatusChanges(
            [*self.places, *other.places],
            [*self.befores, *other.befores],
            [*self.afters, *other.afters],
            [*self.rows, *other.rows],
        )

    def ending_in(self, codes: Iterable[int]) -> Iterator[StatusChange]:
        """Yield the changes to one of *codes*, one code after the other."""
        afters = self.afters
        for code in codes:
            index = -1
            for _ in range(afters.count(code)):
                index = afters.index(code, index + 1)
                yield self[index]

    def at(self, indexes: Sequence[int]) -> StatusChanges:
        """Return the changes at these indexes."""
        return StatusChanges(
            picked(self.places, indexes),
            picked(self.befores, indexes),
            picked(self.afters, indexes),
            picked(self.rows, indexes),
        )

    def with_rows(self, rows: Sequence[HostRow | None]) -> StatusChanges:
        """Return the same changes with other *rows*."""
        return StatusChanges(self.places, self.befores, self.afters, rows)


NO_CHANGES = StatusChanges((), (), (), ())


class ApplyResult(Struct, frozen=True, gc=False):
    """What a table made of one response: the *changes*, whether all rows were *trusted*, and the *places* of the rows.

    A place of -1 is a row without a host name, or a repeated row of a host for which another row counts. Where
    *each_once* is true there is no such row.
    """

    changes: StatusChanges
    trusted: bool
    places: Sequence[int]
    each_once: bool = True
