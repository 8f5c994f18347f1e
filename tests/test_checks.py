"""The commands of `python -m tests`, the coverage table and the changelog."""

import re
from pathlib import Path

import pytest

from tests.__main__ import (
    HISTORIES,
    IN_UVLOOP,
    PURE_TESTS,
    SEEDS,
    deep_steps,
    git,
    quick_steps,
    seed_of_commit,
    steps,
)
from tests.coverage_by_room import coverage_by_room, missing
from tests.vulnerabilities import report

ROOT = Path(__file__).parent.parent
CHANGELOG = (ROOT / "bkjob_async" / "docs" / "changelog.md").read_text(encoding="utf-8")


def test_quick_checks_look_at_changed_files_only() -> None:
    """Format and lint get the changed files; without any they are left out."""
    commands = quick_steps(["a.py", "b.py"])

    assert [[*step.command][-2:] for step in commands[:2]] == [["a.py", "b.py"]] * 2
    assert quick_steps([]) == commands[2:]


def test_each_size_has_the_tools_of_the_smaller_one() -> None:
    """What passes one passes those before it; the paths that are named exist."""
    quick, usual, deep = (
        {step.command[0] for step in some} for some in (quick_steps(["a.py"]), steps(), deep_steps())
    )

    assert quick <= usual <= deep | {"pytest"}
    assert [path for path in (*PURE_TESTS, *HISTORIES, *IN_UVLOOP[:-1]) if not (ROOT / path).exists()] == []


def test_a_commit_has_its_own_histories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seed is that of git's HEAD; it changes with each commit, and not between two checks of one."""
    commit = ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--allow-empty", "--message"]
    monkeypatch.setattr("tests.__main__.ROOT", tmp_path)
    git("init")
    git(*commit, "one")
    first, again = seed_of_commit(), seed_of_commit()
    git(*commit, "two")

    assert first == again != seed_of_commit()
    assert 0 <= first < SEEDS


def test_coverage_is_added_up_by_room() -> None:
    """Lines and branches of a room count together; files without gaps are not listed."""
    full = {"num_statements": 6, "missing_lines": 0, "num_branches": 2, "missing_branches": 0}
    half = {"num_statements": 6, "missing_lines": 4, "num_branches": 2, "missing_branches": 2}
    report = {
        "files": {
            "bkjob_async/engine/a.py": {
                "summary": {**full, "percent_covered": 100.0},
                "missing_lines": [],
                "missing_branches": [],
            },
            "bkjob_async/engine/b/c.py": {
                "summary": {**half, "percent_covered": 25.0},
                "missing_lines": [1, 2, 3, 4],
                "missing_branches": [[1, 2], [3, -1]],
            },
            "bkjob_async/errors.py": {
                "summary": {**full, "percent_covered": 100.0},
                "missing_lines": [],
                "missing_branches": [],
            },
        }
    }

    assert {room: counts.percent for room, counts in coverage_by_room(report).items()} == {
        "engine": 62.5,
        "errors": 100.0,
    }
    assert [line.split()[2] for line in missing(report)] == ["bkjob_async/engine/b/c.py"]


def test_the_newest_version_of_the_changelog_is_the_readmes() -> None:
    """The README ends with the lines of the last release."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (\d+\.\d+\.\d+)$", CHANGELOG, re.MULTILINE)

    assert readme.rpartition("\n## ")[2].splitlines()[0] == f"Release {versions[0]}"
    assert versions == sorted(versions, reverse=True)
    assert f'\nversion = "{versions[0]}"\n' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_a_vulnerability_of_an_old_version_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that cannot be asked is reported, and fails the check only where services are required."""
    sound, bad = {"name": "attrs", "version": "24.2", "vulns": []}, {"id": "CVE-2026-1", "fix_versions": []}
    unknown = {"name": "rich", "skip_reason": "not found"}

    assert report([sound, unknown]) == 0
    assert "not in the database: rich" in capsys.readouterr().out
    assert report([sound, {"name": "redis", "version": "5.2", "vulns": [bad]}]) == 1
    assert "redis 5.2: CVE-2026-1" in capsys.readouterr().out
    for nothing in ([unknown], []):
        monkeypatch.delenv("BKJOB_REQUIRE_SERVICES", raising=False)
        assert report(nothing) == 0
        assert "NOT CHECKED" in capsys.readouterr().out
        monkeypatch.setenv("BKJOB_REQUIRE_SERVICES", "1")
        assert report(nothing) == 1
