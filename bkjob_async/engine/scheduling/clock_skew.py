"""Estimate the time of the platform's clock from the times in its responses."""

from __future__ import annotations

from msgspec import Struct

from bkjob_async.model.snapshot import Times

# How fast an old estimate loses its weight, because the clock may be set back: a tenth of a second in a
# quarter of an hour.
LEAK = 1e-4


class ServerClock(Struct):
    """The least by which the platform's clock is ahead of ours: no time in a response is in its future."""

    _ahead: float | None = None
    _at: float = 0.0

    def on_times(self, times: Times, now: float) -> None:
        """Update the estimate by the times in a response received at *now*."""
        for stamp in (times.create_time, times.start_time, times.end_time):
            if stamp is not None:
                ahead = stamp.timestamp() - now
                if self._ahead is None or ahead >= self._ahead - LEAK * (now - self._at):
                    self._ahead, self._at = ahead, now

    def age(self, times: Times, now: float) -> float:
        """Return the least number of seconds since something started; 0 where it is unknown."""
        if self._ahead is None or times.start_time is None:
            return 0.0
        return max(0.0, now + self._ahead - LEAK * (now - self._at) - times.start_time.timestamp())
