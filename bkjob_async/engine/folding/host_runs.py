"""The changes of hosts in a batch as columns: those of one execution of a step are applied together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from bkjob_async.engine.stream.event_list import LAZY, BatchPart, parts_of
from bkjob_async.engine.stream.host_columns import HostEventColumns, columns_of
from bkjob_async.model.events import Batch, Event, HostChanged
from bkjob_async.model.refs import StepRef


def runs_of(batch: Batch) -> Iterator[Event | tuple[StepRef, HostEventColumns]]:
    """Yield the events of a batch in their order, changes of hosts of the same step and execution as columns."""
    for run, group in groupby(parts_of(batch.events), key=run_of):
        if run is not None:
            events = [part for part in group if isinstance(part, HostChanged)]
            yield events[0].ref, columns_of(events)
            continue
        for part in group:
            yield (part.ref, part.columns()) if isinstance(part, LAZY) else part


def other_events(batch: Batch) -> Iterator[Event]:
    """Yield the events of a batch but the changes of hosts, of which none is made."""
    for part in parts_of(batch.events):
        if not isinstance(part, (*LAZY, HostChanged)):
            yield part


def run_of(part: BatchPart) -> Sequence[object] | None:
    """Return what single changes of hosts have in common that are applied together; None for other parts."""
    return (part.ref, part.execute_count, part.epoch) if isinstance(part, HostChanged) else None
