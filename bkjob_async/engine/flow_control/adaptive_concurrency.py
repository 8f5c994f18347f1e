"""Adapt the number of requests in flight: additive increase, multiplicative decrease (AIMD)."""

from __future__ import annotations

from attrs import define, field, setters, validators

# A response is slow when it takes more than this many times the usual time for its size, plus this many
# seconds.
SLOW_FACTOR, SLOW_EXCESS = 2.0, 0.05
# Each response moves the usual time towards it by this factor.
DRIFT = 1.005
# A round has at least so many responses. One slow round may be chance; so many in a row are not.
SHORTEST_ROUND = 8
SLOW_ROUNDS = 2
DECREASE_SLOW, DECREASE_THROTTLED = 0.8, 0.5


@define(kw_only=True, on_setattr=setters.NO_OP)  # called for every response: only the constructor validates
class AIMDConcurrency:
    """The number of requests allowed at once, between 1 and *maximum*.

    Responses are judged in rounds of as many as are allowed at once. The number grows by one after a round
    that was not slow, if it was fully used in it. A response is compared with others of about its size,
    because large ones take long by nature.
    """

    maximum: int = field(default=32, validator=validators.gt(0))
    allowed: int = field(init=False)
    _usual_seconds: dict[int, float] = field(factory=dict, init=False)
    _responses: int = field(default=0, init=False)
    _slow: int = field(default=0, init=False)
    _slow_rounds: int = field(default=0, init=False)
    _was_full: bool = field(default=False, init=False)
    _decreased_at: float = field(default=-1.0, init=False)

    def __attrs_post_init__(self) -> None:
        """Start at the maximum."""
        self.allowed = self.maximum

    def on_response(self, now: float, *, sent: float, size: int, in_flight: int) -> None:
        """Count a response of *size* bytes to a request *sent* then, one of *in_flight*."""
        seconds = now - sent
        size_class = size.bit_length() >> 1 if size > 4096 else 0
        usual = self._usual_seconds.get(size_class)
        if usual is None:
            usual = self._usual_seconds[size_class] = seconds
        else:
            self._usual_seconds[size_class] = usual * DRIFT if seconds > usual else usual / DRIFT
        if in_flight >= self.allowed:
            self._was_full = True
        if sent > self._decreased_at:  # else it says nothing about the present number
            self._count(now, slow=seconds > SLOW_FACTOR * usual + SLOW_EXCESS)

    def on_timeout(self, now: float, *, sent: float) -> None:
        """Count a request *sent* then that got no response in time."""
        if sent > self._decreased_at:
            self._count(now, slow=True)

    def on_throttled(self, now: float, *, sent: float) -> None:
        """Decrease after a request *sent* then was refused; requests in flight together count once."""
        if sent > self._decreased_at:
            self._decrease(now, DECREASE_THROTTLED)

    def _count(self, now: float, *, slow: bool) -> None:
        """Count a response; judge the round when it is complete."""
        self._responses += 1
        self._slow += slow
        if self._responses < self.allowed or self._responses < SHORTEST_ROUND:
            return
        if 2 * self._slow > self._responses:
            self._slow_rounds += 1
            if self._slow_rounds >= SLOW_ROUNDS:
                self._decrease(now, DECREASE_SLOW)
        else:
            self._slow_rounds = 0
            if self._was_full and self.allowed < self.maximum:
                self.allowed += 1
        self._responses = self._slow = 0
        self._was_full = False

    def _decrease(self, now: float, factor: float) -> None:
        self.allowed = max(1, int(self.allowed * factor))
        self._decreased_at = now
        self._responses = self._slow = self._slow_rounds = 0
        self._was_full = False
