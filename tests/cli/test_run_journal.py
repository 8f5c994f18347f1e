"""`bkjob run` and `bkjob retry` record their watch, so that another process continues it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli import shell
from tests.journal.stores import sqlite_url

pytestmark = pytest.mark.slow

SCRIPT = ("run", "script", "-", "--hosts", "10.0.0.1,10.0.0.2", "--biz", "2", "--interval", "0.1")


def fed(tmp_path: Path, *arguments: str) -> list[str]:
    """Return the words of `bkjob run script` of a file."""
    script = tmp_path / "deploy.sh"
    script.write_text("uptime\n")
    return [str(script) if word == "-" else word for word in arguments]


def test_a_launched_job_is_watched_on_after_the_session_was_lost(tmp_path: Path) -> None:
    """Killed while it watches; the next process needs the journal and the name of the job only."""
    journal = sqlite_url(tmp_path)
    with shell.simulator("all-succeed", speed=3) as url:
        first = shell.start(*fed(tmp_path, *SCRIPT, "--url", url, "--journal", journal))
        assert first.stdout is not None
        assert any("RUNNING" in line for line in iter(first.stdout.readline, ""))
        first.kill()
        launched = re.match(r"launched (\S+)", shell.ended(first).stderr)
        assert launched is not None
        shell.control(url, "advance", {"seconds": 60})
        second = shell.run(
            "watch", "--url", url, "--interval", "0.1", "--journal", journal, "--name", launched[1]
        )

    assert (second.returncode, second.stderr) == (0, "1 succeeded\n")


def test_a_retried_job_is_recorded(tmp_path: Path) -> None:
    """Under its own name, unless another is given."""
    journal = sqlite_url(tmp_path)
    watch = ("--url", "{url}", "--biz", "2", "--interval", "0.1")
    with shell.simulator("some-fail", speed=50) as url:
        given = [word.format(url=url) for word in watch]
        assert shell.run("watch", *given, "20000000001").returncode == 1
        retried = shell.run("retry", "--yes", *given, "--journal", journal, "20000000001")
        shown = shell.run("journal", "show", journal)

    assert "accepted" in retried.stderr
    assert "2:20000000001" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint", "code"),
    [
        (["--fleet", "n"], "BKJOB_JOURNAL", 2),
        (["--journal", "sqlite:///x.db", "--detach"], "--detach", 2),
        (["--journal", "memory:"], "would end with this command", 2),
        (["--detach", "--deadline", "5"], "--deadline", 2),
        (["--detach", "--fail-fast"], "--fail-fast", 2),
        (["--journal", "sqlite:///x.db", "--fleet", "{}"], "no name of a fleet", 2),
        (["--journal", "sqlite:////nowhere/at/all/x.db"], "/nowhere/at/all", 2),
    ],
)
def test_nothing_is_launched_that_could_not_be_recorded(
    tmp_path: Path, arguments: list[str], complaint: str, code: int
) -> None:
    """The journal is tried first."""
    with shell.simulator("all-succeed") as url:
        done = shell.run(*fed(tmp_path, *SCRIPT, "--url", url, *arguments))
        asked = shell.control(url, "")["request_counts"]

    assert complaint in done.stderr
    assert done.returncode == code
    assert not any("execute" in name for name in asked)
