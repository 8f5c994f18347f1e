"""A store in the memory of this process: for tests, and for watches of one process that follow each other."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Sequence

from attrs import define, field

from bkjob_async.errors import FleetBusy, Superseded
from bkjob_async.journal.store import Checkpoint, FleetEntry, Holder, Opened, Page, StoredRecord
from bkjob_async.model.journal_errors import StoreBehind

# A holder that gave a sign of life within so many seconds is alive.
ALIVE_SECONDS = 30.0


@define
class MemoryFleet:
    """What the store keeps of one fleet."""

    holder: Holder
    term: int = 0
    targets: int = 0
    last_seen: float | None = None
    is_held: bool = False
    records: list[StoredRecord] = field(factory=list)
    checkpoint: Checkpoint | None = None
    removed_to: int = 0

    @property
    def head(self) -> int:
        """The number of the newest record, 0 before the first."""
        return self.records[-1].sequence if self.records else self.removed_to


class MemoryStore:
    """Fleets in dictionaries; nothing is ever removed by age."""

    def __init__(self) -> None:
        """Begin empty."""
        self._fleets: dict[str, MemoryFleet] = {}

    async def open(self, name: str, holder: Holder, *, take_over: bool) -> Opened:
        """Take the fleet *name* for *holder*, and begin its next term."""
        now = time.time()
        fleet = self._fleets.setdefault(name, MemoryFleet(holder))
        silence = None if fleet.last_seen is None else max(0.0, now - fleet.last_seen)
        if not take_over and fleet.is_held and silence is not None and silence < ALIVE_SECONDS:
            raise FleetBusy(name, host=fleet.holder.host, pid=fleet.holder.pid, seconds=silence)
        fleet.term += 1
        fleet.holder, fleet.last_seen, fleet.is_held = holder, now, True
        return Opened(fleet.term, fleet.head, silence)

    async def append(
        self, name: str, *, term: int, head: int, records: Sequence[StoredRecord], targets: int
    ) -> None:
        """Append *records*, all or none, behind number *head*."""
        fleet = self._held(name, term)
        if records and fleet.head == records[-1].sequence:
            return
        if fleet.head != head:
            raise StoreBehind(f"the fleet {name!r} ends at {fleet.head}", term=term, head=fleet.head)
        fleet.records += records
        fleet.targets, fleet.last_seen = targets, time.time()

    async def write_checkpoint(self, name: str, checkpoint: Checkpoint, *, term: int) -> None:
        """Replace the fleet's checkpoint."""
        self._held(name, term).checkpoint = checkpoint

    async def checkpoint(self, name: str) -> Checkpoint | None:
        """Return the fleet's checkpoint, None where there is none or no such fleet."""
        fleet = self._fleets.get(name)
        return None if fleet is None else fleet.checkpoint

    async def read(self, name: str, after: int, *, limit: int = 1000) -> Page:
        """Return the records behind number *after*, at most *limit* of them."""
        fleet = self._fleets.get(name)
        if fleet is None:
            return Page((), 0)
        first = bisect_right(fleet.records, after, key=lambda record: record.sequence)
        return Page(tuple(fleet.records[first : first + limit]), fleet.removed_to)

    async def wait(self, name: str, after: int, *, seconds: float) -> None:
        """Return when there may be a record behind number *after*, or after so many *seconds*."""
        fleet = self._fleets.get(name)
        if fleet is None or fleet.head <= after:
            await asyncio.sleep(min(seconds, 0.01))

    async def give_sign_of_life(self, name: str, *, term: int) -> None:
        """Record that the holder lives."""
        self._held(name, term).last_seen = time.time()

    async def release(self, name: str, *, term: int) -> None:
        """Record that the holder has ended."""
        fleet = self._fleets.get(name)
        if fleet is not None and fleet.term == term:
            fleet.is_held = False

    async def fleets(self) -> Sequence[FleetEntry]:
        """Return all fleets, by name."""
        return [
            FleetEntry(
                name=name,
                targets=fleet.targets,
                term=fleet.term,
                head=fleet.head,
                holder=fleet.holder,
                last_seen=fleet.last_seen or 0.0,
                size=sum(len(record.data) for record in fleet.records),
            )
            for name, fleet in sorted(self._fleets.items())
        ]

    async def forget(self, name: str) -> None:
        """Remove a fleet with all it has."""
        self._fleets.pop(name, None)

    async def aclose(self) -> None:
        """Do nothing: the content lives as long as this object."""

    def _held(self, name: str, term: int) -> MemoryFleet:
        """Return a fleet for a writer of this *term*."""
        fleet = self._fleets.get(name)
        if fleet is None or fleet.term != term:
            current = 0 if fleet is None else fleet.term
            raise Superseded(f"the fleet {name!r} was opened elsewhere", term=term, current_term=current)
        return fleet
