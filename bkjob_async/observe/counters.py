"""Plain numbers that count requests and polls; adding to them costs less than creating an observation."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bkjob_async.model.operations.names import OPERATIONS
from bkjob_async.model.refs import Ref, StepRef

# Upper bounds of all histograms but the last, which has none, in seconds.
DURATION_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LAG_BOUNDS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
# The label in place of names of unknown operations, and of journals beyond the first few: their number has no limit.
OTHER = "other"
MOST_JOURNALS = 64


class Histogram:
    """How many values are at most each of *bounds* and above the one before; the last count has no bound."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count *value*."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class PollCounts:
    """How many polls there were, by what they read: whole jobs, single steps, lists of jobs."""

    __slots__ = ("jobs", "lists", "steps")

    def __init__(self) -> None:
        self.jobs = self.steps = self.lists = 0

    @property
    def total(self) -> int:
        """All polls."""
        return self.jobs + self.steps + self.lists

    def by_kind(self) -> Mapping[str, int]:
        """Return the numbers by the kind of what is read."""
        return {"job": self.jobs, "step": self.steps, "list": self.lists}


class OperationCounters:
    """The requests of one operation: how many succeeded, failures, bytes, durations and seconds in the queue.

    Written for every poll, so its numbers lie in the object itself: histograms are made when they are read. What follows
    from other numbers is not counted: how many requests succeeded, and how many were not held back.
    """

    __slots__ = ("bytes", "counts", "failures", "held_back", "seconds")

    def __init__(self) -> None:
        self.bytes = 0
        self.failures: Counter[str] = Counter()
        self.counts = [0] * (len(DURATION_BOUNDS) + 1)
        self.seconds = 0.0
        self.held_back = Histogram(DURATION_BOUNDS)

    @property
    def ok(self) -> int:
        """How many requests succeeded."""
        return sum(self.counts) - self.failures.total()

    @property
    def duration(self) -> Histogram:
        """How long the requests took."""
        found = Histogram(DURATION_BOUNDS)
        found.counts, found.sum = self.counts.copy(), self.seconds
        return found

    @property
    def queue(self) -> Histogram:
        """How long limits held the requests back."""
        found = Histogram(DURATION_BOUNDS)
        found.counts, found.sum = self.held_back.counts.copy(), self.held_back.sum
        found.counts[0] += sum(self.counts) - sum(found.counts)  # most requests were not held back
        return found

    def outcomes(self) -> Mapping[str, int]:
        """Return the number of requests by outcome, leaving out those that never were."""
        ok = self.ok
        return {"ok": ok, **self.failures} if ok else {**self.failures}


class Counters:
    """What happened in one client since counting began.

    `polls` counts the polls since the client was created, `events` the events by their kind, `throttled` rate limits
    (`announced`, `refused`), `operations` and `launches` commands by outcome: `ok` or the class of the error. `lags`
    has the bounds of how late ends were seen, of jobs and of steps. `appends` has the durations of appends to
    journals, `journal_bytes` what was appended, by the name under which a watch is recorded.
    """

    def __init__(self, polls: PollCounts | None = None) -> None:
        """Begin at zero; *polls* are counted elsewhere."""
        self.requests: dict[str, OperationCounters] = {}
        self.polls = polls or PollCounts()
        self.events: Counter[str] = Counter()
        self.lags = {"job": Histogram(LAG_BOUNDS), "step": Histogram(LAG_BOUNDS)}
        self.throttled = {"announced": 0, "refused": 0}
        self.appends = Histogram(DURATION_BOUNDS)
        self.journal_bytes: dict[str, int] = {}
        self.operations: Counter[str] = Counter()
        self.launches: Counter[str] = Counter()

    def add_success(
        self, operation: str, asked_at: float, sent_at: float, received_at: float, size: int
    ) -> None:
        """Count a request with a response of *size* bytes; it waited from *asked_at* to *sent_at*.

        Done for every poll: nothing is called that can be written here.
        """
        try:
            requests = self.requests[operation]
        except KeyError:
            requests = self._requests_of(operation)
        seconds = received_at - sent_at
        requests.bytes += size
        requests.seconds += seconds
        requests.counts[bisect_left(DURATION_BOUNDS, seconds)] += 1
        if sent_at > asked_at:
            requests.held_back.add(sent_at - asked_at)

    def add_failure(self, operation: str, outcome: str, seconds: float, queued: float, size: int) -> None:
        """Count a request that failed *seconds* after it was sent, which was *queued* seconds after it was asked for."""
        requests = self._requests_of(operation)
        requests.failures[outcome] += 1
        requests.bytes += size
        requests.seconds += seconds
        requests.counts[bisect_left(DURATION_BOUNDS, seconds)] += 1
        requests.held_back.add(queued)

    def _requests_of(self, operation: str) -> OperationCounters:
        """Return the counters of one of our operations, or those of all others."""
        name = operation if operation in OPERATIONS else OTHER
        requests = self.requests.get(name)
        if requests is None:
            requests = self.requests[name] = OperationCounters()
        return requests

    def add_append(self, name: str, seconds: float, size: int) -> None:
        """Count an append of *size* bytes to the journal of the watch of this *name*."""
        self.appends.add(seconds)
        label = name if name in self.journal_bytes or len(self.journal_bytes) < MOST_JOURNALS else OTHER
        self.journal_bytes[label] = self.journal_bytes.get(label, 0) + size

    def add_lags(self, lags: Iterable[tuple[Ref, float]]) -> None:
        """Count the *lags* of the targets whose end one poll was the first to show."""
        for ref, seconds in lags:
            self.lags["step" if isinstance(ref, StepRef) else "job"].add(seconds)
