"""Much to do, a slice at a time: how much is enough for one turn of the loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from bkjob_async.model.refs import Ref

# A slice ends after so many seconds, or after so many things where each takes next to nothing.
LONGEST_SLICE = 0.002
LARGEST_SLICE = 64


def slice_is_over(done: int, seconds: float) -> bool:
    """Whether a slice in which so much was *done* in so many *seconds* is over."""
    return done >= LARGEST_SLICE or seconds >= LONGEST_SLICE


class Requests:
    """What is to be watched from now on, and what no longer: in the order in which it was said."""

    __slots__ = ("_refs", "_runs")

    def __init__(self) -> None:
        self._refs: deque[Ref] = deque()
        # How many of the refs that come next are wanted, or not wanted.
        self._runs: deque[tuple[bool, int]] = deque()

    def __bool__(self) -> bool:
        return bool(self._refs)

    def put(self, refs: Iterable[Ref], *, wanted: bool) -> None:
        """Put *refs* behind all others."""
        before = len(self._refs)
        self._refs.extend(refs)
        self._runs.append((wanted, len(self._refs) - before))

    def pop(self) -> tuple[Ref, bool]:
        """Remove and return the first, and whether it is wanted."""
        wanted, left = self._runs.popleft()
        while not left:
            wanted, left = self._runs.popleft()
        self._runs.appendleft((wanted, left - 1))
        return self._refs.popleft(), wanted

    def clear(self) -> None:
        """Forget them all."""
        self._refs.clear()
        self._runs.clear()
