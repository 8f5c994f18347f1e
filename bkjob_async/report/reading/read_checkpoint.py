"""Apply the last checkpoint of a fleet to the model of a run; changes of hosts without their JSON form."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bkjob_async.journal.loading import load_checkpoint
from bkjob_async.journal.store import Store
from bkjob_async.model.events import Event, HostChanged
from bkjob_async.model.json_values import event_to_json
from bkjob_async.report.reading.event_forms import EventForm, apply_form, host_changed
from bkjob_async.report.reading.run_model import RunModel


async def apply_checkpoint(run: RunModel, store: Store, name: str, after: int) -> int:
    """Apply what changed behind record number *after*; return the number of the last record in the checkpoint."""
    fold, _ = await load_checkpoint(store, name)
    if fold.facts.terms:
        run.set_time(fold.facts.time)
        apply_events(run, fold.present(after + 1 if after else 0, skipped=after > 0))
    return fold.sequence


def apply_events(run: RunModel, events: Iterable[Event]) -> None:
    """Apply events that were reported at the time that *run* has."""
    for event in events:
        if isinstance(event, HostChanged):
            host_changed(run, str(event.ref), event)
            run.events += 1
        else:
            apply_form(run, msgspec.convert(event_to_json(event), EventForm))
