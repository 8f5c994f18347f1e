"""What one watch writes to its journal: records, collected and appended in the background, and checkpoints."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from msgspec import Struct

from bkjob_async.engine.journaling.fleet_facts import LOCAL_NUMBERS, FleetFacts, cursor_behind
from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.jobs import MakeJob
from bkjob_async.engine.journaling.records import encode_record
from bkjob_async.engine.stream.cursor import CursorSequence, PollStamp
from bkjob_async.engine.stream.event_list import (
    EventOrLazy,
    LazyEventList,
    event_count,
    parts_of,
    with_indexes,
)
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.errors import JournalError, JournalUnavailable
from bkjob_async.journal.loading import load_fleet
from bkjob_async.journal.store import Holder, Opened, Store, StoredRecord
from bkjob_async.model.events import Batch, Recovered, Trouble
from bkjob_async.model.journal_errors import StoreBehind
from bkjob_async.model.refs import JobRef, Ref
from bkjob_async.model.text.printing import counted
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.watch.journaling.checkpoints import Checkpoints

# Records are collected for so many seconds; where others come all the time, for so many since the last append began.
COLLECT_SECONDS, COLLECT_SECONDS_BUSY = 0.005, 0.02
# An append that failed is made again after so many seconds.
RETRY_SECONDS = 1.0
# A holder gives a sign of life, and stores what was learnt, after so many seconds.
LIFE_SECONDS, DURATIONS_SECONDS = 10.0, 60.0
# A wait is no shorter than this, so that a clock that runs late does not keep the event loop busy.
SHORTEST_WAIT = 0.01
# Polling pauses while more events than this wait to be stored.
MAX_WAITING = 32_768
# Readers are given so many batches at a time, and read them before they are given more: memory that the oldest events of
# the log leave is used again at once, and the garbage collector is not woken by objects that will soon be gone.
DELIVERED_TOGETHER = 8
# `aclose` waits so many seconds for the last records.
CLOSE_SECONDS = 5.0

logger = logging.getLogger("bkjob_async.journal")


class Waiting(Struct, gc=False):
    """A record that is not stored yet, with the batch that readers are given once it is."""

    record: StoredRecord
    batch: Batch | None
    events: int
    taken_up: int = 0


class JournalListener(Protocol):
    """A watch, as its journal sees it."""

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

    async def put_present(self, journal: FleetJournal, since: int, recorded: Collection[Ref]) -> None:
        """Put the newest of all that changed in batch *since* or later; *recorded* are the targets that the store has."""
        ...

    def recorded_jobs(self) -> Iterator[JobState | None]:
        """Yield the state of each job; None where the watch was given something else than that."""
        ...

    def on_refused(self, error: BaseException) -> None:
        """End the watch: the journal takes no more records of it."""
        ...


class FleetJournal:
    """The journal of one watch: its fleet in a store, under a name.

    `put` takes a batch and returns at once; a task appends what waits, and then gives the batches to the watch. While
    the store cannot be used, records wait and are appended again each second, the same ones first: whether an append
    without an answer was made is known by its last number.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        cursors: CursorSequence,
        listener: JournalListener,
        observe: ObserverDispatch,
    ) -> None:
        """Prepare; nothing is read before `open`. Appends are counted in the counters of *observe*, if it has any."""
        self.term = 0
        self.head = 0
        self._begins_behind: int | None = None  # the head that the term found, until its first record
        self.targets = 0  # how many the fleet has, for those who list fleets
        self.waiting_events = 0
        self._store = store
        self._observe = observe
        self._name = name
        self._cursors = cursors
        self._listener = listener
        self._learnt: Callable[[], Mapping[str, Any]] = dict
        self._target_changes: list[tuple[Ref, bool]] = []
        # When the store had gone back, the time of the newest record that it had left.
        self.went_back_to: float | None = None
        self._taken_up = 0  # the newest entry of the fleet's inbox whose targets are noted
        self._written_up = 0  # and of which a record was made
        self._waiting: list[Waiting] = []
        self._wake = asyncio.Event()
        self._unrecorded: list[Waiting] = []  # batches that the present in place of lost records has in it
        self._in_present: set[JobRef] | None = None  # jobs whose present was put, while that goes on
        # The present states that were stored: the number of the last record of each, and of the first batch whose changes it has.
        self._presents: list[tuple[int, int]] = []
        self._is_troubled = False
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        self.last_put = 0
        self.facts = FleetFacts()
        self._stored = asyncio.Event()
        self._checkpoints = Checkpoints(store, name, self)
        self._durations_at = 0.0
        self._durations: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The name of the fleet."""
        return self._name

    @property
    def is_full(self) -> bool:
        """Whether so many events wait that polling must pause."""
        return self.waiting_events > MAX_WAITING

    # Opening --------------------------------------------------------------------------------------------------------

    async def open(self, make_job: MakeJob, *, take_over: bool) -> tuple[Opened, Fold]:
        """Take the fleet; return how it was found, and its state."""
        opened = await self._store.open(self._name, own_holder(), take_over=take_over)
        self.term, self.head, self._begins_behind = opened.term, opened.head, opened.head
        loaded = await load_fleet(self._store, self._name, make_job)
        fold, self.facts, self.last_put = loaded.fold, loaded.fold.facts, self.head
        self.facts.note_term(self.term, self._cursors.name, self.head)
        self._checkpoints.begin_behind(loaded)
        self._cursors.go_on_behind(max(self.head, fold.sequence) + LOCAL_NUMBERS)
        return opened, fold

    def start(self, learnt: Callable[[], Mapping[str, Any]]) -> None:
        """Begin to append; *learnt* returns the durations that are to be stored."""
        self._learnt = learnt
        self._durations = learnt()
        self._durations_at = now() + DURATIONS_SECONDS
        self._task = asyncio.get_running_loop().create_task(self._run(), name="bkjob_async journal")

    # Writing --------------------------------------------------------------------------------------------------------

    def note_target(self, ref: Ref, *, added: bool) -> None:
        """Write with the next record that a target was added or dropped."""
        if not added:
            self.facts.forget_signal(ref)
        self._target_changes.append((ref, added))

    def put(self, batch: Batch, job: JobState | None = None) -> None:
        """Store *batch*, which is about *job*, and then give it to the readers."""
        for part in parts_of(batch.events):
            if isinstance(part, Trouble | Recovered):
                self.facts.note_signal(part)
        self._put(batch.sequence, batch, job)

    def put_empty(self) -> None:
        """Store a record without a batch: targets that were added or dropped, or no more than the term."""
        self._put(self._next_number())

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
        at, targets = time.time(), self._target_changes
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
        events = 0 if batch is None else len(batch.events)
        self.waiting_events += events
        self._written_up = self._taken_up
        waiting = Waiting(StoredRecord(sequence, at, data), batch, events, self._taken_up)
        if job is not None and self._in_present is not None and job.ref not in self._in_present:
            self._unrecorded.append(waiting)  # the present of its job, which comes yet, has it
        else:
            self._waiting.append(waiting)
            self._begins_behind = None
        self._wake.set()

    def _next_number(self) -> int:
        return self._cursors.next_stamp(now()).sequence

    # Storing --------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Append what waits, until the watch has ended and everything is stored."""
        life_at, appended_at = now() + LIFE_SECONDS, 0.0
        try:
            while True:
                if not self._waiting:
                    if self._is_closing:
                        break
                    await self._wait(min(life_at, self._durations_at) - now())
                if self._waiting and not self._is_closing:
                    await asyncio.sleep(max(COLLECT_SECONDS, appended_at + COLLECT_SECONDS_BUSY - now()))
                if now() >= self._durations_at:
                    self._put_durations()
                if self._waiting:
                    appended_at = now()
                    await self._append()
                    life_at = now() + LIFE_SECONDS
                elif now() >= life_at:
                    await self._give_sign_of_life()
                    life_at = now() + LIFE_SECONDS
            self._listener.on_all_stored()
        except JournalError as error:
            self.waiting_events = (
                0  # nothing of them is missing here: another watch reports them, or none does
            )
            self._listener.on_refused(error)
        except Exception as error:
            logger.exception("the journal of the fleet %r failed", self._name)
            self._listener.on_refused(error)

    async def _wait(self, seconds: float) -> None:
        """Wait until there is a record to store, or so many *seconds*."""
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(SHORTEST_WAIT, seconds)):
                await self._wake.wait()

    async def _append(self) -> None:
        """Append what waits now, however often it takes; then give the batches to the watch."""
        waiting, self._waiting = self._waiting, []
        records, taken_up = [each.record for each in waiting], waiting[-1].taken_up
        begun = asyncio.get_running_loop().time()
        while records:
            try:
                await self._store.append(
                    self._name,
                    term=self.term,
                    head=self.head,
                    records=records,
                    targets=self.targets,
                    taken_up=taken_up,
                )
                break
            except JournalUnavailable as error:
                self._report_trouble(error)
                await asyncio.sleep(RETRY_SECONDS)
            except StoreBehind as error:
                records, taken_up = await self._take_again(error), 0
        self.head = records[-1].sequence if records else self.head
        size = sum(len(record.data) for record in records)
        if self._observe.counters is not None:
            self._observe.counters.add_append(self._name, asyncio.get_running_loop().time() - begun, size)
        self._stored.set()
        unrecorded, self._unrecorded = self._unrecorded, []
        stored = (*waiting, *unrecorded)
        self.waiting_events -= sum(each.events for each in stored)
        for number, each in enumerate(stored, 1):
            if number % DELIVERED_TOGETHER == 0:
                await asyncio.sleep(0)
            if each.batch is not None:
                self._listener.on_stored(each.batch)
        if self._is_troubled:
            self._is_troubled = False
            logger.info("the fleet %r is recorded again", self._name)
            self._listener.on_available(self.head + 1, self._local_cursor(self.head + 1))
        if not self._is_closing:
            self._checkpoints.on_stored(size)

    def _report_trouble(self, error: JournalError) -> None:
        """Say once that nothing can be stored, until something is."""
        if not self._is_troubled:
            self._is_troubled = True
            logger.warning("the fleet %r cannot be recorded: %s", self._name, error)
            number = self._local_number()
            self._listener.on_unavailable(number, self._local_cursor(number), error)

    def _local_number(self) -> int:
        """Return a number behind the newest record for a batch that is not stored."""
        return self.head + LOCAL_NUMBERS

    def _local_cursor(self, number: int) -> str:
        """Return the cursor of a batch that is not stored.

        As long as this term has no record, no other process knows the name in its cursors: it is that of the newest record then.
        """
        is_known = self.facts.terms[-1].head < self.head
        return f"{number}-{self._cursors.name}" if is_known else cursor_behind(self.facts.terms, self.head)

    async def _take_again(self, error: StoreBehind) -> list[StoredRecord]:
        """Begin a new term behind the records that the store has left; return what it is to store in place of others.

        What was lost, and what waits, is a part of what changed behind the head of the store.
        """
        self._report_trouble(error)
        while True:
            try:
                opened = await self._store.open(self._name, own_holder(), take_over=True)
                loaded = await load_fleet(self._store, self._name)
                break
            except JournalUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
        self.term, self.head, self._begins_behind = opened.term, opened.head, opened.head
        self.went_back_to, self._taken_up, self._written_up = loaded.fold.facts.time, 0, 0
        self.facts.terms = loaded.fold.facts.terms
        self.facts.note_term(self.term, self._cursors.name, self.head)
        self._checkpoints.begin_behind(loaded)
        self._unrecorded += self._waiting
        self._waiting, self._in_present = [], set()
        since = min([self.head + 1, *(begin for last, begin in self._presents if last > self.head)])
        await self._listener.put_present(self, since, loaded.fold.targets)
        self._presents.append((self.last_put, since))
        self._in_present = None
        present, self._waiting = self._waiting, []
        # Readers here are given what was reported meanwhile, and not the present.
        self._unrecorded += [each for each in present if each.batch is not None]
        self._unrecorded.sort(key=lambda each: each.record.sequence)
        return [each.record for each in present]

    def put_job_present(self, at: PollStamp, events: Sequence[EventOrLazy], job: JobState) -> None:
        """Store the present of a job, in place of its lost records and of those that wait."""
        if self._in_present is not None:
            self._in_present.add(job.ref)
        if events:
            self._put(at.sequence, Batch(at.sequence, LazyEventList(with_indexes(events)), at.cursor), job)
            self._waiting[-1].batch, self._waiting[-1].events = None, 0
            self.waiting_events -= event_count(events)

    async def _give_sign_of_life(self) -> None:
        try:
            await self._store.give_sign_of_life(self._name, term=self.term)
        except JournalUnavailable:
            logger.debug("no sign of life for the fleet %r", self._name)
        except StoreBehind:
            self.put_empty()  # the append finds out what the store has

    def _put_durations(self) -> None:
        """Store what was learnt, unless it was stored so before."""
        self._durations_at = now() + DURATIONS_SECONDS
        learnt = self._learnt()
        if learnt != self._durations:
            self._durations = learnt
            self._put(self._next_number(), durations=learnt)

    # What checkpoints need ------------------------------------------------------------------------------------------

    async def wait_stored_to(self, sequence: int) -> None:
        """Wait until the record with this number is stored."""
        while self.head < sequence:
            self._stored.clear()
            await self._stored.wait()

    def recorded_jobs(self) -> Iterator[JobState | None]:
        """Yield the state of each job; None where the fleet was given something else than that."""
        return self._listener.recorded_jobs()

    # Closing --------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Store what waits and what was learnt, then end."""
        if not self._is_closing and self._task is not None:
            self.flush_targets()
            self._put_durations()
        self._is_closing = True
        self._wake.set()

    async def aclose(self) -> None:
        """Wait some seconds until everything is stored, warn of what is not, and release the fleet."""
        self.finish()
        task = self._task
        if task is not None and not task.done():
            await asyncio.wait([task], timeout=CLOSE_SECONDS)
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
        await self._checkpoints.cancel()
        if self.waiting_events:
            logger.warning(
                "%s of the fleet %r could not be stored; what they tell will be reported again",
                counted(self.waiting_events, "event"),
                self._name,
            )
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._store.release(self._name, term=self.term)
        except (JournalError, TimeoutError) as error:
            logger.debug("the fleet %r was not released: %s", self._name, error)


def own_holder() -> Holder:
    """Return this process as the holder of a fleet."""
    return Holder(socket.gethostname(), os.getpid())


def now() -> float:
    """Return the time on the event loop's clock."""
    return asyncio.get_running_loop().time()
