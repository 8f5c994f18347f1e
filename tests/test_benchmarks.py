"""The frame of the benchmarks: what is measured can be saved, and held against a saved run."""

from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.__main__ import NAMES, main


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_shown", {})
    monkeypatch.setattr(table, "_earlier", {})


def test_a_saved_run_stands_beside_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ratios get the saved ratio and what is left of it; a row that is new has none."""
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


def test_a_benchmark_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code says so, the message what there is."""
    with pytest.raises(SystemExit) as left:
        main(["nothing-like-it"])

    said = capsys.readouterr().err
    assert left.value.code == 2
    assert [name for name in NAMES if name not in said] == []
