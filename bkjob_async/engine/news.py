"""What a look tells: events, and hosts that moved, which become events when somebody reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

from bkjob_async.engine.moves import NO_MOVES, Moves
from bkjob_async.model.events import Event, HostChanged
from bkjob_async.model.look import HostRow, with_all_names
from bkjob_async.model.refs import StepRef

# Of so few events it is not worth the room to remember which of them moved together.
FEW = 8


class HostMoves:
    """Hosts of one step that moved at one look; all become events when the first is read, the same for every reader."""

    __slots__ = ("__weakref__", "_build", "_built", "_moves", "_named", "_size", "ref")

    def __init__(
        self,
        ref: StepRef,
        moves: Moves,
        build: Callable[[Moves], Iterable[HostChanged]],
        named: Callable[[HostRow], HostRow] = with_all_names,
    ) -> None:
        """Hold *moves* of hosts of *ref* until they are read; *build* makes an event of each, their rows *named*."""
        self.ref = ref
        self._size = len(moves)
        self._moves = moves
        self._named = named
        self._build: Callable[[Moves], Iterable[HostChanged]] | None = build
        self._built: tuple[HostChanged, ...] = ()

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[HostChanged]:
        return iter(self.events())

    def __repr__(self) -> str:
        return f"<HostMoves {self.ref}: {self._size}>"

    def events(self) -> tuple[HostChanged, ...]:
        """Return the events, and let go of what they were made from."""
        self.let_go()
        if self._build is not None:
            self._built = tuple(self._build(self._moves))
            self._moves, self._build = NO_MOVES, None
        return self._built

    def let_go(self) -> None:
        """Read the rows in full, which may hold on to a whole answer until then."""
        named, self._named = self._named, with_all_names
        if named is not with_all_names:
            self._moves = self._moves.with_rows([row and named(row) for row in self._moves.rows])


News = Event | HostMoves


class Events(Sequence[Event]):
    """The events of a batch, like a tuple of them; those of hosts are made when they are first asked for.

    `parts` are what it was made from: an event each, or all hosts of a step that moved, as long as those are many or
    were not asked for.
    """

    __slots__ = ("_size", "_told", "parts")

    def __init__(self, parts: Sequence[News]) -> None:
        """Hold *parts* in their order."""
        self.parts = parts
        self._size = size_of(parts)
        self._told: tuple[Event, ...] | None = None

    def told(self) -> tuple[Event, ...]:
        """Return them as the tuple that they are like."""
        if self._told is None:
            told: list[Event] = []
            for part in self.parts:
                if isinstance(part, HostMoves):
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
        if isinstance(other, Events | tuple):
            return self.told() == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.told())

    def __repr__(self) -> str:
        return repr(self.told())


def size_of(parts: Sequence[News]) -> int:
    """Return how many events *parts* are."""
    return sum(len(part) if isinstance(part, HostMoves) else 1 for part in parts)


def parts_of(events: Sequence[Event]) -> Sequence[News]:
    """Return the parts of a batch's events, without making any event of a host that moved."""
    return events.parts if isinstance(events, Events) else events
