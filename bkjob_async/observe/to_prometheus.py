"""Prometheus metrics of clients, made from their figures when they are scraped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from bkjob_async.errors import UsageError
from bkjob_async.model.status import Phase
from bkjob_async.observe.client_stats import ClientStats, HasStats
from bkjob_async.observe.counters import Counters, Histogram

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

# Name: help, labels beside `client`.
COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "bkjob_requests": ("HTTP requests, retries included.", ("operation", "outcome")),
    "bkjob_response_bytes": ("Bytes of response bodies.", ("operation",)),
    "bkjob_polls": ("Polls, by what was read: a job, a step, a list of jobs.", ("kind",)),
    "bkjob_poll_events": ("Events that polls gave.", ("kind",)),
    "bkjob_throttled": ("Rate limits of the gateway, announced or refused.", ("outcome",)),
    "bkjob_operations": ("Operations on jobs and steps.", ("outcome",)),
    "bkjob_launches": ("Launches of scripts, plans and transfers.", ("outcome",)),
    "bkjob_journal_bytes": ("Bytes appended to journals.", ("journal",)),
    "bkjob_skipped": ("Readers so slow that the newest changes replaced what they missed.", ()),
}
HISTOGRAMS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "bkjob_request_duration_seconds": ("From sending a request to its response.", ("operation",)),
    "bkjob_request_queue_seconds": ("Seconds for which limits held a request back.", ("operation",)),
    "bkjob_journal_append_seconds": ("Appends to journals, repeated ones with all their attempts.", ()),
    "bkjob_detection_lag_seconds": ("Ends: seconds since the target was last seen unfinished.", ("target",)),
}
GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "bkjob_targets": ("Watched jobs and steps; UNKNOWN: not seen yet, or an unknown code.", ("phase",)),
    "bkjob_hosts": ("Hosts of watched steps.", ("phase",)),
    "bkjob_polls_due": ("Polls that are late.", ()),
    "bkjob_polls_in_flight": ("Polls that are under way.", ()),
    "bkjob_oldest_unseen_seconds": ("Seconds since the job was seen that was seen longest ago.", ()),
    "bkjob_polling_trouble": ("Jobs whose last polls failed.", ()),
    "bkjob_rate_limit": ("Requests a second that limits allow; none where there is no limit.", ()),
    "bkjob_rate_limit_remaining": ("Requests that the gateway says are left.", ()),
    "bkjob_breaker_open": ("1 while the platform does not respond and only probes go out.", ()),
    "bkjob_journal_waiting_events": ("Events that are not stored yet.", ("journal",)),
    "bkjob_log_entries": ("Events that are held for readers.", ()),
    "bkjob_loop_block_seconds_max": ("The longest time that one poll occupied the event loop.", ()),
}

Sample = tuple[str, list[str], Any]


class PrometheusCollector:
    """A collector of the metrics of clients, for `registry.register(collector)`.

    >>> collector = bkjob.PrometheusCollector(client)
    >>> prometheus_client.CollectorRegistry().register(collector)

    *clients* are clients, or whatever else has their `stats()`; each needs a name of its own
    (`connect(name=...)`). They count from now on. A registry may be scraped in any thread. Needs the extra
    `prometheus`.
    """

    def __init__(self, *clients: HasStats) -> None:
        """Begin to count in all *clients*; raise `UsageError` when two have the same name."""
        from prometheus_client import metrics_core  # noqa: PLC0415 - the extra `prometheus`

        self._families: Any = metrics_core
        self._clients = clients
        names = [client.stats(count=True).name for client in clients]
        if len({*names}) < len(names):
            raise UsageError("clients with the same metrics need names of their own: connect(name=...)")

    def describe(self) -> Iterable[Metric]:
        """Return all families without samples, so that a registry does not scrape at once."""
        return list(self._families_of(()))

    def collect(self) -> Iterable[Metric]:
        """Return all families with the samples of all clients."""
        samples = [sample for client in self._clients for sample in samples_of(client.stats(count=True))]
        return list(self._families_of(samples))

    def _families_of(self, samples: Iterable[Sample]) -> Iterator[Metric]:
        by_name: dict[str, list[tuple[list[str], Any]]] = {}
        for name, labels, value in samples:
            by_name.setdefault(name, []).append((labels, value))
        made = self._families
        for table, family in (
            (COUNTERS, made.CounterMetricFamily),
            (GAUGES, made.GaugeMetricFamily),
            (HISTOGRAMS, made.HistogramMetricFamily),
        ):
            for name, (text, further) in table.items():
                metric = family(name, text, labels=["client", *further])
                for values, value in by_name.get(name, []):
                    if isinstance(value, Histogram):
                        metric.add_metric(values, buckets_of(value), value.sum)
                    else:
                        metric.add_metric(values, value)
                yield metric


def buckets_of(histogram: Histogram) -> list[tuple[str, float]]:
    """Return the buckets as Prometheus counts them: each includes those before it."""
    bounds = [*(f"{bound:g}" for bound in histogram.bounds), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts), strict=True))


def samples_of(stats: ClientStats) -> Iterator[Sample]:
    """Yield the name of a family, label values and a value for each series of one client."""
    client = stats.name
    if stats.counters is not None:
        yield from counted(client, stats.counters)
    for phase in Phase:
        yield "bkjob_targets", [client, phase.value], stats.target_phases.get(phase, 0)
        yield "bkjob_hosts", [client, phase.value], stats.host_phases.get(phase, 0)
    for name, waiting in stats.journal_waiting.items():
        yield "bkjob_journal_waiting_events", [client, name], waiting
    present = {
        "bkjob_polls_due": stats.polls_due,
        "bkjob_polls_in_flight": stats.polls_in_flight,
        "bkjob_oldest_unseen_seconds": stats.oldest_unseen or 0.0,
        "bkjob_polling_trouble": stats.in_trouble,
        "bkjob_rate_limit": stats.requests_per_second,
        "bkjob_rate_limit_remaining": stats.remaining,
        "bkjob_breaker_open": int(stats.breaker_open),
        "bkjob_log_entries": stats.log_events,
        "bkjob_skipped": stats.fallen_behind,
        "bkjob_loop_block_seconds_max": stats.longest_block,
    }
    for name, value in present.items():
        if value is not None:
            yield name, [client], value


def counted(client: str, counters: Counters) -> Iterator[Sample]:
    """Yield what *counters* have counted."""
    for operation, requests in tuple(counters.requests.items()):
        for outcome, number in requests.outcomes().items():
            yield "bkjob_requests", [client, operation, outcome], number
        yield "bkjob_response_bytes", [client, operation], requests.bytes
        yield "bkjob_request_duration_seconds", [client, operation], requests.duration
        yield "bkjob_request_queue_seconds", [client, operation], requests.queue
    for name, label_values in (
        ("bkjob_polls", counters.polls.by_kind()),
        ("bkjob_poll_events", counters.events),
        ("bkjob_throttled", counters.throttled),
        ("bkjob_operations", counters.operations),
        ("bkjob_launches", counters.launches),
    ):
        for label, number in tuple(label_values.items()):
            yield name, [client, label], number
    for journal, size in tuple(counters.journal_bytes.items()):
        yield "bkjob_journal_bytes", [client, journal], size
    yield "bkjob_journal_append_seconds", [client], counters.appends
    for target, lags in counters.lags.items():
        yield "bkjob_detection_lag_seconds", [client, target], lags
