"""A small fleet whose watch published some batches, as records of a journal."""

from __future__ import annotations

import time

from attrs import define, field

from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.records import encode_record
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.journal.store import Checkpoint, Holder, Store, StoredRecord
from bkjob_async.model.events import Batch, Event
from tests.engine.applied import apply_job
from tests.engine.poll_views import JOB, batch_of, host, job, step

HOSTS = 30


@define
class Recorder:
    """Writes what a watch of one job would publish: each round moves one more host to its end."""

    store: Store
    name: str = "night"
    client: str = "0a1b2c3d"
    hosts: int = HOSTS
    term: int = 0
    head: int = 0
    rounds: int = 0
    state: JobState = field(factory=lambda: JobState(JOB, is_target=True))
    recorded: list[Batch] = field(factory=list)

    async def open(self) -> None:
        """Begin the next term."""
        opened = await self.store.open(self.name, Holder("here", 1), take_over=True)
        self.term, self.head = opened.term, opened.head

    async def record(self, rounds: int, *, age: float = 0.0) -> None:
        """Poll so many times, and store each batch."""
        for _ in range(rounds):
            self.rounds += 1
            ended = [host(n, 9 if n <= self.rounds else 5) for n in range(1, self.hosts + 1)]
            stamp = PollStamp(self.head + 1.0, self.head + 1, f"{self.head + 1}-{self.client}")
            batch = batch_of(apply_job(self.state, job(2, step(2, ended)), stamp), stamp)
            targets = [(JOB, True)] if self.rounds == 1 else []
            data = encode_record(
                stamp.sequence,
                time=time.time() - age,
                term=self.term,
                client=self.client,
                batch=batch,
                job=self.state,
                targets=targets,
            )
            record = StoredRecord(stamp.sequence, time.time() - age, data)
            await self.store.append(self.name, term=self.term, head=self.head, records=[record], targets=1)
            self.head = stamp.sequence
            self.recorded.append(batch)

    async def write_checkpoint(self) -> None:
        """Store the state up to now."""
        fold = Fold()
        page = await self.store.read(self.name, 0)
        for record in page.records:
            fold.apply(record.data)
        await self.store.write_checkpoint(
            self.name, Checkpoint(fold.sequence, [*fold.parts()]), term=self.term
        )


def events_of(batches: list[Batch]) -> list[Event]:
    """Return the events of batches."""
    return [event for batch in batches for event in batch.events]
