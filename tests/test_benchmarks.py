"""Every benchmark runs; tables can be saved and compared with a saved run."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.__main__ import NAMES, main

ROOT = Path(__file__).parent.parent
# The other clients that a benchmark compares with; they are not installed everywhere.
NEEDS = {
    "decode": ["orjson"],
    "lifecycle": ["orjson"],
    "observe": ["opentelemetry.sdk", "prometheus_client"],
    "peers": ["bkapi_client_core", "httpx"],
}


@pytest.mark.deep
@pytest.mark.parametrize("name", NAMES)
def test_a_small_run_prints_its_tables(name: str) -> None:
    """Small amounts show that a benchmark works; its figures mean nothing."""
    for module in NEEDS.get(name, []):
        pytest.importorskip(module, reason="install the extra `benchmarks`")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, "--small"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert f"\n{name}: " in done.stdout


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_tables", {})
    monkeypatch.setattr(table, "_saved", {})


def test_a_saved_run_is_compared_with_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each ratio is followed by the saved one and the quotient; a new row has neither."""
    columns = ("what", "µs", "ratio")
    table.show("poll", columns, [("small", 10, "0.50"), ("large", 99, "1/8")])
    table.save(tmp_path / "deeper" / "run.json")
    table.compare_with(tmp_path / "deeper" / "run.json")
    capsys.readouterr()

    table.show("poll", columns, [("small", 9, "0.40"), ("large", 98, "1/16"), ("new", 1, "0.1")])

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[3:] == [
        ["what", "µs", "ratio", "saved", "now/saved"],
        ["-----", "--", "-----", "-----", "---------"],
        ["small", "9", "0.40", "0.50", "0.80"],
        ["large", "98", "1/16", "1/8", "0.50"],
        ["new", "1", "0.1", "-", "-"],
    ]


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 2, and the message lists the names."""
    with pytest.raises(SystemExit) as left:
        main(["nothing-like-it"])

    said = capsys.readouterr().err
    assert left.value.code == 2
    assert [name for name in NAMES if name not in said] == []
