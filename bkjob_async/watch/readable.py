"""What a stream can be read as; each way is a new reader."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from bkjob_async.model.events import Batch, Event, Finished, HostChanged, Lost
from bkjob_async.model.ref_input import RefLike, as_ref
from bkjob_async.model.refs import Ref, Scope
from bkjob_async.model.result import JobResult
from bkjob_async.model.status import Phase
from bkjob_async.watch.picking import (
    batch_itself,
    events_about,
    events_but_hosts,
    events_of,
    hosts_of,
    results_of,
)
from bkjob_async.watch.reader import Reader

T = TypeVar("T")


class Readable(ABC):
    """The readers of a stream; each begins at its beginning, or behind a cursor.

    *after* is the cursor of an event, a batch or a reader (empty or None: the beginning). The reader continues behind
    that event, within its batch (`batches` begins with the rest of it), or behind that whole batch. Nothing is missed:

    * What is still held comes one by one, each event once.
    * Of what was compacted away the newest change of each host comes, marked `skipped`. This present comes in several
      batches where there are many targets. All its events carry the cursor from before it, but the very last: whoever
      continues from one of them is told the present again, as it is then. Where the batch that the cursor points into
      was itself compacted away, what it said of hosts, steps and ends may come once more.
    * A cursor of an earlier watch of the same client will do too: then all that was so before this watch was in sync
      comes marked `skipped`. So will one of another open watch: what both are told comes once, and targets that this
      watch was given later are told from where they stood then.

    Any other text raises `UsageError`, as does an event that its batch, if still held, never had.
    """

    # Where bare ids are.
    scope: Scope | None = None

    def __aiter__(self) -> Reader[Event]:
        return self._reader(events_of)

    def events(
        self, *, ref: RefLike | None = None, scope: Scope | None = None, after: str | None = None
    ) -> Reader[Event]:
        """Read the events of one target with all that belongs to it, or of one scope; *after* a cursor."""
        about = self._named(ref)
        pick = events_of if about is None and scope is None else partial(events_about, ref=about, scope=scope)
        return self._reader(pick, after)

    def hosts(
        self,
        *,
        ref: RefLike | None = None,
        scope: Scope | None = None,
        phase: Phase | None = None,
        after: str | None = None,
    ) -> Reader[HostChanged]:
        """Read the changes of hosts only: of one target, of one scope, into one phase; *after* a cursor."""
        return self._reader(partial(hosts_of, ref=self._named(ref), scope=scope, phase=phase), after)

    def batches(self, *, after: str | None = None) -> Reader[Batch]:
        """Read whole polls; *after* a cursor."""
        return self._reader(batch_itself, after)

    def as_finished(self, *, after: str | None = None) -> Reader[JobResult]:
        """Read the results as targets end, *after* a cursor; a reopened target may end again."""
        return self._reader(results_of, after)

    async def results(self) -> dict[Ref, JobResult | Lost]:
        """Wait until the watch ends; return how each target ended."""
        ended: dict[Ref, JobResult | Lost] = {}
        async for event in self._reader(events_but_hosts):
            if isinstance(event, Finished):
                ended[event.ref] = event.result
            elif isinstance(event, Lost):
                ended[event.ref] = event
        return ended

    def _named(self, ref: RefLike | None) -> Ref | None:
        return None if ref is None else as_ref(ref, self.scope)

    @abstractmethod
    def _reader(self, pick: Callable[[Batch], Iterable[T]], after: str | None = None) -> Reader[T]:
        """Return a new reader that takes from each batch what *pick* picks."""
