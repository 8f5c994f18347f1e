"""What a reader takes from each batch."""

from __future__ import annotations

from collections.abc import Iterator

from bkjob_async.model.events import Batch, Event, Finished, HostChanged
from bkjob_async.model.refs import Ref, Scope
from bkjob_async.model.result import JobResult
from bkjob_async.model.status import Phase


def events_of(batch: Batch) -> Iterator[Event]:
    """Return the events of a batch, in order."""
    return iter(batch.events)


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


def belongs(event: Event, ref: Ref | None, scope: Scope | None) -> bool:
    """Whether an event is about *ref* or a part of it, and in *scope*; what concerns everything always is."""
    about = event.ref
    if about is None:
        return True
    return (scope is None or about.scope == scope) and (ref is None or ref in (about, about.job))
