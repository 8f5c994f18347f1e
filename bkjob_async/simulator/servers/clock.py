"""The simulated time: follows the event loop, and can be paused, scaled or advanced."""

from __future__ import annotations

import asyncio


class WorldClock:
    """Converts the event loop's time into the world's.

    It begins to run when first asked. *speed* is how many seconds of the world pass in one of the loop's; a held
    clock stands still until it is resumed.
    """

    def __init__(self, *, speed: float = 1.0) -> None:
        """Begin at zero, when first asked."""
        self.speed = speed
        self._time = 0.0
        self._read_at: float | None = None
        self._paused = False

    def now(self) -> float:
        """Return the world's time, in seconds from its beginning; outside a loop it only moves by hand."""
        try:
            read_at = asyncio.get_running_loop().time()
        except RuntimeError:
            return self._time
        if self._read_at is not None and not self._paused:
            # A loop of its own begins anew; its time may be behind the last one's.
            self._time += max(0.0, read_at - self._read_at) * self.speed
        self._read_at = read_at
        return self._time

    def pause(self) -> float:
        """Stop the world's time; return it."""
        at = self.now()
        self._paused = True
        return at

    def resume(self) -> float:
        """Let time pass again; return it."""
        at = self.now()
        self._paused = False
        return at

    def advance(self, seconds: float) -> float:
        """Move the world's time on by hand; return it."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self.now()
        self._time += seconds
        return self._time

    @property
    def is_paused(self) -> bool:
        """Whether time stands still."""
        return self._paused
