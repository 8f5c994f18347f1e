"""One line for each target, in columns that fit the terminal and the rows that are shown."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bkjob_async.cli.board.drawing.bars import bar
from bkjob_async.cli.board.drawing.signs import WORDS, Signs
from bkjob_async.cli.board.drawing.spans import Line, Span, cells_of, fitted, fitted_line
from bkjob_async.cli.board.drawing.times import clock, ratio
from bkjob_async.cli.board.target_row import ATTENTION, TargetRow
from bkjob_async.model.status import Phase
from bkjob_async.model.text.printing import printable

NARROWEST_NAME, WIDEST_NAME = 10, 40
NARROWEST_BAR, WIDEST_BAR = 8, 40
# Where it is narrow only the number of the step is shown.
STEP_NUMBER, WIDEST_STEP = 4, 28
WIDE = 120
DIM = "dim"
HEADINGS = ("target", "step", "hosts", "done", "failed", "time", "left", "id", "state")


@frozen(kw_only=True)
class Columns:
    """The widths of the columns, 0 for one that is left out."""

    name: int
    bar: int
    done: int
    failed: int = 0
    step: int = 0
    time: int = 0
    left: int = 0
    state: int = 0
    id: int = 0

    def optional(self) -> tuple[int, ...]:
        """Return the widths of all columns in the order in which they are shown."""
        return (
            self.name,
            self.step,
            self.bar,
            self.done,
            self.failed,
            self.time,
            self.left,
            self.id,
            self.state,
        )


def columns_for(rows: Sequence[TargetRow], width: int) -> Columns:
    """Return the columns for *rows* in *width* cells: what matters less is left out where it does not fit."""
    wanted_name = min(WIDEST_NAME, max([cells_of(row.title) for row in rows], default=0))
    done = max([cells_of(ratio(row.done, row.total)) for row in rows], default=4)
    done = max(done, len("done"))
    name, bar_width = max(NARROWEST_NAME, min(wanted_name, 16)), NARROWEST_BAR
    # The mark of the selection and the sign take two cells, and each column one more as a gap.
    left = width - 3 - name - bar_width - done - 2
    if left < 0:
        bar_width, left = max(0, bar_width + left), min(0, bar_width + left)
        name, left = max(1, name + left), 0
    extra: dict[str, int] = {}
    ids = max([len(id_of(row)) for row in rows], default=2)
    steps = min(WIDEST_STEP, max([cells_of(step_text(row)) for row in rows], default=0))
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
    return Columns(name=max(1, name), bar=max(0, bar_width), done=done, **extra)


def heading_line(columns: Columns, width: int) -> Line:
    """Return the names of the columns."""
    right = {"done", "failed", "time", "left"}
    parts = [
        fitted(heading, size, right=heading in right)
        for heading, size in zip(HEADINGS, columns.optional(), strict=True)
        if size
    ]
    return ((fitted("   " + " ".join(parts), width), "heading"),)


def row_line(
    row: TargetRow, columns: Columns, width: int, signs: Signs, now: float, *, is_selected: bool = False
) -> Line:
    """Return the line of a target."""
    phase = row.shown_phase
    needs_a_look = row.group == ATTENTION
    name = fitted(signs.text(row.title), columns.name)
    spans: list[Span] = [
        (signs.selected, "mark") if is_selected else (" ", ""),
        (signs.of[phase], Phase.FAILED.value if row.failed and not row.is_over else phase.value),
        (" " + name, "strong" if needs_a_look or is_selected else ""),
    ]
    if columns.step:
        spans += [
            (" ", ""),
            (fitted(signs.text(step_text(row, has_name=columns.step > STEP_NUMBER)), columns.step), DIM),
        ]
    spans.append((" ", ""))
    if row.trouble and not row.total and not columns.state:
        spans.append((fitted(signs.text(state_text(row)), columns.bar), state_role(row)))
    else:
        spans += bar(row.expected_counts, columns.bar, signs)
    done = ratio(row.done, row.total) if row.total else ""
    spans.append((" " + fitted(done, columns.done, right=True), ""))
    if columns.failed:
        text = f"{signs.of[Phase.FAILED]}{row.failed}" if row.failed else ""
        spans.append((" " + fitted(text, columns.failed, right=True), Phase.FAILED.value))
    if columns.time:
        spans.append((" " + fitted(time_text(row, now), columns.time, right=True), DIM))
    if columns.left:
        spans.append((" " + fitted(left_text(row, now), columns.left, right=True), DIM))
    if columns.id:
        spans.append((" " + fitted(id_of(row), columns.id), DIM))
    if columns.state:
        spans.append((" " + fitted(signs.text(state_text(row)), columns.state), state_role(row)))
    return fitted_line(spans, width)


def step_text(row: TargetRow, *, has_name: bool = True) -> str:
    """Return which step runs or ran last, as 2/3 restart."""
    if row.current is None:
        return ""
    step = row.steps[row.current]
    number = [*row.steps].index(row.current) + 1
    name = f" {printable(step.name)}" if has_name else ""
    return f"{number}/{len(row.steps)}{name}".rstrip()


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
        return clock(row.took)
    return clock(now - row.began_at) if row.began_at is not None and not row.is_over else ""


def left_of(row: TargetRow) -> float | None:
    """Return when a target is expected to end, on the clock of the board; None where nothing is known."""
    return None if row.is_over else row.ends_at


def left_text(row: TargetRow, now: float) -> str:
    """Return in how many seconds a target is expected to end."""
    ends_at = left_of(row)
    return "" if ends_at is None else f"~{clock(ends_at - now)}"


def id_of(row: TargetRow) -> str:
    """Return the ref of a target without its scope."""
    return str(row.ref).rpartition(":")[2]
