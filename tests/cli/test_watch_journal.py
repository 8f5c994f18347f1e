"""`bkjob watch --journal` continues in another process what one before it reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import shell
from tests.journal.stores import sqlite_url

pytestmark = pytest.mark.slow

JOB = "20000000001"
PASSWORD = "opensesame"


def test_a_watch_continues_in_another_process(tmp_path: Path) -> None:
    """Killed in the middle; the next one needs no target, reports the rest, and the journal has all of it once."""
    journal = ("--journal", sqlite_url(tmp_path), "--name", "night")
    with shell.simulator("all-succeed", speed=3) as url:
        first = shell.start("watch", "--url", url, "--biz", "2", "--interval", "0.1", *journal, JOB)
        assert first.stdout is not None
        assert any("RUNNING" in line for line in iter(first.stdout.readline, ""))
        first.kill()
        shell.ended(first)
        shell.control(url, "advance", {"seconds": 60})
        second = shell.run("watch", "--url", url, "--interval", "0.1", *journal)

    assert second.returncode == 0
    reported = shell.run("journal", "export", sqlite_url(tmp_path), "--name", "night").stdout.splitlines()
    events = [json.loads(line) for line in reported]
    ends = [e for e in events if e["kind"] == "host_changed" and e["after"]["phase"] == "SUCCESS"]
    assert len(ends) == len({(e["ref"], e["host"]["label"]) for e in ends}) == 22
    assert [e["kind"] for e in events].count("resumed") == 1
    assert [e["kind"] for e in events].count("finished") == 1


def test_what_had_failed_before_a_watch_was_continued_counts(tmp_path: Path) -> None:
    """The exit code is about all targets of the fleet, not only those that moved since."""
    journal = ("--journal", sqlite_url(tmp_path), "--name", "night")
    with shell.simulator("some-fail", speed=50) as url:
        first = shell.run("watch", "--url", url, "--biz", "2", "--interval", "0.1", *journal, JOB)
        second = shell.run("watch", "--url", url, "--interval", "0.1", *journal)

    assert (first.returncode, second.returncode) == (1, 1)
    assert first.stderr.splitlines()[0] == second.stderr.splitlines()[0] == f"0 succeeded; 1 failed (2:{JOB})"


def test_a_misspelt_name_is_no_success(tmp_path: Path) -> None:
    """A watch without targets goes on with those of its fleet; where there are none, it must not say that all is well."""
    journal = ("--journal", sqlite_url(tmp_path))
    with shell.simulator("all-succeed", speed=50) as url:
        no_file = shell.run("watch", "--url", url, *journal, "--name", "night")
        shell.run("watch", "--url", url, "--biz", "2", *journal, "--name", "night", JOB)
        no_fleet = shell.run("watch", "--url", url, *journal, "--name", "nigth")
        without_name = shell.run("watch", "--url", url, "--biz", "2", *journal, JOB)

    assert (no_file.returncode, no_fleet.returncode, without_name.returncode) == (3, 3, 2)
    assert "there is no such file: check the path" in no_file.stderr
    assert "there is no fleet 'nigth'" in no_fleet.stderr
    assert "bkjob journal show" in no_fleet.stderr
    assert "give --name" in without_name.stderr
    assert [each.name for each in tmp_path.glob("*.db")] == ["fleet.db"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--journal", f"redis://:{PASSWORD}@localhost", "--name", "n"], "BKJOB_JOURNAL"),
        (["--name", "n"], "BKJOB_JOURNAL"),
        (["--journal", "sqlite:///x.db", "100"], "name"),
        (["--journal", "sqlite://x.db", "--name", "n"], "three slashes"),
    ],
)
def test_a_wrong_journal_is_wrong_usage(arguments: list[str], complaint: str) -> None:
    """Before anything is sent; a password is not repeated."""
    done = shell.run("watch", "--url", "http://127.0.0.1:9", "--biz", "2", *arguments)

    assert done.returncode == 2
    assert complaint in done.stderr
    assert PASSWORD not in done.stderr
