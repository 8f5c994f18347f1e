"""The row of a fleet in a store, and what opening and writing the fleet make of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import define

from bkjob_async.errors import FleetBusy, Superseded
from bkjob_async.journal.keep import Keep
from bkjob_async.journal.store import ALIVE_SECONDS, FleetEntry, Holder, Opened, StoredRecord
from bkjob_async.model.journal_errors import StoreBehind

NOBODY = Holder("", 0)


@define(kw_only=True)
class FleetRow:
    """A fleet: who holds it, in which term, and where its records begin and end; of a forgotten one only the term counts.

    *checkpoint* is the number of the last record in its checkpoint. `id` is for the store alone.
    """

    id: int = 0
    term: int = 0
    head: int = 0
    holder: Holder = NOBODY
    is_held: bool = False
    last_seen: float | None = None
    targets: int = 0
    size: int = 0
    removed_to: int = 0
    checkpoint: int | None = None
    is_forgotten: bool = False
    refused: int = 0

    def begin_term(
        self, name: str, holder: Holder, now: float, *, take_over: bool, after_term: int
    ) -> Opened:
        """Begin the next term, one behind *after_term* as well, for *holder*; raise `FleetBusy` without *take_over*."""
        silence = None
        if self.last_seen is not None:
            silence = max(0.0, now - self.last_seen)
            # A sign of life from the future is one from before the clock was set back; who lives gives another soon.
            if self.is_held and not take_over and abs(now - self.last_seen) < ALIVE_SECONDS:
                raise FleetBusy(name, host=self.holder.host, pid=self.holder.pid, seconds=silence)
        self.term = max(self.term, after_term) + 1
        self.holder, self.last_seen, self.is_held, self.is_forgotten = holder, now, True, False
        return Opened(self.term, self.head, silence)

    def check_term(self, name: str, term: int) -> None:
        """Raise `Superseded` or `StoreBehind` for a writer of another *term*."""
        if self.term > term:
            raise superseded(name, term, self.term, None if self.is_forgotten else self.holder)
        if self.term < term:
            raise StoreBehind(
                f"the store does not know term {term} of {name!r}", term=self.term, head=self.head
            )

    def has_all(self, name: str, head: int, records: Sequence[StoredRecord]) -> bool:
        """Return True if *records* were appended before; raise `StoreBehind` where they do not follow."""
        if self.head == head:
            return False
        if records and self.head == records[-1].sequence:
            return True
        raise self._behind(name, head)

    def take_records(self, records: Sequence[StoredRecord], targets: int, now: float) -> None:
        """Count *records* that are appended, which is a sign of life; the fleet has so many *targets* now."""
        if records:
            self.head = records[-1].sequence
        self.size += sum(len(record.data) for record in records)
        self.targets, self.last_seen = targets, now

    def take_checkpoint(self, name: str, sequence: int, all_behind: int | None, now: float) -> None:
        """Note the last record of a new checkpoint, which with *all_behind* becomes the head.

        Raises `StoreBehind` where that record was lost, or the head is not what the checkpoint stands behind.
        """
        if all_behind is None and sequence > self.head:
            raise self._behind(name, sequence)
        if all_behind is not None:
            if self.head not in (all_behind, sequence):
                raise self._behind(name, all_behind)
            self.head = self.removed_to = sequence
        self.checkpoint, self.last_seen = sequence, now

    def remove_oldest(self, oldest: Iterable[tuple[int, float, int]], keep: Keep, now: float) -> int:
        """Count out the first of the *oldest* records that are not kept, and return how many these are.

        They are given as number, time and size, in order.
        """
        count, removed_to, kept_since = 0, self.removed_to, now - keep.age.total_seconds()
        for sequence, made_at, size in oldest:
            is_kept = made_at >= kept_since and self.size <= keep.bytes and sequence > removed_to
            if is_kept or self.checkpoint is None or sequence > self.checkpoint:
                break
            count, self.size, self.removed_to = count + 1, self.size - size, max(removed_to, sequence)
        return count

    def _behind(self, name: str, sequence: int) -> StoreBehind:
        return StoreBehind(
            f"the store has the records of {name!r} up to {self.head}, not {sequence}",
            term=self.term,
            head=self.head,
        )

    def entry(self, name: str) -> FleetEntry:
        """Return the fleet as the list shows it."""
        return FleetEntry(
            name=name,
            targets=self.targets,
            term=self.term,
            head=self.head,
            holder=self.holder,
            last_seen=self.last_seen or 0.0,
            size=self.size,
            is_held=self.is_held,
            refused=self.refused,
        )


def superseded(name: str, term: int, current_term: int, holder: Holder | None) -> Superseded:
    """Return the error of a writer whose fleet was opened by *holder*, or forgotten."""
    who = f"process {holder.pid} on {holder.host}" if holder else ""
    return Superseded(
        f"the fleet {name!r} was {f'opened by {who}' if who else 'forgotten'}: term {term} is over",
        term=term,
        current_term=current_term,
        holder=who,
    )
