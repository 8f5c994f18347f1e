"""Whether the way to the platform is open, or only single probes may try it."""

from __future__ import annotations

from collections.abc import Hashable
from math import inf

from attrs import define, field


@define(kw_only=True)
class CircuitBreaker:
    """Opens when different targets fail one after another with no success between.

    *threshold* failures of *distinct* targets in a row (all of them, where there are fewer) open it. Single probes may
    then go, the first after *first* seconds; the wait between two doubles up to *longest*, or up to *longest_refused*
    where credentials were refused. A probe that gets no answer does not hold up the next. FailureDetails of requests that were
    already under way count for nothing; the first success of one that went out afterwards closes it.
    """

    threshold: int = 5
    distinct: int = 3
    first: float = 0.5
    longest: float = 1.5
    longest_refused: float = 5.0
    is_open: bool = field(default=False, init=False)
    probe_at: float = field(default=0.0, init=False)
    _failures: int = field(default=0, init=False)
    _failed: set[Hashable] = field(factory=set, init=False)
    _opened_at: float = field(default=-inf, init=False)
    _wait: float = field(default=0.0, init=False)
    _longest_now: float = field(default=0.0, init=False)

    @property
    def has_no_failures(self) -> bool:
        """Whether nothing has failed since the last success."""
        return not (self._failures or self.is_open)

    def probe(self, now: float) -> bool:
        """Return whether a probe may go out at *now*; count it if so."""
        if now < self.probe_at:
            return False
        self._wait = min(2.0 * self._wait, self._longest_now)
        self.probe_at = now + self._wait
        return True

    def succeeded(self, now: float, *, sent: float) -> bool:
        """Count a success of a request *sent* then; return whether it closed an open breaker.

        An answer that was already under way when the breaker opened, and comes right afterwards, proves nothing.
        """
        if self.is_open and sent < self._opened_at and now < self._opened_at + self.first:
            return False
        self._failures = 0
        self._failed.clear()
        was_open, self.is_open = self.is_open, False
        return was_open

    def failed(self, target: Hashable, now: float, *, targets: int, at_once: bool = False) -> bool:
        """Count a failure of *target* among *targets*; return whether it opened the breaker.

        *at_once* opens it with this one failure: credentials fail for all.
        """
        if self.is_open:
            return False
        self._failures += 1
        if len(self._failed) < self.distinct:
            self._failed.add(target)
        if not at_once and (
            targets < 2
            or self._failures < min(self.threshold, targets)
            or len(self._failed) < min(self.distinct, targets)
        ):
            return False
        self.is_open = True
        self._opened_at = now
        self._longest_now = self.longest_refused if at_once else self.longest
        self._wait = self.first
        self.probe_at = now + self.first
        return True
