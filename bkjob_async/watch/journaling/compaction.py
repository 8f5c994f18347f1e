"""The whole state of a watch as one checkpoint, which stands for all records: the store has lost some of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.forms import JobForm
from bkjob_async.engine.journaling.jobs import job_form, reported_form
from bkjob_async.engine.journaling.records import encode_record
from bkjob_async.engine.stream.cursor import PollStamp, place
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.journal.loading import in_slices
from bkjob_async.model.events import Batch, Event
from bkjob_async.model.refs import JobRef, Ref
from bkjob_async.watch.journaling.record_queue import RecordQueue
from bkjob_async.watch.journaling.recorded_watch import RecordedWatch

# So many jobs, which changed meanwhile, are made again in one step; more of them in slices, a few times.
AT_ONCE, PASSES = 32, 20


class Compaction:
    """Makes the jobs of a checkpoint for a record behind all that was ever given out.

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

    async def jobs(self) -> Collection[JobForm]:
        """Return the jobs as they are when this returns: in slices, and those again that changed in between."""
        forms: dict[JobRef, JobForm] = {}
        changed: Collection[JobRef] = self._watch.targets.copy_of_jobs()
        for _ in range(PASSES):
            self._records.changed = noted = set[JobRef]()
            async for job in in_slices(changed):
                self._make(job, forms)
            changed = noted
            if len(changed) <= AT_ONCE:
                break
        self._records.changed = None
        for job in changed:
            self._make(job, forms)
        return forms.values()

    def _make(self, job: JobRef, forms: dict[JobRef, JobForm]) -> None:
        """Put a job as it is now into *forms*, or take it out if it is no target any more."""
        forms.pop(job, None)
        if self._watch.targets.of(job):
            state = self._watch.state_of(job) if self._since else None
            forms[job] = self._rebuilt(job) if state is None else reported_form(state, 0)

    def _rebuilt(self, job: JobRef) -> JobForm:
        """Return a job of whose state the watch was given another."""
        refs, found = self._watch.targets.of(job), self._fold.jobs.get(job)
        before = () if found is None else tuple(found.targets)
        # First those that are added: a job without any target is forgotten with all that was reported of it.
        changed = [(ref, True) for ref in refs if ref not in before]
        changed += [(ref, False) for ref in before if ref not in refs]
        if changed:
            self._apply(self._watch.next_stamp(), targets=changed)
        for state, events in self._watch.present_of(job, self._since):
            if events:
                self._apply(self._watch.next_stamp(), events, state)
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
        self._fold.apply(
            encode_record(
                at.sequence,
                time=at.at.timestamp(),
                term=self._records.term,
                client=self._watch.poller.cursors.name,
                batch=Batch(at.sequence, tuple(events), at.cursor, at=at.at) if events else None,
                job=job,
                targets=targets,
            )
        )
