"""What a journal needs of a store: a log for each fleet, to compare and append, and spaces of keys, to compare and set.

A fleet is the targets of one journaled watch, under a name. A store keeps for each fleet

* its *term*, which counts the openings, and its *holder*, the process that opened it last;
* its *head*, the sequence number of the newest record, 0 before the first;
* its records in the order of their sequence numbers, which rise but have gaps;
* its checkpoint: what all records up to one of them amount to.

Records and checkpoints are bytes, which `engine/journaling` writes and reads. Every write names the term of the writer, so
a writer whose fleet was opened elsewhere cannot write any more. The writer alone knows the head, and an append says
which head it follows: what was appended without an answer is repeated, and known again by its term and its last number.

Beside its records a log has an inbox: entries, as bytes, that anybody puts there, and that an append of the log removes in
the same step. A key space is a small mapping of names to bytes under a name of its own: it is read whole, and some of its
keys are changed together if others still have the values that the change is made from. What a fleet in shards keeps, is
written once above both: `ShardStore`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from bkjob_async.errors import JournalDamaged
from bkjob_async.journal.keep import Keeps

# A holder that gave a sign of life within so many seconds is alive.
ALIVE_SECONDS = 25.0

# A page of records, or of a checkpoint, ends after about so many bytes.
PAGE_BYTES = 1 << 20
# No checkpoint with more bytes is written or read: that of 100 000 jobs with 200 hosts each has three quarters of them.
MAX_CHECKPOINT = 1 << 30
# A page of an inbox has at most so many entries.
INBOX_PAGE = 50

Keys = Mapping[str, bytes]
"""Names and values of a key space."""
KeyChanges = Mapping[str, bytes | None]
"""Names and values of a key space, None for a name without a value."""


class Holder(Struct, frozen=True):
    """The process that opened a fleet: its *host* and *pid*."""

    host: str
    pid: int


def own_holder() -> Holder:
    """Return this process as the holder of a fleet."""
    return Holder(socket.gethostname(), os.getpid())


class StoredRecord(Struct, frozen=True, gc=False):
    """One record: its *sequence* number, the *time* when it was made (Unix seconds), and its *data*."""

    sequence: int
    time: float
    data: bytes


class Checkpoint(Struct, frozen=True):
    """What the records up to number *sequence* amount to, in parts of some ten kilobytes."""

    sequence: int
    parts: Sequence[bytes]

    @property
    def size(self) -> int:
        """The bytes of all parts."""
        return sum(map(len, self.parts))


class Page(Struct, frozen=True):
    """Records in order, none where there are no newer ones; those up to number *removed_to* are not kept any more."""

    records: Sequence[StoredRecord]
    removed_to: int


class Opened(Struct, frozen=True):
    """A fleet that was opened: its new *term*, its *head*, and the seconds since the *last sign of life*.

    The head of a new fleet is 0, and its `silence` is None. Its term is 1, or a later one if the fleet was forgotten.
    """

    term: int
    head: int
    silence: float | None


class InboxEntry(Struct, frozen=True):
    """An entry of an inbox; numbers rise, and have gaps."""

    number: int
    data: bytes


class FleetEntry(Struct, frozen=True):
    """A fleet in a list of fleets.

    *name* is its name, *targets* how many it has, *term* the number of the process that has it, *head* that of its
    newest record; *holder* is that process. *last_seen* is when its holder last wrote or gave a sign of life, in Unix
    seconds; *is_held* is False once it has ended. *size* is the bytes of its records; *refused* counts the writes of
    earlier terms.
    """

    name: str
    targets: int
    term: int
    head: int
    holder: Holder
    last_seen: float
    size: int
    is_held: bool
    refused: int


class Store(Protocol):
    """A log of records and an inbox for each fleet, under its name, and key spaces; safe to share between processes.

    A key space is a small mapping of names to bytes, under the name of its *space*.

    Every method raises `JournalUnavailable` when the store cannot be reached, is locked or full, which may pass, and
    `JournalDamaged` or `JournalTooNew` when its content cannot be used. An append, or a change of keys, that raised
    `JournalUnavailable` may have been made. Methods of one store may run at the same time.
    """

    keeps: Keeps
    """How much of each fleet is kept."""

    async def aclose(self) -> None:
        """Release what the store holds open; harmless when repeated."""
        ...

    # Logs -----------------------------------------------------------------------------------------------------------

    async def open(self, name: str, holder: Holder, *, take_over: bool, after_term: int = 0) -> Opened:
        """Take the fleet *name* for *holder*, and begin its next term, one behind *after_term* as well.

        A fleet that does not exist is created. Raises `FleetBusy` without *take_over* when the present holder gave a
        sign of life within the last 25 seconds.
        """
        ...

    async def append(
        self,
        name: str,
        *,
        term: int,
        head: int,
        records: Sequence[StoredRecord],
        targets: int,
        taken_up: int = 0,
    ) -> None:
        """Append *records*, all or none, behind number *head*; this is a sign of life.

        *targets* is how many targets the fleet has now, which may be said without *records*, too. The entries up to number
        *taken_up* are removed from the fleet's inbox in the same step: their targets are in *records*, or in earlier ones.
        Succeeds without doing anything when the fleet has this term and its head is the last of *records* already. Raises
        `Superseded` when a later term has begun, and `StoreBehind` when the store has lost this term, or when the term is
        right and the head is neither.
        """
        ...

    async def write_checkpoint(
        self, name: str, checkpoint: Checkpoint, *, term: int, all_behind: int | None = None
    ) -> None:
        """Replace the fleet's checkpoint, all or none; records before it may be removed by age and size from now on.

        Raises `Superseded` or `StoreBehind` for another term, and `StoreBehind` when the store has lost a record that is
        in the checkpoint. With *all_behind* the checkpoint stands for all records instead: in the same step they are removed,
        and its number becomes the head. *all_behind* is the head before; `StoreBehind` is raised unless it is that, or the
        number of the checkpoint already.
        """
        ...

    async def checkpoint(self, name: str, *, text: bytes = b"") -> Checkpoint | None:
        """Return the fleet's checkpoint, None where there is none or no such fleet; parts without this *text* may come empty.

        Raises `JournalDamaged` for one of more than `MAX_CHECKPOINT` bytes, before more than these are in memory.
        """
        ...

    async def read(self, name: str, after: int, *, limit: int = 1000, text: bytes = b"") -> Page:
        """Return the records behind number *after*, at most *limit* of them; a fleet that does not exist has none.

        Those without this *text* may be left out, but for the last of a page, which may come empty.
        """
        ...

    async def wait_any(self, places: Mapping[str, int], *, seconds: float) -> Collection[str]:
        """Return the fleets that have a record behind the number in *places*, as soon as there are any.

        After so many *seconds* it returns none; with 0 it does not wait.
        """
        ...

    async def give_sign_of_life(self, name: str, *, term: int) -> int:
        """Record that the holder lives, and return the head; raises `Superseded` or `StoreBehind` for another term."""
        ...

    async def release(self, name: str, *, term: int) -> None:
        """Record that the holder has ended: the fleet is not busy any more; nothing for another term."""
        ...

    async def fleets(self) -> Sequence[FleetEntry]:
        """Return all fleets, by name."""
        ...

    async def fleet(self, name: str) -> FleetEntry | None:
        """Return one fleet, None where there is no such fleet."""
        ...

    async def forget(self, name: str) -> None:
        """Remove a fleet with all it has, its inbox as well; nothing where there is none. Its holder is superseded."""
        ...

    async def put(self, name: str, entries: Sequence[bytes]) -> None:
        """Put *entries* into the inbox of a fleet, which need not exist, all or none; they are stored when this returns."""
        ...

    async def inbox(self, name: str, after: int) -> Sequence[InboxEntry]:
        """Return the entries of an inbox behind number *after*, at most `INBOX_PAGE`."""
        ...

    async def inbox_size(self, name: str) -> int:
        """Return how many entries wait in an inbox."""
        ...

    # Key spaces -----------------------------------------------------------------------------------------------------

    async def keys(self, space: str, names: Sequence[str] = ()) -> Keys:
        """Return the keys of a space that have one of *names*, or all; a space that was never written has none."""
        ...

    async def change_keys(self, space: str, changes: KeyChanges, *, expected: KeyChanges) -> bool:
        """Set the values in *changes*, all or none, and remove the keys for which it has None.

        Returns False without doing anything unless each key in *expected* has the value there, None for no such key.
        A space without keys takes no room.
        """
        ...

    async def now(self) -> float:
        """Return the time by which the store measures signs of life, in Unix seconds."""
        ...


def check_size(name: str, size: int) -> None:
    """Raise `JournalDamaged` for a checkpoint of the fleet *name* that has more bytes than any that is written."""
    if size > MAX_CHECKPOINT:
        raise JournalDamaged(
            f"the checkpoint of {name!r} has more than {MAX_CHECKPOINT >> 20} MiB, and none that is written has"
        )
