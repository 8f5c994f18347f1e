"""How many requests may go out, and when the next one may."""

from __future__ import annotations

from attrs import define, field, setters, validators

INSTANT = 1e-6


@define(kw_only=True, on_setattr=setters.NO_OP)  # it counts every request: only who makes one is checked
class Limit:
    """A budget of requests: so many at once, so many a second, none while paused.

    *rate* is requests per second (None: as many as *in_flight* lets through), *burst* how many may go at once after a
    quiet time. Times are the caller's clock.
    """

    max_in_flight: int = field(default=32, validator=validators.gt(0))
    rate: float | None = field(default=None, validator=validators.optional(validators.gt(0.0)))
    burst: int = field(default=1, validator=validators.gt(0))
    in_flight: int = field(default=0, init=False)
    paused_until: float = field(default=0.0, init=False)
    _free_at: float = field(default=0.0, init=False)

    def wait(self, now: float) -> float | None:
        """Return 0 when a request may go, else the seconds to wait; None: until one comes back."""
        if self.in_flight >= self.max_in_flight:
            return None
        opens = self.paused_until
        if self.rate is not None:
            opens = max(opens, self._free_at - (self.burst - 1) / self.rate)
        # Less than a clock can tell is no wait: a timer for it would come back to the same moment.
        return opens - now if opens - now > INSTANT else 0.0

    def take(self, now: float) -> None:
        """Count a request that goes out at *now*."""
        self.in_flight += 1
        if self.rate is not None:
            self._free_at = max(self._free_at, now) + 1.0 / self.rate

    def give_back(self) -> None:
        """Count a request that came back."""
        self.in_flight -= 1

    def pause(self, until: float) -> None:
        """Let nothing out before *until*."""
        self.paused_until = max(self.paused_until, until)
