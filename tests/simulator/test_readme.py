"""The simulator's README: its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

import bkjob_async.simulator
from bkjob_async.simulator.faults.faults import FAULTS
from bkjob_async.simulator.servers.control import ACTIONS
from bkjob_async.simulator.world.scenarios import SCENARIOS, scenario_by_name

PAGE = (Path(bkjob_async.simulator.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_every_scenario_stands_in_the_table() -> None:
    """With its own summary."""
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", PAGE, re.MULTILINE))

    assert rows == {name: scenario_by_name(name).summary for name in SCENARIOS}


def test_every_fault_and_control_is_named() -> None:
    """Nothing is hidden from readers."""
    assert [name for name in FAULTS if f"`{name}`" not in PAGE] == []
    assert [path for _, path in ACTIONS if path and path not in PAGE and path != "scenarios"] == []
