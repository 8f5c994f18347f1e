"""Whose turn it is, when several want the same thing: equal shares, urgent first, nobody left out."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

G = TypeVar("G", bound=Hashable)
T = TypeVar("T")

# Of so many turns one goes to the background, however much is urgent.
URGENT_TURNS = 8


class FairQueue(Generic[G, T]):
    """Things of several groups; the groups take turns, and within a group the first to come is the first.

    Each turn costs its group 1, and what it is charged on top; the group that has had least is next. A group that comes
    back after a pause has no claim to the turns it did not take. What *wanted* says no to is left out in silence.
    """

    # Start-time fair queueing: every line has a tag, the queue's clock is the tag of the last turn.
    __slots__ = ("_clock", "_lines", "_number", "_order", "_wanted")

    def __init__(self, *, wanted: Callable[[T], bool] = lambda _thing: True) -> None:
        self._wanted = wanted
        self._lines: dict[G, _Line[T]] = {}
        self._order: list[tuple[float, int, _Line[T]]] = []
        self._clock = 0.0
        self._number = 0

    def __bool__(self) -> bool:
        """Whether anybody may be waiting; those who left are found out by `pop` only."""
        return bool(self._order)

    def push(self, group: G, thing: T) -> None:
        """Put *thing* behind all others of its *group*."""
        line = self._lines.get(group)
        if line is None:
            if len(self._lines) > 2 * len(self._order) + 16:
                self._lines = {
                    g: line for g, line in self._lines.items() if line.things or line.tag > self._clock
                }
            line = self._lines[group] = _Line()
        if not line.things:
            line.tag = max(line.tag, self._clock)
            self._enlist(line)
        line.things.append(thing)

    def pop(self) -> T | None:
        """Remove and return whatever has the next turn, None when nobody waits."""
        order = self._order
        while order:
            tag, _, line = order[0]
            if line.tag > tag:  # it was charged meanwhile
                self._enlist_again(line)
                continue
            while line.things:
                thing = line.things.popleft()
                if not self._wanted(thing):
                    continue
                self._clock = tag
                line.tag = tag + 1.0
                if line.things:
                    self._enlist_again(line)
                else:
                    heapq.heappop(order)
                return thing
            heapq.heappop(order)
        return None

    def charge(self, group: G, cost: float) -> None:
        """Make *group* pay *cost* turns more than the one it had; one without any thing to do pays, too."""
        line = self._lines.get(group)
        if line is None:
            line = self._lines[group] = _Line()
        line.tag = max(line.tag, self._clock) + cost

    def clear(self) -> list[T]:
        """Remove everything and return what was still wanted."""
        left = [thing for line in self._lines.values() for thing in line.things if self._wanted(thing)]
        self._lines.clear()
        self._order.clear()
        return left

    def _enlist(self, line: _Line[T]) -> None:
        self._number += 1
        heapq.heappush(self._order, (line.tag, self._number, line))

    def _enlist_again(self, line: _Line[T]) -> None:
        """Enlist *line*, the first, for a later turn."""
        self._number += 1
        heapq.heapreplace(self._order, (line.tag, self._number, line))


class _Line(Generic[T]):
    """The things of one group, and how far it has come."""

    __slots__ = ("tag", "things")

    def __init__(self) -> None:
        self.tag = 0.0
        self.things: deque[T] = deque()


class PriorityFairQueue(Generic[G, T]):
    """Two fair queues: what is urgent goes first, but one turn in eight is the background's."""

    __slots__ = ("_background", "_row", "_urgent")

    def __init__(self, *, wanted: Callable[[T], bool] = lambda _thing: True) -> None:
        self._urgent: FairQueue[G, T] = FairQueue(wanted=wanted)
        self._background: FairQueue[G, T] = FairQueue(wanted=wanted)
        self._row = 0

    def __bool__(self) -> bool:
        return bool(self._urgent) or bool(self._background)

    def push(self, group: G, thing: T, *, urgent: bool) -> None:
        """Put *thing* behind all others of its *group* and kind."""
        (self._urgent if urgent else self._background).push(group, thing)

    def pop(self, *, background: bool = True) -> T | None:
        """Remove and return whatever has the next turn; with *background* False only what is urgent."""
        if not background:
            return self._urgent.pop()
        if self._row < URGENT_TURNS - 1:
            thing = self._urgent.pop()
            if thing is not None:
                self._row += 1
                return thing
        self._row = 0
        thing = self._background.pop()
        return self._urgent.pop() if thing is None else thing

    def charge(self, group: G, cost: float, *, urgent: bool) -> None:
        """Make *group* pay *cost* turns more than the one it had."""
        (self._urgent if urgent else self._background).charge(group, cost)

    @property
    def has_urgent(self) -> bool:
        """Whether anything urgent may be waiting."""
        return bool(self._urgent)

    def clear(self) -> list[T]:
        """Remove everything and return what was still wanted."""
        return [*self._urgent.clear(), *self._background.clear()]
