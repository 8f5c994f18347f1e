"""The metrics that Prometheus scrapes: names, bounds on their number, and totals that agree with the platform's."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest

import bkjob_async as bkjob
from bkjob_async.errors import CallFailed
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.many.metrics import GAUGES
from bkjob_async.model.operations.names import OPERATIONS
from bkjob_async.observe import to_prometheus
from bkjob_async.observe.client_stats import ClientStats
from bkjob_async.observe.counters import MOST_JOURNALS, OTHER, Counters
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from bkjob_async.watch.polling import polling_load
from tests.watch.clients import CREDENTIALS, client_of

prometheus = pytest.importorskip("prometheus_client", reason="install the extra `prometheus`")

FOLDER = Path(to_prometheus.__file__).parent
PLAN = SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(HostOutcome(duration=DurationRange(20.0, 40.0)),)),))
HTML = HttpResponse(status=502, headers={"content-type": "text/html"}, body=b"<html>502 Bad Gateway</html>")
EXPOSED = {f"{name}_total" for name in to_prometheus.COUNTERS} | {
    *to_prometheus.GAUGES,
    *(f"{name}_{part}" for name in to_prometheus.HISTOGRAMS for part in ("bucket", "sum", "count")),
}


def error_classes(of: type[Any] = CallFailed) -> set[str]:
    """Return the names of a class and of all that derive from it."""
    return {of.__name__}.union(*map(error_classes, of.__subclasses__()))


class Full:
    """A client in which all has happened that can."""

    def stats(self, *, count: bool = False) -> ClientStats:
        """Return figures with every series."""
        counters = Counters()
        outcomes = {"CancelledError", OTHER} | error_classes()
        for operation in (*OPERATIONS, "an_operation_of_somebody", "another_one"):
            for outcome in outcomes:
                counters.add_failure(operation, outcome, 0.1, 0.2, 100)
            counters.add_success(operation, 0.0, 0.2, 0.3, 100)
        for outcome in ("ok", *outcomes):
            counters.operations[outcome] += 1
            counters.launches[outcome] += 1
        for number in range(MOST_JOURNALS + 10):
            counters.add_append(f"fleet-{number}", 0.1, 100)
        waiting = dict.fromkeys([*counters.journal_bytes], 1)
        counters.events.update(kind.kind for kind in get_args(bkjob.Event))
        return ClientStats(
            name="full", requests_per_second=1.0, remaining=1, counters=counters, journal_waiting=waiting
        )


def scraped(*clients: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return every series of a scrape, read by Prometheus' own parser."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - the extra `prometheus`

    registry = prometheus.CollectorRegistry()
    registry.register(to_prometheus.PrometheusCollector(*clients))
    text = prometheus.generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(series: dict[Any, float], name: str, **labels: str) -> float:
    """Return the sum of all series of a name with these labels."""
    return sum(
        value for (its_name, its), value in series.items() if its_name == name and {*labels.items()} <= {*its}
    )


def test_a_client_has_at_most_2400_series() -> None:
    """With every operation, outcome, kind, phase and target reached; what is not ours is `other`."""
    series = scraped(Full())

    assert 1800 < len(series) <= 2400
    assert {name for name, _ in series} == EXPOSED
    labels = {label for _, its in series for label in its}
    assert {("operation", OTHER), ("journal", OTHER)} <= labels
    assert len([name for name, _ in labels if name == "journal"]) == MOST_JOURNALS + 1
    assert not {value for name, value in labels if name == "operation"} - OPERATIONS.keys() - {OTHER}


@pytest.mark.looptime
async def test_totals_are_those_of_the_platform_over_faults_drops_and_retries() -> None:
    """What was spoilt, cancelled and tried again is counted as often as the platform was asked."""
    world = World(3)
    jobs = [world.add(PLAN) for _ in range(40)]
    async with client_of(world, latency=0.3) as (client, door):
        series_at_first = scraped(client)

        def spoil(_request: HttpRequest, now: float) -> HttpResponse | None:
            return HTML if 5 < now < 12 and len(door.urls) % 3 == 0 else None

        door.spoil = spoil
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.get_job_instance_status(jobs[0])
        watch = client.watch(jobs)
        async with watch:
            await asyncio.sleep(13.0)
            watch.drop(*jobs[:10])
            await client.get_job_instance_status(jobs[0])
            await client.fast_execute_script("uptime", ["0:10.0.0.1"], account_alias="root")
            during = client.stats()
            seen = [batch async for batch in watch.batches()]
        series = scraped(client)

    assert total(series_at_first, "bkjob_requests_total") == 0
    assert total(series, "bkjob_requests_total") == len(door.urls)
    assert total(series, "bkjob_requests_total", outcome="CancelledError") >= 1
    assert total(series, "bkjob_requests_total", outcome="PlatformTrouble") > 3
    assert total(series, "bkjob_request_duration_seconds_count") == len(door.urls)
    assert total(series, "bkjob_polls_total") == client.stats().polls
    assert total(series, "bkjob_launches_total", outcome="ok") == 1
    assert total(series, "bkjob_detection_lag_seconds_count", target="job") == 30
    assert total(series, "bkjob_poll_events_total", kind="finished") == 30
    assert sum(event.kind == "finished" for batch in seen for event in batch.events) == 30
    assert during.targets == 30
    assert sum(during.target_phases.values()) == 30
    assert during.in_trouble <= 30
    assert total(series, "bkjob_targets") == total(series, "bkjob_hosts") == 0


@pytest.mark.looptime
async def test_what_a_journal_takes_is_counted() -> None:
    """By the name under which the watch is recorded: appends, their bytes, and what waits for the store."""
    world = World(3)
    jobs = [world.add(PLAN) for _ in range(3)]
    async with client_of(world) as (client, _), bkjob.open_journal("memory:") as journal:
        scraped(client)
        async with client.watch(jobs, journal=journal, name="night", linger=60) as watch:
            finished = watch.as_finished()
            assert [await anext(finished) for _ in jobs]
            series = scraped(client)
            await asyncio.sleep(1.0)
            stored = scraped(client)
        (fleet,) = await journal.fleets()
        after = scraped(client)

    assert fleet.name == "night"
    assert total(series, "bkjob_journal_bytes_total", journal="night") > 0
    assert total(series, "bkjob_journal_append_seconds_count") >= 2
    assert [
        name for name, its in series if name == "bkjob_journal_waiting_events" and ("journal", "night") in its
    ]
    assert total(stored, "bkjob_journal_waiting_events", journal="night") == 0
    assert not [name for name, _ in after if name == "bkjob_journal_waiting_events"]
    assert total(after, "bkjob_journal_bytes_total") >= total(series, "bkjob_journal_bytes_total")


@pytest.mark.looptime
@pytest.mark.parametrize("most_uncounted", [polling_load.MOST_UNCOUNTED, 16])
async def test_gauges_follow_targets_and_hosts(most_uncounted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through changes of many jobs, drops and additions they are what a count of all gives, even when counting begins late."""
    monkeypatch.setattr(polling_load, "MOST_UNCOUNTED", most_uncounted)
    world = World(5)
    jobs = [world.add(PLAN) for _ in range(300)]
    async with client_of(world) as (client, _), client.watch(jobs, linger=None) as watch:
        for moment in range(8):
            await asyncio.sleep(5.0)
            watch.drop(*jobs[moment * 20 : moment * 20 + 10])
            watch.add(world.add(PLAN))
            await asyncio.sleep(0.1)
            series = scraped(client)
            if moment:
                counted = {phase: total(series, "bkjob_hosts", phase=phase.value) for phase in bkjob.Phase}
                assert {phase: n for phase, n in counted.items() if n} == dict(watch.counts())
                assert total(series, "bkjob_targets") == len(watch.targets)


