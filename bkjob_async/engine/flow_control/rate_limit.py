"""The limits on all requests of one client: number at once, and rate."""

from __future__ import annotations

from attrs import Factory, define, field, setters, validators

from bkjob_async.engine.flow_control.adaptive_concurrency import AIMDConcurrency
from bkjob_async.model.request_limit import RequestLimit

# A shorter wait is none: a timer for it would fire in the same moment. (seconds)
CLOCK_RESOLUTION = 1e-6


@define(kw_only=True, on_setattr=setters.NO_OP)  # called for every request: only the constructor validates
class RateLimiter:
    """Limits all requests of a client together: number in flight, and requests per second.

    *rate* is requests per second, None for no limit.
    *bound_by* names the option that *max_in_flight* comes from. `concurrency` may allow fewer in flight than
    *max_in_flight*. Times are the caller's clock.
    """

    max_in_flight: int = field(default=32, validator=validators.gt(0))
    rate: float | None = field(default=None, validator=validators.optional(validators.gt(0.0)))
    bound_by: RequestLimit = RequestLimit.MAX_IN_FLIGHT
    in_flight: int = field(default=0, init=False)
    next_allowed_at: float = field(default=0.0, init=False)
    concurrency: AIMDConcurrency = field(
        default=Factory(lambda self: AIMDConcurrency(maximum=self.max_in_flight), takes_self=True), init=False
    )

    @property
    def is_full(self) -> bool:
        """Whether no further request may be in flight until one is released."""
        return self.in_flight >= self.concurrency.allowed

    def limit_at_work(self, now: float) -> RequestLimit | None:
        """Return the limit that keeps a request from going out at *now*, None where none does."""
        if self.is_full:
            is_reduced = self.concurrency.allowed < self.max_in_flight
            return RequestLimit.SLOW_PLATFORM if is_reduced else self.bound_by
        return RequestLimit.REQUESTS_PER_SECOND if self.next_allowed_at - now > CLOCK_RESOLUTION else None

    def acquire(self, now: float) -> None:
        """Count a request that goes out at *now*, or that should have: what a late timer takes is made up for."""
        self.in_flight += 1
        if self.rate is not None:
            self.next_allowed_at = max(self.next_allowed_at, now) + 1.0 / self.rate

    def uncount(self) -> None:
        """Let the next request go as if the one that was acquired last had not: it did not go out, but is in flight still."""
        if self.rate is not None:
            self.next_allowed_at -= 1.0 / self.rate

    def set_rate(self, rate: float | None, now: float) -> None:
        """Change the rate; what was sent before *now* holds up the next request no longer than the new rate would."""
        self.rate = rate
        self.next_allowed_at = 0.0 if rate is None else min(self.next_allowed_at, now + 1.0 / rate)
