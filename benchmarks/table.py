"""A table of results with the machine that made them."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version

LIBRARIES = ("aiohttp", "attrs", "cattrs", "msgspec", "anyio")


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their columns, after what machine and libraries made them."""
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    print(f"\n{title}")
    print(
        f"  {os.cpu_count()} CPUs, {platform.python_implementation()} {platform.python_version()}, {versions}"
    )
    texts = [[str(cell) for cell in row] for row in (columns, *rows)]
    widths = [max(len(row[n]) for row in texts) for n in range(len(columns))]
    for number, row in enumerate(texts):
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        print("  " + "  ".join(cells))
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
