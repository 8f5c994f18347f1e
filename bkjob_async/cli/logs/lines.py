"""Lines of logs: which of a growing log are new, and how they are written to stdout."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, frozen

from bkjob_async import HostKey, StepRef
from bkjob_async.cli.lines import json_text, write_out
from bkjob_async.codes import FileMode
from bkjob_async.model.text.printing import printable
from bkjob_async.responses import FileLog, HostLog

WAYS: dict[int, str] = {FileMode.UPLOAD: "upload", FileMode.DOWNLOAD: "download"}
# So many characters distinguish a log that grew from one that was replaced.
MARK_SIZE = 64


@frozen(kw_only=True)
class LogWriter:
    """Writes lines of logs, each with its host; *with_steps*: and its step."""

    as_json: bool = False
    with_steps: bool = False

    def write(self, step: StepRef, host: HostKey, lines: Iterable[str]) -> None:
        """Write *lines*; control characters but tabs become escapes."""
        prefix = f"{step} {host}" if self.with_steps else str(host)
        for line in lines:
            if self.as_json:
                write_out(json_text({"ref": str(step), "host": host.label, "line": line}))
            else:
                write_out(f"{prefix} | {printable(line.expandtabs())}")


def text_of(log: HostLog) -> str:
    """Return the log of a script, or a line and the text for each file of a transfer."""
    if not log.files:
        return log.text
    parts = [log.text.rstrip("\n")] if log.text else []
    for file in log.files:
        parts += [headline(file), *([file.text.rstrip("\n")] if file.text else [])]
    return "\n".join(parts) + "\n"


def headline(file: FileLog) -> str:
    """Return what is known of the transfer of one file, in one line."""
    way = "" if file.mode is None else WAYS.get(file.mode, "")
    path = file.destination_path or file.source_path
    return " ".join(part for part in (way, path, file.size, file.speed, file.progress) if part)


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
