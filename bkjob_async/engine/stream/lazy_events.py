"""Events of hosts that are made when somebody reads them.

A poll of a large step may change ten thousand hosts. The log then holds one `LazyHostEvents` in place of ten thousand
`HostChanged`; the events are made once, when the first reader asks for one, and all readers share them. Until then the
lazy object may keep the decoded response alive, because the events read their rows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar, overload

from bkjob_async.engine.host_table.changes import NO_CHANGES, StatusChanges
from bkjob_async.engine.stream.host_columns import HostEventColumns, columns_of
from bkjob_async.model.events import Event, HostChanged, give_index, index_of
from bkjob_async.model.poll_view import HostRow, with_all_names
from bkjob_async.model.refs import StepRef

# A list of so few events drops its parts once the events are made: a second reference each would cost more than it saves.
MAX_DROPPED_PARTS = 8

# Indexes below this are shared `int` objects; the events of larger batches have one of their own each.
SHARED_INDEXES = 65_536
_indexes: list[int] = []

MakeEvents = Callable[[StatusChanges, Iterable[int]], Iterable[HostChanged]]
MakeColumns = Callable[[StatusChanges], HostEventColumns]


class LazyHostEvents:
    """The host changes of one step in one poll; all become events when the first is read.

    `events_before` is the number of events before them in the same batch.
    """

    __slots__ = (
        "__weakref__",
        "_changes",
        "_columns",
        "_events",
        "_make",
        "_size",
        "_with_names",
        "events_before",
        "ref",
    )

    def __init__(
        self,
        ref: StepRef,
        changes: StatusChanges,
        make: MakeEvents,
        with_names: Callable[[HostRow], HostRow] = with_all_names,
        columns: MakeColumns | None = None,
    ) -> None:
        """Hold the *changes* of hosts of *ref* until they are read.

        *make* is given the changes and their indexes in the batch, and returns an event for each. *with_names* returns a
        row with all its names; it may read the response. *columns* returns what the events say without making them.
        """
        self.ref = ref
        self.events_before = 0
        self._size = len(changes)
        self._changes = changes
        self._with_names = with_names
        self._make: MakeEvents | None = make
        self._columns = columns
        self._events: tuple[HostChanged, ...] = ()

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[HostChanged]:
        return iter(self.materialize())

    def __repr__(self) -> str:
        return f"<LazyHostEvents {self.ref}: {self._size}>"

    def materialize(self) -> tuple[HostChanged, ...]:
        """Return the events, and release what they were made from."""
        self.release_response()
        if self._make is not None:
            self._events = tuple(
                self._make(self._changes, shared_indexes(self.events_before + 1, self._size))
            )
            self._changes, self._make, self._columns = NO_CHANGES, None, None
        return self._events

    def columns(self) -> HostEventColumns:
        """Return what the events say as columns, without making them where that is possible."""
        return columns_of(self.materialize()) if self._columns is None else self._columns(self._changes)

    def release_response(self) -> None:
        """Read all names of the rows now, so that the response can be freed; no event is made."""
        with_names, self._with_names = self._with_names, with_all_names
        if with_names is not with_all_names:
            self._changes = self._changes.with_rows([row and with_names(row) for row in self._changes.rows])


EventOrLazy = Event | LazyHostEvents
N = TypeVar("N", bound=EventOrLazy)


class LazyEventList(Sequence[Event]):
    """The events of a batch, equal to a tuple of them; events of hosts are made when they are first read.

    `parts` are single events, and one `LazyHostEvents` for each step whose hosts changed. A short list replaces its parts
    by the events once they are made; a long one keeps the parts, so that readers of other targets can skip them whole.
    `last_index` is the index of the last event of the batch, including events that only other watches were given.
    """

    __slots__ = ("_events", "_size", "last_index", "parts")

    def __init__(self, parts: Sequence[EventOrLazy], *, last_index: int = 0) -> None:
        """Hold *parts* in their order."""
        self.parts = parts
        self.last_index = last_index
        self._size = event_count(parts)
        self._events: tuple[Event, ...] | None = None

    def materialize(self) -> tuple[Event, ...]:
        """Return the events as a tuple."""
        if self._events is None:
            events: list[Event] = []
            for part in self.parts:
                if isinstance(part, LazyHostEvents):
                    events += part.materialize()
                else:
                    events.append(part)
            self._events = tuple(events)
            if self._size <= MAX_DROPPED_PARTS:
                self.parts = self._events
        return self._events

    def __len__(self) -> int:
        return self._size

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


def event_count(parts: Sequence[EventOrLazy]) -> int:
    """Return how many events *parts* are."""
    return sum(len(part) if isinstance(part, LazyHostEvents) else 1 for part in parts)


def parts_of(events: Sequence[Event]) -> Sequence[EventOrLazy]:
    """Return the parts of a batch's *events* without making any event."""
    return events.parts if isinstance(events, LazyEventList) else events


def with_indexes(parts: Sequence[N], *, events_before: int = 0) -> Sequence[N]:
    """Give *parts* their indexes in the batch, after *events_before* others, and return them.

    Watches leave out what does not concern them and share the rest. So indexes are given once, in the batch of all.
    """
    before = events_before
    for part in parts:
        if isinstance(part, LazyHostEvents):
            part.events_before = before
            before += len(part)
        else:
            before += 1
            give_index(part, before)
    return parts


def shared_indexes(first: int, size: int) -> Iterable[int]:
    """Return *size* indexes from *first* on; small ones are the same `int` objects every time."""
    end = first + size
    if end > SHARED_INDEXES:
        return range(first, end)
    if end > len(_indexes):
        _indexes.extend(range(len(_indexes), end))
    return _indexes[first:end]


def last_index(events: Sequence[Event]) -> int:
    """Return the index of the last event of a batch, of which *events* may be only one watch's share."""
    return events.last_index if isinstance(events, LazyEventList) else len(events)


def parts_after(parts: Sequence[EventOrLazy], index: int) -> list[EventOrLazy]:
    """Return what comes after the first *index* events of a batch, of which *parts* may be only a share."""
    after: list[EventOrLazy] = []
    for part in parts:
        if not isinstance(part, LazyHostEvents):
            if index_of(part) > index:
                after.append(part)
        elif part.events_before >= index:
            after.append(part)
        elif part.events_before + len(part) > index:
            after += part.materialize()[index - part.events_before :]
    return after
