"""The page: right, safe, small, and readable."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.model.status import Phase
from bkjob_async.report.formats.page import MAX_ROWS, stylesheet
from bkjob_async.report.reading.run_model import RunModel
from tests.cli.report.contrast import contrast
from tests.cli.report.parsed import foreign, local, parsed, text_of
from tests.cli.report.reports import (
    BEGAN,
    FAILED,
    JOB,
    RUNNING,
    STEP,
    SUCCESS,
    figures,
    finished_run,
    host,
    report,
)

ATTACKS = (
    "<svg onload=alert(1)>",
    "</style><script>alert(1)</script>",
    "]]>--><img src=x onerror=alert(1)>",
    "\"'><a href=javascript:alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202eevil\u2066\x00\x1b[31m",
    "\ud800",
)
names = st.sampled_from(ATTACKS) | st.text(min_size=1, max_size=40)


def hostile_run(name: str) -> RunModel:
    """Return a run in which everything that a platform names has this name."""
    run = finished_run(name=name)
    run.step_changed(STEP, 0, 4, is_finished=True, name=name)
    host(run, 0, FAILED, label=name, tag=name, exit_code=1)
    host(run, 0, RUNNING, label=f"{name}2", step=f"{name}/2")
    run.job_changed("2:200", 7, is_finished=False, name=name)
    run.job_changed("2:201", 4, is_finished=True, name=name)
    run.was_lost(f"{name}1", name)
    run.trouble(name, name, name)
    return run


@given(names)
def test_names_stay_text(name: str) -> None:
    """No element, attribute, style or template comes from a name, and the page is valid HTML."""
    page = report(hostile_run(name), "html", title=name)

    page.encode()
    document = parsed(page)
    assert foreign(document) == []
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", page)


def test_names_are_shown() -> None:
    """As they are written, in the heading, in tables and in lists."""
    shown = text_of(parsed(report(hostile_run(ATTACKS[0]), "html", title=ATTACKS[0])))

    assert shown.count(ATTACKS[0]) >= 8


def test_the_policy_allows_the_style_and_nothing_else() -> None:
    """Its hash is that of the page's own style; there is no other way in."""
    document = parsed(report(finished_run(), "html"))
    style = next(each for each in document.iter() if local(each) == "style")
    policy = next(
        each.attrib["content"]
        for each in document.iter()
        if each.attrib.get("http-equiv") == "Content-Security-Policy"
    )
    digest = b64encode(sha256((style.text or "").encode()).digest()).decode()

    assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert "url(" not in re.sub(r"url\(#[a-z-]+\)", "", style.text or "")
    assert "@import" not in (style.text or "")


def test_the_figures_are_the_runs() -> None:
    """Verdict, counts, cause, names, durations, steps."""
    shown = text_of(parsed(report(finished_run(), "html")))

    for text in (
        "✗ 1 of 3 hosts failed",
        "1 ✗ failed",
        "2 ✓ success",
        "SCRIPT_NOT_ZERO_EXIT_CODE exit code 1 tag disk full in 1 step",
        "0:10.0.0.2",
        "median 0:20",
        "90 % 0:30",
        "3 runs of hosts, from 0:10 to 0:30",
        "deploy ✗ rollout 2:100/200 3 ✗ 1 0:35",
        "from 2026-11-21 17:30:00 UTC · 0:35",
    ):
        assert text in shown


def test_long_tables_are_cut_and_say_so() -> None:
    """Steps, failed hosts and names of a cause."""
    run = finished_run()
    for number in range(300):
        step = f"2:{1000 + number}/{2000 + number}"
        run.step_changed(step, 0, 4, is_finished=True, name="s")
        for each in range(10):
            host(run, 0, FAILED, label=f"0:10.1.{number}.{each}", step=step, exit_code=9)
    document = parsed(report(run, "html"))
    shown = text_of(document)

    rows = [
        len([*table.iter(f"{table.tag[:-5]}tr")]) - 1 for table in document.iter() if local(table) == "table"
    ]
    assert rows == [MAX_ROWS, MAX_ROWS]
    assert "101 more steps" in shown
    assert "2,801 more failed hosts" in shown
    assert re.search(r"[\d,]+ of 3,000 hosts; the others are in the report with --format json", shown)


def test_addresses_sort_as_numbers() -> None:
    """IPv4 before IPv6, the cloud area first, then ids and names."""
    run = finished_run([SUCCESS])
    labels = ["web-1", "#12", "#9", "0:[fe80::10]", "0:[fe80::9]", "1:10.0.0.1", "0:10.0.0.10", "0:10.0.0.9"]
    for label in labels:
        host(run, 0, FAILED, label=label)

    assert [each.label for each in figures(run).failed] == labels[::-1]


