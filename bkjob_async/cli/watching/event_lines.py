"""An event as one line, of text or of JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from bkjob_async import Event, event_to_json


def plain_line(event: Event, time: float | None = None) -> str:
    """Return *event* as text, with the time of day when it was told (Unix seconds), None for now."""
    moment = datetime.now(UTC) if time is None else datetime.fromtimestamp(time, UTC)
    return f"{moment.astimezone():%H:%M:%S} {event}"


def json_line(event: Event, time: float | None = None) -> str:
    """Return *event* as one JSON object; `at` is when it was told: *time* in Unix seconds, None for now.

    Control characters are written as JSON's own escapes, so that the value is the same and safe on a
    terminal.
    """
    moment = datetime.now(UTC) if time is None else datetime.fromtimestamp(time, UTC)
    at = moment.isoformat(timespec="milliseconds")
    line = json.dumps({**event_to_json(event), "at": at}, ensure_ascii=False, separators=(",", ":"))
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)
