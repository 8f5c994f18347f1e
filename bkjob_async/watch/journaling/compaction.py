"""The whole state of a watch as one checkpoint, which stands for all records: the store has lost some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.forms import JobForm
from bkjob_async.engine.journaling.jobs import job_form, reported_form
from bkjob_async.engine.journaling.records import encode_record
from bkjob_async.engine.stream.batches import place
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.events import Batch, Event
from bkjob_async.model.refs import JobRef, Ref
from bkjob_async.watch.journaling.record_queue import RecordQueue
from bkjob_async.watch.journaling.recorded_watch import RecordedWatch

# Of each job, so many records at most are made to build its part: targets, and what was given of two states.
RECORDS_OF_JOB = 3


class Compaction:
    """Makes the jobs of a checkpoint for the record with a number behind all that was ever given out.

    Mostly a job is as its state says, with the number of the batch in which each host changed: a reader is given what it
    has not read. Where the watch was given something else, the job is what the store has *left* of it with what the watch
    was given *since*, as if it was given that now. Where nothing is left that counts, all of it is given anew.
    """

    def __init__(self, watch: RecordedWatch, records: RecordQueue, left: Fold, since: int) -> None:
        """Prepare for what the store has *left*, up to batch *since*; 0 where others have written in its place."""
        self._watch = watch
        self._records = records
        self._fold = left if since else Fold()
        self._since = since

    def jobs(self, first: PollStamp, sequence: int) -> Iterator[JobForm]:
        """Yield the jobs for record number *sequence*; numbers from that of *first* on are free for records within it.

        Jobs that change meanwhile have the number of the record that says so.
        """
        numbers = iter(range(first.sequence, sequence))
        for job in self._watch.targets.copy_of_jobs():
            if not self._watch.targets.of(job):
                continue
            last_put = self._records.last_put
            state = self._watch.state_of(job) if self._since else None
            form = self._rebuilt(job, first, numbers) if state is None else reported_form(state, 0)
            yield replace(form, sequence=last_put if last_put > sequence else 0)

    def _rebuilt(self, job: JobRef, first: PollStamp, numbers: Iterator[int]) -> JobForm:
        """Return a job of whose state the watch was given another."""
        refs, found = self._watch.targets.of(job), self._fold.jobs.get(job)
        before = () if found is None else tuple(found.targets)
        changed = [(ref, False) for ref in before if ref not in refs]
        changed += [(ref, True) for ref in refs if ref not in before]
        if changed:
            self._apply(replace(first, sequence=next(numbers)), targets=changed)
        for state, events in self._watch.present_of(job, self._since):
            if events:
                self._apply(replace(first, sequence=next(numbers)), events, state)
        return job_form(self._fold.jobs[job])

    def _apply(
        self,
        at: PollStamp,
        events: Sequence[Event] = (),
        job: JobState | None = None,
        targets: Sequence[tuple[Ref, bool]] = (),
    ) -> None:
        """Apply a record of *events*, or of *targets* that were added and dropped, to what the store has left."""
        place(events, at.cursor, at.at)
        batch = Batch(at.sequence, tuple(events), at.cursor, at=at.at) if events else None
        self._fold.apply(
            encode_record(
                at.sequence,
                time=at.wall,
                term=self._records.term,
                client=at.name,
                batch=batch,
                job=job,
                targets=targets,
            )
        )
