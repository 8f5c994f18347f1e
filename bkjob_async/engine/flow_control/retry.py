"""Whether to try a failed call again, and after how long."""

from attrs import define, field, frozen, validators

from bkjob_async.errors import BkJobError, PlatformTrouble, Throttled, TransportFailed

WORTH_ANOTHER_TRY = (PlatformTrouble, Throttled, TransportFailed)

# A server that asks for a longer wait is not waited for within a call.
LONGEST_TOLD = 60.0


@frozen(kw_only=True)
class Retries:
    """How often a read is tried, and the waits between: *first*, doubled each time, at most *longest* seconds.

    *budget* is how many further tries all calls of a client have together; see `RetryBudget`.
    """

    attempts: int = field(default=3, validator=validators.ge(1))
    first: float = 0.5
    longest: float = 10.0
    budget: int = field(default=32, validator=validators.ge(0))

    def next_wait(
        self,
        error: BkJobError,
        *,
        attempt: int,
        repeatable: bool,
        jitter: float = 0.5,
        patience: float = LONGEST_TOLD,
    ) -> float | None:
        """Return how long to wait before trying again, or None to give up.

        *attempt* counts from 1; *jitter* in 0..1 spreads the wait between half and the whole of it. The server's own
        waiting time wins where it gave one; one longer than *patience*, in seconds, is not waited for. What starts or
        changes something is tried again only when it is certain that it never went out. A call that waited for its turn in
        vain has waited long enough.
        """
        if attempt >= self.attempts or not isinstance(error, WORTH_ANOTHER_TRY):
            return None
        if not repeatable and not never_happened(error):
            return None
        if isinstance(error, Throttled) and not error.details.sent:
            return None
        told = error.retry_after
        if told is not None and told > patience:
            return None
        if told is not None:
            return told + jitter * self.first
        wait = min(self.first * 2.0 ** (attempt - 1), self.longest)
        return wait * (0.5 + 0.5 * jitter)


@define(kw_only=True)
class RetryBudget:
    """Further tries that all calls share, so that an outage is not answered by a storm.

    Each takes one of *size*; they come back, *earned* with every call that works and *refill* with every second. Times
    are the caller's clock.
    """

    size: float = 32.0
    earned: float = 0.1
    refill: float = 0.1
    _left: float = field(init=False)
    _at: float | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with a full budget."""
        self._left = self.size

    def spend(self, error: BkJobError, now: float) -> bool:
        """Take one try after *error*; return whether there was one.

        A refusal of too many requests costs nothing: the pause that it brings holds everybody anyway.
        """
        if isinstance(error, Throttled):
            return True
        if self._at is not None:
            self._left = min(self.size, self._left + (now - self._at) * self.refill)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def succeeded(self) -> None:
        """Count a call that worked."""
        if self._left < self.size:
            self._left = min(self.size, self._left + self.earned)


def never_happened(error: BkJobError) -> bool:
    """Tell whether it is certain that the platform did not act on the call."""
    if isinstance(error, Throttled):
        return True
    return isinstance(error, TransportFailed) and not error.details.sent
