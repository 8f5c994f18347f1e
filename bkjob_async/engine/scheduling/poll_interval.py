"""How long to wait until the next poll of the same job."""

from collections.abc import Sequence
from math import ceil, floor, inf, sqrt

from attrs import field, frozen, validators

from bkjob_async.engine.scheduling.end_prediction import EndPrediction
from bkjob_async.model.refs import JobRef

# The platform itself learns host states by polling its agents: every second at first, then every 2, 5 and 10
# s. Polling more often than that shows nothing new. (bk-job, ScriptTaskResultHandleScheduleStrategy)
RHYTHM = ((10.0, 1.0), (60.0, 2.0), (300.0, 5.0), (inf, 10.0))

# A job or step whose final status settles is polled every so many seconds.
SETTLE_INTERVAL = 1.0

# When a user confirms or starts something cannot be predicted, and need not be seen within a second.
WAITING_INTERVAL = 5.0

# The last hosts of a step change so rarely that their rate alone would give far too long waits. (seconds,
# even intervals)
STRAGGLERS, STRAGGLING_STEPS = 5.0, 2.0

# No wait is longer than this many even intervals and this share of the age, whatever the prediction.
LONGEST_STEPS, LONGEST_SHARE = 4.0, 0.25
LONGEST_LAGS = 4.0

# Targets that were added together are polled apart where they are many: few need no spreading, many need all
# of it.
FEW, MANY = 32, 1000
FIRST_SPREAD, SPREAD = 1.0, 0.1
GOLDEN = (sqrt(5.0) - 1.0) / 2.0

# At a fixed interval targets are polled together so many seconds apart: their requests share what waking up costs, here
# and on the platform. More than that at once would be a burst.
SLOT_SECONDS = 0.1

# So many neighbouring job ids share a slot: what is known of jobs that were added together lies together in memory, and
# with many thousands of targets a poll waits for memory longer than for anything else.
NEIGHBOURS = 16

# At a fixed interval: a poll that is early by this share of it counts as the one that is due, and one that is
# late by that share is skipped.
EARLY, TOO_LATE = 0.25, 0.5


@frozen(kw_only=True)
class PollIntervals:
    """How often to poll: at a fixed *interval*, for a mean lag of *target_lag*, or when changes are likely.

    Both are seconds. *rhythm* is how often the platform itself polls its agents: pairs of an age and the
    interval that applies up to it.
    """

    interval: float | None = field(default=None, validator=validators.optional(validators.gt(0.0)))
    target_lag: float | None = field(default=None, validator=validators.optional(validators.gt(0.0)))
    rhythm: Sequence[tuple[float, float]] = RHYTHM

    def shortest(self, age: float) -> float:
        """Return the interval below which nothing new can show at *age*."""
        for until, every in self.rhythm:
            if age < until:
                return every
        return self.rhythm[-1][1]

    def longest(self, age: float, usual: float) -> float:
        """Return the longest wait at *age*; *usual* is the interval that all targets could have."""
        shortest = self.shortest(age)
        bound = LONGEST_STEPS * max(shortest, usual) + LONGEST_SHARE * age
        if self.target_lag is not None:
            bound = min(bound, max(LONGEST_LAGS * self.target_lag, usual))
        return max(bound, shortest)

    @property
    def while_settling(self) -> float:
        """The seconds until the next poll after a final status whose details may still change."""
        return min(SETTLE_INTERVAL, self.interval or SETTLE_INTERVAL)

    def next_wait(
        self,
        *,
        age: float,
        waiting: bool = False,
        expectation: EndPrediction | None = None,
        cost: float = 0.0,
        usual: float = 0.0,
        hosts: int = 0,
        moves: float = 0.0,
    ) -> float:
        """Return the seconds until the next poll, where the interval is not fixed.

        *age* is how long this run has been going on. *waiting*: it waits for a user. *expectation* predicts
        the end; None: unknown, so the platform's rhythm is followed. *cost* is what a request costs, in
        seconds of detection lag; *usual* the interval that all targets could have. *hosts* is the number of
        hosts, *moves* how many of them change each second.
        """
        shortest = self.shortest(age)
        if waiting:
            return max(shortest, WAITING_INTERVAL, usual)
        wait = shortest
        if expectation is not None:
            wait = expectation.wait(age, cost, shortest, self.longest(age, usual))
        if hosts > 1 and wait > shortest:
            wait = max(shortest, min(wait, self.for_hosts(hosts, moves, cost, usual)))
        return wait

    @staticmethod
    def for_hosts(hosts: int, moves: float, cost: float, usual: float) -> float:
        """Return the wait at which the detection lag of the hosts that change reaches *cost*.

        All *hosts* together count as much as the ends of so many runs as the root of their number.
        """
        longest = max(STRAGGLERS, STRAGGLING_STEPS * usual)
        return min(longest, sqrt(2.0 * cost * sqrt(hosts) / moves)) if moves > 0.0 else longest


def next_slot(ref: JobRef, interval: float, *, begun: float, now: float) -> float:
    """Return when *ref* is polled next at a fixed *interval*, after a poll that began at *begun* and is over *now*.

    The poll may be late already; earlier ones that were missed are skipped.
    """
    due = slot_after(ref, interval, begun + EARLY * interval)
    return due if now - due <= TOO_LATE * interval else slot_after(ref, interval, now)


def slot_after(ref: JobRef, interval: float, now: float) -> float:
    """Return the first slot of *ref* after *now* at a fixed *interval*: neighbours are spread over its slots together."""
    slots = ceil(interval / SLOT_SECONDS)
    phase = floor(ref.job_instance_id // NEIGHBOURS * GOLDEN % 1.0 * slots) / slots * interval
    return phase + (floor((now - phase) / interval) + 1) * interval


def spread(wait: float, ref: JobRef, *, polls: int, live: int) -> float:
    """Return a longer wait, so that *live* targets are polled apart; *polls* counts those of this one."""
    if live <= FEW:
        return wait
    share = (ref.job_instance_id * GOLDEN + polls * GOLDEN * GOLDEN) % 1.0
    crowd = min(1.0, (live - FEW) / (MANY - FEW))
    return wait * (1.0 + crowd * share * (FIRST_SPREAD if polls == 0 else SPREAD))
