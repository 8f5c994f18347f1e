"""Spans and metrics, as the SDK's exporters in memory receive them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from msgspec.structs import replace

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.world.plans import HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import CREDENTIALS, client_of

pytest.importorskip("opentelemetry.sdk", reason="install `opentelemetry-sdk`")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

pytestmark = pytest.mark.looptime

PLAN = SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(HostOutcome(duration=exactly(20.0)),)),))
HTML = HttpResponse(status=502, headers={"content-type": "text/html"}, body=b"<html>502 Bad Gateway</html>")


class Exported:
    """Providers whose spans and metrics are kept in memory."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider(metric_readers=[self._reader])

    def observer(self, **options: Any) -> bkjob.OpenTelemetryObserver:
        """Return an observer with these providers."""
        return bkjob.OpenTelemetryObserver(self.tracers, self.meters, **options)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in that order."""
        return list(self._spans.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == name]

    def points(self, name: str) -> list[Any]:
        """Return the data points of a metric."""
        data = self._reader.get_metrics_data()
        scopes = (
            [] if data is None else [scope for each in data.resource_metrics for scope in each.scope_metrics]
        )
        return [p for scope in scopes for m in scope.metrics if m.name == name for p in m.data.data_points]


def parent_of(span: ReadableSpan, spans: list[ReadableSpan]) -> str | None:
    """Return the name of the span that *span* is a part of."""
    return next((s.name for s in spans if span.parent and s.context.span_id == span.parent.span_id), None)


async def test_a_shortcut_is_a_span_over_its_launch_and_the_wait() -> None:
    """The launch is a span over its request; all name the job; polls make no span."""
    exported = Exported()
    async with client_of(World(1), observers=[exported.observer()]) as (client, _):
        result = await client.run_script("uptime", ["0:10.0.0.1"], account="root")

    spans = exported.spans
    assert [(span.name, span.kind, parent_of(span, spans)) for span in spans] == [
        ("POST", SpanKind.CLIENT, "bk_job.fast_execute_script"),
        ("bk_job.fast_execute_script", SpanKind.INTERNAL, "bk_job.run_script"),
        ("bk_job.wait", SpanKind.INTERNAL, "bk_job.run_script"),
        ("bk_job.run_script", SpanKind.INTERNAL, None),
    ]
    post, *others = spans
    job = result.ref.job.job_instance_id
    assert [dict(span.attributes or {}).get("bk_job.job_instance_id") for span in others] == [job] * 3
    said = dict(post.attributes or {})
    assert said.pop("bk_job.request_id")
    assert said == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "server.address": "simulator",
        "server.port": 80,
        "url.template": "/api/bk-job/prod/api/v3/fast_execute_script",
        "bk_job.operation": "fast_execute_script",
    }


async def test_each_attempt_is_a_span_that_says_what_failed() -> None:
    """With its number and the class of the error; a command without a clear answer fails, too."""
    exported = Exported()
    world = World(1)
    job = world.add(PLAN)
    async with client_of(world, observers=[exported.observer()]) as (client, door):
        door.spoil = lambda _request, _now: HTML if len(door.urls) < 3 else None
        await client.get_job_instance_status(job)
        door.spoil = lambda _request, _now: HTML
        with pytest.raises(bkjob.OutcomeUnknown):
            await client.operate_job_instance(job, 1)

    reported = [
        (
            dict(s.attributes or {}).get("http.request.resend_count"),
            dict(s.attributes or {}).get("error.type"),
        )
        for s in exported.named("GET")
    ]
    assert reported == [(None, "PlatformTrouble"), (1, "PlatformTrouble"), (2, None)]
    (operation,) = exported.named("bk_job.operate_job_instance")
    assert operation.status.status_code is StatusCode.ERROR
    assert dict(operation.attributes or {})["error.type"] == "OutcomeUnknown"
    assert operation.events == ()


async def test_polls_with_news_are_linked_to_where_the_watch_was_opened() -> None:
    """Only if asked for; quiet polls make none. Lags and durations of polls are measured then, too."""
    exported = Exported()
    world = World(1)
    jobs = [world.add(PLAN) for _ in range(2)]
    async with client_of(world, observers=[exported.observer(polls=True)], latency=0.5) as (client, door):
        with exported.tracers.get_tracer("the user's").start_as_current_span("nightly") as own:
            watch = client.watch(jobs)
            async with watch:
                batches = [batch async for batch in watch.batches()]

    polls = exported.named("bk_job.poll")
    assert 2 <= len(polls) <= len(batches)
    assert len(polls) < len(door.urls)
    assert all(
        [link.context.span_id for link in span.links] == [own.get_span_context().span_id] for span in polls
    )
    assert all(span.parent is None and (span.end_time or 0) - (span.start_time or 0) >= 5e8 for span in polls)
    assert exported.named("GET") == []
    requests = exported.points("bk_job.requests")
    assert sum(point.value for point in requests) == len(door.urls)
    assert {dict(point.attributes)["bk_job.outcome"] for point in requests} == {"ok"}
    seconds = exported.points("bk_job.request.seconds")
    assert sum(point.value for point in seconds) == pytest.approx(0.5 * len(door.urls))
    assert sum(point.value for point in exported.points("bk_job.polls")) == client.stats().polls
    events = {
        dict(point.attributes)["bk_job.kind"]: point.value for point in exported.points("bk_job.poll.events")
    }
    assert events["job_changed"] >= 2
    (lags,) = exported.points("bk_job.poll.lag")
    assert (lags.count, dict(lags.attributes)) == (2, {"bk_job.target": "job"})


async def test_without_polls_only_other_requests_are_measured() -> None:
    """One read beside a watch."""
    exported = Exported()
    world = World(1)
    job = world.add(PLAN)
    async with client_of(world, observers=[exported.observer()]) as (client, _):
        await client.wait(job)
        await client.get_job_instance_status(job)

    assert [span.name for span in exported.spans] == ["bk_job.wait", "GET"]
    (durations,) = exported.points("http.client.request.duration")
    assert durations.count == 1


@pytest.mark.parametrize("propagate", [True, False])
async def test_the_trace_goes_to_the_gateway_only_if_asked(propagate: bool) -> None:  # noqa: FBT001 - a parameter
    """Requests of polls never carry it."""
    exported = Exported()
    world = World(1)
    sent: list[HttpRequest] = []
    async with client_of(world, observers=[exported.observer(propagate=propagate)]) as (client, door):
        door.spoil = lambda request, _now: sent.append(request)
        await client.run_script("uptime", ["0:10.0.0.1"], account="root")

    with_trace = [request for request in sent if "traceparent" in request.headers]
    assert len(with_trace) == propagate
    assert len(sent) > 2
    (launch,) = exported.named("bk_job.fast_execute_script")
    if propagate:
        assert (
            f"{launch.context.trace_id:032x}-{launch.context.span_id:016x}"
            in with_trace[0].headers["traceparent"]
        )


async def test_no_secret_is_in_a_span_a_metric_or_a_record(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever fails, and although responses repeat what was sent."""
    exported = Exported()
    secret, parameter = CREDENTIALS.bk_app_secret, "--password=param3ter"
    echo = f'{{"result": false, "code": 1240002, "message": "{secret} {parameter}", "job_request_id": "{secret}"}}'
    with caplog.at_level(logging.DEBUG, logger="bkjob_async"):
        async with client_of(World(1), observers=[exported.observer(polls=True)]) as (client, door):
            door.spoil = lambda _request, _now: HttpResponse(
                status=200, headers={"x-bkapi-request-id": secret}, body=echo.encode()
            )
            for call in (
                client.run_script("echo", ["0:10.0.0.1"], parameters=parameter),
                client.get_job_instance_status(100),
            ):
                with pytest.raises(bkjob.BkJobError):
                    await call
            async with client.watch(100, linger=None):
                pass
            door.spoil = lambda _request, _now: None
            door.tear = lambda response, _now: replace(
                response, headers={**response.headers, "x-bkapi-request-id": secret}
            )
            await client.fast_execute_script(
                "echo", ["0:10.0.0.1"], account_alias="root", script_param=parameter
            )

    reported = [(s.name, dict(s.attributes or {}), s.status.description, s.events) for s in exported.spans]
    reported += [dict(point.attributes) for point in exported.points("http.client.request.duration")]  # type: ignore[misc]
    records = [repr(vars(record)) for record in caplog.records]
    assert len(reported) >= 4
    assert len(records) >= 4
    assert [each for each in (*map(repr, reported), *records) if secret in each or "param3ter" in each] == []


async def test_tracing_that_fails_stops_no_call() -> None:
    """An observer whose spans cannot be made is removed."""

    class Broken:
        def __call__(self, _observation: bkjob.observations.Observation, /) -> None:
            pass

        def around(self, _verb: str, _ref: bkjob.Ref | None) -> Any:
            raise LookupError("no tracer")

    async with client_of(World(1), observers=[Broken()]) as (client, _):
        result = await client.run_script("uptime", ["0:10.0.0.1"], account="root")

    assert result.ok
