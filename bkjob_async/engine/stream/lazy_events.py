"""Events of hosts that are made when they are read.

A poll of a large step may change ten thousand hosts. The log then holds one `LazyHostEvents` in place of ten thousand
`HostChanged`; the events are made once, a slice at a time, when the first reader asks for them, and all readers share them.
Until then the lazy object may keep the decoded response alive, because the events read their rows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat

from msgspec.structs import replace

from bkjob_async.engine.host_table.changes import NO_CHANGES, StatusChanges
from bkjob_async.engine.stream.host_columns import HostEventColumns, columns_of
from bkjob_async.model.events import HostChanged, cursor_in_batch
from bkjob_async.model.poll_view import HostRow, with_all_names
from bkjob_async.model.refs import HostKey, StepRef
from bkjob_async.model.status import host_status
from bkjob_async.model.structures.lazy_tuple import SLICE_SIZE

_NONE_MADE: list[HostChanged] = []  # shared, never changed

MakeEvents = Callable[[StatusChanges, Iterable[int]], Iterable[HostChanged]]
MakeColumns = Callable[[StatusChanges], HostEventColumns]


class LazyHostEvents:
    """The host changes of one step in one poll; they become events when they are read, `SLICE_SIZE` at a time.

    `size` is how many they are, `events_before` the number of events before them in the same batch; None for events
    without a place in a batch, as those of a present state.
    """

    __slots__ = (
        "__weakref__",
        "_changes",
        "_columns",
        "_events",
        "_make",
        "_make_columns",
        "_with_names",
        "events_before",
        "ref",
        "size",
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

        *make* is given some of the changes and their indexes in the batch, and returns an event for each. *with_names*
        returns a row with all its names; it may read the response. *columns* returns what the events say without making
        them.
        """
        self.ref = ref
        self.events_before: int | None = None
        self.size = len(changes.places)
        self._changes = changes
        self._with_names = with_names
        self._make = make
        self._make_columns = columns
        self._columns: HostEventColumns | None = None
        self._events = _NONE_MADE

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[HostChanged]:
        return chain.from_iterable(self.slices())

    def __repr__(self) -> str:
        return f"<LazyHostEvents {self.ref}: {self.size}>"

    def slices(self) -> Iterator[Sequence[HostChanged]]:
        """Yield the events, at most `SLICE_SIZE` at a time, and make those that were not read yet."""
        if self.size <= SLICE_SIZE:
            yield self._made_up_to(self.size)
            return
        if self._with_names is not with_all_names and not self._events:
            row = self._changes.rows[0]
            if row is not None:
                self._with_names(row)  # reading the first name takes a large response apart
                yield ()
        for begin in range(0, self.size, SLICE_SIZE):
            end = min(begin + SLICE_SIZE, self.size)
            yield self._made_up_to(end)[begin:end]

    def materialize(self) -> Sequence[HostChanged]:
        """Return all events, and release what they were made from."""
        return self._made_up_to(self.size)

    def _made_up_to(self, end: int) -> Sequence[HostChanged]:
        """Return the events that were made, at least the first *end*."""
        begin = len(self._events)
        if begin >= end:
            return self._events
        changes = self._all_changes()
        if end - begin < self.size:
            changes = changes[begin:end]
        if self._with_names is not with_all_names:
            changes = changes.with_rows([row and self._with_names(row) for row in changes.rows])
        before = self.events_before
        indexes: Iterable[int] = (
            repeat(0, end - begin) if before is None else range(before + begin + 1, before + end + 1)
        )
        made = self._make_some(changes, indexes)
        if self._events:
            self._events += made
        else:
            self._events = [*made]
        if end == self.size:
            self._changes, self._make, self._make_columns, self._columns = NO_CHANGES, no_events, None, None
            self._with_names = with_all_names
        return self._events

    def last_ending_in(self, codes: Collection[int], limit: int) -> Sequence[HostChanged]:
        """Return the last of the events with one of these codes after them, at most *limit*; no other is made."""
        if len(self._events) == self.size:
            return [event for event in self._events if event.after.code in codes][-limit:]
        changes = self._all_changes()
        wanted = [n for n, after in enumerate(changes.afters) if after in codes][-limit:]
        if not wanted:
            return ()
        some = changes.at(wanted)
        if self._with_names is not with_all_names:
            some = some.with_rows([row and self._with_names(row) for row in some.rows])
        before = self.events_before or 0
        return [*self._make_some(some, [before + n + 1 for n in wanted])]

    def _all_changes(self) -> StatusChanges:
        """Return all changes that the events are made from."""
        columns = self._columns
        if columns is None:
            return self._changes
        return StatusChanges(range(self.size), columns.befores, columns.afters, [None] * self.size)

    def _make_some(self, changes: StatusChanges, indexes: Iterable[int]) -> Iterable[HostChanged]:
        """Return the events of some changes, from the columns where they were asked for."""
        columns = self._columns
        return (
            self._make(changes, indexes)
            if columns is None
            else make_events(self.ref, columns, changes, indexes)
        )

    def columns(self) -> HostEventColumns:
        """Return what the events say as columns, without making them where that is possible.

        From then on they are made from the columns, so that the response can be freed.
        """
        if self._columns is not None:
            return self._columns
        if self._with_names is not with_all_names:
            self.release_response()
        if self._make_columns is None:
            return columns_of(self.materialize())
        columns = self._columns = self._make_columns(self._changes)
        self._changes, self._make, self._make_columns = NO_CHANGES, no_events, None
        return columns

    def split_last(self) -> tuple[Sequence[LazyHostEvents | HostChanged], HostChanged]:
        """Return all events but the last, and the last, the only one to be made if none was made before."""
        if self._events or self.size == 1:
            *others, last = self.materialize()
            return others, last
        changes = self._all_changes()
        first = LazyHostEvents(self.ref, changes[:-1], self._make_some, self._with_names)
        end = LazyHostEvents(self.ref, changes[-1:], self._make_some, self._with_names)
        if self.events_before is not None:
            first.events_before = self.events_before
            end.events_before = self.events_before + len(first)
        return (first,), end.materialize()[0]

    def release_response(self) -> None:
        """Read all names of the rows now, so that the response can be freed; no event is made."""
        with_names, self._with_names = self._with_names, with_all_names
        if with_names is not with_all_names:
            self._changes = self._changes.with_rows([row and with_names(row) for row in self._changes.rows])


