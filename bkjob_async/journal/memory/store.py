"""A store in the memory of this process: for tests, and for watches of one process that follow each other."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence

from attrs import define, field

from bkjob_async.errors import Superseded
from bkjob_async.journal.event_loops import wake
from bkjob_async.journal.fleet_row import FleetRow
from bkjob_async.journal.keep import KEEP, Keep, Keeps
from bkjob_async.journal.store import (
    INBOX_PAGE,
    PAGE_BYTES,
    Checkpoint,
    FleetEntry,
    Holder,
    InboxEntry,
    KeyChanges,
    Keys,
    Opened,
    Page,
    StoredRecord,
)


@define(kw_only=True)
class MemoryFleet(FleetRow):
    """What the store keeps of one fleet; a forgotten one keeps its term only."""

    records: list[StoredRecord] = field(factory=list)
    parts: Sequence[bytes] = ()
    waiters: set[asyncio.Future[None]] = field(factory=set)

    def wake(self) -> None:
        """Let those go on who wait for another head, in this event loop and in those of other threads."""
        for waiter in tuple(self.waiters):
            wake(waiter)


class MemoryStore:
    """Fleets and keys in dictionaries; they live as long as this object."""

    def __init__(self, keep: Keep = KEEP) -> None:
        """Begin empty."""
        self.keeps = Keeps(keep)
        self._fleets: dict[str, MemoryFleet] = {}
        self._inboxes: dict[str, list[InboxEntry]] = {}
        self._last_entry = 0
        self._keys: dict[str, Keys] = {}

    async def aclose(self) -> None:
        """Do nothing: the content lives as long as this object."""

    # Writing --------------------------------------------------------------------------------------------------------

    async def open(self, name: str, holder: Holder, *, take_over: bool, after_term: int = 0) -> Opened:
        """Take the fleet *name* for *holder*, and begin its next term."""
        fleet = self._fleets.setdefault(name, MemoryFleet())
        return fleet.begin_term(name, holder, time.time(), take_over=take_over, after_term=after_term)

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
        """Append *records*, all or none, behind number *head*, and remove what they take up from the inbox."""
        fleet = self._held(name, term)
        if fleet.has_all(name, head, records):
            return
        fleet.take_records(records, targets, time.time())
        fleet.records += records
        inbox = self._inboxes.get(name, [])
        del inbox[: bisect_right(inbox, taken_up, key=lambda entry: entry.number)]
        fleet.wake()

    async def write_checkpoint(
        self, name: str, checkpoint: Checkpoint, *, term: int, all_behind: int | None = None
    ) -> None:
        """Replace the fleet's checkpoint, and remove what is older than it and not kept any more."""
        fleet = self._held(name, term)
        fleet.take_checkpoint(name, checkpoint.sequence, all_behind, time.time())
        fleet.parts = checkpoint.parts
        if all_behind is not None:
            fleet.records, fleet.size = [], 0
            fleet.wake()
        await self.give_sign_of_life(name, term=term)

    async def give_sign_of_life(self, name: str, *, term: int) -> int:
        """Record that the holder lives, and remove what has become too old; return the head."""
        fleet = self._held(name, term)
        fleet.last_seen = time.time()
        oldest = ((record.sequence, record.time, len(record.data)) for record in fleet.records)
        del fleet.records[: fleet.remove_oldest(oldest, self.keeps.of(name), fleet.last_seen)]
        return fleet.head

    async def release(self, name: str, *, term: int) -> None:
        """Record that the holder has ended."""
        fleet = self._fleets.get(name)
        if fleet is not None and fleet.term == term:
            fleet.is_held = False

    async def forget(self, name: str) -> None:
        """Remove a fleet with all it has; only its term is kept, so that its holder is refused."""
        fleet = self._fleets.get(name)
        if fleet is not None and not fleet.is_forgotten:
            self._fleets[name] = MemoryFleet(term=fleet.term + 1, is_forgotten=True)
        self._inboxes.pop(name, None)

    def _held(self, name: str, term: int) -> MemoryFleet:
        """Return a fleet for a writer of this *term*; raise `Superseded`."""
        fleet = self._fleets.get(name, MemoryFleet())
        try:
            fleet.check_term(name, term)
        except Superseded:
            fleet.refused += 1
            raise
        return fleet

    # Reading --------------------------------------------------------------------------------------------------------

    # All that is here is in the memory of those who read it: nothing is left out for a *text*.

    async def checkpoint(self, name: str, *, text: bytes = b"") -> Checkpoint | None:  # noqa: ARG002 - see above
        """Return the fleet's checkpoint, None where there is none or no such fleet."""
        fleet = self._fleets.get(name)
        if fleet is None or fleet.checkpoint is None:
            return None
        return Checkpoint(fleet.checkpoint, fleet.parts)

    async def read(self, name: str, after: int, *, limit: int = 1000, text: bytes = b"") -> Page:  # noqa: ARG002
        """Return the records behind number *after*, at most *limit* of them."""
        fleet = self._fleets.get(name)
        if fleet is None:
            return Page((), 0)
        first = bisect_right(fleet.records, after, key=lambda record: record.sequence)
        records: list[StoredRecord] = []
        size = 0
        for record in fleet.records[first : first + limit]:
            records.append(record)
            size += len(record.data)
            if size >= PAGE_BYTES:
                break
        return Page(records, fleet.removed_to)

    async def wait_any(self, places: Mapping[str, int], *, seconds: float) -> Collection[str]:
        """Return the fleets that have a record behind their number, none after so many *seconds*."""
        fleets = {name: self._fleets.setdefault(name, MemoryFleet(is_forgotten=True)) for name in places}

        def found() -> list[str]:
            return [name for name, fleet in fleets.items() if fleet.head > places[name]]

        if seconds > 0 and not found():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            for fleet in fleets.values():
                fleet.waiters.add(waiter)
            try:
                if not found():  # another thread may have appended meanwhile
                    await asyncio.wait((waiter,), timeout=seconds)
            finally:
                for fleet in fleets.values():
                    fleet.waiters.discard(waiter)
        return found()

    async def fleets(self) -> Sequence[FleetEntry]:
        """Return all fleets, by name."""
        return [fleet.entry(name) for name, fleet in sorted(self._fleets.items()) if not fleet.is_forgotten]

    async def fleet(self, name: str) -> FleetEntry | None:
        """Return one fleet, None where there is no such fleet."""
        fleet = self._fleets.get(name)
        return None if fleet is None or fleet.is_forgotten else fleet.entry(name)

    # Inboxes --------------------------------------------------------------------------------------------------------

    async def put(self, name: str, entries: Sequence[bytes]) -> None:
        """Put *entries* into the inbox of a fleet."""
        inbox = self._inboxes.setdefault(name, [])
        for data in entries:
            self._last_entry += 1
            inbox.append(InboxEntry(self._last_entry, data))

    async def inbox(self, name: str, after: int) -> Sequence[InboxEntry]:
        """Return the entries of an inbox behind number *after*, at most `INBOX_PAGE`."""
        inbox = self._inboxes.get(name, [])
        first = bisect_right(inbox, after, key=lambda entry: entry.number)
        return inbox[first : first + INBOX_PAGE]

    async def inbox_size(self, name: str) -> int:
        """Return how many entries wait in an inbox."""
        return len(self._inboxes.get(name, ()))

    # Keys -----------------------------------------------------------------------------------------------------------

    async def keys(self, space: str, names: Sequence[str] = ()) -> Keys:
        """Return the keys of a space that have one of *names*, or all."""
        found = self._keys.get(space, {})
        return {name: found[name] for name in names or found if name in found}

    async def change_keys(self, space: str, changes: KeyChanges, *, expected: KeyChanges) -> bool:
        """Set and remove keys, if those that are *expected* are there."""
        found = self._keys.get(space, {})
        if any(found.get(name) != value for name, value in expected.items()):
            return False
        self._keys[space] = {name: value for name, value in {**found, **changes}.items() if value is not None}
        return True

    async def now(self) -> float:
        """Return the time of this machine."""
        return time.time()
