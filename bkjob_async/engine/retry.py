"""Whether to try a failed call again, and after how long."""

from attrs import field, frozen, validators

from bkjob_async.errors import BkJobError, PlatformTrouble, Throttled, TransportFailed

WORTH_ANOTHER_TRY = (PlatformTrouble, Throttled, TransportFailed)


@frozen(kw_only=True)
class Retries:
    """How often a read is tried, and the waits between: *first*, doubled each time, at most *longest* seconds."""

    attempts: int = field(default=3, validator=validators.ge(1))
    first: float = 0.5
    longest: float = 10.0

    def next_wait(
        self, error: BkJobError, *, attempt: int, repeatable: bool, jitter: float = 0.5
    ) -> float | None:
        """Return how long to wait before trying again, or None to give up.

        *attempt* counts from 1; *jitter* in 0..1 spreads the wait between half and the whole of it. The server's own
        waiting time wins where it gave one. What starts or changes something is tried again only when it is certain
        that it never went out.
        """
        if attempt >= self.attempts or not isinstance(error, WORTH_ANOTHER_TRY):
            return None
        if not repeatable and not never_happened(error):
            return None
        told = error.retry_after
        if told is not None:
            return told + jitter * self.first
        wait = min(self.first * 2.0 ** (attempt - 1), self.longest)
        return wait * (0.5 + 0.5 * jitter)


def never_happened(error: BkJobError) -> bool:
    """Tell whether it is certain that the platform did not act on the call."""
    if isinstance(error, Throttled):
        return True
    return isinstance(error, TransportFailed) and not error.facts.sent
