"""Decide whether to retry a failed call, and after how many seconds."""

from attrs import field, frozen
from msgspec import Struct

from bkjob_async.errors import BkJobError, CallFailed, PlatformTrouble, Throttled, TransportFailed
from bkjob_async.model.base_error import in_range

RETRYABLE = (PlatformTrouble, Throttled, TransportFailed)

# A call does not wait for a server that asks for a longer wait. (seconds)
LONGEST_RETRY_AFTER = 60.0


@frozen(kw_only=True)
class Retries:
    """How often a read is tried, and the seconds between tries: *first*, then doubled up to *longest*.

    *budget* is the size of the retry budget that all calls of a client share; see `RetryBudget`.

    *attempts* counts the first try, too: 1 means that nothing is repeated.
    """

    attempts: int = field(default=3, validator=in_range(1))
    first: float = field(default=0.5, validator=in_range(0, whole=False))
    longest: float = field(default=10.0, validator=in_range(0, whole=False))
    budget: int = field(default=32, validator=in_range(0))

    def next_wait(
        self,
        error: BkJobError,
        *,
        attempt: int,
        repeatable: bool,
        jitter: float = 0.5,
        longest_retry_after: float = LONGEST_RETRY_AFTER,
    ) -> float | None:
        """Return the seconds to wait before the next try, None to give up.

        *attempt* counts from 1. *jitter* from 0 to 1 spreads the wait between half and the whole of it. The
        server's `retry_after` replaces the computed wait; None is returned if it exceeds
        *longest_retry_after* seconds. A call that starts or changes something (not *repeatable*) is retried
        only when it certainly was not executed. A call that was never sent because it waited too long for the
        rate limit is not retried.
        """
        if attempt >= self.attempts or not isinstance(error, RETRYABLE):
            return None
        if not repeatable and not was_not_executed(error):
            return None
        if isinstance(error, Throttled) and not error.details.sent:
            return None
        retry_after = error.retry_after
        if retry_after is not None:
            return retry_after + jitter * self.first if retry_after <= longest_retry_after else None
        wait = min(self.first * 2.0 ** (attempt - 1), self.longest)
        return wait * (0.5 + 0.5 * jitter)


class RetryBudget(Struct, kw_only=True):
    """Retries that all calls of a client share, so that an outage does not cause a retry storm.

    The budget holds *size* retries at most, of which some are *left*. Each retry takes one. Each successful call adds
    *earned_per_success*, each second adds *refilled_per_second*. Times are the caller's clock.
    """

    size: float = 32.0
    earned_per_success: float = 0.1
    refilled_per_second: float = 0.1
    left: float = 0
    _refilled_at: float | None = None

    def __post_init__(self) -> None:
        """Start with a full budget."""
        self.left = self.size

    def try_spend(self, error: BkJobError, now: float) -> bool:
        """Take one retry after *error*; return False if none is left.

        A throttled request costs nothing: the pause that follows holds all requests anyway.
        """
        if isinstance(error, Throttled):
            return True
        if self._refilled_at is not None:
            self.left = min(self.size, self.left + (now - self._refilled_at) * self.refilled_per_second)
        self._refilled_at = now
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True

    def on_success(self) -> None:
        """Count a successful call."""
        self.left = min(self.size, self.left + self.earned_per_success)


def was_not_executed(error: BkJobError) -> bool:
    """Return True if the platform certainly did not act on the call."""
    if isinstance(error, Throttled):
        return True
    return isinstance(error, CallFailed) and not error.details.sent
