"""A watch as its journal sees it: it is given what is stored, and asked for the states of its jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from typing import Protocol

from attrs import evolve

from bkjob_async.engine.delivery.target_delivery import TargetDelivery
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.errors import JournalError
from bkjob_async.journal.loading import in_slices
from bkjob_async.model.events import Batch, Recovered, Trouble
from bkjob_async.model.refs import Ref
from bkjob_async.watch.journaling.record_queue import RecordQueue
from bkjob_async.watch.polling.poller import Poller
from bkjob_async.watch.polling.target_registry import Subscriber
from bkjob_async.watch.stream.stream import EventStream
from bkjob_async.watch.subscription.target_states import TargetStates
from bkjob_async.watch.subscription.targets import TargetSet


class EndingWatch(Subscriber, Protocol):
    """The watch itself."""

    is_open: bool
    targets: TargetSet
    states: TargetStates
    stream: EventStream

    @property
    def is_changing(self) -> bool:
        """Whether there are targets yet to be added or dropped."""
        ...

    @property
    def end(self) -> BaseException | None:
        """The error that the watch ended with, None while it is open or when it was left."""
        ...

    def refuse(self, error: BaseException) -> None:
        """End at once with *error*."""
        ...


class RecordedWatch:
    """One watch with a journal, for the journal."""

    def __init__(self, watch: EndingWatch, delivery: TargetDelivery, poller: Poller) -> None:
        """Answer for *watch*, whose readers are served by *delivery*."""
        self._watch = watch
        self._delivery = delivery
        self._poller = poller

    # What is stored -------------------------------------------------------------------------------------------------

    def on_stored(self, batch: Batch) -> None:
        """Give a batch to the readers: it is stored."""
        self._watch.stream.append(batch)

    def on_all_stored(self) -> None:
        """End the stream: everything reported is stored."""
        self._watch.stream.close(self._watch.end)

    def on_unavailable(self, sequence: int, cursor: str, error: JournalError) -> None:
        """Tell local readers that nothing can be stored."""
        targets = self._watch.targets.size
        trouble = Trouble(
            ref=None, error="JournalUnavailable", message=f"{error}; it is tried again", targets=targets
        )
        self._append_local(sequence, cursor, trouble)

    def on_available(self, sequence: int, cursor: str) -> None:
        """Tell local readers that records are stored again."""
        targets = self._watch.targets.size
        self._append_local(sequence, cursor, Recovered(ref=None, error="JournalUnavailable", targets=targets))

    def _append_local(self, sequence: int, cursor: str, event: Trouble | Recovered) -> None:
        self._watch.stream.append(Batch(sequence, (evolve(event, cursor=cursor, index=0),), cursor))

    def on_refused(self, error: BaseException) -> None:
        """End at once: the journal takes no more records of this watch."""
        self._watch.refuse(error)

    # What was reported ----------------------------------------------------------------------------------------------

    async def put_present(self, records: RecordQueue, since: int, recorded: Collection[Ref]) -> None:
        """Put the newest of all that changed in batch *since* or later; *recorded* are the targets that the store has."""
        targets = self._watch.targets
        async for ref in in_slices(recorded):
            if ref not in targets:
                records.note_target(ref, added=False)
        async for job in in_slices(targets.copy_of_jobs()):
            for ref in targets.of(job):
                if ref not in recorded:
                    records.note_target(ref, added=True)
        records.targets = targets.size
        records.put_empty()
        async for job in in_slices(targets.copy_of_jobs()):
            refs, state = targets.of(job), self._watch.states.state(job)
            if refs and state is not None:
                at = self._poller.cursors.next_stamp(asyncio.get_running_loop().time())
                events = list(self._delivery.present(state, refs, at.cursor, since, skipped=True))
                records.put_job_present(at, events, state)

    def recorded_jobs(self) -> Iterator[JobState | None]:
        """Yield the state of each job; None where the watch was given something else than that."""
        watch = self._watch
        if watch.is_changing or not watch.is_open:
            yield None  # what was restored is not watched yet
            return
        for job in watch.targets.copy_of_jobs():
            refs, state = watch.targets.of(job), self._poller.state(job)
            if refs:
                is_reported = state is not None and not self._delivery.differs(state, refs)
                yield state if is_reported and self._poller.is_only_subscriber(watch, job) else None
