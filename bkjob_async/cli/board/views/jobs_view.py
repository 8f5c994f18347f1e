"""The first view: all targets, what failed last, and what can be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from bkjob_async import HostChanged, Ref
from bkjob_async.cli.board import commands
from bkjob_async.cli.board.drawing.signs import Signs
from bkjob_async.cli.board.drawing.spans import (
    Line,
    Span,
    cells_of,
    fitted,
    fitted_line,
    joined,
    width_of,
    with_right,
)
from bkjob_async.cli.board.model import BoardModel
from bkjob_async.cli.board.target_row import ATTENTION, TargetRow
from bkjob_async.cli.board.views.head import HeadFigures, head_lines
from bkjob_async.cli.board.views.rows import columns_for, heading_line, row_line
from bkjob_async.cli.board.views.views import STEPS, Selection, host_name, key_line, page
from bkjob_async.model.status import Phase
from bkjob_async.model.text.printing import printable
from bkjob_async.report.times import short_clock

GENERAL: Mapping[str, commands.Command] = {
    "q": commands.Plain.LEAVE,
    "question_mark": commands.Plain.SHOW_HELP,
    "p": commands.Plain.TOGGLE_PAUSE,
}
MESSAGE_SECONDS = 10.0
# The age of a failure that is far from it is hard to read.
LINE_WIDTH = 120


class JobsView:
    """The targets in their order; some may be left out by `f` and `/`."""

    def __init__(
        self, model: BoardModel, figures: Callable[[], HeadFigures], signs: Signs, *, read_only: bool = False
    ) -> None:
        """Show *model*; *figures* returns those of the head."""
        self.visible: Sequence[TargetRow] = ()
        self._model = model
        self._figures = figures
        self._signs = signs
        self._read_only = read_only
        self._selection = Selection[Ref]()
        self._failed_only = False
        self._find = ""
        self._is_finding = False
        self._question: tuple[str, commands.Retry] | None = None
        self._message: tuple[str, float | None] = ("", None)
        self._keys: list[Ref] = []
        self._height = 1

    def ask(self, question: str, retry: commands.Retry) -> None:
        """Ask a question; `y` means yes, any other key no."""
        self._question = (question, retry)

    def say(self, message: str) -> None:
        """Show a message for a while."""
        self._message = (message, None)

    # Drawing --------------------------------------------------------------------------------------------------------

    def draw(self, width: int, height: int, now: float) -> list[Line]:
        """Return the head, the targets, the last failures and the keys."""
        head = head_lines(self._figures(), width, self._signs)[: 3 if height >= 10 else 1]
        rows = self._rows()
        self._keys = [row.ref for row in rows]
        failures = 0 if height < 20 else 2 if height < 36 else 6
        bottom = 1 + (height >= 6) + failures
        self._height = room = max(1, height - len(head) - (height >= 8) - bottom)
        selected = self._selection.settle(self._keys, room)
        top = self._selection.top
        self.visible = rows[top : top + room]
        columns = columns_for(self.visible, width)
        if height >= 8:
            head.append(heading_line(columns, width))
        body: Iterable[Line] = (
            row_line(row, columns, width, self._signs, now, is_selected=top + n == selected)
            for n, row in enumerate(self.visible)
        )
        if not rows:
            body = [((f"   {'no target matches' if self._model.rows else 'no targets'}", "dim"),)]
        foot = [self._rule(len(rows), now, width)] if height >= 6 else []
        foot += failure_lines(self._model, failures, width, self._signs, now)
        return page(head, body, [*foot, self._last_line(width)], (width, height), self._signs)

    def _rows(self) -> Sequence[TargetRow]:
        """Return the rows that are not left out, in their order."""
        rows = self._model.ordered()
        if self._failed_only:
            rows = [row for row in rows if row.group == ATTENTION or row.failed]
        if self._find:
            wanted = self._find.casefold()
            rows = [row for row in rows if wanted in row.title.casefold() or wanted in str(row.ref)]
        return rows

    def _rule(self, matching: int, now: float, width: int) -> Line:
        """Return the line below the targets: a message, or what is shown and what is left out."""
        text, until = self._message
        if text and until is None:
            self._message = text, now + MESSAGE_SECONDS
        elif until is not None and now > until:
            self._message = "", None
        rule = self._signs.rule
        if self._message[0]:
            said: list[Span] = [
                (f"{rule} ", "dim"),
                (self._signs.text(printable(text)), Phase.WAITING.value),
                (" ", ""),
            ]
        else:
            said = [(f"{rule} {self._shown(matching)} ", "dim")]
        line = joined([said], width)
        return (*line, (rule * max(0, width - width_of(line)), "dim"))

    def _shown(self, matching: int) -> str:
        """Return which targets are shown, and how many are left out for which reason."""
        total, first = len(self._model.rows), self._selection.top + 1
        last = min(matching, self._selection.top + self._height)
        parts = [f"{first:,}-{last:,} of {matching:,}" if matching else "none"]
        above, below = first - 1, matching - last
        more = [f"{count:,} more {where}" for count, where in ((above, "above"), (below, "below")) if count]
        if more and matching:
            parts[0] += f", {', '.join(more)}"
        why = [f"/{printable(self._find)}"] * bool(self._find) + ["failed only"] * self._failed_only
        if matching < total:
            parts.append(f"{total - matching:,} left out by {' and '.join(why)}")
        return "; ".join(parts)

    def _last_line(self, width: int) -> Line:
        """Return the question, the text to find, or the keys."""
        if self._question is not None:
            text = f" {self._question[0]}  "
            return joined(
                [[(text, Phase.WAITING.value), ("y", "key"), (" yes  ", ""), ("n", "key"), (" no", "")]],
                width,
            )
        if self._is_finding:
            typed = fitted_line([(" /", "key"), (f"{printable(self._find)}_  ", "keys")], width)
            return (*typed, *key_line([("Enter", "keep"), ("Esc", "all")], width - width_of(typed)))
        retry = [] if self._read_only else [("r", "retry")]
        only = "all" if self._failed_only else "failed only"
        keys_shown = [
            (self._signs.enter, "hosts"),
            *retry,
            ("f", only),
            ("/", "find"),
            ("e", "explain"),
            ("p", "pause"),
            ("?", "help"),
            ("q", "leave"),
        ]
        return key_line(keys_shown, width)

    # Keys -----------------------------------------------------------------------------------------------------------

    def press(self, key: str, character: str) -> commands.Command | None:
        """Move the selection, change what is shown, or return what is asked for."""
        if self._question is not None:
            retry = self._question[1]
            self._question = None
            return retry if key == "y" else None
        if self._is_finding:
            self._edit(key, character)
            return None
        if self._move(key):
            return None
        match key:
            case "f":
                self._failed_only = not self._failed_only
            case "slash":
                self._is_finding = True
            case "escape":
                self._find, self._failed_only = "", False
            case _:
                return GENERAL.get(key) or self._command_about(key, self._selection.current(self._keys))
        return None

    def _command_about(self, key: str, ref: Ref | None) -> commands.Command | None:
        """Return what a key asks for about the selected target."""
        if ref is None:
            return None
        match key:
            case "enter":
                return commands.ShowHosts(ref)
            case "e":
                return commands.Explain(ref)
            case "r" if not self._read_only:
                return commands.AskRetry(ref)
            case _:
                return None

    def _move(self, key: str) -> bool:
        """Move the selection; return False for another key."""
        far = len(self._keys)
        by = {**STEPS, "pageup": -self._height, "pagedown": self._height, "home": -far, "end": far}.get(key)
        if by is None:
            return False
        self._selection.move(self._keys, by)
        return True

    def _edit(self, key: str, character: str) -> None:
        """Change the text to find."""
        if key == "escape":
            self._find, self._is_finding = "", False
        elif key == "enter":
            self._is_finding = False
        elif key == "backspace":
            self._find = self._find[:-1]
        elif character and character.isprintable():
            self._find += character


def failure_lines(model: BoardModel, count: int, width: int, signs: Signs, now: float) -> list[Line]:
    """Return the last *count* failures, the newest first; empty lines where there are fewer.

    Each says how long ago it was seen, where there is room for that.
    """
    times_and_events = [*reversed(model.failures)][:count]
    ages = [((f"{short_clock(now - at)} ago", "dim"),) for at, _ in times_and_events]
    last = [event for _, event in times_and_events]
    names = [model.title_of(event.ref) for event in last]
    name = min(max(map(cells_of, names), default=0), max(8, width // 3))
    host = min(max((cells_of(host_name(event.host)) for event in last), default=0), max(8, width // 4))
    lines = [
        with_right(failure_line(event, text, (name, host), signs), age, min(width, LINE_WIDTH))
        for event, text, age in zip(last, names, ages, strict=True)
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
