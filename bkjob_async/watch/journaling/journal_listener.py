"""A watch, as its journal sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.errors import JournalError
from bkjob_async.model.events import Batch
from bkjob_async.model.refs import Ref
from bkjob_async.watch.journaling.record_queue import RecordQueue


class JournalListener(Protocol):
    """Is given what was stored, and asked for what is to be stored."""

    def on_stored(self, batch: Batch) -> None:
        """Give a batch to the readers: it is stored."""
        ...

    def on_all_stored(self) -> None:
        """End the stream: everything reported is stored."""
        ...

    def on_unavailable(self, sequence: int, cursor: str, error: JournalError) -> None:
        """Tell local readers, in batch number *sequence* with this *cursor*, that nothing can be stored."""
        ...

    def on_available(self, sequence: int, cursor: str) -> None:
        """Tell local readers, in batch number *sequence* with this *cursor*, that records are stored again."""
        ...

    async def put_present(self, records: RecordQueue, since: int, recorded: Collection[Ref]) -> None:
        """Put the newest of all that changed in batch *since* or later; *recorded* are the targets that the store has."""
        ...

    def recorded_jobs(self) -> Iterator[JobState | None]:
        """Yield the state of each job; None where the watch was given something else than that."""
        ...

    def on_refused(self, error: BaseException) -> None:
        """End the watch: the journal takes no more records of it."""
        ...
