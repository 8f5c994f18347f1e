"""The last failures as lines: which host of which target, with its code, tag and exit code."""

from __future__ import annotations

from collections.abc import Sequence

from bkjob_async import HostChanged
from bkjob_async.cli.board.drawing.signs import Signs
from bkjob_async.cli.board.drawing.spans import Line, Span, cells_of, fitted, with_right
from bkjob_async.cli.board.model import BoardModel
from bkjob_async.cli.board.views.views import host_name
from bkjob_async.cli.times import short_clock
from bkjob_async.model.status import Phase
from bkjob_async.model.text.printing import printable

# An age far from its failure is hard to read.
LINE_WIDTH = 120


def failure_lines(model: BoardModel, count: int, width: int, signs: Signs, now: float) -> list[Line]:
    """Return the last *count* failures, the newest first; empty lines where there are fewer.

    Each says how long ago it was seen, where there is room for that.
    """
    last = [*reversed(model.failures)][:count]
    ages = [((f"{short_clock(now - at)} ago", "dim"),) for at in reversed(model.failed_at)]
    names = [name_of(model, event) for event in last]
    name = min(max(map(cells_of, names), default=0), max(8, width // 3))
    host = min(max((cells_of(host_name(event.host)) for event in last), default=0), max(8, width // 4))
    lines = [
        with_right(failure_line(event, text, (name, host), signs), age, min(width, LINE_WIDTH))
        for event, text, age in zip(last, names, ages, strict=False)
    ]
    return lines + [()] * (count - len(lines))


def failure_line(event: HostChanged, name: str, widths: Sequence[int], signs: Signs) -> Line:
    """Return one failure; *widths* are those of the name and the host."""
    spans: list[Span] = [
        (f" {signs.of[event.after.phase]} ", event.after.phase.value),
        (fitted(signs.text(name), widths[0]), ""),
        (" ", ""),
        (fitted(signs.text(host_name(event.host)), widths[1]), "strong"),
        (f" {event.after.name}", Phase.FAILED.value),
    ]
    if event.exit_code is not None:
        spans.append((f" exit {event.exit_code}", ""))
    if event.tag:
        spans.append((f" {signs.text(printable(event.tag))}", "dim"))
    return tuple(spans)


def name_of(model: BoardModel, event: HostChanged) -> str:
    """Return the name of the target that a failure is in."""
    rows = model.rows_of(event.ref)
    return rows[0].title if rows else str(event.ref)
