"""Status changes of one step's hosts, as columns: one host has the same index in all of them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from bkjob_async.model.poll_view import HostRow


class StatusChanges(Struct, frozen=True, gc=False):
    """The hosts of a step whose status a response changed: their places in the table, codes before and after, and rows.

    A row is None where no response listed the host and its status was inferred from the counts.
    """

    places: Sequence[int]
    befores: Sequence[int | None]
    afters: Sequence[int]
    rows: Sequence[HostRow | None]

    def __bool__(self) -> bool:
        return bool(self.places)

    def __add__(self, other: StatusChanges) -> StatusChanges:
        """Return these changes and those of *other* after them."""
        if not (self.places and other.places):
            return self if self.places else other
        return StatusChanges(
            [*self.places, *other.places],
            [*self.befores, *other.befores],
            [*self.afters, *other.afters],
            [*self.rows, *other.rows],
        )


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
