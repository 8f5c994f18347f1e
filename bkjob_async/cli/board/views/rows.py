"""One line for each target, in columns that fit the terminal and the rows that are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bkjob_async.cli.board.drawing.signs import WORDS, Signs, bar
from bkjob_async.cli.board.drawing.spans import Line, Span, cells_of, fitted, fitted_line
from bkjob_async.cli.board.target_row import ATTENTION, TargetRow
from bkjob_async.cli.tables import step_text
from bkjob_async.model.status import Phase
from bkjob_async.model.text.printing import printable
from bkjob_async.report.times import short_clock

NARROWEST_NAME, WIDEST_NAME = 10, 40
NARROWEST_BAR, WIDEST_BAR = 8, 40
# Where it is narrow only the number of the step is shown.
STEP_NUMBER, WIDEST_STEP = 4, 28
WIDE = 120
DIM = "dim"
# In the order in which they are shown.
COLUMNS = ("target", "step", "hosts", "done", "failed", "time", "left", "id", "state")
RIGHT = frozenset({"done", "failed", "time", "left"})
Widths = Mapping[str, int]
"""The widths of the columns that are shown, by their names and in their order."""


def columns_for(rows: Sequence[TargetRow], width: int) -> Widths:
    """Return the columns for *rows* in *width* cells: what matters less is left out where it does not fit."""
    wanted_name = min(WIDEST_NAME, max([cells_of(row.title) for row in rows], default=0))
    done = max([cells_of(ratio(row)) for row in rows], default=4)
    done = max(done, len("done"))
    name, bar_width = max(NARROWEST_NAME, min(wanted_name, 16)), NARROWEST_BAR
    # The mark of the selection and the sign take two cells, and each column one more as a gap.
    left = width - 3 - name - bar_width - done - 2
    if left < 0:
        bar_width, left = max(0, bar_width + left), min(0, bar_width + left)
        name, left = max(1, name + left), 0
    extra: dict[str, int] = {}
    ids = max([len(id_of(row)) for row in rows], default=2)
    steps = min(WIDEST_STEP, max([cells_of(step_text(row.steps)) for row in rows], default=0))
    wanted = (
        ("failed", 6, 0),
        ("time", 5, 0),
        ("left", 6 if any(map(left_of, rows)) else 0, 0),
        ("step", min(steps, STEP_NUMBER if width < WIDE else WIDEST_STEP), 8),
        ("id", ids, 16),
        ("state", 18, 24),
    )
    for key, size, reserve in wanted:
        if size and left - reserve >= size + 1:
            extra[key] = size
            left -= size + 1
    more = max(0, min(left // 2, wanted_name - name))
    name, left = name + more, left - more
    more = max(0, min(left, WIDEST_BAR - bar_width))
    bar_width, left = bar_width + more, left - more
    more = max(0, min(left, wanted_name - name))
    name, left = name + more, left - more
    if "state" in extra:
        extra["state"] += left
    widths = {"target": max(1, name), "hosts": max(0, bar_width), "done": done, **extra}
    return {column: widths[column] for column in COLUMNS if column in widths}


def heading_line(columns: Widths, width: int) -> Line:
    """Return the names of the columns."""
    parts = [fitted(column, size, right=column in RIGHT) for column, size in columns.items() if size]
    return ((fitted("   " + " ".join(parts), width), "heading"),)


def row_line(
    row: TargetRow, columns: Widths, width: int, signs: Signs, now: float, *, is_selected: bool = False
) -> Line:
    """Return the line of a target."""
    phase, failed = row.shown_phase, Phase.FAILED.value
    is_bright = row.group == ATTENTION or is_selected
    spans: list[Span] = [
        (signs.selected, "mark") if is_selected else (" ", ""),
        (signs.of[phase], failed if row.failed and not row.is_over else phase.value),
    ]
    state = (signs.text(state_text(row)), state_role(row))
    cells = {
        "target": (signs.text(row.title), "strong" if is_bright else ""),
        "step": (signs.text(step_text(row.steps, has_name=columns.get("step", 0) > STEP_NUMBER)), DIM),
        "hosts": state,
        "done": (ratio(row) if row.total else "", ""),
        "failed": (f"{signs.of[Phase.FAILED]}{row.failed}" if row.failed else "", failed),
        "time": (time_text(row, now), DIM),
        "left": (left_text(row, now), DIM),
        "id": (id_of(row), DIM),
        "state": state,
    }
    has_bar = row.total or not row.trouble or "state" in columns
    for column, size in columns.items():
        if column == "hosts" and has_bar:
            spans += [(" ", ""), *bar(row.expected_counts, size, signs)]
        else:
            text, role = cells[column]
            spans.append((" " + fitted(text, size, right=column in RIGHT), role))
    return fitted_line(spans, width)


def ratio(row: TargetRow) -> str:
    """Return how many hosts of a target are over, as 8/10."""
    return f"{row.done}/{row.total}"


def state_text(row: TargetRow) -> str:
    """Return where a target stands, in a word or two; trouble with reading it comes first."""
    if row.trouble:
        return printable(row.trouble)
    if row.phase is None:
        return "not seen yet"
    return WORDS[row.phase]


def state_role(row: TargetRow) -> str:
    """Return the role of that: trouble looks like what waits for a person."""
    return (Phase.WAITING if row.trouble and not row.is_lost else row.shown_phase).value


def time_text(row: TargetRow, now: float) -> str:
    """Return how long a target took, or has been running for."""
    if row.took is not None and row.is_over:
        return short_clock(row.took)
    return short_clock(now - row.began_at) if row.began_at is not None and not row.is_over else ""


def left_of(row: TargetRow) -> float | None:
    """Return when a target is expected to end, on the clock of the board; None where nothing is known."""
    return None if row.is_over else row.ends_at


def left_text(row: TargetRow, now: float) -> str:
    """Return in how many seconds a target is expected to end."""
    ends_at = left_of(row)
    return "" if ends_at is None else f"~{short_clock(ends_at - now)}"


def id_of(row: TargetRow) -> str:
    """Return the ref of a target without its scope."""
    return str(row.ref).rpartition(":")[2]
