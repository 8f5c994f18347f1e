"""When an answer is taken in, and which place in the stream its news gets.

A cursor names a place, in one of two forms that stay as they are, for cursors are kept elsewhere and handed back:

* `17-0a1b2c3d`: behind batch 17 of the client whose name is `0a1b2c3d`;
* `17-0a1b2c3d.3`: behind the third event of that batch.

Batches are numbered from 1 in all streams of a client together, and the events of a batch from 1 before any watch leaves
out what does not concern it. So a cursor means the same in every watch of the client.
"""

from __future__ import annotations

from msgspec import Struct

from bkjob_async.errors import UsageError

LONGEST = 20


class PollStamp(Struct, gc=False):
    """The time *now* on the caller's clock, and the batch's *sequence* in the streams of the client *name*."""

    now: float
    sequence: int
    name: str
    _cursor: str | None = None

    @property
    def cursor(self) -> str:
        """The place behind the batch: one object for all its events. Few looks have news that need it."""
        if self._cursor is None:
            self._cursor = f"{self.sequence}-{self.name}"
        return self._cursor


class Place(Struct, frozen=True, gc=False):
    """A place in the streams of a client: behind the first *index* events of batch *sequence*, None for all of them."""

    sequence: int
    index: int | None

    @property
    def whole(self) -> int:
        """The last batch that lies before it whole."""
        return self.sequence if self.index is None else self.sequence - 1


class CursorSequence:
    """The places in one client's streams: ever larger numbers, and cursors that no other client takes for its own."""

    __slots__ = ("_name", "last")

    def __init__(self, name: str) -> None:
        """Begin before the first place; *name* tells this client's cursors from those of others."""
        self._name = name
        self.last = 0

    def next(self, now: float) -> PollStamp:
        """Return the next place, taken at *now*."""
        self.last += 1
        return PollStamp(now, self.last, self._name)

    def place(self, cursor: str) -> Place:
        """Return the place that a cursor names; raise `UsageError` for one that was never given out here.

        How many events a batch had is not known here.
        """
        number, _, rest = cursor.partition("-")
        name, dot, ending = rest.partition(".")
        index = whole_number(ending) if dot else None
        sequence = whole_number(number)
        if sequence is None or (dot and not index):
            raise UsageError(f"not a cursor: {cursor!r}; events, batches and readers carry one each")
        if name != self._name:
            raise UsageError(f"the cursor {cursor!r} was given out by another client or process")
        if not 0 < sequence <= self.last:
            raise never_given_out(cursor)
        return Place(sequence, index)


def whole_number(text: str) -> int | None:
    """Return the number that *text* is in plain digits, None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST else None


def never_given_out(cursor: str) -> UsageError:
    """Return the error for a cursor that names no place yet, or no event of its batch."""
    return UsageError(f"the cursor {cursor!r} was never given out")