async def test_a_registry_is_scraped_in_another_thread() -> None:
    """As the exporter's own server does, while the loop goes on."""
    world = World(1)
    jobs = [world.add(PLAN) for _ in range(50)]
    async with client_of(world) as (client, _), client.watch(jobs, linger=None) as watch:
        async for batch in watch.batches():
            if any(isinstance(event, bkjob.InSync) for event in batch.events):
                break
        series = await asyncio.to_thread(scraped, client)
        at_once = await asyncio.to_thread(scraped, client)

    assert total(at_once, "bkjob_targets") == total(series, "bkjob_targets") == 50
    assert scraped(client)


@pytest.mark.looptime
async def test_it_counts_from_its_creation_on() -> None:
    """Not from the first scrape."""
    world = World(1)
    job = world.add(PLAN)
    async with client_of(world) as (client, transport):
        to_prometheus.PrometheusCollector(client)
        await client.wait(job)
        series = scraped(client)

    assert total(series, "bkjob_requests_total") == transport.requests > 0


@pytest.mark.looptime
async def test_two_clients_need_two_names() -> None:
    """Their series would be the same."""
    async with (
        client_of(World(1)) as (one, _),
        client_of(World(2)) as (other, _),
        client_of(World(3), name="third") as (third, _),
    ):
        with pytest.raises(bkjob.UsageError, match="connect\\(name="):
            to_prometheus.PrometheusCollector(one, other)
        series = scraped(one, third)

    assert {value for _, its in series for name, value in its if name == "client"} == {"gateway-v3", "third"}


