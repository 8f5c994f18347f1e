"""Apply the JSON lines that `bkjob watch --json` writes to the model of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from attrs import define, field

from bkjob_async.report.reading.event_forms import EventForm, apply_form
from bkjob_async.report.reading.run_model import RunModel

_decoder = msgspec.json.Decoder(EventForm)
# A time near the ends of the calendar cannot be shown in every zone.
YEARS = (1970, 9998)


@define
class LineReader:
    """Applies lines to *run*, and counts those that are no events; lines with a time (`at`) set that of the run."""

    run: RunModel
    lines: int = field(default=0, init=False)
    damaged: int = field(default=0, init=False)
    _at: str | None = field(default=None, init=False)

    def read(self, lines: Iterable[bytes]) -> None:
        """Apply all *lines*; empty ones are passed over."""
        for line in filter(bytes.strip, lines):
            self.lines += 1
            try:
                event = event_of(line)
                if event.at is None or event.at != self._at:
                    self._set_time(event.at)
            except (ValueError, RecursionError):  # msgspec's errors are such
                self.damaged += 1
                continue
            apply_form(self.run, event)

    def _set_time(self, at: str | None) -> None:
        """Set the time of what follows."""
        if at is None:
            self.run.set_time(None)
            return
        moment = datetime.fromisoformat(at)
        if not moment.tzinfo:
            moment = moment.replace(tzinfo=UTC)
        if not YEARS[0] <= moment.year <= YEARS[1]:
            raise ValueError("no time at which a watch reported something")
        self.run.set_time(moment.timestamp())
        self._at = at


def event_of(line: bytes) -> EventForm:
    """Return the event of a line; raise ValueError for a line that is none."""
    event: EventForm
    try:
        event = _decoder.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Half of a surrogate pair, in a name, is valid for this parser only.
        event = msgspec.convert(json.loads(line), EventForm)
    return event
