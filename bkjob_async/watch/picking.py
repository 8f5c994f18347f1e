"""What a reader takes from each batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from attrs import evolve

from bkjob_async.engine.stream.lazy_events import LazyHostEvents, parts_of
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


def events_about(batch: Batch, ref: Ref | None, scope: Scope | None) -> Iterable[Event]:
    """Return the events of one target with all that belongs to it, or of one scope."""
    return chain.from_iterable(
        part if isinstance(part, LazyHostEvents) else (part,)
        for part in parts_of(batch.events)
        if belongs(part.ref, ref, scope)
    )


def batch_itself(batch: Batch) -> tuple[Batch]:
    """Return the batch whole."""
    return (batch,)


def hosts_of(
    batch: Batch, ref: Ref | None, scope: Scope | None, phase: Phase | None
) -> Iterable[HostChanged]:
    """Return the changes of hosts: of one target, of one scope, into one phase."""
    changes: Iterable[HostChanged] = chain.from_iterable(
        part if isinstance(part, LazyHostEvents) else (part,)
        for part in parts_of(batch.events)
        if isinstance(part, LazyHostEvents | HostChanged) and belongs(part.ref, ref, scope)
    )
    return changes if phase is None else [event for event in changes if event.after.phase is phase]


def results_of(batch: Batch) -> Iterator[JobResult]:
    """Yield the results of the targets that ended."""
    return (event.result for event in events_but_hosts(batch) if isinstance(event, Finished))


def events_but_hosts(batch: Batch) -> Iterator[Event]:
    """Yield all but the changes of hosts, for whoever does not look at those."""
    return (part for part in parts_of(batch.events) if not isinstance(part, LazyHostEvents | HostChanged))


def as_skipped(batch: Batch) -> Batch:
    """Return a batch for a reader that missed how things came to be so."""
    events = tuple(
        evolve(event, skipped=True)
        if isinstance(event, HostChanged | StepChanged | JobChanged | Trouble | Recovered)
        else event
        for event in batch.events
    )
    return Batch(batch.sequence, events, batch.cursor)


def belongs(about: Ref | None, ref: Ref | None, scope: Scope | None) -> bool:
    """Whether what is *about* a target is about *ref* or a part of it, and in *scope*; of everything it always is."""
    if about is None:
        return True
    return (scope is None or about.scope == scope) and (ref is None or ref in (about, about.job))
