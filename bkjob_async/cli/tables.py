"""Tables of text: columns that line up on a terminal, whatever script their texts are in, and what some cells say."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.cells import cell_len

from bkjob_async.cli.lines import write_out
from bkjob_async.cli.terminal import is_terminal
from bkjob_async.model.operations.target_status import StepStatus
from bkjob_async.model.snapshot import StepSnapshot
from bkjob_async.model.status import Phase
from bkjob_async.model.text.printing import printable


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write *rows* to stdout, under their header on a terminal: other programs read the first word of each line."""
    shown = [header, *rows] if is_terminal(sys.stdout) else rows
    for line in table_lines(shown):
        write_out(line)


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return each row as a line whose columns begin at the same place; control characters become escapes."""
    clean = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*clean, strict=True)]
    return [
        "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in clean
    ]


def step_text(steps: Sequence[StepSnapshot | StepStatus], *, has_name: bool = True) -> str:
    """Return which step of a job runs, or ran last, as `2/3 restart`."""
    begun = [number for number, step in enumerate(steps, 1) if step.status.phase is not Phase.PENDING]
    if not begun:
        return ""
    name = f" {printable(steps[begun[-1] - 1].name)}" if has_name else ""
    return f"{begun[-1]}/{len(steps)}{name}".rstrip()
