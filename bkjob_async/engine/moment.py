"""When an answer is taken in, and which place in the stream its news gets."""

from __future__ import annotations

from msgspec import Struct

from bkjob_async.errors import UsageError

LONGEST = 20


class Moment(Struct, gc=False):
    """The time *now* on the caller's clock, and the batch's *sequence* in the streams of the client *name*."""

    now: float
    sequence: int
    name: str
    _cursor: str | None = None

    @property
    def cursor(self) -> str:
        """The batch's place, as readers keep it: one object for all its events. Few looks have news that need it."""
        if self._cursor is None:
            self._cursor = f"{self.sequence}-{self.name}"
        return self._cursor


class Places:
    """The places in one client's streams: ever larger numbers, and cursors that no other client takes for its own."""

    __slots__ = ("_name", "last")

    def __init__(self, name: str) -> None:
        """Begin before the first place; *name* tells this client's cursors from those of others."""
        self._name = name
        self.last = 0

    def next(self, now: float) -> Moment:
        """Return the next place, taken at *now*."""
        self.last += 1
        return Moment(now, self.last, self._name)

    def place(self, cursor: str) -> int:
        """Return the place that a cursor names; raise `UsageError` for one that was never given out here."""
        number, _, name = cursor.partition("-")
        if not (number.isascii() and number.isdigit() and len(number) <= LONGEST):
            raise UsageError(f"not a cursor: {cursor!r}; events, batches and readers carry one each")
        if name != self._name:
            raise UsageError(f"the cursor {cursor!r} was given out by another client or process")
        place = int(number)
        if not 0 < place <= self.last:
            raise UsageError(f"the cursor {cursor!r} was never given out")
        return place
