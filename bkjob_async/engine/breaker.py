"""Whether the way to the platform is open, or only single probes may try it."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import define, field


@define(kw_only=True)
class Breaker:
    """Opens when different targets fail one after another with no success between.

    *threshold* failures of *distinct* targets in a row (all of them, where there are fewer) open it; then one probe at
    a time may go, after *first* seconds, doubling up to *longest*; the first success closes it.
    """

    threshold: int = 5
    distinct: int = 3
    first: float = 1.0
    longest: float = 30.0
    is_open: bool = field(default=False, init=False)
    probe_at: float = field(default=0.0, init=False)
    _failures: int = field(default=0, init=False)
    _failed: set[Hashable] = field(factory=set, init=False)
    _probes: int = field(default=0, init=False)

    @property
    def is_calm(self) -> bool:
        """Whether nothing has failed since the last success."""
        return not (self._failures or self.is_open)

    def succeeded(self) -> bool:
        """Count a success; return whether it closed an open breaker."""
        self._failures = 0
        self._failed.clear()
        was_open, self.is_open = self.is_open, False
        self._probes = 0
        return was_open

    def failed(self, target: Hashable, now: float, *, targets: int, at_once: bool = False) -> bool:
        """Count a failure of *target* among *targets*; return whether it opened the breaker.

        *at_once* opens it with this one failure: credentials fail for all.
        """
        if self.is_open:
            self._probes += 1
            self.probe_at = now + min(self.first * 2.0 ** min(self._probes, 10), self.longest)
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
        self.probe_at = now + self.first
        return True
