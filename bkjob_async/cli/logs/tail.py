"""Which lines of a growing log are new."""

from __future__ import annotations

from attrs import define

# So many characters distinguish a log that grew from one that was replaced.
MARK_SIZE = 64


@define
class LogTail:
    """How far one host's log was written: every response has the whole text again."""

    position: int = 0
    mark: str = ""

    def new_lines(self, text: str, *, is_final: bool, tail: int | None = None) -> list[str]:
        """Return the lines of *text* that are new, the first time at most *tail*.

        A last line without its end is held back unless the log *is_final*. A log that was replaced is new as a whole.
        """
        if self.position and not text.startswith(self.mark, self.position - len(self.mark)):
            self.position = 0
        is_first = not self.position
        end = len(text) if is_final else text.rfind("\n") + 1
        if end <= self.position:
            return []
        lines = lines_of(text[self.position : end])
        self.position, self.mark = end, text[max(0, end - MARK_SIZE) : end]
        return last(lines, tail) if is_first else lines


def lines_of(text: str) -> list[str]:
    """Return the lines of a log as a terminal shows them: of one that was written over, the last version."""
    lines = text.removesuffix("\n").split("\n") if text else []
    return [line.removesuffix("\r").rsplit("\r", 1)[-1] for line in lines]


def last(lines: list[str], count: int | None) -> list[str]:
    """Return the last *count* lines, all for None."""
    return lines if count is None else lines[len(lines) - min(count, len(lines)) :]
