"""One line per event on stdout, as text or as JSON."""

import json
import os
import sys
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from shutil import which

from bkjob_async import Event, event_to_json
from bkjob_async.model.printing import printable


def plain_line(event: Event) -> str:
    """Return *event* as text, with the time of day."""
    return f"{datetime.now().astimezone():%H:%M:%S} {event}"


def json_line(event: Event) -> str:
    """Return *event* as one JSON object; `at` is when it was emitted.

    Control characters are written as JSON's own escapes, so that the value is the same and safe on a
    terminal.
    """
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({**event_to_json(event), "at": at}, ensure_ascii=False, separators=(",", ":"))
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def write_out(line: str) -> None:
    """Write a line to stdout and flush it."""
    print(line, flush=True)


def write_note(line: str) -> None:
    """Write a line to stderr, where it is not part of the output."""
    print(printable(line), file=sys.stderr, flush=True)


def program_name() -> str:
    """Return the name by which this command was called."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m bkjob_async"
    return called.name if which(called.name) == str(called) else str(called)


def set_utf8_output() -> None:
    """Set stdout and stderr to UTF-8, whatever the locale."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Half of a surrogate pair is written as its escape.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def discard_output() -> None:
    """Redirect stdout to the null device, so that the last flush to a closed pipe raises nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
