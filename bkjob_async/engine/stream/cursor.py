"""Poll stamps and cursors: when a response is applied, and at which position of the stream its events stand.

A cursor names a position. Users store cursors and hand them back later, so both forms are fixed:

* `17-0a1b2c3d`: after batch 17 of the client with the name `0a1b2c3d`;
* `17-0a1b2c3d.3`: after the third event of that batch.

Batches are numbered from 1 in all streams of a client together. The events of a batch are numbered from 1 before a watch
leaves out what does not concern it. So a cursor means the same in every watch of the client.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct, field
from msgspec.structs import force_setattr

from bkjob_async.engine.host_table.machines import Machines
from bkjob_async.errors import UsageError
from bkjob_async.model.events import UNKNOWN_TIME, Event

# More digits than any batch number has.
MAX_DIGITS = 20


class PollStamp(Struct, frozen=True, gc=False):
    """The time *now* on the caller's clock, and the *sequence* number that a batch would have, with the *cursor* after it.

    *at* is the time by the clock of this machine, in UTC; *machines* are those that the client knows.
    """

    now: float
    sequence: int
    cursor: str
    at: datetime = UNKNOWN_TIME
    machines: Machines = field(default_factory=Machines)


class CursorPosition(Struct, frozen=True, gc=False):
    """A parsed cursor: after the first *index* events of batch *sequence*, or after all of them where it is None."""

    sequence: int
    index: int | None

    @property
    def last_whole_batch(self) -> int:
        """The number of the last batch that lies before the position as a whole."""
        return self.sequence if self.index is None else self.sequence - 1


class CursorSequence:
    """Issues the batch numbers of one client and parses the cursors made of them.

    `last` is the newest number issued, `name` distinguishes this client's cursors from those of others. A cursor of
    another client is refused, because its numbers mean other batches. `machines` are those that the client has seen.
    """

    __slots__ = ("last", "machines", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.last = 0
        self.machines = Machines()

    def go_on_behind(self, sequence: int) -> None:
        """Issue no number up to *sequence*, which another client has issued."""
        self.last = max(self.last, sequence)

    def next_stamp(self, now: float, wall: float) -> PollStamp:
        """Return the stamp of a response applied at *now*, which is *wall* in Unix time, with the next batch number."""
        self.last += 1
        at = datetime.fromtimestamp(wall, UTC)
        return PollStamp(now, self.last, f"{self.last}-{self.name}", at, self.machines)

    def take_number(self) -> int:
        """Issue the next number."""
        self.last += 1
        return self.last

    def parse(self, cursor: str) -> CursorPosition:
        """Return the position that a cursor names.

        How many events a batch has is not known here, so the caller checks the index.
        Raise `UsageError` for text that is no cursor, and for a cursor that was never issued here.
        """
        place, name = parse_cursor(cursor)
        if name != self.name:
            raise UsageError(f"the cursor {cursor!r} was given out by another client or process")
        if place.sequence > self.last:
            raise unknown_cursor(cursor)
        return place


def place(events: Sequence[Event], cursor: str, at: datetime, *, before: int = 0) -> None:
    """Give new *events* their places in the batch with this *cursor*, behind *before* others, and the time of its response.

    Watches leave out what does not concern them and share the rest. So places are given once, in the batch of all.
    """
    for number, event in enumerate(events, before + 1):
        force_setattr(event, "cursor", f"{cursor}.{number}")
        force_setattr(event, "at", at)


def parse_cursor(cursor: object) -> tuple[CursorPosition, str]:
    """Return the position that a cursor names and the name of its client; raise `UsageError` for anything else."""
    number, _, remainder = cursor.partition("-") if isinstance(cursor, str) else ("", "", "")
    name, dot, ending = remainder.partition(".")
    index = parse_digits(ending) if dot else None
    sequence = parse_digits(number)
    if sequence is None or (dot and not index):
        raise UsageError(f"not a cursor: {cursor!r}; events, batches and readers carry one each")
    if not sequence:
        raise unknown_cursor(cursor)
    return CursorPosition(sequence, index), name


def parse_digits(text: str) -> int | None:
    """Return the number that *text* is in plain digits, None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


def unknown_cursor(cursor: object) -> UsageError:
    """Return the error for a cursor of a batch, or of an event of a batch, that does not exist."""
    return UsageError(f"the cursor {cursor!r} was never given out")
