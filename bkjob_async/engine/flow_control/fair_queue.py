"""Fair queues: groups get equal shares, urgent items go first, no item waits for ever."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

G = TypeVar("G", bound=Hashable)
T = TypeVar("T")

# One of so many turns goes to the next priority, however many items of the first one wait.
URGENT_TURNS = 8


class FairQueue(Generic[G, T]):
    """A queue of items in groups: groups take turns, items of one group go first in, first out.

    Each turn costs its group 1, plus what `add_cost` adds. The group with the least cost has the next turn. A
    group that returns after a pause does not get back the turns that it did not use. Items for which
    *is_live* returns False are dropped when their turn comes.
    """

    # Start-time fair queueing: each group is a flow with a start tag; the virtual time is the tag of the last
    # turn.
    __slots__ = ("_flows", "_heap", "_is_live", "_number", "_virtual_time")

    def __init__(self, *, is_live: Callable[[T], bool] = lambda _item: True) -> None:
        self._is_live = is_live
        self._flows: dict[G, _Flow[T]] = {}
        self._heap: list[tuple[float, int, _Flow[T]]] = []
        self._virtual_time = 0.0
        self._number = 0

    def __bool__(self) -> bool:
        """Whether any item may wait; items that are no longer live are found by `pop` only."""
        return bool(self._heap)

    def push(self, group: G, item: T) -> None:
        """Append *item* to its *group*."""
        flow = self._flows.get(group)
        if flow is None:
            if len(self._flows) > 2 * len(self._heap) + 16:
                self._flows = {
                    g: flow for g, flow in self._flows.items() if flow.items or flow.tag > self._virtual_time
                }
            flow = self._flows[group] = _Flow()
        if not flow.items:
            flow.tag = max(flow.tag, self._virtual_time)
            self._number += 1
            heapq.heappush(self._heap, (flow.tag, self._number, flow))
        flow.items.append(item)

    def pop(self) -> T | None:
        """Remove and return the item that has the next turn, None when there is none."""
        heap = self._heap
        while heap:
            tag, _, flow = heap[0]
            if flow.tag > tag:  # cost was added meanwhile
                self._requeue_first(flow)
                continue
            while flow.items:
                item = flow.items.popleft()
                if not self._is_live(item):
                    continue
                self._virtual_time = tag
                flow.tag = tag + 1.0
                if flow.items:
                    self._requeue_first(flow)
                else:
                    heapq.heappop(heap)
                return item
            heapq.heappop(heap)
        return None

    def add_cost(self, group: G, cost: float) -> None:
        """Charge *group* for *cost* more turns, also when it has no item now."""
        flow = self._flows.get(group)
        if flow is None:
            flow = self._flows[group] = _Flow()
        flow.tag = max(flow.tag, self._virtual_time) + cost

    def clear(self) -> list[T]:
        """Remove all items; return those that were live."""
        live = [item for flow in self._flows.values() for item in flow.items if self._is_live(item)]
        self._flows.clear()
        self._heap.clear()
        return live

    def _requeue_first(self, flow: _Flow[T]) -> None:
        """Queue *flow*, the first of the heap, for a later turn."""
        self._number += 1
        heapq.heapreplace(self._heap, (flow.tag, self._number, flow))


class _Flow(Generic[T]):
    """The items of one group, and the start tag of its next turn."""

    __slots__ = ("items", "tag")

    def __init__(self) -> None:
        self.tag = 0.0
        self.items: deque[T] = deque()


class PriorityFairQueue(Generic[G, T]):
    """Fair queues of several priorities: items of the first, 0, go before all others, but one turn in eight is the others'."""

    __slots__ = ("_in_a_row", "_queues")

    def __init__(self, priorities: int, *, is_live: Callable[[T], bool] = lambda _item: True) -> None:
        self._queues: list[FairQueue[G, T]] = [FairQueue(is_live=is_live) for _ in range(priorities)]
        # How many turns each priority had since those behind it had one.
        self._in_a_row = [0] * priorities

    def __bool__(self) -> bool:
        return any(self._queues)

    def push(self, group: G, item: T, *, priority: int) -> None:
        """Append *item* to its *group* in the queue of its priority."""
        self._queues[priority].push(group, item)

    def pop(self, *, last: int) -> T | None:
        """Remove and return the item that has the next turn, of those up to priority *last*; None where there is none."""
        return self._pop(0, last)

    def _pop(self, priority: int, last: int) -> T | None:
        queue = self._queues[priority]
        if priority == last:
            return queue.pop()
        if self._in_a_row[priority] < URGENT_TURNS - 1:
            item = queue.pop()
            if item is not None:
                self._in_a_row[priority] += 1
                return item
        self._in_a_row[priority] = 0
        item = self._pop(priority + 1, last)
        return queue.pop() if item is None else item

    def add_cost(self, group: G, cost: float, *, priority: int) -> None:
        """Charge *group* for *cost* more turns."""
        self._queues[priority].add_cost(group, cost)

    def has_any(self, last: int) -> bool:
        """Return whether any item of the priorities up to *last* may wait."""
        return any(self._queues[: last + 1])

    def has(self, priority: int) -> bool:
        """Return whether any item of this priority may wait."""
        return bool(self._queues[priority])

    def clear(self) -> list[T]:
        """Remove all items; return those that were live."""
        return [item for queue in self._queues for item in queue.clear()]
