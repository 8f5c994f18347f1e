"""An event as one line, of text or of JSON."""

from __future__ import annotations

from datetime import UTC, datetime

from bkjob_async import Event, event_to_json
from bkjob_async.cli.lines import json_text


def plain_line(event: Event) -> str:
    """Return *event* as text, with the time of day."""
    return f"{datetime.now().astimezone():%H:%M:%S} {event}"


def json_line(event: Event) -> str:
    """Return *event* as one JSON object; `at` is when it was emitted."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json_text({**event_to_json(event), "at": at})
