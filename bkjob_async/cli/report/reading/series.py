"""How counts changed as time passed, in a bounded number of points."""

from __future__ import annotations

from collections.abc import Sequence

# The narrowest bin, in seconds.
FIRST_WIDTH = 1.0


class Series:
    """Counts at the end of each bin of time; bins become twice as wide when there are too many.

    `points` are (bin, counts) in order, each held until the next; bin 0 begins at `origin`.
    """

    __slots__ = ("_bin", "_edge", "_limit", "origin", "points", "width")

    def __init__(self, origin: float, limit: int) -> None:
        """Begin at *origin* (seconds) with no point; keep at most *limit*."""
        self.origin = origin
        self.width = FIRST_WIDTH
        self.points: list[tuple[int, tuple[int, ...]]] = []
        self._limit = limit
        self._bin = 0
        self._edge = origin + FIRST_WIDTH

    def advance(self, now: float, counts: Sequence[int]) -> None:
        """Record that *counts* held until *now*; to be called before they change."""
        if now < self._edge:
            return
        add_point(self.points, self._bin, counts)
        self._bin = int((now - self.origin) / self.width)
        while len(self.points) > self._limit:
            self._widen()
        self._edge = self.origin + (self._bin + 1) * self.width

    def points_with(self, counts: Sequence[int]) -> list[tuple[float, tuple[int, ...]]]:
        """Return (seconds since the origin, counts) of all points, the last of them with the present *counts*."""
        points = [*self.points]
        add_point(points, self._bin, counts)
        return [(number * self.width, each) for number, each in points]

    def _widen(self) -> None:
        """Make bins twice as wide; of two points in one bin the later is kept."""
        self.width *= 2
        self._bin //= 2
        self.points = [*{number // 2: (number // 2, counts) for number, counts in self.points}.values()]


def add_point(points: list[tuple[int, tuple[int, ...]]], number: int, counts: Sequence[int]) -> None:
    """Add the *counts* of a bin unless nothing has changed; of two points in one bin the later is kept."""
    if points and points[-1][0] == number:
        points.pop()  # bins that became wider may have a point already
    kept = tuple(counts)
    if not points or points[-1][1] != kept:
        points.append((number, kept))
