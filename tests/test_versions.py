"""The tools for versions and extras, and the workflows, know all of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests import extras
from tests.__main__ import PURE_TESTS
from tests.versions import tests as arguments
from tests.versions import versions

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = ROOT / ".github" / "workflows"


def test_the_newest_of_each_supported_version_is_chosen() -> None:
    """Older ones, other kinds and broken lines are not."""
    listed = "2.7.18\n3.10.13\n3.11.7\n3.13.0\n3.12.1\n3.12.11\npypy3.11-7.3\nsystem\n"

    assert versions(listed) == [(3, 11, 7), (3, 12, 11), (3, 13, 0)]


def test_the_quick_tests_are_those_of_the_pure_rooms() -> None:
    """Unless paths are named, or everything is wanted."""
    assert set(PURE_TESTS) <= set(arguments(whole=False, paths=[]))
    assert not set(PURE_TESTS) & set(arguments(whole=True, paths=[]))
    assert arguments(whole=False, paths=["tests/wire"])[-1] == "tests/wire"


def test_every_extra_is_tried() -> None:
    """And the installation without any; `dev` is what all tests run in."""
    assert {*extras.USES} == {"", *PROJECT["optional-dependencies"]} - {"dev"}


@pytest.fixture(scope="module")
def workflows() -> dict[str, Any]:
    """Return the workflows, parsed."""
    yaml = pytest.importorskip("yaml")
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in WORKFLOWS.glob("*.yml")}


def test_the_workflow_runs_every_supported_version(workflows: dict[str, Any]) -> None:
    """The declared ones, and the next; on Linux what `.ci/run` runs."""
    everything = workflows["tests"]["jobs"]["everything"]
    declared = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)}

    assert declared < {*everything["strategy"]["matrix"]["python"]}
    assert {"run": ".ci/run"} in everything["steps"]


def test_a_release_needs_no_token(workflows: dict[str, Any]) -> None:
    """It is trusted by its workflow, and only publishing has that right."""
    jobs = workflows["release"]["jobs"]

    assert "secrets." not in (WORKFLOWS / "release.yml").read_text(encoding="utf-8")
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["needs"] == "tests"
    assert jobs["tests"]["needs"] == "build"
