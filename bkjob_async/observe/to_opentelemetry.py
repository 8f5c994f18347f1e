"""OpenTelemetry spans and metrics of a client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from bkjob_async.model.refs import Ref, StepRef
from bkjob_async.observe.counters import Counters
from bkjob_async.observe.observer import (
    Observation,
    OperationSent,
    PollCompleted,
    RequestSent,
    WatchClosed,
    WatchOpened,
)

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, SpanContext, TracerProvider

NAME = "bkjob_async"

Samples = Iterable[tuple[dict[str, str], float]]
Read = Callable[[Counters], Samples]


def requests_in(counters: Counters) -> Samples:
    """Yield the number of requests of each operation and outcome."""
    for operation, requests in tuple(counters.requests.items()):
        for outcome, number in requests.outcomes().items():
            yield {"bk_job.operation": operation, "bk_job.outcome": outcome}, number


def seconds_in(counters: Counters) -> Samples:
    """Yield the seconds that requests of each operation took."""
    for operation, requests in tuple(counters.requests.items()):
        yield {"bk_job.operation": operation}, requests.duration.sum


def polls_in(counters: Counters) -> Samples:
    """Yield the number of polls by what was read."""
    return (({"bk_job.kind": kind}, number) for kind, number in counters.polls.by_kind().items())


def events_in(counters: Counters) -> Samples:
    """Yield the number of events that polls gave, by their kind."""
    return (({"bk_job.kind": kind}, number) for kind, number in tuple(counters.events.items()))


# Metrics that are read from a client's numbers: name, unit, description.
COUNTED: Sequence[tuple[str, str, str, Read]] = (
    ("bk_job.requests", "{request}", "HTTP requests, those of polls included.", requests_in),
    ("bk_job.request.seconds", "s", "Seconds that HTTP requests took, those of polls included.", seconds_in),
    ("bk_job.polls", "{poll}", "Polls, by what was read.", polls_in),
    ("bk_job.poll.events", "{event}", "Events that polls gave.", events_in),
)


class OpenTelemetryObserver:
    """An observer that makes spans and metrics, for `connect(observers=[OpenTelemetryObserver()])`.

    There is a span for each launch, operation, `wait` and shortcut, and one for each request that they and other calls make.
    With *polls*, there is one for each poll that gave events, linked to the span in which its watch was opened; a span costs
    more than the rest of a poll. With *propagate*, requests that no poll sends carry
    the trace to the gateway (`traceparent`). Without providers the global ones are used.

    Metrics are `http.client.request.duration`, of requests that no poll sends. With *polls* there are also `bk_job.requests`
    and `bk_job.request.seconds`, of all requests by operation and outcome, `bk_job.polls` and `bk_job.poll.events`, by
    kind: plain numbers that are read when metrics are collected; and `bk_job.poll.lag`, the seconds since a target was
    last seen unfinished when its end is seen. No exception texts are recorded. Needs the extra `opentelemetry`.
    """

    kinds = frozenset({RequestSent, OperationSent, PollCompleted, WatchOpened, WatchClosed})
    quiet_polls = False

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        polls: bool = False,
        propagate: bool = False,
    ) -> None:
        """Make spans and metrics with these providers, or the global ones."""
        from opentelemetry import metrics, trace  # noqa: PLC0415 - the extra `opentelemetry`
        from opentelemetry import propagate as propagation  # noqa: PLC0415 - the extra `opentelemetry`

        self.polls = polls
        self._trace = trace
        self._inject = propagation.inject if propagate else None
        self._tracer = trace.get_tracer(NAME, tracer_provider=tracer_provider)
        meter = metrics.get_meter(NAME, meter_provider=meter_provider)
        self._duration = meter.create_histogram(
            "http.client.request.duration", unit="s", description="Duration of HTTP client requests."
        )
        self._lag = meter.create_histogram(
            "bk_job.poll.lag",
            unit="s",
            description="Ends: seconds since the target was last seen unfinished.",
        )
        self._counters: dict[str, Counters] = {}
        if polls:
            self._observation = metrics.Observation
            for name, unit, description, read in COUNTED:
                meter.create_observable_counter(
                    name, callbacks=[partial(self._observations, read)], unit=unit, description=description
                )
        # The spans of the verbs that are under way in this task, the outermost first.
        self._verbs: ContextVar[tuple[Span, ...]] = ContextVar("bkjob_async_verbs", default=())
        self._opened_in: dict[tuple[str, int], SpanContext] = {}

    @property
    def counting(self) -> Callable[[str, Counters], None] | None:
        """Receives the numbers of each client, if polls are measured."""
        return self._counters.__setitem__ if self.polls else None

    def _observations(self, read: Read, _options: object) -> Iterator[Any]:
        """Yield what *read* finds in the numbers of each client."""
        for client, counters in tuple(self._counters.items()):
            for attributes, value in read(counters):
                yield self._observation(value, {"bk_job.client": client, **attributes})

    def __call__(self, observation: Observation, /) -> None:
        """Make spans and metrics of one observation."""
        match observation:
            case RequestSent():
                self._on_request(observation)
            case PollCompleted():
                self._on_poll(observation)
            case OperationSent():
                for span in self._verbs.get():
                    span.set_attributes(attributes_of(observation.ref))
            case WatchOpened(client=client, watch=watch):
                context = self._trace.get_current_span().get_span_context()
                if self.polls and context.is_valid:
                    self._opened_in[client, watch] = context
            case WatchClosed(client=client, watch=watch):
                self._opened_in.pop((client, watch), None)
            case _:
                pass

    @contextmanager
    def around(self, verb: str, ref: Ref | None) -> Iterator[None]:
        """Surround a launch, an operation, a `wait` or a shortcut with a span."""
        with self._tracer.start_as_current_span(
            f"bk_job.{verb}",
            attributes={"bk_job.operation": verb, **attributes_of(ref)},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            token = self._verbs.set((*self._verbs.get(), span))
            try:
                yield
            except (Exception, asyncio.CancelledError) as error:
                self._fail(span, type(error).__name__)
                raise
            finally:
                self._verbs.reset(token)

    def headers(self) -> Mapping[str, str]:
        """Return the headers that carry the trace on, none unless asked for."""
        carrier: dict[str, str] = {}
        if self._inject is not None:
            self._inject(carrier)
        return carrier

    def _on_request(self, request: RequestSent) -> None:
        ended, shared = time.time_ns(), request_attributes(request)
        self._duration.record(request.seconds, shared)
        attributes = {**shared, **attributes_of(request.ref), "bk_job.operation": request.operation}
        if request.request_id:
            attributes["bk_job.request_id"] = request.request_id
        if request.attempt > 1:
            attributes["http.request.resend_count"] = request.attempt - 1
        span = self._tracer.start_span(
            request.method,
            kind=self._trace.SpanKind.CLIENT,
            start_time=ended - int(request.seconds * 1e9),
            attributes=attributes,
        )
        if request.outcome != "ok":
            self._fail(span, request.outcome)
        span.end(ended)

    def _on_poll(self, poll: PollCompleted) -> None:
        for ref, seconds in poll.lag_bounds:
            self._lag.record(seconds, {"bk_job.target": "step" if isinstance(ref, StepRef) else "job"})
        if not poll.events:
            return
        ended = time.time_ns()
        contexts = (self._opened_in.get((poll.client, watch)) for watch in poll.watches)
        span = self._tracer.start_span(
            "bk_job.poll",
            # Not a part of the trace that the worker was started in by chance.
            context=self._trace.set_span_in_context(self._trace.INVALID_SPAN),
            kind=self._trace.SpanKind.CLIENT,
            links=[self._trace.Link(context) for context in contexts if context is not None],
            start_time=ended - int(poll.seconds * 1e9),
            attributes={
                "bk_job.operation": poll.operation,
                "bk_job.poll.events": poll.events,
                **attributes_of(poll.ref),
            },
        )
        span.end(ended)

    def _fail(self, span: Span, error: str) -> None:
        span.set_attribute("error.type", error)
        span.set_status(self._trace.StatusCode.ERROR)


def request_attributes(request: RequestSent) -> dict[str, Any]:
    """Return the attributes that both the span and the metric of a request have."""
    attributes: dict[str, Any] = {
        "http.request.method": request.method,
        "server.address": request.server,
        "url.template": request.path,
    }
    if request.port is not None:
        attributes["server.port"] = request.port
    if request.http_status is not None:
        attributes["http.response.status_code"] = request.http_status
    if request.outcome != "ok":
        attributes["error.type"] = request.outcome
    return attributes


def attributes_of(ref: Ref | None) -> dict[str, int]:
    """Return the attributes that name a job or step."""
    if ref is None:
        return {}
    attributes = {"bk_job.job_instance_id": ref.job.job_instance_id}
    if isinstance(ref, StepRef):
        attributes["bk_job.step_instance_id"] = ref.step_instance_id
    return attributes
