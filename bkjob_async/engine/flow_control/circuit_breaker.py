"""Circuit breaker: after failures of different targets only single probes go out."""

from __future__ import annotations

from collections.abc import Hashable
from math import inf

from attrs import define, field


@define(kw_only=True)
class CircuitBreaker:
    """Opens when different targets fail one after another without a success between them.

    *threshold* failures in a row of *distinct_targets* targets open it (of all targets, where there are
    fewer). While it is open, single probes may go: the first after *first_wait* seconds. The wait doubles
    with each probe up to *longest_wait*, or up to *longest_wait_refused* where credentials were refused. A
    probe without a response does not delay the next one. Failures of requests that were in flight when it
    opened do not count. The first success of a request sent afterwards closes it. `failures` is how many
    failures counted since the last success.
    """

    threshold: int = 5
    distinct_targets: int = 3
    first_wait: float = 0.5
    longest_wait: float = 1.5
    longest_wait_refused: float = 5.0
    is_open: bool = field(default=False, init=False)
    probe_at: float = field(default=0.0, init=False)
    failures: int = field(default=0, init=False)
    _failed_targets: set[Hashable] = field(factory=set, init=False)
    _opened_at: float = field(default=-inf, init=False)
    _wait: float = field(default=0.0, init=False)
    _wait_bound: float = field(default=0.0, init=False)

    def try_probe(self, now: float) -> bool:
        """Return True if a probe may go out at *now*, and count it."""
        if now < self.probe_at:
            return False
        self._wait = min(2.0 * self._wait, self._wait_bound)
        self.probe_at = now + self._wait
        return True

    def on_success(self, now: float, *, sent: float) -> bool:
        """Count a success of a request *sent* then; return True if it closed an open breaker.

        A response to a request from before the opening proves nothing if it comes within *first_wait* seconds
        of it.
        """
        if self.is_open and sent < self._opened_at and now < self._opened_at + self.first_wait:
            return False
        self.failures = 0
        self._failed_targets.clear()
        was_open, self.is_open = self.is_open, False
        return was_open

    def on_failure(self, target: Hashable, now: float, *, targets: int, at_once: bool = False) -> bool:
        """Count a failure of *target*, one of *targets*; return True if it opened the breaker.

        *at_once* opens it with this one failure, because it concerns all targets (refused credentials).
        """
        if self.is_open:
            return False
        self.failures += 1
        if len(self._failed_targets) < self.distinct_targets:
            self._failed_targets.add(target)
        if not at_once and (
            targets < 2
            or self.failures < min(self.threshold, targets)
            or len(self._failed_targets) < min(self.distinct_targets, targets)
        ):
            return False
        self.is_open = True
        self._opened_at = now
        self._wait_bound = self.longest_wait_refused if at_once else self.longest_wait
        self._wait = self.first_wait
        self.probe_at = now + self.first_wait
        return True
