"""A widget that shows lines and draws again only those that have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from bkjob_async.cli.board.drawing.spans import Line
from bkjob_async.model.status import Phase

# Of a palette that stays distinct for people who see fewer colours; text contrast is at least 4.5.
BACKGROUND = "#14171c"
# The line that begins with it has its background.
MARK = "mark"
COLOURS: Mapping[str, str] = {
    "": "#d5dae1",
    "strong": "bold #f2f4f7",
    "dim": "#8d96a3",
    "heading": "#9aa4b2 on #1f242c",
    "key": "bold #f0c674 on #1f242c",
    "keys": "#b6bec9 on #1f242c",
    "selected": "bold #f0c674",
    "mark": "bold #f0c674 on #262d37",
    Phase.PENDING: "#8d96a3",
    Phase.RUNNING: "#5aa9e6",
    Phase.WAITING: "bold #f0c674",
    Phase.STOPPING: "#d08fc7",
    Phase.SUCCESS: "#35b58a",
    Phase.FAILED: "bold #ff7a4d",
    Phase.SKIPPED: "#76b7bd",
    Phase.IGNORED: "#76b7bd",
    Phase.STOPPED: "#d08fc7",
    Phase.ABNORMAL: "bold #ff7a4d",
    Phase.UNKNOWN: "bold #d08fc7",
}


def styles(*, has_colour: bool) -> Mapping[str, Style]:
    """Return the style of each role; without colour, what is bold there stays bold, and keys are reversed."""
    if has_colour:
        return {
            role: Style.parse(text) + Style(bgcolor=background_of(text)) for role, text in COLOURS.items()
        }
    return {
        role: Style(bold="bold" in text or None, reverse=role in {"heading", "keys", "key"} or None)
        for role, text in COLOURS.items()
    }


def background_of(text: str) -> str:
    """Return the background that a style names, the common one where it names none."""
    return text.partition(" on ")[2] or BACKGROUND


class LinesWidget(Widget):
    """Fills the screen with lines."""

    can_focus = True

    def __init__(self, *, has_colour: bool) -> None:
        super().__init__()
        self._styles = styles(has_colour=has_colour)
        self.lines: Sequence[Line] = ()

    def show(self, lines: Sequence[Line]) -> int:
        """Show *lines*; return how many of them are drawn again."""
        old, self.lines = self.lines, lines
        width = self.size.width
        changed = [
            Region(0, y, width, 1)
            for y in range(max(len(old), len(lines)))
            if y >= len(old) or y >= len(lines) or old[y] != lines[y]
        ]
        if changed:
            self.refresh(*changed)
        return len(changed)

    def render_line(self, y: int) -> Strip:
        """Return one line as textual draws it."""
        plain = self._styles[""]
        line = self.lines[y] if y < len(self.lines) else ()
        segments = [Segment(text, self._styles.get(role, plain)) for text, role in line]
        if line and line[0][1] == MARK:
            under = Style(bgcolor=self._styles[MARK].bgcolor)
            segments = [Segment(text, (style or plain) + under) for text, style, _ in segments]
            plain += under
        return Strip(segments).adjust_cell_length(self.size.width, plain).simplify()
