"""How many requests at once are good for the platform: up by one while it keeps up, down by a share when it does not."""

from __future__ import annotations

from attrs import define, field, setters, validators

# An answer is slow when it takes more than twice the time that is usual for its size, and this much, in seconds.
SLOW_FACTOR, SLOW_EXCESS = 2.0, 0.05
# How fast the usual time follows: it moves by so much with each answer, towards it.
DRIFT = 1.005
# A round is at least so many answers; one slow round may be a hiccup, two in a row are not.
SHORTEST_ROUND = 8
SLOW_ROUNDS = 2
BACK_OFF, BACK_OFF_REFUSED = 0.8, 0.5


@define(kw_only=True, on_setattr=setters.NO_OP)  # it judges every answer: only who makes one is checked
class AIMDConcurrency:
    """The number of requests allowed at once, between 1 and *most*.

    Answers are judged in rounds of as many as are allowed at once. It grows only after a round in which all places were
    taken. Answers are compared with others of about their size, for large ones take long by nature.
    """

    most: int = field(default=32, validator=validators.gt(0))
    allowed: int = field(init=False)
    _usual: dict[int, float] = field(factory=dict, init=False)
    _answers: int = field(default=0, init=False)
    _slow: int = field(default=0, init=False)
    _slow_rounds: int = field(default=0, init=False)
    _was_full: bool = field(default=False, init=False)
    _changed_at: float = field(default=-1.0, init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with all that is allowed."""
        self.allowed = self.most

    def answered(self, now: float, *, sent: float, size: int, in_flight: int) -> None:
        """Take in an answer of *size* bytes to a request *sent* then, one of *in_flight*."""
        seconds = now - sent
        kind = size.bit_length() >> 1 if size > 4096 else 0
        usual = self._usual.get(kind)
        if usual is None:
            usual = self._usual[kind] = seconds
        else:
            self._usual[kind] = usual * DRIFT if seconds > usual else usual / DRIFT
        if in_flight >= self.allowed:
            self._was_full = True
        if sent > self._changed_at:  # else it says nothing about what is allowed now
            self._count(now, slow=seconds > SLOW_FACTOR * usual + SLOW_EXCESS)

    def unanswered(self, now: float, *, sent: float) -> None:
        """Take in that a request *sent* then got no answer in time."""
        if sent > self._changed_at:
            self._count(now, slow=True)

    def refused(self, now: float, *, sent: float) -> None:
        """Take in that a request *sent* then was one too many at once; those under way with it count as one."""
        if sent > self._changed_at:
            self._shrink(now, BACK_OFF_REFUSED)

    def _count(self, now: float, *, slow: bool) -> None:
        """Count an answer; judge those of a round at its end."""
        self._answers += 1
        self._slow += slow
        if self._answers < self.allowed or self._answers < SHORTEST_ROUND:
            return
        if 2 * self._slow > self._answers:
            self._slow_rounds += 1
            if self._slow_rounds >= SLOW_ROUNDS:
                self._shrink(now, BACK_OFF)
        else:
            self._slow_rounds = 0
            if self._was_full and self.allowed < self.most:
                self.allowed += 1
        self._answers = self._slow = 0
        self._was_full = False

    def _shrink(self, now: float, share: float) -> None:
        self.allowed = max(1, int(self.allowed * share))
        self._changed_at = now
        self._answers = self._slow = self._slow_rounds = 0
        self._was_full = False
