"""A full disk or a closed pipe behind stdout: one line on stderr, one exit code, for every command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from bkjob_async.cli.commands.group import COMMANDS
from bkjob_async.cli.dispatch import guarded
from bkjob_async.cli.entry import main
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_out
from tests.cli import shell

GROUPS = {"run": ["script"], "fleet": ["create"], "journal": ["show"], "config": ["show"]}

OUTPUTS = {shell.full_disk: ExitCode.COULD_NOT_WATCH, shell.closed_pipe: ExitCode.NOBODY_LISTENS}

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["completion", "bash"],
        *([name, "--help"] for name in COMMANDS),
        *([name, *more, "--help"] for name, more in GROUPS.items()),
    ],
    ids=" ".join,
)
def test_no_command_takes_output_for_written_that_was_not(
    arguments: list[str],
    output: Callable[[], IO[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nor does it end with a traceback, or with the code of a failed target."""
    with shell.unwritable(output()) as stream:
        monkeypatch.setattr(sys, "argv", ["bkjob", *arguments])
        monkeypatch.setattr(sys, "stdout", stream)
        code = main()
        monkeypatch.undo()

    assert code == OUTPUTS[output]
    lines = capsys.readouterr().err.splitlines()
    expected = (
        ["bkjob: stdout cannot be written: No space left on device"] if output is shell.full_disk else []
    )
    assert lines == expected


@pytest.mark.parametrize("code", list(ExitCode))
def test_only_an_unknown_outcome_matters_more_than_a_full_disk(
    code: ExitCode,
) -> None:
    """What was buffered fails when the command is done."""

    def work() -> ExitCode:
        print("buffered")
        return code

    with shell.unwritable(shell.full_disk()) as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        ended = guarded(work)

    assert ended is (code if code is ExitCode.OUTCOME_UNKNOWN else ExitCode.COULD_NOT_WATCH)


def test_other_errors_of_files_are_not_about_stdout() -> None:
    """They are defects, and seen as such."""

    def work() -> ExitCode:
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(FileNotFoundError):
        guarded(work)
    write_out("")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--json"], []], ids=["json", "lines"])
def test_a_watch_does_not_go_on_when_its_lines_cannot_be_written(arguments: list[str]) -> None:
    """It ends at the first one, although the job goes on."""
    with shell.simulator("one-hangs", speed=20) as url, shell.unwritable(shell.full_disk()) as full:
        watch = shell.run("watch", "--url", url, "--biz", "2", "20000000001", *arguments, stdout=full)

    assert watch.returncode == ExitCode.COULD_NOT_WATCH
    assert watch.stderr == "bkjob: stdout cannot be written: No space left on device\n"
