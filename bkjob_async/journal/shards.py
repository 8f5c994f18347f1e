"""What a fleet in shards needs of a store, beside the journals of its shards.

A fleet in shards has settings, and so many shards, each of which is a fleet of its own in the journal: shard 3 of `night`
is the fleet `night/3`, with a term, a head and a log. Beside them the store keeps

* the settings, as bytes, and whether the fleet was stopped;
* for each shard an *inbox*: entries, as bytes, in the order of their numbers. Whoever adds targets writes there; the append
  that records these targets removes the entry in the same step (`Store.append`);
* for each shard the figures that its runner reported last;
* for each shard the durations that its runner measured, as bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from bkjob_async.errors import FleetNotFound

# A page of an inbox has at most so many entries.
INBOX_PAGE = 50


class FleetRecord(Struct, frozen=True):
    """A fleet in shards: its *settings*, when it was created (Unix seconds), and what time the store has *now*.

    One that *is_being_removed* is there for nobody but those who remove it.
    """

    settings: bytes
    created: float
    is_stopped: bool
    now: float
    is_being_removed: bool = False


class ShardFigures(Struct, frozen=True):
    """What a runner reported of its shard in *term*: how many *targets* it has, and how many of them are *active*, not over.

    *claim* is the part of the fleet's rate that it asks for, and that it has in what a store returns: whole millionths of a
    request per second.
    """

    term: int = 0
    targets: int = 0
    active: int = 0
    claim: int = 0


class ShardReply(Struct, frozen=True):
    """The answer to a sign of life: the *active* targets of all shards together, and what was *granted* of the claim.

    *head* is that of the shard's journal: a smaller one than the runner knows says that the store has lost records.
    """

    active: int
    granted: int
    is_stopped: bool
    head: int = 0


class InboxEntry(Struct, frozen=True):
    """An entry of an inbox; numbers rise, and have gaps."""

    number: int
    data: bytes


class ShardStore(Protocol):
    """Fleets in shards; errors are those of `Store`. *fleet* is the name of the fleet, *shard* a number from 0 on.

    What raises `FleetNotFound` for a fleet that there is not does so for one that is being removed.
    """

    async def create(self, fleet: str, settings: bytes) -> bytes:
        """Create a fleet unless it exists, and return the settings that it has.

        A fleet that was stopped, and has these settings, is not stopped any more. Raises `FleetNotFound` for one that is
        being removed.
        """
        ...

    async def record(self, fleet: str) -> FleetRecord | None:
        """Return a fleet's record, None where there is no such fleet."""
        ...

    async def stop(self, fleet: str) -> None:
        """Record that the fleet is to stop; raises `FleetNotFound`."""
        ...

    async def begin_removal(self, fleet: str) -> None:
        """Record that the fleet is being removed; raises `FleetNotFound` where there is none. Harmless when repeated."""
        ...

    async def remove(self, fleet: str, shards: int) -> None:
        """Remove what is kept of a fleet of so many *shards* beside their journals; harmless when repeated."""
        ...

    async def put(self, fleet: str, shard: int, entries: Sequence[bytes]) -> None:
        """Append *entries* to the inbox of a shard, all or none; they are stored when this returns."""
        ...

    async def inbox(self, fleet: str, shard: int, after: int) -> Sequence[InboxEntry]:
        """Return the entries behind number *after*, at most `INBOX_PAGE`."""
        ...

    async def inbox_size(self, fleet: str, shard: int) -> int:
        """Return how many entries wait in the inbox of a shard."""
        ...

    async def report(self, fleet: str, shard: int, figures: ShardFigures, *, limit: int = 0) -> ShardReply:
        """Record a sign of life of the runner of a shard, and its *figures*.

        So much of the claim is granted that the claims of all shards together do not exceed *limit*. Raises
        `Superseded` or `StoreBehind` for another term than that of the shard, and `FleetNotFound`.
        """
        ...

    async def figures(self, fleet: str) -> Mapping[int, ShardFigures]:
        """Return the newest figures of each shard that ever had a runner."""
        ...

    async def put_failure(self, fleet: str, shard: int, text: str) -> None:
        """Store what ended the runner of a shard; empty text for a runner that works. Nothing where there is no fleet."""
        ...

    async def failures(self, fleet: str) -> Mapping[int, str]:
        """Return what ended the newest runner of each shard where something did."""
        ...

    async def put_durations(self, fleet: str, shard: int, durations: bytes) -> None:
        """Store the durations that the runner of a shard measured, in place of what it had."""
        ...

    async def durations(self, fleet: str, shard: int) -> bytes | None:
        """Return the durations that the runners of a shard measured, None for none."""
        ...


def shard_name(fleet: str, shard: int) -> str:
    """Return the name under which a shard is a fleet in the journal."""
    return f"{fleet}/{shard}"


def granted_of(claim: int, limit: int, others: int) -> int:
    """Return how much of a *claim* is granted where *others* have so much of the *limit*."""
    return max(0, min(claim, limit - others))


def no_such_fleet(fleet: str) -> FleetNotFound:
    """Return the error of a fleet in shards that was never created."""
    return FleetNotFound(f"there is no fleet {fleet!r} in shards; create it first")


def fleet_being_removed(fleet: str) -> FleetNotFound:
    """Return the error of a fleet in shards whose removal has begun."""
    return FleetNotFound(f"the fleet {fleet!r} is being removed; if that was interrupted, forget it again")
