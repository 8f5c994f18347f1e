"""Lines of logs on stdout."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from bkjob_async import FileLog, FileMode, HostKey, HostLog, StepRef
from bkjob_async.cli.lines import json_text, write_out
from bkjob_async.model.text.printing import printable

WAYS: dict[int, str] = {FileMode.UPLOAD: "upload", FileMode.DOWNLOAD: "download"}


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
