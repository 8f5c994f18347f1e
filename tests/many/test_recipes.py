"""The recipes of the page on many machines do what they say, as far as one machine can tell."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from bkjob_async.cli.actions.fleet.health import HealthFiles
from bkjob_async.cli.commands.fleet import run_command, shard_numbers
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.journal.store import ALIVE_SECONDS

PAGE = Path(__file__).parent.parent.parent / "bkjob_async" / "docs" / "many-machines.md"


# What the pages say of how long a runner is silent before its shard is claimed.
SILENCE = re.compile(r"`--claim`[^|。.]*?(?:takes the shard after|that is held after|沉默|的进程) ?(\d+)")


def block(language: str) -> str:
    """Return the block of the page in this language."""
    return PAGE.read_text(encoding="utf-8").split(f"```{language}\n")[1].split("```")[0]


def shard_of(words: list[str]) -> tuple[int, ...]:
    """Return the shards that a command runs, read as `bkjob fleet run` reads it."""
    assert words[:3] == ["bkjob", "fleet", "run"]
    parsed: Any = run_command.make_context("run", words[3:])
    return shard_numbers(parsed.params["shards"])


def deployment() -> Any:
    """Return the manifest of the page."""
    return pytest.importorskip("yaml").safe_load(block("yaml"))


def container() -> Any:
    """Return the container of its pods."""
    (found,) = deployment()["spec"]["template"]["spec"]["containers"]
    return found


def test_the_manifest_is_one_that_kubernetes_takes() -> None:
    """Without a field that it does not know."""
    validator = pytest.importorskip("kubernetes_validate")
    wrong = deployment()
    wrong["spec"]["replica"] = 5

    validator.validate(deployment(), validator.latest_version(), strict=True)
    with pytest.raises(validator.ValidationError):
        validator.validate(wrong, validator.latest_version(), strict=True)


@pytest.mark.parametrize("page", [PAGE, PAGE.parent / "zh" / PAGE.name], ids=["en", "zh"])
def test_the_page_says_after_which_silence_a_shard_is_claimed(page: Path) -> None:
    """Wherever it says so."""
    text = " ".join(page.read_text(encoding="utf-8").split())

    assert SILENCE.findall(text) == [f"{ALIVE_SECONDS:.0f}"] * 2


def test_pods_claim_more_shards_than_there_are_even_without_one_of_them() -> None:
    """The labels select them, and the command is one of this package."""
    spec, words = deployment()["spec"], container()["command"]
    parsed: Any = run_command.make_context("run", words[3:])
    shards = int(PAGE.read_text(encoding="utf-8").split("bkjob fleet create night --shards ")[1].split()[0])

    assert words[:4] == ["bkjob", "fleet", "run", "night"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert (spec["replicas"] - 1) * parsed.params["claim"] >= shards
    assert {each["name"] for each in container()["env"]} >= {"BKJOB_JOURNAL", "BKJOB_APP_SECRET"}


def test_probes_look_at_the_files_that_the_command_keeps(tmp_path: Path) -> None:
    """Alive is a file of the last minute; without it, or with an old one, the pod is started again."""
    folder = container()["command"][-1]
    files = HealthFiles(tmp_path, (0,))
    codes: list[list[int]] = []

    def probe() -> None:
        found: list[int] = []
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            words = [word.replace(folder, str(tmp_path)) for word in container()[kind]["exec"]["command"]]
            done = subprocess.run(words, check=False, capture_output=True)
            found.append(done.returncode)
        codes.append(found)

    probe()
    (tmp_path / "alive").touch()
    probe()
    files.note(0, is_well=True)
    probe()
    os.utime(tmp_path / "alive", (0, 0))
    probe()

    assert codes == [[1, 1, 1], [0, 0, 1], [0, 0, 0], [0, 1, 0]]


def test_kubernetes_knows_every_field_of_the_manifest() -> None:
    """Where its schemas are installed."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")

    kubernetes_validate.validate(deployment(), kubernetes_validate.latest_version(), strict=True)


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
