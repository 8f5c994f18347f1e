"""Tables of results: printed with machine and versions, saved, compared with a saved run."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("aiohttp", "attrs", "cattrs", "msgspec", "anyio")

_tables: dict[str, dict[str, Any]] = {}
_saved: dict[str, dict[str, Any]] = {}


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, after a line that names the machine and the versions.

    A row is identified by its first cell. A column with "ratio" or "÷" in its name holds numbers or text such as `1/8.5`;
    when a saved run is compared, the saved ratio and the quotient follow in two more columns.
    """
    _tables[title] = {"columns": list(columns), "rows": [[str(cell) for cell in row] for row in rows]}
    print(f"\n{title}\n  {environment()}")
    table = with_saved(_tables[title], _saved[title]) if title in _saved else _tables[title]
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


def environment() -> str:
    """Return machine, Python and library versions in one line."""
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    machine = f"{os.cpu_count()} CPUs ({platform.machine()})"
    return f"{machine}, {platform.python_implementation()} {platform.python_version()}, {versions}"


def with_saved(table: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return *table* with two columns after each ratio: the saved ratio, and the present one divided by it."""
    columns, rows = [], [list[str]() for _ in table["rows"]]
    before = {row[0]: dict(zip(saved["columns"], row, strict=True)) for row in saved["rows"]}
    for n, column in enumerate(table["columns"]):
        columns.append(column)
        if is_ratio(column):
            columns += ["saved", "now/saved"]
        for row, cells in zip(table["rows"], rows, strict=True):
            cells.append(row[n])
            if is_ratio(column):
                old = before.get(row[0], {}).get(column, "")
                now, then = number(row[n]), number(old)
                cells += [old or "-", f"{now / then:.2f}" if now is not None and then else "-"]
    return {"columns": columns, "rows": rows}


def is_ratio(column: str) -> bool:
    """Return True if the name says that the column holds ratios."""
    return "ratio" in column or "÷" in column


def number(cell: str) -> float | None:
    """Return the number in a cell, also for `1/8.5`; None if there is none."""
    above, _, below = cell.replace(" ", "").partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return None


def compare_with(file: Path) -> None:
    """Compare all tables from now on with a saved run."""
    _saved.update(json.loads(file.read_text(encoding="utf-8"))["tables"])


def save(file: Path) -> None:
    """Save all tables printed so far, with the environment, as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    run = {"made_by": environment(), "tables": _tables}
    file.write_text(json.dumps(run, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
