"""Conditions of a wait, and what it amounts to."""

from __future__ import annotations

import pytest

from bkjob_async import FirstFailure, HostsDone, UsageError
from bkjob_async.cli.actions.watch import parse_condition
from tests.cli import shell

JOB = "20000000001"


def test_the_conditions_have_names() -> None:
    """The library's own."""
    assert parse_condition("finished") is None
    assert parse_condition("first-failure") == FirstFailure()
    assert parse_condition("hosts-done=0.9") == HostsDone(0.9)


@pytest.mark.parametrize(
    "text", ["", "done", "hosts-done", "hosts-done=2", "hosts-done=many", "hosts-done=0"]
)
def test_other_conditions_are_wrong_usage(text: str) -> None:
    """With those that there are."""
    with pytest.raises(UsageError, match="--until is finished, first-failure or"):
        parse_condition(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("until", "code", "line"),
    [
        ("finished", 1, f"2:{JOB} finished FAILED: 3 FAILED, 9 SUCCESS"),
        ("first-failure", 0, f"first-failure is true for 1 target: 2:{JOB}"),
        ("hosts-done=0.5", 0, f"hosts-done=0.5 is true for 1 target: 2:{JOB}"),
    ],
)
def test_one_line_at_the_end(until: str, code: int, line: str) -> None:
    """And nothing else; the exit code says whether it became true."""
    with shell.simulator("some-fail", speed=20) as url:
        done = shell.run("wait", "--url", url, "--biz", "2", "--interval", "0.2", "--until", until, JOB)

    assert (done.returncode, done.stdout, done.stderr) == (code, f"{line}\n", "")


@pytest.mark.slow
def test_what_cannot_become_true_any_more_ends_the_wait() -> None:
    """Of many targets one that fails is enough; none did."""
    with shell.simulator("all-succeed", speed=100) as url:
        at = ("--url", url, "--biz", "2", "--interval", "0.2")
        done = shell.run("wait", *at, "--until", "first-failure", JOB)
        late = shell.run("wait", *at, "--deadline", "5", JOB)
        lost = shell.run("wait", *at, "--until", "hosts-done=1", "404")

    assert done.returncode == 1
    assert done.stdout == f"first-failure cannot become true any more for 1 target: 2:{JOB}\n"
    assert late.returncode == 0
    assert lost.returncode == 3


@pytest.mark.slow
def test_a_deadline_is_an_exit_code() -> None:
    """What becomes of the job is unknown."""
    with shell.simulator("one-hangs", speed=20) as url:
        done = shell.run("wait", "--url", url, "--biz", "2", "--deadline", "1", JOB)

    assert done.returncode == 4
    assert done.stdout == ""
    assert "not over after 1 s" in done.stderr


@pytest.mark.slow
def test_a_deadline_before_anything_was_seen_says_why() -> None:
    """A wait is silent: whoever reads its last line must not have to guess that there is no platform."""
    done = shell.run("wait", "--url", "http://127.0.0.1:9", "--biz", "2", "--deadline", "1", JOB)

    assert done.returncode == 4
    assert "1 target not over after 1 s" in done.stderr
    assert done.stderr.count("get_job_instance_status failed: cannot connect to") == 1
    assert done.stderr.endswith("; nothing was seen\n")


@pytest.mark.slow
def test_the_end_says_why_targets_were_lost() -> None:
    """The board does not leave its rows on the terminal."""
    with shell.simulator("some-fail", speed=20) as url:
        done = shell.run("watch", "--url", url, "--biz", "2", "7", "8")

    assert done.returncode == 3
    assert done.stderr == "0 succeeded; 2 lost, not found (2:7, 2:8)\n"
