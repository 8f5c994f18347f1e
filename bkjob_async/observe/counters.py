"""Plain numbers that count requests and polls; adding to them costs less than creating an observation."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bkjob_async.model.operations import base, extra_operations, launches, queries, stored_queries
from bkjob_async.model.refs import Ref, StepRef

# Upper bounds of all histograms but the last, which has none, in seconds.
DURATION_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LAG_BOUNDS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
# What stands for the names of operations that are not ours, and of journals beyond the first: there is no end of them.
OTHER = "other"
MOST_JOURNALS = 64


def names_in(modules: Iterable[object]) -> frozenset[str]:
    """Return the names of all operations that *modules* define."""
    values = (value for module in modules for value in vars(module).values())
    operations = (value for value in values if isinstance(value, type) and issubclass(value, base.Operation))
    names = (vars(operation).get("name") for operation in operations)
    return frozenset(name for name in names if isinstance(name, str))


OPERATIONS = names_in((base, launches, queries, stored_queries, extra_operations))


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


class OperationCounters:
    """The requests of one operation: their outcomes, bytes, durations and seconds in the queue."""

    __slots__ = ("bytes", "duration", "outcomes", "queue")

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.bytes = 0
        self.duration = Histogram(DURATION_BOUNDS)
        self.queue = Histogram(DURATION_BOUNDS)


class Counters:
    """What happened in one client since counting began.

    `polls` counts polls by what is read (`job`, `step`, `list`), `events` the events by their kind,
    `throttled` rate limits (`announced`, `refused`), `operations` and `launches` commands by outcome: `ok` or
    the class of the error. `lags` has the bounds of how late ends were seen, of jobs and of steps. `appends` has
    the durations of appends to journals, `journal_bytes` what was appended, by the name under which a watch is recorded.
    """

    def __init__(self) -> None:
        """Begin at zero."""
        self.requests: dict[str, OperationCounters] = {}
        self.polls = {"job": 0, "step": 0, "list": 0}
        self.events: Counter[str] = Counter()
        self.lags = {"job": Histogram(LAG_BOUNDS), "step": Histogram(LAG_BOUNDS)}
        self.throttled = {"announced": 0, "refused": 0}
        self.appends = Histogram(DURATION_BOUNDS)
        self.journal_bytes: dict[str, int] = {}
        self.operations: Counter[str] = Counter()
        self.launches: Counter[str] = Counter()

    def add_request(self, operation: str, outcome: str, seconds: float, queued: float, size: int) -> None:
        """Count a request that took *seconds* after *queued* seconds, with a response of *size* bytes."""
        counters = self.requests.get(operation)
        if counters is None:
            counters = self._counters_of(operation)
        counters.outcomes[outcome] += 1
        counters.bytes += size
        duration = counters.duration
        duration.counts[bisect_left(DURATION_BOUNDS, seconds)] += 1
        duration.sum += seconds
        if queued:
            counters.queue.add(queued)
        else:
            counters.queue.counts[0] += 1

    def _counters_of(self, operation: str) -> OperationCounters:
        """Return the counters of one of our operations, or those of all others."""
        name = operation if operation in OPERATIONS else OTHER
        counters = self.requests.get(name)
        if counters is None:
            counters = self.requests[name] = OperationCounters()
        return counters

    def add_append(self, name: str, seconds: float, size: int) -> None:
        """Count an append of *size* bytes to the journal of the watch of this *name*."""
        self.appends.add(seconds)
        label = name if name in self.journal_bytes or len(self.journal_bytes) < MOST_JOURNALS else OTHER
        self.journal_bytes[label] = self.journal_bytes.get(label, 0) + size

    def add_events(self, by_kind: Mapping[str, int], lags: Iterable[tuple[Ref, float]]) -> None:
        """Count the events of one poll, and the *lags* of the targets whose end it was the first to show."""
        self.events.update(by_kind)
        for ref, seconds in lags:
            self.lags["step" if isinstance(ref, StepRef) else "job"].add(seconds)
