"""The simulator's README: its examples run, its tables are complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bkjob_async.simulator
from bkjob_async.simulator.faults.faults import FAULTS
from bkjob_async.simulator.servers.control import ACTIONS
from bkjob_async.simulator.world.scenarios import SCENARIOS, scenario_by_name

pytestmark = pytest.mark.slow

PAGE = (Path(bkjob_async.simulator.__file__).parent / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_pass_in_a_suite_of_their_own(number: int, tmp_path: Path) -> None:
    """Copied into an empty folder without any settings, they are tests that pass."""
    if "import requests" in EXAMPLES[number]:
        pytest.importorskip("requests")
    (tmp_path / "test_example.py").write_text(EXAMPLES[number], encoding="utf-8")

    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_every_scenario_stands_in_the_table() -> None:
    """With its own summary."""
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", PAGE, re.MULTILINE))

    assert rows == {name: scenario_by_name(name).summary for name in SCENARIOS}


def test_every_fault_and_control_is_named() -> None:
    """Nothing is hidden from readers."""
    assert [name for name in FAULTS if f"`{name}`" not in PAGE] == []
    assert [path for _, path in ACTIONS if path and path not in PAGE and path != "scenarios"] == []
