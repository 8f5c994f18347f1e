"""The journal's access to its watch: hands over what is stored, and reads the states of the jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from bkjob_async.engine.delivery.target_delivery import TargetDelivery
from bkjob_async.engine.folding.diff import Missed, diff
from bkjob_async.engine.stream.batches import place_behind
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.events import Batch, Event
from bkjob_async.model.refs import JobRef, Ref
from bkjob_async.watch.cooperative import PendingChanges
from bkjob_async.watch.polling.poller import Poller
from bkjob_async.watch.polling.target_registry import Subscriber
from bkjob_async.watch.stream.stream import EventStream
from bkjob_async.watch.stream.target_states import TargetStates
from bkjob_async.watch.stream.targets import TargetSet

# How often is looked whether all targets were taken up.
PENDING_SECONDS = 0.01


class RecordedWatch(Struct, eq=False, kw_only=True):
    """What a journal needs of its watch: the *stream* gets what was stored; *refuse* ends the watch with an error.

    *subscriber* is the watch itself, *pending* are targets that it has yet to add or to drop; *take_up* adds and drops what the
    inbox says up to an entry, which was read in a term.
    """

    subscriber: Subscriber
    targets: TargetSet
    states: TargetStates
    stream: EventStream
    pending: PendingChanges
    refuse: Callable[[BaseException], None]
    take_up: Callable[[Sequence[tuple[Sequence[Ref], bool]], int, int], None]
    delivery: TargetDelivery
    poller: Poller

    def report(self, sequence: int, cursor: str, event: Event) -> None:
        """Give local readers an *event* without a record, in batch number *sequence* with this *cursor*."""
        now = datetime.now(UTC)
        place_behind([event], cursor, now)
        self.stream.append(Batch(sequence, (event,), cursor, at=now))

    # What was reported ----------------------------------------------------------------------------------------------

    def next_stamp(self) -> PollStamp:
        """Return the stamp of a batch that is made now."""
        return self.poller.stamp()

    async def wait_taken_up(self) -> None:
        """Wait until what an opening restored is watched: what it says is known only then."""
        while self.pending:  # noqa: ASYNC110 - there is no event that says so, and it is rare
            await asyncio.sleep(PENDING_SECONDS)

    def state_of(self, job: JobRef) -> JobState | None:
        """Return the state of a job; None where the watch was given something else than that."""
        state, refs = self.poller.state(job), self.targets.of(job)
        is_reported = state is not None and not self.delivery.differs(state, refs)
        return state if is_reported and self.poller.is_only_subscriber(self.subscriber, job) else None

    def present_of(self, job: JobRef, since: int) -> Iterator[tuple[JobState, list[Event]]]:
        """Yield the newest of all that the watch was given of a job in batch *since* or later, with the state that it is of."""
        refs, state = self.targets.of(job), self.states.state(job)
        recorded_before = self.delivery.recorded_before(refs)
        if recorded_before is not None:
            earlier, its_refs = recorded_before
            yield earlier, list(diff(Missed(since, skipped=True), earlier, its_refs))
        if state is not None:
            yield state, list(self.delivery.present(state, refs, since, skipped=True))

    def recorded_jobs(self) -> Iterator[JobState | None]:
        """Yield the state of each job; None where the watch was given something else than that."""
        if self.pending:
            yield None  # what was restored is not watched yet
            return
        yield from (self.state_of(job) for job in self.targets.copy_of_jobs() if self.targets.of(job))
