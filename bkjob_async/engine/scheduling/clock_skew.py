"""What the platform's clock shows, as far as its own stamps give it away."""

from __future__ import annotations

from bkjob_async.model.snapshot import Times

# A clock that was set back is believed again after a while: a tenth of a second in a quarter of an hour.
LEAK = 1e-4


class ServerClock:
    """How far the platform's clock is ahead of ours, at least: no stamp is of a time that it had not reached."""

    __slots__ = ("_ahead", "_at")

    def __init__(self) -> None:
        self._ahead: float | None = None
        self._at = 0.0

    def on_times(self, times: Times, now: float) -> None:
        """Take in the stamps of an answer that came at *now*."""
        for stamp in (times.create_time, times.start_time, times.end_time):
            if stamp is not None:
                ahead = stamp.timestamp() - now
                if self._ahead is None or ahead >= self._ahead - LEAK * (now - self._at):
                    self._ahead, self._at = ahead, now

    def age(self, times: Times, now: float) -> float:
        """Return how long ago, at least, something started; 0 where nobody can tell."""
        if self._ahead is None or times.start_time is None:
            return 0.0
        return max(0.0, now + self._ahead - LEAK * (now - self._at) - times.start_time.timestamp())
