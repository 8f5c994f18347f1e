"""One line per event on stdout, for people or for programs."""

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from shutil import which

from bkjob_async import Event, event_to_json
from bkjob_async.model.printing import printable

EventHandler = Callable[[Event], None]


def plain_line(event: Event) -> str:
    """Return *event* as people read it, with the time of day."""
    return f"{datetime.now().astimezone():%H:%M:%S} {event}"


def json_line(event: Event) -> str:
    """Return *event* as one JSON object; `at` is when it was told.

    Whatever could steer a terminal is written as JSON's own escape, so that the value is the same.
    """
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({**event_to_json(event), "at": at}, ensure_ascii=False, separators=(",", ":"))
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def say(line: str) -> None:
    """Put a line on stdout, at once."""
    print(line, flush=True)


def note(line: str) -> None:
    """Put a line on stderr, where it disturbs no program that reads."""
    print(printable(line), file=sys.stderr, flush=True)


def our_name() -> str:
    """Return how this command was called, for people to call it again."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m bkjob_async"
    return called.name if which(called.name) == str(called) else str(called)


def speak_utf8() -> None:
    """Let stdout take every text, whatever the locale; JSON is UTF-8 anyway."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Half a surrogate pair becomes the escape that JSON has for it.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def stop_speaking() -> None:
    """Take note that nobody listens, so that the interpreter's last flush does not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
