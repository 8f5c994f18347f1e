"""Detect outages by the gap between responses, and say how fast to resume after one."""

from __future__ import annotations

from math import inf

from attrs import define, field, setters

# There was an outage when no response came for the usual response time plus this many seconds plus this many
# usual gaps between responses, and the first one then took this many seconds longer than usual. Polls may all go out in
# the same moment: the time until the next one is no outage.
MINIMUM_SILENCE, SILENT_GAPS = 0.5, 4.0
# Weight of the newest sample, and how many seconds one sample of the response rate spans.
NEWEST_WEIGHT, SAMPLE_SECONDS = 0.2, 1.0
MINIMUM_RATE = 1e-3
# Polls per second after an outage, where fewer are usual.
SLOWEST_RATE = 1.0


@define(kw_only=True, on_setattr=setters.NO_OP)  # called for every response
class OutageDetector:
    """Counts responses to polls; times are the caller's clock, in seconds.

    `rate` is the usual number of responses per second, None before it is known. Polls sent before
    `outage_ended_at` were in flight during the last outage.
    """

    rate: float | None = field(default=None, init=False)
    outage_ended_at: float = field(default=-inf, init=False)
    _usual_seconds: float = field(default=0.0, init=False)
    _last_response_at: float | None = field(default=None, init=False)
    _sample_began_at: float = field(default=0.0, init=False)
    _sample_count: int = field(default=0, init=False)

    def on_response(self, now: float, *, sent: float) -> bool:
        """Count the response to a poll *sent* then; return True if it ends an outage."""
        last, self._last_response_at = self._last_response_at, now
        if last is None:
            self._usual_seconds, self._sample_began_at = now - sent, now
            return False
        bound = (
            MINIMUM_SILENCE + self._usual_seconds + SILENT_GAPS / max(self.rate or SLOWEST_RATE, MINIMUM_RATE)
        )
        if now - last > bound and now - sent > self._usual_seconds + MINIMUM_SILENCE:
            # The rate is kept: it was measured before the outage.
            self._sample_began_at, self._sample_count, self.outage_ended_at = now, 0, now
            return True
        if sent < self.outage_ended_at:
            return False
        self._usual_seconds += NEWEST_WEIGHT * (now - sent - self._usual_seconds)
        self._sample_count += 1
        if now - self._sample_began_at >= SAMPLE_SECONDS:
            sample = self._sample_count / (now - self._sample_began_at)
            self.rate = sample if self.rate is None else self.rate + NEWEST_WEIGHT * (sample - self.rate)
            self._sample_began_at, self._sample_count = now, 0
        return False

    def on_circuit_open(self) -> None:
        """Forget the present sample: polling stops, so it says nothing about the usual rate."""
        self._last_response_at = None
        self._sample_count = 0

    def resume_rate(self, targets: int) -> float:
        """Return how many of *targets* to poll per second after an outage."""
        return max(SLOWEST_RATE, float(targets) if self.rate is None else self.rate)
