"""Adapt the number of requests in flight: additive increase, multiplicative decrease (AIMD)."""

from __future__ import annotations

from math import inf

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


@define(kw_only=True, on_setattr=setters.NO_OP)  # changed for every response: only the constructor validates
class AIMDConcurrency:
    """The number of requests allowed at once, between 1 and *maximum*.

    Responses are judged in rounds of `round_size`, at least as many as are allowed at once. The number grows by one after a
    round that was not slow, if it was fully used in it. A response is compared with others of about its size, because
    large ones take long by nature.

    Whoever gets a response adds to `round` its seconds, its bytes and how many requests were in flight, and calls
    `end_round` when it has `round_size`. One to a request from before `decreased_at` says nothing about the present number.
    """

    maximum: int = field(default=32, validator=validators.gt(0))
    allowed: int = field(init=False)
    round_size: int = field(init=False)
    round: list[tuple[float, int, int]] = field(factory=list, init=False)
    decreased_at: float = field(default=-1.0, init=False)
    _usual_seconds: dict[int, float] = field(factory=dict, init=False)
    _slow_rounds: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        """Start at the maximum."""
        self._begin_round(self.maximum)

    def end_round(self, now: float) -> None:
        """Judge the responses of a round that is complete *now*, and begin the next one."""
        slow = sum(self._is_slow(seconds, size) for seconds, size, _ in self.round)
        if 2 * slow > len(self.round):
            self._slow_rounds += 1
            if self._slow_rounds >= SLOW_ROUNDS:
                self._decrease(now, DECREASE_SLOW)
                return
        else:
            self._slow_rounds = 0
        was_full = any(in_flight >= self.allowed for _, _, in_flight in self.round)
        grows = not self._slow_rounds and was_full and self.allowed < self.maximum
        self._begin_round(self.allowed + grows)

    def on_timeout(self, now: float, *, sent: float) -> None:
        """Count a request *sent* then that got no response in time."""
        if sent > self.decreased_at:
            self.round.append((inf, 0, 0))
            if len(self.round) >= self.round_size:
                self.end_round(now)

    def on_throttled(self, now: float, *, sent: float) -> None:
        """Decrease after a request *sent* then was refused; requests in flight together count once."""
        if sent > self.decreased_at:
            self._decrease(now, DECREASE_THROTTLED)

    def _is_slow(self, seconds: float, size: int) -> bool:
        """Return whether a response of *size* bytes took far longer than usual, and learn what is usual."""
        if seconds == inf:
            return True
        size_class = size.bit_length() >> 1 if size > 4096 else 0
        usual = self._usual_seconds.get(size_class)
        if usual is None:
            usual = self._usual_seconds[size_class] = seconds
        else:
            self._usual_seconds[size_class] = usual * DRIFT if seconds > usual else usual / DRIFT
        return seconds > SLOW_FACTOR * usual + SLOW_EXCESS

    def _decrease(self, now: float, factor: float) -> None:
        self.decreased_at, self._slow_rounds = now, 0
        self._begin_round(max(1, int(self.allowed * factor)))

    def _begin_round(self, allowed: int) -> None:
        """Begin a round with so many requests *allowed* at once."""
        self.allowed, self.round_size = allowed, max(allowed, SHORTEST_ROUND)
        self.round.clear()
