"""Tables of results: printed with the machine that made them, saved, held against a saved run."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("aiohttp", "attrs", "cattrs", "msgspec", "anyio")

_shown: dict[str, dict[str, Any]] = {}
_earlier: dict[str, dict[str, Any]] = {}


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their columns, after what machine and libraries made them.

    A row goes by its first cell. Columns with "ratio" or "÷" in their names hold numbers, or text like `1/8.5`; beside a
    saved run each gets a column more: the ratio that was saved.
    """
    _shown[title] = {"columns": list(columns), "rows": [[str(cell) for cell in row] for row in rows]}
    print(f"\n{title}\n  {made_by()}")
    table = beside(_shown[title], _earlier[title]) if title in _earlier else _shown[title]
    texts = [table["columns"], *table["rows"]]
    widths = [max(len(row[n]) for row in texts) for n in range(len(texts[0]))]
    for number, row in enumerate(texts):
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        print("  " + "  ".join(cells))
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))


def made_by() -> str:
    """Return machine and versions in one line."""
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    machine = f"{os.cpu_count()} CPUs ({platform.machine()})"
    return f"{machine}, {platform.python_implementation()} {platform.python_version()}, {versions}"


def beside(table: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return *table* with each ratio of an *earlier* run behind the present one, and how much of it is left."""
    columns, rows = [], [list[str]() for _ in table["rows"]]
    before = {row[0]: dict(zip(earlier["columns"], row, strict=True)) for row in earlier["rows"]}
    for n, column in enumerate(table["columns"]):
        columns.append(column)
        if is_ratio(column):
            columns += ["saved", "now/saved"]
        for row, cells in zip(table["rows"], rows, strict=True):
            cells.append(row[n])
            if is_ratio(column):
                saved = before.get(row[0], {}).get(column, "")
                now, then = number(row[n]), number(saved)
                cells += [saved or "-", f"{now / then:.2f}" if now is not None and then else "-"]
    return {"columns": columns, "rows": rows}


def is_ratio(column: str) -> bool:
    """Whether a column holds ratios, by its name."""
    return "ratio" in column or "÷" in column


def number(cell: str) -> float | None:
    """Return the number in a cell, `1/8.5` too; None where there is none."""
    above, _, below = cell.replace(" ", "").partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return None


def compare_with(file: Path) -> None:
    """Hold everything that is shown from now on against a saved run."""
    _earlier.update(json.loads(file.read_text(encoding="utf-8"))["tables"])


def save(file: Path) -> None:
    """Save all that was shown, and what made it, as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    run = {"made_by": made_by(), "tables": _shown}
    file.write_text(json.dumps(run, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
