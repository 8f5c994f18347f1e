"""Fleets in shards in the memory of this process."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field

from bkjob_async.journal.shards import (
    INBOX_PAGE,
    FleetRecord,
    InboxEntry,
    ShardFigures,
    ShardReply,
    fleet_being_removed,
    granted_of,
    no_such_fleet,
    shard_name,
)

# Raises for another term than that of the fleet with this name; records a sign of life, and returns the head.
CheckTerm = Callable[[str, int], int]


@define
class MemoryShardedFleet:
    """What the store keeps of one fleet in shards."""

    settings: bytes
    created: float
    is_stopped: bool = False
    is_being_removed: bool = False
    figures: dict[int, ShardFigures] = field(factory=dict)
    durations: dict[int, bytes] = field(factory=dict)
    failures: dict[int, str] = field(factory=dict)


class MemoryShards:
    """Fleets in shards in dictionaries."""

    def __init__(self, check_term: CheckTerm) -> None:
        """Begin empty; *check_term* raises for a runner of another term."""
        self._check_term = check_term
        self._fleets: dict[str, MemoryShardedFleet] = {}
        self._inboxes: dict[str, list[InboxEntry]] = {}
        self._last_number = 0

    async def create(self, fleet: str, settings: bytes) -> bytes:
        """Create a fleet unless it exists, and return the settings that it has."""
        known = self._fleets.setdefault(fleet, MemoryShardedFleet(settings, time.time()))
        if known.is_being_removed:
            raise fleet_being_removed(fleet)
        if known.settings == settings:
            known.is_stopped = False
        return known.settings

    async def record(self, fleet: str) -> FleetRecord | None:
        """Return a fleet's record, None where there is no such fleet."""
        known = self._fleets.get(fleet)
        if known is None:
            return None
        return FleetRecord(
            known.settings, known.created, known.is_stopped, time.time(), known.is_being_removed
        )

    async def stop(self, fleet: str) -> None:
        """Record that the fleet is to stop."""
        self._known(fleet).is_stopped = True

    async def begin_removal(self, fleet: str) -> None:
        """Record that the fleet is being removed."""
        if fleet not in self._fleets:
            raise no_such_fleet(fleet)
        self._fleets[fleet].is_being_removed = True

    async def remove(self, fleet: str, shards: int) -> None:
        """Remove what is kept of a fleet of so many *shards* beside their journals."""
        self._fleets.pop(fleet, None)
        for shard in range(shards):
            self._inboxes.pop(shard_name(fleet, shard), None)

    async def put(self, fleet: str, shard: int, entries: Sequence[bytes]) -> None:
        """Append *entries* to the inbox of a shard."""
        inbox = self._inboxes.setdefault(shard_name(fleet, shard), [])
        for data in entries:
            self._last_number += 1
            inbox.append(InboxEntry(self._last_number, data))

    async def inbox(self, fleet: str, shard: int, after: int) -> Sequence[InboxEntry]:
        """Return the entries behind number *after*, at most `INBOX_PAGE`."""
        inbox = self._inboxes.get(shard_name(fleet, shard), [])
        first = bisect_right(inbox, after, key=lambda entry: entry.number)
        return inbox[first : first + INBOX_PAGE]

    async def inbox_size(self, fleet: str, shard: int) -> int:
        """Return how many entries wait in the inbox of a shard."""
        return len(self._inboxes.get(shard_name(fleet, shard), ()))

    async def report(self, fleet: str, shard: int, figures: ShardFigures, *, limit: int = 0) -> ShardReply:
        """Record a sign of life of the runner of a shard, and its *figures*."""
        head = self._check_term(shard_name(fleet, shard), figures.term)
        known = self._known(fleet)
        others = sum(each.claim for number, each in known.figures.items() if number != shard)
        granted = granted_of(figures.claim, limit, others)
        known.figures[shard] = ShardFigures(figures.term, figures.targets, figures.active, granted)
        active = sum(each.active for each in known.figures.values())
        return ShardReply(active, granted, known.is_stopped, head)

    async def figures(self, fleet: str) -> Mapping[int, ShardFigures]:
        """Return the newest figures of each shard that ever had a runner."""
        known = self._fleets.get(fleet)
        return {} if known is None else dict(known.figures)

    async def put_failure(self, fleet: str, shard: int, text: str) -> None:
        """Store what ended the runner of a shard; empty text for a runner that works."""
        known = self._fleets.get(fleet)
        if known is not None:
            known.failures.pop(shard, None)
            if text:
                known.failures[shard] = text

    async def failures(self, fleet: str) -> Mapping[int, str]:
        """Return what ended the newest runner of each shard where something did."""
        known = self._fleets.get(fleet)
        return {} if known is None else dict(known.failures)

    async def put_durations(self, fleet: str, shard: int, durations: bytes) -> None:
        """Store the durations that the runner of a shard measured."""
        self._known(fleet).durations[shard] = durations

    async def durations(self, fleet: str, shard: int) -> bytes | None:
        """Return the durations that the runners of a shard measured, None for none."""
        known = self._fleets.get(fleet)
        return None if known is None else known.durations.get(shard)

    # For the store ------------------------------------------------------------------------------------------------

    def remove_from_inbox(self, name: str, taken_up: int) -> None:
        """Remove the entries up to number *taken_up*: their targets are recorded."""
        inbox = self._inboxes.get(name)
        if inbox:
            del inbox[: bisect_right(inbox, taken_up, key=lambda entry: entry.number)]

    def forget(self, name: str) -> None:
        """Remove the inbox of a shard that is forgotten."""
        self._inboxes.pop(name, None)

    def _known(self, fleet: str) -> MemoryShardedFleet:
        known = self._fleets.get(fleet)
        if known is None:
            raise no_such_fleet(fleet)
        if known.is_being_removed:
            raise fleet_being_removed(fleet)
        return known
