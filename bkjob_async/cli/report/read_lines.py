"""Lines of JSON as `bkjob watch --json` writes them, applied to the model of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from attrs import define, field
from msgspec import Struct

from bkjob_async.cli.report.read_events import apply_events
from bkjob_async.cli.report.run_model import RunModel
from bkjob_async.model.events_json import event_from_json


class StatusForm(Struct, gc=False):
    """A status, by its code."""

    code: int


class HostForm(Struct, gc=False):
    """A host, as far as a report needs it."""

    label: str
    bk_host_id: int | None = None


class HostChangedForm(Struct, tag_field="kind", tag="host_changed", gc=False):
    """The change of a host; all other kinds are read as events."""

    ref: str
    host: HostForm
    execute_count: int
    after: StatusForm
    before: StatusForm | None = None
    tag: str | None = None
    exit_code: int | None = None
    skipped: bool = False
    at: str | None = None


_host_decoder = msgspec.json.Decoder(HostChangedForm)
# A time near the ends of the calendar cannot be shown in every zone.
YEARS = (1970, 9998)
HOST_CHANGED = b'{"kind":"host_changed"'


@define
class LineReader:
    """Applies lines to *run*, and counts those that are no events.

    Lines with a time (`at`) set that of the run; `has_times` is False until one had it.
    """

    run: RunModel
    lines: int = field(default=0, init=False)
    damaged: int = field(default=0, init=False)
    has_times: bool = field(default=False, init=False)
    _at: str | None = field(default=None, init=False)

    def read(self, lines: Iterable[bytes]) -> None:
        """Apply all *lines*; empty ones are passed over."""
        run, decode, host_changed = self.run, _host_decoder.decode, self.run.host_changed
        for line in lines:
            if not line.startswith(HOST_CHANGED):
                if line.strip():
                    self._read_other(line)
                continue
            try:
                event = decode(line)
                if event.at != self._at:
                    self._set_time(event.at)
            except (msgspec.MsgspecError, ValueError):
                self._read_other(line)
                continue
            self.lines += 1
            run.events += 1
            before = event.before
            host_changed(
                event.ref,
                event.execute_count,
                event.host.label,
                event.host.bk_host_id,
                None if before is None else before.code,
                event.after.code,
                event.tag,
                event.exit_code,
                event.skipped,
            )

    def _read_other(self, line: bytes) -> None:
        """Apply a line of another kind, or one that is written in another way."""
        self.lines += 1
        try:
            data: Any = json.loads(line)
            event = event_from_json(data)
            self._set_time(data.get("at"))
        except Exception:  # noqa: BLE001 - a damaged line may be wrong in any way; it is counted, and said
            self.damaged += 1
            return
        apply_events(self.run, (event,))

    def _set_time(self, at: str | None) -> None:
        """Set the time of what follows."""
        if at is None:
            if self._at is None and self.run.began is None:
                self.run.set_time(0.0)
            return
        moment = datetime.fromisoformat(at)
        if not moment.tzinfo:
            moment = moment.replace(tzinfo=UTC)
        if not YEARS[0] <= moment.year <= YEARS[1]:
            raise ValueError("no time at which a watch told something")
        self.run.set_time(moment.timestamp())
        self._at, self.has_times = at, True
