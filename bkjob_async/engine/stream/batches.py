"""Batches: where their events stand, and what is left of a batch for a reader that has some of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from msgspec.structs import force_setattr

from bkjob_async.model.events import UNKNOWN_TIME, Batch, Event, HostChanged

T = TypeVar("T")

# So many events are handled at a time, which takes a few milliseconds: other tasks may run in between.
SLICE_SIZE = 1_000


def place_behind(events: Sequence[Event], cursor: str, at: datetime) -> None:
    """Give *events* in place of others that were missed the *cursor* of the batch behind which those were, and a time."""
    for event in events:
        force_setattr(event, "cursor", cursor)
        if event.at is UNKNOWN_TIME:
            force_setattr(event, "at", at)


def place_of(event: Event) -> int:
    """Return the number of *event* in its batch, from 1; 0 where it has none."""
    return int(event.cursor.partition(".")[2] or 0)


def last_place(batch: Batch) -> int:
    """Return the number of the last event of a batch, of which its events may be only one watch's share."""
    return max(batch.size, len(batch.events))


def rest_of(batch: Batch, place: int) -> Batch | None:
    """Return the events of *batch* behind number *place*, None for none."""
    events = tuple(event for event in batch.events if place_of(event) > place)
    return Batch(batch.sequence, events, batch.cursor, at=batch.at, size=batch.size) if events else None


def run_of(event: Event) -> tuple[object, ...] | None:
    """Return what events of hosts have in common of one step and execution, which are handled together; None for other events."""
    if type(event) is not HostChanged:
        return None
    return id(event.ref), event.execute_count, event.epoch, event.skipped


def slices_of(events: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield *events*, at most `SLICE_SIZE` at a time."""
    if len(events) <= SLICE_SIZE:
        yield events
        return
    for begin in range(0, len(events), SLICE_SIZE):
        yield events[begin : begin + SLICE_SIZE]
