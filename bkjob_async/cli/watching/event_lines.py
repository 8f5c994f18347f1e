"""An event as one line, of text or of JSON."""

from __future__ import annotations

from datetime import UTC, datetime

from bkjob_async import Event, event_to_json
from bkjob_async.cli.lines import json_text


def plain_line(event: Event, time: float | None = None) -> str:
    """Return *event* as text, with the time of day when it was reported (Unix seconds), None for now."""
    moment = datetime.now(UTC) if time is None else datetime.fromtimestamp(time, UTC)
    return f"{moment.astimezone():%H:%M:%S} {event}"


def json_line(event: Event, time: float | None = None) -> str:
    """Return *event* as one JSON object; `at` is when it was reported: *time* in Unix seconds, None for now."""
    moment = datetime.now(UTC) if time is None else datetime.fromtimestamp(time, UTC)
    return json_text({**event_to_json(event), "at": moment.isoformat(timespec="milliseconds")})
