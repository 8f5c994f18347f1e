"""The report as Markdown, JSON and JUnit XML: the same figures, and names stay names."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.report.formats.markdown import MAX_BYTES, code
from bkjob_async.report.reading.run_model import RunModel
from tests.cli.report.reports import (
    FAILED,
    JOB,
    PENDING,
    RUNNING,
    STEP,
    SUCCESS,
    figures,
    finished_run,
    host,
    report,
)
from tests.cli.report.test_page import ATTACKS, hostile_run, names

CODES = st.lists(st.sampled_from([SUCCESS, FAILED, 16, 1, RUNNING, 403, 999]), max_size=30)
MARKDOWN_ATTACKS = (
    "`",
    "```\n# big",
    "|a|b|",
    "[x](javascript:alert(1))",
    "@everyone",
    "<!-- ",
    "``a`",
    "\\`",
)


# Markdown ---------------------------------------------------------------------------------------------------------------


def test_markdown_says_what_matters() -> None:
    """Verdict, counts, causes with names, steps."""
    text = report(finished_run(), "md")

    assert text.splitlines()[0] == "**✗ 1 of 3 hosts failed**"
    assert "| 1 | ✗ failed |" in text
    assert (
        "* ✗ **1** × `SCRIPT_NOT_ZERO_EXIT_CODE`, exit code 1, tag `disk full`: `0:10.0.0.2`"
        in text.splitlines()
    )
    assert "| `deploy` `2:100` | ✗ `rollout` | 3 | ✗ 1 | 0:35 |" in text
    assert "median 0:20, 90 % 0:30, 99 % 0:30" in text


def test_markdown_tells_jobs_of_one_name_apart() -> None:
    """By their ids, in the table and below it: each can be watched, or looked up on the platform."""
    run = RunModel()
    for number in range(101, 104):
        run.job_changed(f"2:{number}", 7 if number == 101 else 4, is_finished=number != 101, name="nightly")
        run.step_changed(f"2:{number}/{number + 100}", 0, 3, is_finished=True, name="rollout")
    text = report(run, "md")

    assert [text.count(f"| `nightly` `2:{number}` |") for number in range(101, 104)] == [1, 1, 1]
    assert "* `nightly` `2:101` waits for a person" in text
    assert "* `nightly` `2:103` failed without a failed host" in text


def test_markdown_fits_a_chat() -> None:
    """However long the run; what is left out is counted."""
    run = finished_run([FAILED] * 200)
    for number in range(200):
        step = f"2:{1000 + number}/{2000 + number}"
        run.job_changed(f"2:{1000 + number}", 7, is_finished=False, name="行" * 500)
        run.step_changed(step, 0, 4, is_finished=True, name="步" * 500)
        host(run, 0, 1000 + number, label="主" * 300, step=step, tag="标" * 300)
    text = report(run, "md")

    assert len(text.encode()) <= MAX_BYTES
    assert re.search(r"\d+ more lines?: `bkjob report", text)
    assert re.search("… and [0-9]+ more`", text)


@given(names | st.sampled_from(MARKDOWN_ATTACKS))
def test_names_have_no_meaning_in_markdown(name: str) -> None:
    """Each stands within a fence that it does not hold, in one line, without a cell's border."""
    text = code(name)
    fence = text[: len(text) - len(text.lstrip("`"))]

    assert text.endswith(fence)
    assert fence not in re.sub("^`+|`+$", "", text)
    assert "\n" not in text
    assert "|" not in text
    assert all(
        line.count("|") in {0, 3, 6} for line in report(hostile_run(name), "md", title=name).splitlines()
    )


# JSON -------------------------------------------------------------------------------------------------------------------


@given(names)
def test_json_has_names_as_they_are(name: str) -> None:
    """Whatever they hold; the text is safe on a terminal."""
    text = report(hostile_run(name), "json", title=name)
    found = json.loads(text)

    text.encode()
    assert found["title"] == name
    assert found["steps"][0]["job"]["name"] == name
    assert name in [each["host"] for each in found["failed"]]
    assert all(line.isprintable() for line in text.splitlines())


