"""One watch as a subscriber of the poller: its targets, their events, and when all of them are over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from math import inf

from bkjob_async.engine.delivery.read_times import ReadTimes
from bkjob_async.engine.delivery.target_delivery import TargetDelivery
from bkjob_async.engine.stream.cursor import PollStamp, place
from bkjob_async.errors import DeadlineExceeded
from bkjob_async.journal.loading import in_slices
from bkjob_async.journal.store import Store
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Batch, Event, InSync, Recovered, Resumed, Trouble
from bkjob_async.model.refs import JobRef, Ref, StepRef
from bkjob_async.model.text.printing import counted, first_of
from bkjob_async.watch.cooperative import CooperativeIterator, PendingChanges
from bkjob_async.watch.journaling.fleet_journal import FleetJournal
from bkjob_async.watch.journaling.recorded_watch import RecordedWatch
from bkjob_async.watch.journaling.restored_fleet import RestoredFleet
from bkjob_async.watch.polling.poller import Poller
from bkjob_async.watch.polling.polling_load import PollingLoad
from bkjob_async.watch.polling.target_registry import PollTarget
from bkjob_async.watch.stream.stored_history import StoredHistory
from bkjob_async.watch.stream.stream import EventStream
from bkjob_async.watch.stream.target_states import LastSeen, TargetStates
from bkjob_async.watch.stream.targets import TargetSet
from bkjob_async.watch.subscription.lingering import REVISIT_INTERVAL, Lingering
from bkjob_async.watch.subscription.target_release import release_targets
from bkjob_async.watch.subscription.watch_reports import WatchReports

# Nothing could be read when so many polls of a watch have failed, and it has been open for so many seconds; whether that is
# so still is checked as often.
HOPELESS_POLLS, HOPELESS_AFTER, HOPELESS_CHECK = 3, 30.0, 5.0
# The last trouble is looked for among so many targets that are late.
LATE_LOOKED_AT = 1000
# At a deadline a store has so many seconds for what waits to be stored.
STORE_PATIENCE = 0.5


class Subscription:
    """The targets of one watch, and the subscriber that the poller delivers their events to.

    It writes the events into its `stream` and closes that when all targets are over, when the deadline passes, when the
    poller crashes, or when `close` is called.
    """

    def __init__(
        self,
        poller: Poller,
        check_client: Callable[[], None],
        *,
        deadline: float | None,
        linger: float | None,
        detail_level: DetailLevel,
    ) -> None:
        """Prepare; nothing is polled before `open`. *check_client* raises where the client cannot be used."""
        self.detail_level = detail_level
        self.expects_callbacks = False
        self.revisit_interval = REVISIT_INTERVAL if linger else None
        self.opened_at = inf
        self.ends_at: float | None = None
        self.targets = TargetSet()
        self._delivery = TargetDelivery()
        self.states = TargetStates(self.targets, self._delivery, poller.state)
        self.stream = EventStream(self.states, poller.cursors)
        self.event_count = 0
        self.number = next(poller.watch_numbers)
        self._reports = WatchReports(poller.observe, self.number)
        self.polls = 0
        self.is_open = False
        # Whether the present of all targets was delivered; those that are added later do not count.
        self.is_in_sync = False
        self._is_paused = False
        self.journal: FleetJournal | None = None
        # The newest entry of the fleet's inbox whose targets are pending or were added, and the term in which it was read.
        self._taken_up = (0, 0)
        self._fleet: RestoredFleet | None = None
        # The error that the watch ended with, None while it is open or when it was left.
        self.end: BaseException | None = None
        self._poller = poller
        self._check_client = check_client
        self._deadline = deadline
        self._lingering = Lingering(
            linger, jobs=self._unlost_jobs, read_again=poller.read_again, end=self.close
        )
        self._pending = PendingChanges()
        # Steps to be dropped when their job, which is a target as well, was read.
        self._drops_with_job: set[StepRef] = set()
        self._changes = CooperativeIterator()
        self._release = CooperativeIterator()
        self._deadline_timer: asyncio.TimerHandle | None = None
        self._may_be_unreadable = linger is not None
        self._hopeless_timer: asyncio.TimerHandle | None = None

    # Opening and closing --------------------------------------------------------------------------------------------

    def open(self, refs: Iterable[Ref]) -> None:
        """Begin to poll *refs*."""
        self._check_client()
        self.stream.open()
        refs, loop = tuple(refs), asyncio.get_running_loop()
        self._reports.opened(len(refs))
        self.is_open, self.opened_at = True, loop.time()
        if self._deadline is not None:
            self.ends_at = self.opened_at + self._deadline
            self._deadline_timer = loop.call_at(self.ends_at, self._on_deadline)
        if self._may_be_unreadable and self.journal is None:
            hopeless_at = self.opened_at + HOPELESS_AFTER
            self._hopeless_timer = loop.call_at(hopeless_at, self._check_readable, hopeless_at)
        # What is yet to be added is not read: an outage that lasts already does not make the watch one that is in sync.
        self._pending.put(refs, add=True)
        self._poller.add_subscriber(self)
        if self.journal is not None:
            self._poller.allow_pauses()
        self._changes.start(self._apply_changes())

    async def open_fleet(self, store: Store, name: str, refs: Iterable[Ref], *, take_over: bool) -> None:
        """Continue the fleet *name* of a *store*: poll its targets and *refs*."""
        self._check_client()
        watch = RecordedWatch(
            subscriber=self,
            targets=self.targets,
            states=self.states,
            stream=self.stream,
            pending=self._pending,
            refuse=self.refuse,
            take_up=self.take_up,
            delivery=self._delivery,
            poller=self._poller,
        )
        journal = FleetJournal(store, name, self._poller.cursors, watch, self._poller.observe)
        try:
            opened, fold = await journal.open(PollTarget, take_over=take_over)
            targets = [ref async for job in in_slices(fold.jobs.values()) for ref in job.targets]
            self._check_client()  # it may have been closed meanwhile
        except BaseException:
            await journal.aclose()  # others need not wait until it is silent
            raise
        head = journal.head
        terms = [*fold.facts.terms]
        history = StoredHistory(
            store, name, terms, self._poller.cursors, head=head, is_behind=journal.is_behind
        )
        self.stream.continue_behind(history, head)
        recorded_until = asyncio.get_running_loop().time() - (opened.silence or 0.0)
        self.journal, self._fleet = journal, RestoredFleet(fold, recorded_until)
        journal.records.targets = len(targets)
        self._poller.planner.restore_durations(fold.facts.durations)
        if head and opened.silence is not None:
            at = self._poller.stamp()
            resumed = Resumed(term=opened.term, gap=opened.silence)
            place([resumed], at.cursor, at.at)
            journal.records.put(Batch(at.sequence, (resumed,), at.cursor, at=at.at))
        else:
            journal.records.put_empty()
        journal.start(self._poller.planner.durations.exported)
        self.open([*targets, *refs])

    def close(self, error: BaseException | None = None) -> None:
        """End the stream, with *error* if given, and begin to release the targets; harmless when repeated.

        What was reported to a journal is stored first.
        """
        if not self.is_open:
            if self.stream.state != "closed" and self.journal is None:
                self.stream.close(error)
            return
        self.is_open = False
        if self._hopeless_timer is not None:
            self._hopeless_timer.cancel()
        if self._deadline_timer is not None and self.journal is None:
            self._deadline_timer.cancel()  # else it bounds how long the store is waited for
        self._lingering.stop()
        if self.journal is not None and self._fleet is not None:
            self.journal.lacks_targets = any(
                self._fleet.job_of(ref) is not None for ref in self._pending.to_add()
            )
        self._pending.clear()
        if self.stream.state == "open":
            self._reports.closed(self.targets, events=self.event_count, polls=self.polls, error=error)
        self.end = error
        if self.journal is None:
            self.stream.close(error)
        else:
            self.journal.finish(error)
        self._release.start(release_targets(self, self.states, self._poller))

    @property
    def log_events(self) -> int:
        """How many events the log holds."""
        return self.stream.log.event_count

    @property
    def fallen_behind(self) -> int:
        """How often a reader fell so far behind that the newest changes replaced what it missed."""
        return self.stream.fallen_behind

    @property
    def journal_waiting(self) -> tuple[str, int] | None:
        """The name under which the watch is recorded, and how many of its events are not stored yet."""
        journal = self.journal
        return None if journal is None else (journal.name, journal.records.waiting_events)

    def load(self) -> PollingLoad:
        """Return the load of polling the targets, none unless the watch is open."""
        if not self.is_open:
            return PollingLoad(0, 0, None, 0)
        return self._poller.load(asyncio.get_running_loop().time(), self)

    async def aclose(self) -> None:
        """End the stream and wait until all targets are released."""
        self.close()
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
        try:
            try:
                await self._release.wait()
            finally:
                if self.journal is not None:
                    await self.journal.aclose()
        finally:
            if self.stream.state != "closed":
                self.stream.close(self.end)
            await self._poller.stop_if_idle()

    @property
    def is_paused(self) -> bool:
        """Whether polling the targets pauses."""
        return self._is_paused

    @is_paused.setter
    def is_paused(self, paused: bool) -> None:
        self._is_paused = paused
        self._poller.allow_pauses()

    # What the journal says ------------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether the targets must not be polled: so many events wait to be stored, or the watch is paused."""
        return self.is_paused or (self.journal is not None and self.journal.records.is_full)

    def refuse(self, error: BaseException) -> None:
        """End at once with *error*: the journal takes no more records of this watch."""
        self.end = error
        self.close(error)
        self.stream.close(error)

    # Adding and dropping targets ------------------------------------------------------------------------------------

    def change(self, refs: Iterable[Ref], *, add: bool) -> None:
        """Add or drop *refs*, in slices."""
        self._pending.put(refs, add=add)
        self._changes.start(self._apply_changes())

    def take_up(self, changes: Iterable[tuple[Iterable[Ref], bool]], entry: int, term: int) -> None:
        """Add or drop what the inbox says up to an *entry*, which is removed by the append that records it.

        The inbox was read in this *term* of the journal.
        """
        self._taken_up = entry, term
        for refs, add in changes:
            self._pending.put(refs, add=add)
        self._changes.start(self._apply_changes())

    @property
    def is_changing(self) -> bool:
        """Whether there are targets yet to be added or dropped."""
        return bool(self._pending)

    def _apply_changes(self) -> Iterator[None]:
        """Add and drop what is pending, a target a step."""
        while self._pending:
            ref, add = self._pending.pop()
            if add:
                self._add(ref)
            else:
                self._drop(ref)
            yield
        if self._fleet is not None:
            self._fleet.forget()
        self._record_changes()
        self._close_when_settled()
        self.stream.wake_readers()

    def _record_changes(self) -> None:
        """Store which targets were added and dropped; what still waits to be dropped stays in the inbox."""
        if self.journal is not None:
            self.journal.records.targets = self.targets.size
            if not self._drops_with_job:
                self.journal.records.take_up(*self._taken_up)
            self.journal.records.flush_targets()

    def _add(self, ref: Ref) -> None:
        if ref in self.targets:
            self._drops_with_job.discard(ref)
            return
        self.targets.add(ref, unread=not self.is_in_sync)
        self.states.mark_changed(ref.job)
        fleet = self._fleet
        recorded = None if fleet is None else fleet.job_of(ref)
        if fleet is None or recorded is None:
            state, since = self._poller.subscribe(self, ref)
        else:
            state, since = self._poller.subscribe(self, ref, recorded, recorded_until=fleet.recorded_until)
        self.targets.share(state.ref, state.targets)
        if recorded is not None and ref in recorded.lost:
            self._delivery.restore_lost(ref, recorded)
            self.targets.read(ref)
            self.targets.settle(ref, over=True)
        elif fleet is not None and recorded is not None and recorded.is_target and ref in fleet.joining:
            since = self._poller.read_again(ref.job) if since is None else since
            self._delivery.join(ref, since or 0, recorded, is_given=False)
        elif since is not None:
            self._delivery.join(ref, since, recorded)
        if self.journal is not None and recorded is None:
            joins = since is not None and ref != ref.job and ref.job in self.targets
            self.journal.records.note_target(ref, added=True, joins=joins)

    def _drop(self, ref: Ref) -> None:
        if ref not in self.targets:
            return
        is_joining = self._delivery.is_joining
        if isinstance(ref, StepRef) and is_joining(ref.job) and not is_joining(ref):
            # Its state was delivered, and is not delivered again with the job that is a target, too.
            self._drops_with_job.add(ref)
        else:
            if self.journal is not None:
                self.journal.records.note_target(ref, added=False)
            self.targets.remove(ref)
            self._delivery.remove(ref, self._poller.state(ref.job))
            self.stream.log.discard_signals(ref)
            self._poller.unsubscribe(self, ref)
            self.states.mark_changed(ref.job)
            if not self.targets.of(ref.job):
                self._lingering.awaited.pop(ref.job, None)
            if self._drops_with_job:
                self._drop_with_job(ref.job)
            self.stream.wake_readers()

    def _drop_with_job(self, job: JobRef) -> None:
        """Drop the steps that waited until *job* was read, or until it is a target no longer."""
        if self.is_open and not self._delivery.is_joining(job):
            steps = [step for step in self._drops_with_job if step.job == job]
            self._drops_with_job.difference_update(steps)
            for step in steps:
                self._drop(step)
            if not self._pending:
                self._record_changes()

    # What the poller asks -------------------------------------------------------------------------------------------

    def targets_in(self, job: JobRef) -> Collection[Ref]:
        """Return the targets that belong to *job*; none once the watch has ended."""
        return self.targets.of(job) if self.is_open else ()

    def awaits(self, job: JobRef) -> bool:
        """Return True while *job* must be read in full before anything of it is delivered."""
        return job in self._lingering.awaited or self._delivery.await_response(self.targets_in(job))

    # What the poller delivers ---------------------------------------------------------------------------------------

    def on_events(
        self, target: PollTarget, at: PollStamp, events: Sequence[Event], times: ReadTimes | None
    ) -> None:
        """Receive the *events* of one poll of *target*; *times* are those of a job that is read for who joined it."""
        if not self.is_open:
            return
        job = target.ref
        refs = self.targets.of(job)
        shared, own = self._delivery.select(target, refs, events, at, times)
        self.states.mark_changed(job)
        if self._lingering.awaited and times is not None:
            self._lingering.on_read(job, refs, times, at.now)
        if not self.is_in_sync:
            for ref in refs:
                if self._delivery.is_state_given(ref) and target.is_in_sync(ref):
                    self.targets.read(ref)
        if self._fleet is not None and target.seen_at is not None and self._fleet.end_outage():
            own.append(Recovered(ref=None, targets=self.targets.size))
        self._append(at, len(events), shared, own, target)
        if target.seen_at is not None and self.stream.unreadable is not None:
            self.stream.set_unreadable(None)
        if self._drops_with_job:
            asyncio.get_running_loop().call_soon(self._drop_with_job, job)

    def on_platform_event(self, at: PollStamp, event: Trouble | Recovered) -> None:
        """Receive an event that concerns all targets."""
        if self.is_open:
            if self._fleet is not None and self._fleet.end_outage() and isinstance(event, Trouble):
                return  # it was reported before this watch was opened, and goes on
            self._append(at, 0, [], [event])

    def wake_readers(self) -> None:
        """Let readers that wait look again whether they have to."""
        self.stream.wake_readers()

    def _append(
        self,
        at: PollStamp,
        size: int,
        shared: list[Event],
        own: list[Event],
        target: PollTarget | None = None,
    ) -> None:
        """Add a batch: what this watch takes of the *size* events of a poll, and events for this watch alone."""
        if not self.is_in_sync and self.targets.all_read and not self._pending:
            self.is_in_sync, self.stream.in_sync_at = True, at.sequence
            own.append(InSync())
            self.stream.in_sync_index = size + len(own)
        if shared or own:
            if own:  # their places are behind those of the events that all watches share
                place(own, at.cursor, at.at, before=size)
            size += max(1, len(own))
            batch = Batch(at.sequence, (*shared, *own), at.cursor, at=at.at, size=size)
            self.event_count += len(batch.events)
            if self.journal is None:
                self.stream.append(batch)
            else:
                self.journal.records.put(batch, target)

    # When the targets are over --------------------------------------------------------------------------------------

    def update_settled(self, target: PollTarget) -> None:
        """Determine again which targets of a job have settled; end or begin to linger when all have."""
        if not self.is_open:
            return
        before = self.targets.over
        for ref in self.targets.of(target.ref):
            self.targets.settle(ref, over=self._delivery.is_over(target, ref))
        if self.targets.over > before:
            self.stream.wake_readers()
        self._close_when_settled()

    def _close_when_settled(self) -> None:
        if self.is_open:
            self._lingering.update(all_over=self.targets.over >= self.targets.size and not self._pending)

    def _unlost_jobs(self) -> Iterator[JobRef]:
        """Yield the jobs of which not all targets are lost."""
        are_lost, of = self._delivery.are_lost, self.targets.of
        return (job for job in self.targets.copy_of_jobs() if not are_lost(of(job)))

    @property
    def _time_allowed(self) -> str:
        """The deadline in round figures: that of a call is what its launch has left of it."""
        seconds = self._deadline or 0.0
        return f"{round(seconds, 1 if seconds >= 1 else 3):g}"

    def _on_deadline(self) -> None:
        if self.is_open:
            self.close(self._lateness())
        if self.journal is not None:
            # The last records are stored within this time, unless the store is away.
            loop = asyncio.get_running_loop()
            self._deadline_timer = loop.call_later(STORE_PATIENCE, self._end_unstored)

    def _lateness(self) -> DeadlineExceeded | None:
        """Return the error of a watch whose deadline passes now, None where all its targets are over."""
        late = self.targets.unsettled()
        late += (ref for ref in self._pending.to_add() if ref not in self.targets)
        if not late:
            return None
        trouble = self._trouble_of(late)
        because = "" if trouble is None else f"; the last poll failed: {trouble.error}: {trouble.message}"
        return DeadlineExceeded(
            f"{counted(len(late), 'target')} not over after {self._time_allowed} s: {first_of(late)};"
            f" what becomes of them is unknown{because}",
            snapshots=LastSeen(late, self.states.snapshot),
            cursor=self.stream.last_cursor,
            trouble=trouble,
        )

    def _trouble_of(self, late: Iterable[Ref]) -> Trouble | None:
        """Return why polls fail now: of all targets, or of one that is late."""
        if self._poller.errors.outage is not None:
            return self._poller.errors.outage
        throttled = self._poller.throttled
        for ref in islice(late, LATE_LOOKED_AT):
            state = self._poller.state(ref.job)
            if state is None:
                continue
            if state.poll_failures.troubled:
                troubled = state.poll_failures.troubled
                return troubled.get(ref) or next(iter(troubled.values()))
            if throttled is not None and state.poll_failures.failures:
                return throttled
        return None

    def _check_readable(self, since: float) -> None:
        """Let readers that are not shown `Trouble` raise what keeps everything from being read; look again while it may.

        *since* is when the first look was due: responses from before it may have been those of a moment.
        """
        self._hopeless_timer = None
        states = list(filter(None, map(self._poller.state, self.targets.copy_of_jobs())))
        if any(state.seen_at is not None for state in states):
            return
        errors, has_polled = self._poller.errors, self.polls >= HOPELESS_POLLS
        self.stream.set_unreadable(errors.keeps_from_reading(states, since) if has_polled else None)
        loop = asyncio.get_running_loop()
        self._hopeless_timer = loop.call_later(HOPELESS_CHECK, self._check_readable, since)

    def _end_unstored(self) -> None:
        """End at the deadline although the store has not taken all that was reported, and say what it has not."""
        if self.journal is None or self.stream.state == "closed":
            return
        known = self.end if isinstance(self.end, DeadlineExceeded) else None
        unstored, trouble = self.journal.give_up()
        not_stored = (
            f"{counted(unstored, 'event')} could not be stored by the deadline of {self._time_allowed} s"
        )
        if trouble is not None:
            not_stored += f": {trouble}"
        error = DeadlineExceeded(
            not_stored if known is None else f"{known}; {not_stored}",
            snapshots={} if known is None else known.snapshots,
            cursor=self.stream.last_cursor,
            unstored=unstored,
            trouble=None if known is None else known.trouble,
        )
        error.__cause__ = trouble
        self.end = error
        self.stream.close(error)
