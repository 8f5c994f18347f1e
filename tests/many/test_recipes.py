"""The recipes of the page on many machines do what they say, as far as one machine can tell."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from bkjob_async.cli.commands.fleet import run_command, shard_numbers
from bkjob_async.cli.exit_codes import ExitCode

PAGE = Path(__file__).parent.parent.parent / "bkjob_async" / "docs" / "many-machines.md"


def block(language: str) -> str:
    """Return the block of the page in this language."""
    return PAGE.read_text(encoding="utf-8").split(f"```{language}\n")[1].split("```")[0]


def shard_of(words: list[str]) -> tuple[int, ...]:
    """Return the shards that a command runs, read as `bkjob fleet run` reads it."""
    assert words[:3] == ["bkjob", "fleet", "run"]
    parsed: Any = run_command.make_context("run", words[3:])
    return shard_numbers(parsed.params["shards"])


@pytest.mark.parametrize(("pod", "shard"), [("bkjob-night-0", 0), ("bkjob-night-15", 15)])
def test_the_ordinal_of_a_pod_is_its_shard(pod: str, shard: int, tmp_path: Path) -> None:
    """The pod's command, run by a shell with the pod's name as that of the machine."""
    yaml = pytest.importorskip("yaml")
    container = yaml.safe_load(block("yaml"))["spec"]["template"]["spec"]["containers"][0]
    stand_in = tmp_path / "bkjob"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" bkjob "$@"\n', encoding="utf-8")
    stand_in.chmod(0o755)

    done = subprocess.run(
        container["command"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOSTNAME": pod},
        capture_output=True,
        text=True,
        check=True,
    )

    assert shard_of(done.stdout.split()) == (shard,)
    assert {each["name"] for each in container["env"]} >= {"BKJOB_JOURNAL", "BKJOB_APP_SECRET"}


def test_a_stateful_set_has_a_pod_for_each_shard() -> None:
    """Its labels select its pods."""
    yaml = pytest.importorskip("yaml")
    spec = yaml.safe_load(block("yaml"))["spec"]

    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert spec["replicas"] == 16


def test_the_unit_runs_the_shard_that_it_is_named_after() -> None:
    """And is not started again where another process runs the shard."""
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(block("ini"))
    service = unit["Service"]
    words = shlex.split(service["ExecStart"].replace("%i", "7"))

    assert shard_of([Path(words[0]).name, *words[1:]]) == (7,)
    ends = {int(code) for code in service["RestartPreventExitStatus"].split()}
    assert ends == {ExitCode.ALL_SUCCEEDED, ExitCode.USAGE, ExitCode.SUPERSEDED}
    assert int(service["SuccessExitStatus"]) == ExitCode.TERMINATED


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    """Where there is a systemd, it finds nothing wrong but the program that is not there."""
    path = tmp_path / "bkjob-night@.service"
    path.write_text(block("ini").replace("/opt/myapp/bin/bkjob", "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        [shutil.which("systemd-analyze") or "", "verify", str(path).replace("@.", "@3.")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert str(path.name) not in done.stderr