@given(CODES)
def test_json_has_all_figures(codes: list[int]) -> None:
    """Nothing is cut."""
    run = finished_run(codes)
    found = json.loads(report(run, "json"))

    assert sum(found["hosts"].values()) == len(codes)
    assert sum(cause["count"] for cause in found["causes"]) == len(found["failed"])
    assert found["steps"][0]["failed"] == len(found["failed"])
    assert found["steps"][0]["hosts"] == found["hosts"]
    if codes:
        assert sum(found["course"]["points"][-1][1:]) == len(codes)
    ended = [code for code in codes if code != RUNNING]
    assert bool(found["durations"]) == bool(ended)
    if ended:
        durations = found["durations"]
        assert sum(durations["bins"]) + durations["beyond"] == durations["count"] == len(ended)


# JUnit ------------------------------------------------------------------------------------------------------------------


def cases(text: str) -> tuple[ET.Element, list[ET.Element]]:
    """Return the root, and all test cases; the counts of each suite are checked."""
    root = ET.fromstring(text)  # noqa: S314 - our own
    for suite in (root, *root.iter("testsuite")):
        inside = [*suite.iter("testcase")]
        assert int(suite.attrib["tests"]) == len(inside)
        for kind, name in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[kind]) == sum(case.find(name) is not None for case in inside)
    return root, [*root.iter("testcase")]


def test_a_host_is_a_test_case() -> None:
    """With its duration, and with what it failed of."""
    root, found = cases(report(finished_run(), "junit"))

    assert root.tag == "testsuites"
    assert [case.attrib for case in found] == [
        {"name": f"0:10.0.0.{n}", "classname": "deploy.rollout", "time": f"{n}0.000"} for n in (1, 2, 3)
    ]
    failure = found[1].find("failure")
    assert failure is not None
    assert failure.attrib == {
        "message": "SCRIPT_NOT_ZERO_EXIT_CODE, exit code 1, tag disk full",
        "type": "SCRIPT_NOT_ZERO_EXIT_CODE",
    }
    suite = root.find("testsuite")
    assert suite is not None
    assert suite.attrib["timestamp"] == "2026-11-21T17:30:00"
    assert suite.attrib["time"] == "35.000"


@given(CODES, st.sampled_from([2, 3, 4, 5, 7, 11]))
def test_nothing_that_did_not_succeed_is_green(codes: list[int], job: int) -> None:
    """Failed hosts are failures, unfinished ones errors; so are jobs that failed or wait, and lost targets."""
    run = finished_run(codes)
    run.job_changed(JOB, job, is_finished=job not in (2, 7), name="deploy")
    run.was_lost("2:101", "gone")
    found = figures(run)
    root, _ = cases(report(run, "junit"))

    alone = (job in (4, 11) and not found.failed) + (job == 7)
    assert int(root.attrib["failures"]) == len(found.failed) + (job in (4, 11) and not found.failed)
    assert int(root.attrib["errors"]) == codes.count(RUNNING) + (job == 7) + 1
    assert int(root.attrib["tests"]) == max(1, len(codes)) + alone + 1


def test_a_step_that_never_began_is_skipped() -> None:
    """Its job failed in an earlier step; hosts that it lists already are skipped as well. While the job runs nobody knows."""
    run = finished_run()
    empty, listed, open_still = f"{JOB}/201", f"{JOB}/202", "2:101/301"
    for step, over in ((empty, False), (listed, True), (open_still, False)):
        run.step_changed(step, 0, 1, is_finished=over, name="later")
    host(run, 1, PENDING, step=listed)
    _, found = cases(report(run, "junit"))
    kinds = [[(child.tag, child.get("message")) for child in case] for case in found]

    assert kinds[0] == []
    assert kinds[1][0][0] == "failure"
    assert kinds.count([("skipped", "never began")]) == 2
    assert kinds.count([("error", "did not end: BLANK")]) == 1


@given(names | st.sampled_from(ATTACKS))
def test_names_stay_names_in_xml(name: str) -> None:
    """XML allows no control character; they are written as Python's escapes."""
    text = report(hostile_run(name), "junit", title=name)

    text.encode()
    _, found = cases(text)
    assert {child.tag for case in found for child in case} <= {"failure", "error", "skipped"}


def test_an_empty_run_is_an_empty_list() -> None:
    """No suite at all."""
    root, found = cases(report(RunModel(), "junit"))

    assert found == []
    assert root.attrib["tests"] == "0"
    assert STEP not in report(RunModel(), "json")
