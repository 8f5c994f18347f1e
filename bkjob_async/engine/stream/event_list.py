"""The events of a batch: single ones, and those of many hosts that are made when they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TypeVar, overload

from bkjob_async.engine.stream.lazy_events import HostEventsCopy, LazyHostEvents
from bkjob_async.model.events import Event, give_index, index_of

# A list of so few events drops its parts once the events are made: a second reference each would cost more than it saves.
MAX_DROPPED_PARTS = 8

EventOrLazy = Event | LazyHostEvents
BatchPart = EventOrLazy | HostEventsCopy
LAZY = (LazyHostEvents, HostEventsCopy)
N = TypeVar("N", bound=EventOrLazy)


class LazyEventList(Sequence[Event]):
    """The events of a batch, equal to a tuple of them; events of hosts are made when they are first read.

    `parts` are single events, and one `LazyHostEvents` for each step whose hosts changed. A short list replaces its
    parts by the events once they are made; a long one keeps the parts, so that readers of other targets can skip them
    whole. `size` is their number, `last_index` is the index of the last event of the batch, including events that
    only other watches were given.
    """

    __slots__ = ("_events", "last_index", "parts", "size")

    def __init__(self, parts: Sequence[BatchPart], *, last_index: int = 0) -> None:
        """Hold *parts* in their order."""
        self.parts = parts
        self.size = event_count(parts)
        self.last_index = max(last_index, self.size)
        self._events: tuple[Event, ...] | None = None

    def materialize(self) -> tuple[Event, ...]:
        """Return the events as a tuple."""
        if self._events is None:
            self._events = tuple(chain.from_iterable(slices_of(self.parts)))
            if self.size <= MAX_DROPPED_PARTS:
                self.parts = self._events
        return self._events

    def materialize_in_slices(self) -> Iterator[None]:
        """Make the events, `SLICE_SIZE` at a time; `materialize` has little to do afterwards."""
        if self._events is None:
            events: list[Event] = []
            for each in slices_of(self.parts):
                events += each
                yield
            self._events = tuple(events)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Event]:
        return iter(self.materialize())

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Event, ...]: ...

    def __getitem__(self, index: int | slice) -> Event | tuple[Event, ...]:
        return self.materialize()[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LazyEventList | tuple):
            return self.materialize() == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.materialize())

    def __repr__(self) -> str:
        return repr(self.materialize())


def event_count(parts: Sequence[BatchPart]) -> int:
    """Return how many events *parts* are."""
    count = 0
    for part in parts:
        count += part.size if isinstance(part, LAZY) else 1
    return count


def slices_of(parts: Iterable[BatchPart]) -> Iterator[Sequence[Event]]:
    """Yield the events of *parts*, at most `SLICE_SIZE` at a time."""
    for part in parts:
        if isinstance(part, LAZY):
            yield from part.slices()
        else:
            yield (part,)


def parts_of(events: Sequence[Event]) -> Sequence[BatchPart]:
    """Return the parts of a batch's *events* without making any event."""
    return events.parts if isinstance(events, LazyEventList) else events


def split_last(part: EventOrLazy) -> tuple[Sequence[EventOrLazy], Event]:
    """Return all that *part* stands for but the last event, and that one; *part* is not to be used any more."""
    return part.split_last() if isinstance(part, LazyHostEvents) else ((), part)


def with_indexes(parts: Sequence[N], *, events_before: int = 0) -> Sequence[N]:
    """Give *parts* their indexes in the batch, after *events_before* others, and return them.

    Watches leave out what does not concern them and share the rest. So indexes are given once, in the batch of all.
    """
    before = events_before
    for part in parts:
        if isinstance(part, LazyHostEvents):
            part.events_before = before
            before += part.size
        else:
            before += 1
            give_index(part, before)
    return parts


def last_index(events: Sequence[Event]) -> int:
    """Return the index of the last event of a batch, of which *events* may be only one watch's share."""
    return events.last_index if isinstance(events, LazyEventList) else len(events)


def parts_after(parts: Sequence[BatchPart], index: int) -> list[BatchPart]:
    """Return what comes after the first *index* events of a batch, of which *parts* may be only a share."""
    after: list[BatchPart] = []
    for part in parts:
        if isinstance(part, HostEventsCopy):
            raise TypeError("copies of events have no place in a batch")
        if not isinstance(part, LazyHostEvents):
            if index_of(part) > index:
                after.append(part)
            continue
        before = part.events_before or 0
        if before >= index:
            after.append(part)
        elif before + part.size > index:
            after.append(HostEventsCopy(part, begin=index - before))
    return after
