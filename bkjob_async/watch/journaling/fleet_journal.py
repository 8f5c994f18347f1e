"""The writer of one watch's journal: appends records in the background, and writes checkpoints."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from zlib import crc32

from bkjob_async.engine.journaling.fleet_facts import LOCAL_NUMBERS, begins_with, cursor_behind
from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.jobs import MakeJob, encode_part, parts_of
from bkjob_async.engine.stream.cursor import CursorSequence
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.errors import JournalDamaged, JournalError, JournalUnavailable
from bkjob_async.journal.loading import LoadedFleet, in_slices, signs_of_life
from bkjob_async.journal.shards import is_shard_name
from bkjob_async.journal.store import Checkpoint, Opened, Store, check_size, own_holder
from bkjob_async.model.events import Event, Recovered, Trouble
from bkjob_async.model.journal_errors import StoreBehind
from bkjob_async.model.text.printing import counted
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.watch.cooperative import wait_until_done
from bkjob_async.watch.journaling.checkpoints import Checkpoints
from bkjob_async.watch.journaling.compaction import Compaction
from bkjob_async.watch.journaling.inbox import Inbox
from bkjob_async.watch.journaling.opening import LIFE_SECONDS, check_own, load_opened
from bkjob_async.watch.journaling.record_queue import PendingRecord, RecordQueue
from bkjob_async.watch.journaling.recorded_watch import RecordedWatch
from bkjob_async.watch.stats import RecordingState

# Records are collected for so many seconds; where others come all the time, for so many since the last append began.
COLLECT_SECONDS, COLLECT_SECONDS_BUSY = 0.005, 0.02
# An append that failed is made again after so many seconds.
RETRY_SECONDS = 1.0
# What was learnt is stored after so many seconds.
DURATIONS_SECONDS = 60.0
# A wait is no shorter than this, so that a clock that runs late does not keep the event loop busy.
SHORTEST_WAIT = 0.01
# An opening leaves out fewer numbers than this.
FARTHEST = 1 << 16
# `aclose` waits so many seconds for the last records.
CLOSE_SECONDS = 5.0
# What readers are told of trouble with the store.
UNAVAILABLE = JournalUnavailable.__name__

R = TypeVar("R")

logger = logging.getLogger("bkjob_async.journal")


class FleetJournal:
    """The journal of one watch: its fleet in a store, under a name.

    Batches are put into `records`, at once; a task appends what waits, and then gives the batches to the watch. While
    the store cannot be used, records wait and are appended again each second, the same ones first: whether an append
    without an answer was made is known by its last number.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        cursors: CursorSequence,
        watch: RecordedWatch,
        observe: ObserverDispatch,
    ) -> None:
        """Prepare; nothing is read before `open`. Appends are counted in the counters of *observe*, if it has any."""
        self.head = 0
        self.records = RecordQueue(cursors)
        # The watch was left before it had taken up all targets: what it has is less than what the store has.
        self.lacks_targets = False
        self._store = store
        self._observe = observe
        self._name = name
        self._cursors = cursors
        self._watch = watch
        self._error: BaseException | None = None  # that the watch ended with
        self._learnt: Callable[[], Mapping[str, Any]] = dict
        # What the last attempt to store failed with, None while all is well.
        self._trouble: JournalError | None = None
        # Another has written in between: the states say when something was reported in other numbers than the records.
        self._has_others = False
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        self._stored = asyncio.Event()
        self._checkpoints = Checkpoints(
            store,
            name,
            self.records,
            wait_stored_to=self._wait_stored_to,
            jobs=self._recorded_jobs,
        )
        # What others add is taken up where it can be: of a shard.
        self._inbox = Inbox(store, name, self.records, watch) if is_shard_name(name) else None
        self._durations_at = 0.0
        self._durations: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The name of the fleet."""
        return self._name

    @property
    def state(self) -> RecordingState:
        """How far the watch is recorded."""
        return RecordingState(
            name=self._name,
            term=self.records.term,
            targets=self.records.targets,
            unstored=self.records.waiting_events,
            trouble=self._trouble,
        )

    # Opening --------------------------------------------------------------------------------------------------------

    async def open(self, make_job: MakeJob, *, take_over: bool) -> tuple[Opened, Fold]:
        """Take the fleet; return how it was found, and its state."""
        opened = await self._take(take_over=take_over)
        while (loaded := await load_opened(self._store, self._name, opened, make_job)) is None:
            opened = await self._take(take_over=True, after_term=opened.term)
        fold, records, self.head = loaded.fold, self.records, opened.head
        records.facts, records.last_put = fold.facts, self.head
        records.begin_term(opened.term, self.head)
        self._checkpoints.begin_behind(loaded.checkpoint_size, loaded.records_size)
        self._go_on_behind(fold.sequence)
        return opened, fold

    async def _take(self, *, take_over: bool, after_term: int = 0) -> Opened:
        """Take the fleet, and note its term, which is to be released, whatever comes.

        Where this is cancelled, the store may go on: it is waited for some seconds, so that others need not wait for longer.
        """
        taking = asyncio.ensure_future(
            self._store.open(self._name, own_holder(), take_over=take_over, after_term=after_term)
        )
        try:
            await asyncio.wait([taking])
        except asyncio.CancelledError:
            await asyncio.wait([taking], timeout=CLOSE_SECONDS)
            raise
        finally:
            if not taking.cancel() and taking.exception() is None:
                self.records.term = taking.result().term
        return taking.result()

    async def _open_again(self, term: int) -> Opened:
        """Begin a term behind the own one, *term*, however often it takes; raise `Superseded` where the fleet is another's.

        The later term of an own opening whose answer was lost is told from that of another process by its holder. A process
        that opens the fleet between the look and the opening is not seen, and is superseded.
        """
        attempts = 0
        while True:
            try:
                await check_own(self._store, self._name, term, attempts)
                attempts += 1
                return await self._store.open(self._name, own_holder(), take_over=True, after_term=term)
            except JournalUnavailable as error:
                await self._wait_for_store(error)

    async def _until_available(self, call: Callable[[], Awaitable[R]]) -> R:
        """Call the store, however often it takes."""
        while True:
            try:
                return await call()
            except JournalUnavailable as error:
                await self._wait_for_store(error)

    async def _wait_for_store(self, error: JournalUnavailable) -> None:
        """Wait before a call of the store that failed is repeated."""
        self._report_trouble(error)
        await asyncio.sleep(RETRY_SECONDS)

    def _go_on_behind(self, sequence: int) -> None:
        """Give records numbers behind *sequence* and the head, far from those of other clients.

        A store that lost an opening gives its term out again. Of two writers with one term, the second that appends finds a
        head which it does not know, and opens the fleet again.
        """
        apart = crc32(self._cursors.name.encode()) % FARTHEST
        self._cursors.go_on_behind(max(self.head, sequence) + LOCAL_NUMBERS + apart)

    def start(self, learnt: Callable[[], Mapping[str, Any]]) -> None:
        """Begin to append; *learnt* returns the durations that are to be stored."""
        self._learnt = learnt
        self._durations = learnt()
        self._durations_at = now() + DURATIONS_SECONDS
        self._task = asyncio.get_running_loop().create_task(self._run(), name="bkjob_async journal")
        if self._inbox is not None:
            self._inbox.start()

    # Storing --------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Append what waits, until the watch has ended and everything is stored."""
        life_at, appended_at = now() + LIFE_SECONDS, 0.0
        try:
            while True:
                if not self.records:
                    if self._is_closing:
                        break
                    await self._wait(min(life_at, self._durations_at) - now())
                if self.records and not self._is_closing:
                    await asyncio.sleep(max(COLLECT_SECONDS, appended_at + COLLECT_SECONDS_BUSY - now()))
                if now() >= self._durations_at:
                    self._put_durations()
                if self.records:
                    appended_at = now()
                    await self._append()
                    life_at = now() + LIFE_SECONDS
                elif now() >= life_at:
                    await self._give_sign_of_life()
                    life_at = now() + LIFE_SECONDS
            self._watch.stream.close(self._error)
        except JournalError as error:
            self.records.waiting_events = (
                0  # none of them is missing: another watch reports them, or none does
            )
            self._watch.refuse(error)
        except Exception as error:
            logger.exception("the journal of the fleet %r failed", self._name)
            self._watch.refuse(error)

    async def _wait(self, seconds: float) -> None:
        """Wait until there is a record to store, or so many *seconds*."""
        self.records.has_some.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(SHORTEST_WAIT, seconds)):
                await self.records.has_some.wait()

    async def _append(self) -> None:
        """Append what waits now, however often it takes; then give the batches to the watch."""
        waiting = self.records.take()
        records, taken_up = [each.record for each in waiting], waiting[-1].taken_up
        begun = asyncio.get_running_loop().time()
        while records:
            try:
                await self._store.append(
                    self._name,
                    term=self.records.term,
                    head=self.head,
                    records=records,
                    targets=self.records.targets,
                    taken_up=taken_up,
                )
                break
            except JournalUnavailable as error:
                await self._wait_for_store(error)
            except StoreBehind as error:
                waiting, records = await self._store_anew(error, waiting), []
        self.head = records[-1].sequence if records else self.head
        size = sum(len(record.data) for record in records)
        if self._observe.counters is not None:
            self._observe.counters.add_append(self._name, asyncio.get_running_loop().time() - begun, size)
        self._stored.set()
        self.records.waiting_events -= sum(each.events for each in waiting)
        for each in waiting:
            if each.batch is not None:
                self._watch.stream.append(each.batch)
        if self._trouble is not None:
            self._trouble = None
            logger.info("the fleet %r is recorded again", self._name)
            recovered = Recovered(ref=None, error=UNAVAILABLE, targets=self._watch.targets.size)
            self._report_unstored(self.head + 1, recovered)
        if not self._is_closing:
            self._checkpoints.on_stored(size)

    def _report_trouble(self, error: JournalError) -> None:
        """Say once that nothing can be stored, until something is."""
        is_known, self._trouble = self._trouble is not None, error
        if not is_known:
            logger.warning("the fleet %r cannot be recorded: %s", self._name, error)
            message = f"{error}; it is tried again"
            trouble = Trouble(ref=None, error=UNAVAILABLE, message=message, targets=self._watch.targets.size)
            self._report_unstored(self.head + LOCAL_NUMBERS, trouble)

    def _report_unstored(self, number: int, event: Event) -> None:
        """Give the readers of the watch an *event* that is not stored, in batch *number* behind the newest record.

        As long as this term has no record, no other process knows the name in its cursors: it is that of the newest
        record then.
        """
        terms = self.records.facts.terms
        is_known = terms[-1].head < self.head
        cursor = f"{number}-{self._cursors.name}" if is_known else cursor_behind(terms, self.head)
        self._watch.report(number, cursor, event)

    async def _store_anew(self, error: StoreBehind, waiting: list[PendingRecord]) -> list[PendingRecord]:
        """Begin a new term, and store all that was given as a checkpoint in place of what the store has left.

        Returns what readers may be given now: the records that were *waiting*, all of which the checkpoint has. Raises
        `JournalError` where the watch was left before it knew all that the store had.
        """
        self._report_trouble(error)
        await self._watch.wait_taken_up()
        if self.lacks_targets:
            raise JournalError(
                f"the watch of {self._name!r} was left before all its targets were restored, and the store has lost records:"
                " what it has left stays as it is"
            )
        term = self.records.term
        while True:
            opened = await self._open_again(term)
            term = opened.term
            try:
                loaded = await self._until_available(partial(load_opened, self._store, self._name, opened))
            except JournalDamaged:
                loaded = LoadedFleet(Fold(), 0, 0)
            if loaded is None:
                continue
            with suppress(StoreBehind):
                async with signs_of_life(self._store, self._name, term, every=LIFE_SECONDS):
                    await self._write_all(opened, loaded, waiting)
                return waiting

    async def _write_all(self, opened: Opened, loaded: LoadedFleet, waiting: list[PendingRecord]) -> None:
        """Write the checkpoint of a new term; it has all records that are put up to now, which join those *waiting*.

        Those that are put meanwhile are appended behind it.
        """
        records, left = self.records, loaded.fold
        # Where the store lost that this writer had opened the fleet, it may have given another the same term. The other has
        # reported in numbers of its own from what was left, so everything is given anew.
        if not begins_with(records.facts.terms, left.facts.terms):
            self._has_others, records.facts.terms = True, left.facts.terms
        since = 0 if self._has_others else 1 + min(self.head, opened.head, left.sequence)
        if self._inbox is not None:
            self._inbox.warn_of_loss(left.facts.time)
        self._go_on_behind(max(left.sequence, self._cursors.last))
        jobs = await Compaction(self._watch, records, left, since).jobs()
        # In one step with the last of the jobs: what is put later stands behind the checkpoint.
        at = self._watch.next_stamp()
        self._cursors.go_on_behind(at.sequence + LOCAL_NUMBERS)
        waiting += records.take()
        records.begin_term(opened.term, at.sequence)
        if self._has_others:
            records.facts.renew_signals(at)
        parts = [encode_part(records.facts.part(at.sequence))]
        records.put_empty()
        parts += [part async for part in in_slices(parts_of(at.sequence, jobs))]
        checkpoint = Checkpoint(at.sequence, parts)
        check_size(self._name, checkpoint.size)
        await self._until_available(
            lambda: self._store.write_checkpoint(
                self._name, checkpoint, term=opened.term, all_behind=opened.head
            )
        )
        self.head = at.sequence
        self._checkpoints.begin_behind(checkpoint.size, 0)

    async def is_behind(self) -> bool:
        """Return True if the store has lost records; as long as this writer goes on, it stores all anew, which is waited for."""
        while True:
            entry = await self._store.fleet(self._name)
            is_behind = entry is None or entry.head < self.head
            goes_on = self._task is not None and not self._task.done()
            if not (goes_on and (is_behind or self._trouble is not None)):
                return is_behind
            await asyncio.sleep(RETRY_SECONDS)

    async def _give_sign_of_life(self) -> None:
        """Give a sign of life; where the store has other records than this writer, the next append finds out which."""
        try:
            if await self._store.give_sign_of_life(self._name, term=self.records.term) != self.head:
                self.records.put_empty()
        except JournalUnavailable:
            logger.debug("no sign of life for the fleet %r", self._name)
        except StoreBehind:
            self.records.put_empty()

    def _put_durations(self) -> None:
        """Store what was learnt, unless it was stored so before."""
        self._durations_at = now() + DURATIONS_SECONDS
        learnt = self._learnt()
        if learnt != self._durations:
            self._durations = learnt
            self.records.put_durations(learnt)

    async def _wait_stored_to(self, sequence: int) -> None:
        """Wait until the record with this number is stored."""
        while self.head < sequence:
            self._stored.clear()
            await self._stored.wait()

    def _recorded_jobs(self) -> Iterator[JobState | None]:
        """Yield the state of each job; None where the fleet was given something else than that."""
        return iter((None,)) if self._is_closing or self._has_others else self._watch.recorded_jobs()

    # Closing --------------------------------------------------------------------------------------------------------

    def finish(self, error: BaseException | None = None) -> None:
        """Store what waits and what was learnt, then close the stream with the *error* that the watch ended with."""
        if not self._is_closing and self._task is not None:
            self.records.flush_targets()
            self._put_durations()
        if self._inbox is not None:
            self._inbox.stop()
        self._error = error or self._error
        self._is_closing = True
        self.records.has_some.set()

    def give_up(self) -> tuple[int, JournalError | None]:
        """Stop storing; return how many events are not stored, and what the store said last, if anything."""
        if self._task is not None:
            self._task.cancel()
        return self.records.waiting_events, self._trouble

    async def aclose(self) -> None:
        """Wait some seconds until everything is stored, warn of what is not, and release the fleet."""
        self.finish()
        task = self._task
        try:
            if task is not None:
                await asyncio.wait([task], timeout=CLOSE_SECONDS)
        finally:  # nothing goes on where this is cancelled
            if task is not None:
                task.cancel()
                await wait_until_done([task])
            await self._checkpoints.cancel()
        if self.records.waiting_events:
            logger.warning(
                "%s of the fleet %r could not be stored; what they tell will be reported again",
                counted(self.records.waiting_events, "event"),
                self._name,
            )
        if not self.records.term or self.records.waiting_events or (task is not None and task.cancelled()):
            return  # the store is not asked for anything more
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._store.release(self._name, term=self.records.term)
        except (JournalError, TimeoutError) as error:
            logger.debug("the fleet %r was not released: %s", self._name, error)


def now() -> float:
    """Return the time on the event loop's clock."""
    return asyncio.get_running_loop().time()
