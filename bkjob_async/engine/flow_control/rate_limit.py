"""The bounds of all requests of one client: so many at once, so many a second."""

from __future__ import annotations

from attrs import Factory, define, field, setters, validators

from bkjob_async.engine.flow_control.adaptive_concurrency import AIMDConcurrency

INSTANT = 1e-6


@define(kw_only=True, on_setattr=setters.NO_OP)  # it counts every request: only who makes one is checked
class RateLimiter:
    """What all requests of a client may take together: so many at once, so many a second.

    *rate* is requests per second (None: as many as *max_in_flight* lets through), *burst* how many may go at once after
    a quiet time. `concurrency` may allow fewer at once than *max_in_flight*. Times are the caller's clock.
    """

    max_in_flight: int = field(default=32, validator=validators.gt(0))
    rate: float | None = field(default=None, validator=validators.optional(validators.gt(0.0)))
    burst: int = field(default=1, validator=validators.gt(0))
    in_flight: int = field(default=0, init=False)
    opens: float = field(default=0.0, init=False)
    concurrency: AIMDConcurrency = field(
        default=Factory(lambda self: AIMDConcurrency(most=self.max_in_flight), takes_self=True), init=False
    )
    _free_at: float = field(default=0.0, init=False)

    @property
    def is_full(self) -> bool:
        """Whether no more may be under way; the next one to come back makes room."""
        return self.in_flight >= self.concurrency.allowed

    def wait(self, now: float) -> float | None:
        """Return 0 when a request may go, else the seconds to wait; None: until one comes back."""
        if self.in_flight >= self.concurrency.allowed:
            return None
        return waiting_time(self.opens, now)

    def take(self, now: float) -> None:
        """Count a request that goes out at *now*."""
        self.in_flight += 1
        if self.rate is not None:
            self._free_at = max(self._free_at, now) + 1.0 / self.rate
            self.opens = self._free_at - (self.burst - 1) / self.rate

    def give_back(self) -> None:
        """Count a request that came back."""
        self.in_flight -= 1


def waiting_time(opens: float, now: float) -> float:
    """Return the seconds until *opens*; less than a clock can tell is none: its timer would ring in the same moment."""
    return opens - now if opens - now > INSTANT else 0.0