def no_events(changes: StatusChanges, indexes: Iterable[int]) -> Iterable[HostChanged]:  # noqa: ARG001 - as all that make events
    """Return nothing: all events were made, or are made from columns."""
    return ()


def host_events(
    ref: StepRef,
    hosts: Iterable[HostKey],
    changes: StatusChanges,
    indexes: Iterable[int],
    *,
    tags: Iterable[str | None],
    exit_codes: Iterable[int | None],
    execute_count: int,
    epoch: int,
    cursor: str,
    skipped: bool = False,
) -> list[HostChanged]:
    """Return the events of *changes* of *hosts* of step *ref*."""
    return [
        HostChanged(
            ref=ref,
            host=host,
            execute_count=execute_count,
            before=None if before is None else host_status(before),
            after=host_status(after),
            tag=tag,
            exit_code=exit_code,
            epoch=epoch,
            skipped=skipped,
            cursor=cursor_in_batch(cursor, index),
        )
        for host, before, after, index, tag, exit_code in zip(
            hosts, changes.befores, changes.afters, indexes, tags, exit_codes, strict=False
        )
    ]


def make_events(
    ref: StepRef, columns: HostEventColumns, changes: StatusChanges, indexes: Iterable[int]
) -> list[HostChanged]:
    """Return the events of step *ref* in *columns* that are numbered in *changes*."""
    numbers = changes.places
    return host_events(
        ref,
        columns.hosts.host_keys(numbers),
        changes,
        indexes,
        tags=[columns.tags[number] for number in numbers],
        exit_codes=[columns.exit_codes[number] for number in numbers],
        execute_count=columns.execute_count,
        epoch=columns.epoch,
        cursor=columns.cursor,
        skipped=columns.skipped,
    )


def events_from(ref: StepRef, columns: HostEventColumns, events_before: int) -> LazyHostEvents:
    """Return the events of step *ref* in *columns*, which are made when they are read."""
    size = len(columns.afters)
    changes = StatusChanges(range(size), columns.befores, columns.afters, [None] * size)
    events = LazyHostEvents(ref, changes, partial(make_events, ref, columns))
    events.events_before = events_before
    return events


class HostEventsCopy:
    """Events of a `LazyHostEvents` for one reader: those behind the first *begin*, with another cursor or as skipped.

    They are made as they are read, and are not kept. They have no place in a batch.
    """

    events_before = None

    __slots__ = ("_begin", "_change", "_source", "ref", "size")

    def __init__(
        self,
        source: LazyHostEvents | HostEventsCopy,
        *,
        begin: int = 0,
        cursor: str | None = None,
        skipped: bool = False,
    ) -> None:
        """Stand for events of *source*; with a *cursor* they have no place in a batch."""
        self.ref: StepRef = source.ref
        self._source = source
        self._begin = begin
        self.size: int = source.size - begin
        self._change: Callable[[HostChanged], HostChanged] | None = None
        if cursor is not None or skipped:
            self._change = partial(copied_event, cursor=cursor, skipped=skipped)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[HostChanged]:
        return chain.from_iterable(self.slices())

    def slices(self) -> Iterator[Sequence[HostChanged]]:
        """Yield the events, at most `SLICE_SIZE` at a time."""
        left, change = self._begin, self._change
        for events in self._source.slices():
            if left >= len(events):
                left -= len(events)
                continue
            found, left = events[left:] if left else events, 0
            yield found if change is None else [change(event) for event in found]

    def columns(self) -> HostEventColumns:
        """Return what the events say as columns."""
        return columns_of(list(self))


def copied_event(event: HostChanged, *, cursor: str | None, skipped: bool) -> HostChanged:
    """Return *event* with another *cursor*, or as *skipped*."""
    return replace(event, cursor=event.cursor if cursor is None else cursor, skipped=skipped or event.skipped)
