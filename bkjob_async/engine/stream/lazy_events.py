"""What a look tells: events, and hosts that moved, which become events when somebody reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar, overload

from bkjob_async.engine.host_table.changes import NO_MOVES, Moves
from bkjob_async.model.events import Event, HostChanged, give_index, index_of
from bkjob_async.model.poll_view import HostRow, with_all_names
from bkjob_async.model.refs import StepRef

# Of so few events it is not worth the room to remember which of them moved together.
FEW = 8

# The first numbers, as objects that all events share; each event of larger batches has its own.
SHARED = 65_536
_numbers: list[int] = []

Build = Callable[[Moves, Iterable[int]], Iterable[HostChanged]]


class LazyHostEvents:
    """Hosts of one step that moved at one look; all become events when the first is read, the same for every reader.

    *before* is how many events of the same batch come before them.
    """

    __slots__ = ("__weakref__", "_build", "_built", "_moves", "_named", "_size", "before", "ref")

    def __init__(
        self,
        ref: StepRef,
        moves: Moves,
        build: Build,
        named: Callable[[HostRow], HostRow] = with_all_names,
    ) -> None:
        """Hold *moves* of hosts of *ref* until they are read.

        *build* makes an event of each, given their places in the batch, too; their rows are *named*.
        """
        self.ref = ref
        self.before = 0
        self._size = len(moves)
        self._moves = moves
        self._named = named
        self._build: Build | None = build
        self._built: tuple[HostChanged, ...] = ()

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[HostChanged]:
        return iter(self.events())

    def __repr__(self) -> str:
        return f"<LazyHostEvents {self.ref}: {self._size}>"

    def events(self) -> tuple[HostChanged, ...]:
        """Return the events, and let go of what they were made from."""
        self.let_go()
        if self._build is not None:
            self._built = tuple(self._build(self._moves, numbers(self.before + 1, self._size)))
            self._moves, self._build = NO_MOVES, None
        return self._built

    def let_go(self) -> None:
        """Read the rows in full, which may hold on to a whole answer until then."""
        named, self._named = self._named, with_all_names
        if named is not with_all_names:
            self._moves = self._moves.with_rows([row and named(row) for row in self._moves.rows])


EventOrLazy = Event | LazyHostEvents
N = TypeVar("N", bound=EventOrLazy)


class LazyEventList(Sequence[Event]):
    """The events of a batch, like a tuple of them; those of hosts are made when they are first asked for.

    `parts` are what it was made from: an event each, or all hosts of a step that moved, as long as those are many or
    were not asked for. `last_index` is the last place in the batch, including what other watches alone were told of it.
    """

    __slots__ = ("_size", "_told", "last_index", "parts")

    def __init__(self, parts: Sequence[EventOrLazy], *, last_index: int = 0) -> None:
        """Hold *parts* in their order."""
        self.parts = parts
        self.last_index = last_index
        self._size = size_of(parts)
        self._told: tuple[Event, ...] | None = None

    def told(self) -> tuple[Event, ...]:
        """Return them as the tuple that they are like."""
        if self._told is None:
            told: list[Event] = []
            for part in self.parts:
                if isinstance(part, LazyHostEvents):
                    told += part.events()
                else:
                    told.append(part)
            self._told = tuple(told)
            if self._size <= FEW:
                self.parts = self._told
        return self._told

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Event]:
        return iter(self.told())

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Event, ...]: ...

    def __getitem__(self, index: int | slice) -> Event | tuple[Event, ...]:
        return self.told()[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LazyEventList | tuple):
            return self.told() == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.told())

    def __repr__(self) -> str:
        return repr(self.told())


def size_of(parts: Sequence[EventOrLazy]) -> int:
    """Return how many events *parts* are."""
    return sum(len(part) if isinstance(part, LazyHostEvents) else 1 for part in parts)


def parts_of(events: Sequence[Event]) -> Sequence[EventOrLazy]:
    """Return the parts of a batch's events, without making any event of a host that moved."""
    return events.parts if isinstance(events, LazyEventList) else events


def numbered(parts: Sequence[N], *, behind: int = 0) -> Sequence[N]:
    """Give *parts* of a batch their places in it, *behind* so many, before anybody is told of them; return the parts.

    Watches leave out what does not concern them, and share the rest: places are those in the batch before that.
    """
    before = behind
    for part in parts:
        if isinstance(part, LazyHostEvents):
            part.before = before
            before += len(part)
        else:
            before += 1
            give_index(part, before)
    return parts


def numbers(first: int, size: int) -> Iterable[int]:
    """Return *size* numbers from *first* on, where they are not huge the same objects every time."""
    end = first + size
    if end > SHARED:
        return range(first, end)
    if end > len(_numbers):
        _numbers.extend(range(len(_numbers), end))
    return _numbers[first:end]


def last_index(events: Sequence[Event]) -> int:
    """Return the last place in a batch, of whose *events* some other watch may have been told more."""
    return events.last_index if isinstance(events, LazyEventList) else len(events)


def parts_behind(parts: Sequence[EventOrLazy], index: int) -> list[EventOrLazy]:
    """Return what comes behind the first *index* events of a batch, of which *parts* may be only some."""
    behind: list[EventOrLazy] = []
    for part in parts:
        if not isinstance(part, LazyHostEvents):
            if index_of(part) > index:
                behind.append(part)
        elif part.before >= index:
            behind.append(part)
        elif part.before + len(part) > index:
            behind += part.events()[index - part.before :]
    return behind