@pytest.mark.looptime
async def test_no_label_holds_a_job_a_host_or_a_secret() -> None:
    """Only names that are known beforehand."""
    world = World(1)
    job = world.add(PLAN)
    async with client_of(world) as (client, _), client.watch(job) as watch:
        scraped(client)
        await asyncio.sleep(5.0)
        await client.fast_execute_script("uptime", ["0:10.0.0.1"], account_alias="root")
        labels = repr(list(scraped(client)))
        await watch.aclose()

    assert not [
        word
        for word in (str(job.job_instance_id), "10.0.0", "simulator", "biz", CREDENTIALS.bk_app_secret)
        if word in labels
    ]


def named(text: str) -> set[str]:
    """Return the metrics that a text names."""
    return set(re.findall(r"\bbkjob_\w+", text))


@pytest.mark.parametrize("file", ["grafana.json", "alerts.yml"])
def test_dashboard_and_alerts_name_metrics_that_exist(file: str) -> None:
    """And the dashboard shows each of them."""
    text = (FOLDER / file).read_text(encoding="utf-8")

    assert named(text) <= EXPOSED | {f"bkjob_fleet_{name}" for name in ("stopped", *GAUGES)}
    if file == "grafana.json":
        assert json.loads(text)["title"]
        families = {*to_prometheus.COUNTERS, *to_prometheus.GAUGES, *to_prometheus.HISTOGRAMS}
        assert {family for family in families if family not in text} == set()


needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None and "BKJOB_REQUIRE_SERVICES" not in os.environ,
    reason="install Debian's `prometheus`",
)


@needs_promtool
def test_promtool_accepts_the_metrics() -> None:
    """Names, types and help texts are as Prometheus wants them."""
    registry = prometheus.CollectorRegistry()
    registry.register(to_prometheus.PrometheusCollector(Full()))
    done = subprocess.run(
        ["promtool", "check", "metrics"],  # noqa: S607 - found above
        input=prometheus.generate_latest(registry),
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@needs_promtool
def test_promtool_accepts_the_alerts() -> None:
    """All rules are valid."""
    done = subprocess.run(
        ["promtool", "check", "rules", str(FOLDER / "alerts.yml")],  # noqa: S607 - found above
        capture_output=True,
        check=False,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "10 rules found" in done.stdout


def test_every_alert_is_explained() -> None:
    """The page for those on call has each rule, with its severity."""
    page = (FOLDER.parent / "docs" / "monitoring.md").read_text(encoding="utf-8")
    rules = re.findall(
        r"alert: (\w+)(?:.|\n)*?severity: (\w+)", (FOLDER / "alerts.yml").read_text(encoding="utf-8")
    )

    assert len(rules) == 10
    assert [(name, severity) for name, severity in rules if f"| `{name}` | {severity} |" not in page] == []
