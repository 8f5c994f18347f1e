"""When to look again at the same job."""

from attrs import field, frozen, validators

# The platform itself learns host states by polling its agents: every second at first, then every 2, 5 and 10 s.
# Looking more often than that shows nothing new. (bk-job, ScriptTaskResultHandleScheduleStrategy)
RHYTHM = ((10.0, 1.0), (60.0, 2.0), (300.0, 5.0))
SLOWEST = 10.0

# Details may lag behind a final status: rows are written after the step, a retry shows the old status at first.
SETTLE_BOUND = 15.0
SETTLE_INTERVAL = 1.0
UNREAD_BOUND = 120.0

# Nobody knows when a user confirms or starts something; a person does not need to be seen within a second.
WAITING_INTERVAL = 5.0


@frozen(kw_only=True)
class Cadence:
    """How often to look; *interval* (seconds) overrides the platform's own rhythm."""

    interval: float | None = field(default=None, validator=validators.optional(validators.gt(0.0)))

    def next_wait(self, *, age: float, settling: bool, waiting: bool) -> float:
        """Return the seconds until the next look.

        *age* is how long this run has been seen going on. *settling*: a final status has shown whose details may still
        move. *waiting*: it stands still until a user acts.
        """
        if settling:
            return min(SETTLE_INTERVAL, self.interval or SETTLE_INTERVAL)
        if self.interval is not None:
            return self.interval
        wait = next((every for until, every in RHYTHM if age < until), SLOWEST)
        return max(wait, WAITING_INTERVAL) if waiting else wait

    def after_failure(self, failures: int) -> float:
        """Return the seconds until a look is tried again after *failures* in a row."""
        first = self.interval or 1.0
        return min(first * 2.0 ** min(failures - 1, 10), max(60.0, first))
