"""The journal's access to its watch: hands over what is stored, and reads the states of the jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime

from attrs import define

from bkjob_async.engine.delivery.target_delivery import TargetDelivery
from bkjob_async.engine.folding.diff import Missed, diff
from bkjob_async.engine.stream.batches import place_behind
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.errors import JournalError
from bkjob_async.journal.loading import in_slices
from bkjob_async.model.events import Batch, Event, Recovered, Trouble
from bkjob_async.model.refs import Ref
from bkjob_async.watch.cooperative import PendingChanges
from bkjob_async.watch.journaling.record_queue import RecordQueue
from bkjob_async.watch.polling.poller import Poller
from bkjob_async.watch.polling.target_registry import Subscriber
from bkjob_async.watch.stream.stream import EventStream
from bkjob_async.watch.stream.target_states import TargetStates
from bkjob_async.watch.stream.targets import TargetSet

# How often is looked whether all targets were taken up.
PENDING_SECONDS = 0.01


@define(eq=False, kw_only=True)
class RecordedWatch:
    """What a journal needs of its watch: the *stream* gets what was stored; *refuse* ends the watch with an error.

    *subscriber* is the watch itself, *pending* are targets that it has yet to add or to drop.
    """

    subscriber: Subscriber
    targets: TargetSet
    states: TargetStates
    stream: EventStream
    pending: PendingChanges
    refuse: Callable[[BaseException], None]
    delivery: TargetDelivery
    poller: Poller

    # What local readers are given without a record ------------------------------------------------------------------

    def on_unavailable(self, sequence: int, cursor: str, error: JournalError) -> None:
        """Report, in batch number *sequence* with this *cursor*, that nothing can be stored."""
        trouble = Trouble(
            ref=None,
            error="JournalUnavailable",
            message=f"{error}; it is tried again",
            targets=self.targets.size,
        )
        self._append(sequence, cursor, trouble)

    def on_available(self, sequence: int, cursor: str) -> None:
        """Report, in batch number *sequence* with this *cursor*, that records are stored again."""
        size = self.targets.size
        self._append(sequence, cursor, Recovered(ref=None, error="JournalUnavailable", targets=size))

    def _append(self, sequence: int, cursor: str, event: Event) -> None:
        now = datetime.now(UTC)
        place_behind([event], cursor, now)
        self.stream.append(Batch(sequence, (event,), cursor, at=now))

    # What was reported ----------------------------------------------------------------------------------------------

    async def put_present(self, records: RecordQueue, since: int, recorded: Collection[Ref]) -> None:
        """Put the newest of all that changed in batch *since* or later; *recorded* are the targets that the store has.

        What an opening restored is taken up first: it is known only then.
        """
        while self.pending:  # noqa: ASYNC110 - there is no event that says so, and it is rare
            await asyncio.sleep(PENDING_SECONDS)
        targets = self.targets
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
            refs, state = targets.of(job), self.states.state(job)
            recorded_before = self.delivery.recorded_before(refs)
            if recorded_before is not None:
                earlier, its_refs = recorded_before
                at = self._next_stamp()
                found = diff(Missed(since, skipped=True), earlier, its_refs)
                records.put_present(at, list(found), earlier)
            if refs and state is not None:
                at = self._next_stamp()
                events = list(self.delivery.present(state, refs, since, skipped=True))
                records.put_present(at, events, state)
        records.put_signals(self._next_stamp(), since)

    def _next_stamp(self) -> PollStamp:
        return self.poller.cursors.next_stamp(asyncio.get_running_loop().time(), time.time())

    def recorded_jobs(self) -> Iterator[JobState | None]:
        """Yield the state of each job; None where the watch was given something else than that."""
        if self.pending:
            yield None  # what was restored is not watched yet
            return
        for job in self.targets.copy_of_jobs():
            refs, state = self.targets.of(job), self.poller.state(job)
            if refs:
                is_reported = state is not None and not self.delivery.differs(state, refs)
                yield state if is_reported and self.poller.is_only_subscriber(self.subscriber, job) else None
