"""How often answers come, and whether none came for so long that what is overdue would go out in a burst."""

from __future__ import annotations

from math import inf

from attrs import define, field, setters

# The platform stood still when no answer came for this many seconds longer than one takes, and for this many usual gaps
# between answers.
STILL, GAPS = 0.5, 4.0
# How much of the newest sample counts; samples of the rate are this long, in seconds.
NEWEST, SAMPLE = 0.2, 1.0
LEAST_RATE = 1e-3
# Looks a second after an outage where fewer are usual.
SLOWEST_RATE = 1.0


@define(kw_only=True, on_setattr=setters.NO_OP)  # it counts every answer
class Recovery:
    """Counts answers to looks; times are the caller's clock, in seconds.

    `rate` is how many come in a second while all is well, None before that is known.
    """

    rate: float | None = field(default=None, init=False)
    _seconds: float = field(default=0.0, init=False)
    _still_until: float = field(default=-inf, init=False)
    _heard_at: float | None = field(default=None, init=False)
    _since: float = field(default=0.0, init=False)
    _count: int = field(default=0, init=False)

    def answered(self, now: float, *, sent: float) -> bool:
        """Count the answer to a look *sent* then; return whether the platform stood still before it."""
        heard_at, self._heard_at = self._heard_at, now
        if heard_at is None:
            self._seconds, self._since = now - sent, now
            return False
        bound = STILL + self._seconds + GAPS / max(self.rate or SLOWEST_RATE, LEAST_RATE)
        if now - heard_at > bound and now - sent > self._seconds:
            # What is known of the rate is kept: it was measured before.
            self._since, self._count, self._still_until = now, 0, now
            return True
        if self.was_held_up(sent):
            return False
        self._seconds += NEWEST * (now - sent - self._seconds)
        self._count += 1
        if now - self._since >= SAMPLE:
            sample = self._count / (now - self._since)
            self.rate = sample if self.rate is None else self.rate + NEWEST * (sample - self.rate)
            self._since, self._count = now, 0
        return False

    def was_held_up(self, sent: float) -> bool:
        """Return whether a look *sent* then was under way while the platform stood still."""
        return sent < self._still_until

    def paused(self) -> None:
        """Take note of an outage: what comes next says nothing about the usual rate."""
        self._heard_at = None
        self._count = 0

    def rate_again(self, targets: int) -> float:
        """Return how many of *targets* to look at in a second, after an outage."""
        return max(SLOWEST_RATE, float(targets) if self.rate is None else self.rate)
