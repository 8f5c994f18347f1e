"""Queue the records of one watch until they are stored; they are made of its batches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from bkjob_async.engine.journaling.fleet_facts import LOCAL_NUMBERS, FleetFacts
from bkjob_async.engine.journaling.forms import Term
from bkjob_async.engine.journaling.records import encode_record
from bkjob_async.engine.stream.cursor import CursorSequence
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.journal.store import StoredRecord
from bkjob_async.model.events import Batch, Finished, HostChanged, Recovered, Trouble
from bkjob_async.model.refs import JobRef, Ref

# Polling pauses while more events than this wait to be stored.
MAX_WAITING = 32_768


class PendingRecord(Struct, gc=False):
    """A record that is not stored yet, with the batch that readers are given once it is."""

    record: StoredRecord
    batch: Batch | None
    events: int
    taken_up: int = 0


class RecordQueue:
    """The records that wait to be stored, in their order, until an append takes them.

    `facts` is what the records say beside jobs up to the newest, whose number is `last_put`; `targets` how many targets the
    fleet has, for those who list fleets. `has_some` is set when there is a record, or nothing more to wait for.
    """

    def __init__(self, cursors: CursorSequence) -> None:
        """Begin empty; records are numbered as the batches of the client are, by *cursors*."""
        self.term = 0
        self.targets = 0
        self.waiting_events = 0
        self.last_put = 0
        self.facts = FleetFacts()
        self.has_some = asyncio.Event()
        # The jobs of records that are put, for as long as somebody notes them.
        self.changed: set[JobRef] | None = None
        self._cursors = cursors
        self._begins_behind: int | None = None  # the head that the term found, until its first record
        self._target_changes: list[tuple[Ref, bool]] = []
        self._taken_up = 0  # the newest entry of the fleet's inbox whose targets are noted
        self._written_up = 0  # and of which a record was made
        self._waiting: list[PendingRecord] = []

    def __bool__(self) -> bool:
        """Return True while records wait for an append."""
        return bool(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether so many events wait that polling must pause."""
        return self.waiting_events > MAX_WAITING

    def begin_term(self, term: int, head: int) -> None:
        """Write the next records in this *term*, which found the fleet at *head*; the inbox is numbered anew."""
        self.term, self._begins_behind = term, head
        self._taken_up = self._written_up = 0
        self.facts.note_term(Term(term, self._cursors.name, head), begins=True)

    # Putting --------------------------------------------------------------------------------------------------------

    def note_target(self, ref: Ref, *, added: bool, joins: bool = False) -> None:
        """Write with the next record that a target was added or dropped; one that *joins* is a step of a followed job."""
        if not added:
            self.facts.forget(ref)
        elif joins:
            self.facts.joining.add(ref)
        self._target_changes.append((ref, added))
        if self.changed is not None:
            self.changed.add(ref.job)

    def put(self, batch: Batch, job: JobState | None = None) -> None:
        """Store *batch*, which is about *job*, and then give it to the readers."""
        for event in batch.events:
            if type(event) is HostChanged:
                continue
            if isinstance(event, Trouble | Recovered):
                self.facts.note_signal(event)
            elif isinstance(event, Finished) and self.facts.joining:
                self.facts.joining.discard(event.ref)
        self._put(batch.sequence, batch, job)

    def put_empty(self) -> None:
        """Store a record without a batch: targets that were added or dropped, or no more than the term."""
        self._put(self._next_number())

    def put_durations(self, durations: Mapping[str, Any]) -> None:
        """Store statistics of durations with a record."""
        self._put(self._next_number(), durations=durations)

    def take_up(self, entry: int, term: int) -> None:
        """Remove the entries up to this one from the inbox with the next record: their targets are noted.

        It was read in this *term*. In a later one a number may stand for another entry, for the store has lost some.
        """
        if term == self.term:
            self._taken_up = entry

    def flush_targets(self) -> None:
        """Store targets that were added or dropped since the last record, and what was taken up from the inbox."""
        if self._target_changes or self._taken_up > self._written_up:
            self.put_empty()

    def _put(
        self,
        sequence: int,
        batch: Batch | None = None,
        job: JobState | None = None,
        durations: Mapping[str, Any] | None = None,
    ) -> None:
        at = time.time() if batch is None else batch.at.timestamp()
        targets = self._target_changes
        data = encode_record(
            sequence,
            time=at,
            term=self.term,
            client=self._cursors.name,
            batch=batch,
            job=job,
            targets=targets,
            durations=durations,
            behind=self._begins_behind,
        )
        if targets:
            self._target_changes = []
        self._cursors.last = max(self._cursors.last, sequence) + LOCAL_NUMBERS
        self.last_put, self.facts.time = sequence, at
        if durations is not None:
            self.facts.durations = durations
        if self.changed is not None and job is not None:
            self.changed.add(job.ref)
        events = 0 if batch is None else len(batch.events)
        self.waiting_events += events
        self._written_up = self._taken_up
        self._waiting.append(PendingRecord(StoredRecord(sequence, at, data), batch, events, self._taken_up))
        if self._begins_behind is not None:
            self._begins_behind = None
            self.facts.terms[-1] = replace(self.facts.terms[-1], first=sequence)
        self.has_some.set()

    def _next_number(self) -> int:
        return self._cursors.next_stamp(asyncio.get_running_loop().time(), time.time()).sequence

    # Taking ---------------------------------------------------------------------------------------------------------

    def take(self) -> list[PendingRecord]:
        """Remove and return the records that wait, for an append."""
        waiting, self._waiting = self._waiting, []
        return waiting
