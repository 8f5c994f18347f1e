"""The log of one host: its last 64 KiB, with escapes made visible."""

from __future__ import annotations

from bkjob_async import HostKey, StepRef
from bkjob_async.cli.board.commands import Command, Plain
from bkjob_async.cli.board.drawing.signs import Signs
from bkjob_async.cli.board.drawing.spans import Line
from bkjob_async.cli.board.views.views import host_name, key_line, page, rule_line
from bkjob_async.model.text.printing import printable

LAST_BYTES = 64 * 1024
SIDEWAYS = 20


class LogView:
    """A text that may grow; it follows the end until the user scrolls up."""

    def __init__(self, step: StepRef, host: HostKey, signs: Signs, *, title: str = "") -> None:
        """Show the log of *host* in *step*, which has a *title*, once `set_text` is called."""
        self._title = title or str(step)
        self.step = step
        self.host = host
        self._signs = signs
        self._lines: list[str] = []
        self._left_out = 0
        self._state = "reading the log"
        self._up = self._right = 0
        self._height = 1

    def set_text(self, text: str) -> None:
        """Show another text."""
        self._lines, self._left_out = visible_lines(text)
        self._state = "" if self._lines else "the log is empty so far"

    def set_error(self, error: str) -> None:
        """Show why the log cannot be read."""
        self._state = f"the log cannot be read: {error}"

    def draw(self, width: int, height: int, now: float) -> list[Line]:  # noqa: ARG002 - as any view
        """Return the end of the log, or as much above it as the user has scrolled."""
        head: list[Line] = [
            ((f" {host_name(self.host)}", "strong"), (f"  the log in {self._signs.text(self._title)}", "dim"))
        ]
        self._height = room = max(1, height - 3)
        self._up = max(0, min(self._up, len(self._lines) - room))
        end = len(self._lines) - self._up
        body: list[Line] = [
            ((self._signs.text(text[self._right :]), ""),) for text in self._lines[max(0, end - room) : end]
        ]
        said = f"{max(1, end - room + 1):,}-{end:,} of {len(self._lines):,} lines" if end else ""
        if self._left_out:
            said += f", the {self._left_out:,} bytes before them left out"
        if self._state:
            said = printable(self._state)
        foot = rule_line(said, width, self._signs)
        keys = [("Esc", "back"), ("PgUp", "up"), ("PgDn", "down"), ("Right", "sideways"), ("End", "follow")]
        return page(head, body, [foot, key_line(keys, width)], (width, height), self._signs)

    def press(self, key: str, character: str) -> Command | None:  # noqa: ARG002 - as any view
        """Scroll, or go back."""
        by = {"up": 1, "k": 1, "down": -1, "j": -1, "pageup": self._height, "pagedown": -self._height}.get(
            key
        )
        if by is not None:
            self._up = max(0, self._up + by)
            return None
        match key:
            case "home":
                self._up = len(self._lines)
            case "end":
                self._up = 0
            case "right":
                self._right += SIDEWAYS
            case "left":
                self._right = max(0, self._right - SIDEWAYS)
            case "escape" | "q" | "backspace":
                return Plain.BACK
            case _:
                pass
        return None


def visible_lines(text: str) -> tuple[list[str], int]:
    """Return the lines of the last 64 KiB of *text*, and how many bytes are left out before them."""
    data = text.encode(errors="replace")
    left_out = max(0, len(data) - LAST_BYTES)
    if left_out:
        first_end = data.find(b"\n", left_out)
        left_out = left_out if first_end < 0 else first_end + 1
        text = data[left_out:].decode(errors="replace")
    # A carriage return before a line break is part of it; other control characters are written as escapes.
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    return [printable(line.expandtabs(8)) for line in lines], left_out