def test_time_that_nobody_observed_is_hatched() -> None:
    """In its place, and the legend says so."""
    run = finished_run()
    run.set_time(BEGAN + 70)
    run.resumed(14.0)
    page = report(run, "html")

    assert '<rect x="80.00%" width="20.00%" height="100%" class="gap"/>' in page
    assert "nobody observed" in text_of(parsed(page))


@pytest.mark.parametrize(
    ("shares", "side"), [([10.0] * 50 + [11.0], "right"), ([1.0] + [100.0] * 50, "left")]
)
def test_labels_of_percentiles_have_rows_of_their_own(shares: list[float], side: str) -> None:
    """However close they are, none covers another."""
    run = finished_run()
    run.durations[:] = run.durations[:0]
    run.durations.extend(shares)
    document = parsed(report(run, "html"))
    labels = next(each for each in document.iter() if each.attrib.get("class") == "percentiles")

    assert [text_of(row) for row in labels] == [text_of(row[0]) for row in labels]
    assert [text_of(row).split()[0] for row in labels] == ["median", "90", "99"]
    assert all(row[0].attrib["class"].endswith(side) for row in labels)


@pytest.mark.parametrize(
    ("job", "host_code", "sentence"),
    [
        (None, None, "No job was seen"),
        (2, None, "1 job not over, none has failed"),
        (7, None, "A person must act"),
        (4, None, "1 of 1 job failed"),
        (3, None, "The job succeeded"),
        (3, SUCCESS, "1 host succeeded"),
        (3, RUNNING, "1 host of 1 did not end"),
    ],
)
def test_every_run_has_a_verdict(job: int | None, host_code: int | None, sentence: str) -> None:
    """Also one that is not over, has no hosts, or nothing at all."""
    run = RunModel()
    run.set_time(BEGAN)
    if host_code is not None:
        host(run, 1, host_code)
    if job is not None:
        run.job_changed(JOB, job, is_finished=job in (3, 4), name="")

    assert sentence in text_of(parsed(report(run, "html")))


def test_a_lost_target_is_no_success() -> None:
    """Nobody knows how it ended."""
    run = finished_run([SUCCESS])
    run.was_lost("2:101", "gone")
    verdict = figures(run).verdict

    assert verdict.phase is Phase.UNKNOWN
    assert verdict.sentence == "1 target lost, all others succeeded"
    assert "1 target lost" in verdict.detail


def test_failed_hosts_of_a_successful_job_were_ignored() -> None:
    """The verdict says both."""
    run = finished_run()
    run.job_changed(JOB, 3, is_finished=True, name="")
    verdict = figures(run).verdict

    assert (verdict.phase, verdict.sentence) == (Phase.FAILED, "1 of 3 hosts failed")
    assert "ignored" in verdict.detail


# Colours ----------------------------------------------------------------------------------------------------------------


def variables(block: str) -> dict[str, str]:
    """Return the colours that a block of the style sets."""
    return dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})\b", block))


def themes() -> dict[str, dict[str, str]]:
    """Return the colours of each theme."""
    style = stylesheet()
    light, dark, printed = (
        variables(style[style.index(begin) :].partition("}")[0])
        for begin in (":root{", "@media (prefers-color-scheme:dark){:root{", "@media print{:root{")
    )
    return {"light": light, "dark": light | dark, "print": light | printed}


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_every_text_can_be_read(theme: str) -> None:
    """Contrast is 4.5 at least, on the page and on raised parts of it."""
    colours = themes()[theme]
    inks = [name for name in colours if name in {"ink", "soft"} or name.endswith("-ink")]

    assert len(inks) == 10
    weak = [
        (ink, ground, round(contrast(colours[ink], colours[ground]), 2))
        for ink in inks
        for ground in ("paper", "raised")
        if contrast(colours[ink], colours[ground]) < 4.5
    ]
    assert weak == []


@given(
    st.integers(0, 40), st.lists(st.sampled_from([SUCCESS, FAILED, 16, 1, RUNNING, 403, 999]), max_size=30)
)
def test_every_run_has_a_valid_page(gap: int, codes: list[int]) -> None:
    """Whatever its hosts did."""
    run = finished_run(codes)
    run.resumed(float(gap))
    found = figures(run)

    assert foreign(parsed(report(run, "html"))) == []
    assert sum(found.hosts.values()) == len(codes)
    assert sum(group.count for group in found.groups) == len(found.failed)
