"""What a reader takes from each batch."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from bkjob_async.model.events import (
    Batch,
    Event,
    Finished,
    HostChanged,
    JobChanged,
    Recovered,
    StepChanged,
    Trouble,
)
from bkjob_async.model.refs import Ref, Scope
from bkjob_async.model.result import JobResult
from bkjob_async.model.status import Phase


def events_of(batch: Batch) -> Iterator[Event]:
    """Return the events of a batch, in order."""
    return iter(batch.events)


def events_about(batch: Batch, ref: Ref | None, scope: Scope | None) -> Iterator[Event]:
    """Return the events of one target with all that belongs to it, or of one scope."""
    return (event for event in batch.events if belongs(event, ref, scope))


def batch_itself(batch: Batch) -> tuple[Batch]:
    """Return the batch whole."""
    return (batch,)


def hosts_of(
    batch: Batch, ref: Ref | None, scope: Scope | None, phase: Phase | None
) -> Iterator[HostChanged]:
    """Yield the changes of hosts: of one target, of one scope, into one phase."""
    for event in batch.events:
        if (
            isinstance(event, HostChanged)
            and belongs(event, ref, scope)
            and phase in (None, event.after.phase)
        ):
            yield event


def results_of(batch: Batch) -> Iterator[JobResult]:
    """Yield the results of the targets that ended."""
    yield from (event.result for event in batch.events if isinstance(event, Finished))


def as_skipped(batch: Batch) -> Batch:
    """Return a batch for a reader that missed how things came to be so."""
    events = tuple(
        evolve(event, skipped=True)
        if isinstance(event, HostChanged | StepChanged | JobChanged | Trouble | Recovered)
        else event
        for event in batch.events
    )
    return Batch(batch.sequence, events, batch.cursor)


def belongs(event: Event, ref: Ref | None, scope: Scope | None) -> bool:
    """Whether an event is about *ref* or a part of it, and in *scope*; what concerns everything always is."""
    about = event.ref
    if about is None:
        return True
    return (scope is None or about.scope == scope) and (ref is None or ref in (about, about.job))
