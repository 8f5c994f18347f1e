"""Print the coverage of each room, and what the rooms with a goal leave out: `python -m tests.coverage_by_room`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import define

# Lines and branches together, in per cent.
GOAL = 95.0
MOST = 12
ROOMS_WITH_GOAL = ("engine", "watch", "wire", "dialects")


@define
class RoomCoverage:
    """Counts of lines and branches of one room."""

    lines: int = 0
    missing_lines: int = 0
    branches: int = 0
    missing_branches: int = 0

    @property
    def percent(self) -> float:
        """The share of lines and branches that the tests run, in per cent."""
        total = self.lines + self.branches
        return 100.0 * (1.0 - (self.missing_lines + self.missing_branches) / total) if total else 100.0


def coverage_by_room(report: Mapping[str, Any]) -> dict[str, RoomCoverage]:
    """Return the counts of each room, from the contents of coverage's JSON report."""
    rooms: dict[str, RoomCoverage] = defaultdict(RoomCoverage)
    for name, file in report["files"].items():
        counts, summary = rooms[room_of(name)], file["summary"]
        counts.lines += summary["num_statements"]
        counts.missing_lines += summary["missing_lines"]
        counts.branches += summary["num_branches"]
        counts.missing_branches += summary["missing_branches"]
    return dict(sorted(rooms.items()))


def room_of(name: str) -> str:
    """Return the room of a file: `bkjob_async/engine/…` is in `engine`, `bkjob_async/errors.py` in `errors`."""
    return Path(name).parts[1].removesuffix(".py")


def missing(report: Mapping[str, Any]) -> list[str]:
    """Return a line for each file of the rooms with a goal that is not fully covered, the least covered first."""
    files = [
        (file["summary"]["percent_covered"], name, file)
        for name, file in report["files"].items()
        if room_of(name) in ROOMS_WITH_GOAL
    ]
    return [
        f"  {percent:5.1f} %  {name}  {gaps(file)}"
        for percent, name, file in sorted(files, key=lambda row: row[:2])
        if file["missing_lines"] or file["missing_branches"]
    ]


def gaps(file: Mapping[str, Any]) -> str:
    """Return the lines that no test runs, and the branches between lines that are run, the first dozen of each."""
    lines = [str(line) for line in file["missing_lines"]]
    branches = [
        f"{start}->{end if end > 0 else 'exit'}"
        for start, end in file["missing_branches"]
        if not {start, end} & set(file["missing_lines"])
    ]
    found = [("lines", lines), ("branches", branches)]
    return "  ".join(
        f"{what} {', '.join(some[:MOST])}{' …' if len(some) > MOST else ''}" for what, some in found if some
    )


def main() -> None:
    """Print the table."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "coverage", "json", "--quiet", "--ignore-errors", "-o", str(path)]
        subprocess.run(command, check=True)
        report = json.loads(path.read_text(encoding="utf-8"))
    print("\n".join(missing(report)))
    print(f"\n{'room':<16}{'lines':>8}{'branches':>10}{'covered':>10}")
    for room, counts in coverage_by_room(report).items():
        goal = f"  below {GOAL:g} %" if room in ROOMS_WITH_GOAL and counts.percent < GOAL else ""
        print(f"{room:<16}{counts.lines:>8}{counts.branches:>10}{counts.percent:>8.1f} %{goal}")


if __name__ == "__main__":
    main()
