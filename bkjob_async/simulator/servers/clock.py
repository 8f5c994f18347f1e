"""The simulated time: follows the event loop, and can be paused, scaled or advanced."""

from __future__ import annotations

import asyncio


class WorldClock:
    """Converts the event loop's time into the world's.

    It starts when it is first read. *speed* is how many seconds of the world pass in one of the loop's; a
    paused clock does not run until it is resumed.
    """

    def __init__(self, *, speed: float = 1.0) -> None:
        """Begin at zero, when first read."""
        self.speed = speed
        self._time = 0.0
        self._read_at: float | None = None
        self.is_paused = False

    def now(self) -> float:
        """Return the world's time, in seconds from its beginning; outside a loop only `advance` changes it."""
        try:
            read_at = asyncio.get_running_loop().time()
        except RuntimeError:
            return self._time
        if self._read_at is not None and not self.is_paused:
            # Another event loop has another time, which may be before that of the last one.
            self._time += max(0.0, read_at - self._read_at) * self.speed
        self._read_at = read_at
        return self._time

    def pause(self) -> float:
        """Stop the world's time; return it."""
        at = self.now()
        self.is_paused = True
        return at

    def resume(self) -> float:
        """Start the world's time again; return it."""
        at = self.now()
        self.is_paused = False
        return at

    def advance(self, seconds: float) -> float:
        """Advance the world's time; return it."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self.now()
        self._time += seconds
        return self._time
