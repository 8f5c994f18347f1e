"""A watch: some targets, and one stream of their news."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from bkjob_async.engine.scheduling.slices import Requests
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.stream.lazy_events import EventOrLazy, LazyEventList, event_count, with_indexes
from bkjob_async.engine.tracking.job_tracker import JobTracker
from bkjob_async.errors import DeadlineExceeded, UsageError
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Batch, Event, InSync
from bkjob_async.model.ref_input import RefLike, as_ref, as_refs
from bkjob_async.model.refs import JobRef, Ref, Scope
from bkjob_async.model.result import JobResult
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot
from bkjob_async.model.status import Phase
from bkjob_async.watch.cooperative import CooperativeLoop
from bkjob_async.watch.explanation import Explanation
from bkjob_async.watch.stats import LastSeen, WatchStats
from bkjob_async.watch.stream import SharedStream
from bkjob_async.watch.totals import Totals
from bkjob_async.watch.watcher import PollTargets

REVISIT = 10.0


class Watch(SharedStream):
    """News of jobs and steps, as they are seen to move; `async with` it, then iterate.

    Each iterator is a new reader with a place of its own, and sees everything. The promise of the stream:

    * What one poll revealed comes as one batch, in order, and no change twice.
    * Every change carries `before` and `after`; a host that ran through two states between two looks shows one change.
    * The last changes of hosts come before their step's finish, the step's before the job's.
    * A host that an answer does not mention has not changed.
    * A finished target that runs again is `Reopened` as soon as that is seen. What has settled is looked at again every
      10 s while the watch lingers (twice within a shorter *linger*), after an operation through this client, when it is
      nudged, when another watch joins it, and with any other target of its job. With `linger=None` there are no looks
      for its own sake.
    * A step that never began is over when its job is: its status stays what it was, with `is_finished`. It is
      reopened when the job goes on.
    * A failed poll is `Trouble`, never a failed job; a target that cannot be read any more is `Lost`, and stays so
      in this watch, unless it is dropped and added again.
    * A target that another watch, or this one, has followed before is read once more before anything is told of it:
      first where it stands, at first sight, then what is new. What is dropped and added again begins anew in this way.
    * A slow reader misses no host: what it can no longer get one by one it gets as the newest change of each host,
      marked `skipped`.
    * The cursor of an event is the place behind that event, that of a batch behind the whole batch: a reader that is given
      one continues there, misses nothing, and is told nothing twice that the log still holds.

    It ends when all targets have settled, *linger* seconds later (None: never by itself). Leaving it stops polling and
    never touches a job.
    """

    def __init__(
        self,
        watcher: PollTargets,
        refs: Iterable[Ref],
        *,
        deadline: float | None,
        linger: float | None,
        detail_level: DetailLevel = DetailLevel.EVERY_CHANGE,
        scope: Scope | None = None,
    ) -> None:
        """Prepare to watch *refs*; nothing is asked before `async with`. Bare ids are in *scope*."""
        super().__init__(watcher)
        self.scope = scope
        self.detail_level = detail_level
        self._requests = Requests()
        self._changing = CooperativeLoop(self._change)
        self._leaving = CooperativeLoop(self._leave)
        self._first = tuple(refs)
        self._deadline = deadline
        self._linger = linger
        self._told = 0
        self._totals = Totals()
        self._deadline_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None
        self._left: Iterator[tuple[JobRef, tuple[Ref, ...]]] = iter(())
        self.expects_callbacks = False

    def __repr__(self) -> str:
        stats = self.stats()
        return (
            f"<Watch {self._state}: {stats.over} of {stats.targets} targets over, {stats.events} events,"
            f" {stats.polls} polls>"
        )

    # Opening and closing --------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise UsageError("a watch is opened once; make another with client.watch()")
        self._state = "open"
        self._opened_at = self._watcher.places.last
        if self._deadline is not None:
            loop = asyncio.get_running_loop()
            self._deadline_timer = loop.call_later(self._deadline, self._too_late)
        self._watcher.join(self)
        self._requests.put(self._first, wanted=True)
        self._changing.go()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop watching; harmless when repeated. The jobs go on."""
        self._end()
        try:
            await self._leaving.wait()
        finally:
            await self._watcher.rest()

    def _end(self, error: BaseException | None = None) -> None:
        if self._state == "closed":
            return
        self._state, self._error = "closed", error
        for timer in (self._deadline_timer, self._linger_timer):
            if timer is not None:
                timer.cancel()
        self._requests.clear()
        self._left = self._targets.jobs()
        self._wake()
        self._leaving.go()

    def _leave(self) -> bool:
        """Let go of the next job, keeping its story; tell whether there was one."""
        for job, refs in self._left:
            story = self._watcher.story(job)
            if story is not None:
                self._kept[job] = story
            for ref in refs:
                self._watcher.unsubscribe(self, ref)
            return True
        self._watcher.part(self)
        return False

    # Targets --------------------------------------------------------------------------------------------------------

    @property
    def targets(self) -> set[Ref]:
        """What is watched, or was when the watch ended."""
        return set(self._targets)

    def targets_of(self, job_instance_id: int) -> tuple[Ref, ...]:
        """Return the targets that belong to the job with this id, in whatever scope."""
        return self._targets.of_id(job_instance_id)

    def add(self, *refs: RefLike) -> None:
        """Watch *refs* too, from now on; raise `UsageError` when the watch is over.

        They are what `client.watch` takes. A few are in when this returns; many come in a slice at a time, so that they never hold up the loop.
        """
        if self._state != "open":
            raise UsageError("targets are added to an open watch; linger=None keeps it open")
        self._requests.put(as_refs(refs, self.scope), wanted=True)
        self._changing.go()

    def _change(self) -> bool:
        """Let the next target in, or let go of it; tell whether there was one."""
        if not self._requests:
            self._end_when_settled()
            return False
        ref, wanted = self._requests.pop()
        if wanted:
            self._add(ref)
        else:
            self._drop(ref)
        return True

    def _add(self, ref: Ref) -> None:
        if ref in self._targets:
            return
        self._targets.add(ref, unread=self._in_sync_at is None)
        self._totals.changed(ref.job)
        story, number = self._watcher.subscribe(self, ref)
        self._targets.share(story.ref, story.targets)
        if number is not None:
            self._following.join(ref, number)

    def drop(self, *refs: RefLike) -> None:
        """Watch *refs* no longer, in slices as they came; what is not watched is left out in silence."""
        if self._state == "open":
            self._requests.put(as_refs(refs, self.scope), wanted=False)
            self._changing.go()

    def _drop(self, ref: Ref) -> None:
        if ref in self._targets:
            self._targets.remove(ref)
            self._following.forget(ref)
            self._log.discard_signals(ref)
            self._watcher.unsubscribe(self, ref)
            self._totals.changed(ref.job)

    def nudge(self, ref: RefLike) -> None:
        """Look at *ref* as soon as there is room."""
        self._watcher.nudge(as_ref(ref, self.scope))

    def snapshot(self, ref: RefLike) -> JobSnapshot | StepSnapshot | None:
        """Return *ref* as last seen, None before it was."""
        ref = as_ref(ref, self.scope)
        story = self._story_of(ref)
        return story.snapshot(ref) if story is not None else None

    def progress(self, ref: RefLike) -> JobResult | None:
        """Return how far *ref* is, as the result that it would have now; None before it was seen."""
        ref = as_ref(ref, self.scope)
        story = self._story_of(ref)
        return story.result(ref) if story is not None and story.was_read(ref) else None

    def counts(self, ref: RefLike | None = None) -> Mapping[Phase, int]:
        """Count the hosts of *ref*, or of all targets, by phase, in the present execution of each step.

        A host counts once for each watched step, whether the step, its job or both are targets. Of all targets, the first
        call counts everything (some microseconds a job), later ones only the jobs in which something moved meanwhile.
        """
        if ref is None:
            return self._totals.now((job for job, _ in self._targets.jobs()), self._counts_of)
        ref = as_ref(ref, self.scope)
        story = self._story_of(ref)
        return story.counts(ref) if story is not None else {}

    def _story_of(self, ref: Ref) -> JobTracker | None:
        """Return the story that *ref* belongs to, None where it is not known here how that stands by now."""
        return None if self._following.is_joining(ref) else self._story(ref.job)

    def _counts_of(self, job: JobRef) -> Mapping[Phase, int]:
        """Count the hosts of all targets that belong to *job*."""
        story = self._story(job)
        refs = [ref for ref in self._targets.of(job) if not self._following.is_joining(ref)]
        if story is None:
            return {}
        if job in refs:
            return story.counts(job)
        return sum((Counter(story.counts(ref)) for ref in refs), Counter())

    def explain(self, ref: RefLike) -> Explanation:
        """Say why *ref* is, or is not, being looked at, and when next."""
        return self._watcher.explain(as_ref(ref, self.scope))

    def stats(self) -> WatchStats:
        """Return the watch in figures."""
        targets, over = self._targets.size, self._targets.over
        return WatchStats(targets=targets, over=over, events=self._told, polls=self._watcher.polls)

    def refs_of(self, job: JobRef) -> Collection[Ref]:
        """Return the targets that belong to *job*; none when the watch is over."""
        return self._targets.of(job) if self._state == "open" else ()

    @property
    def ends_at(self) -> float | None:
        """When the deadline passes, on the loop's clock; None without one."""
        return self._deadline_timer.when() if self._deadline_timer is not None else None

    # What the engine tells ------------------------------------------------------------------------------------------

    @property
    def revisit(self) -> float | None:
        """Seconds between looks at targets that are over, None to look no more."""
        return min(REVISIT, self._linger / 2.0) if self._linger else None

    @property
    def is_in_sync(self) -> bool:
        """Whether it has said of all its targets where they stand."""
        return self._in_sync_at is not None and self._targets.all_read

    def awaits(self, job: JobRef) -> bool:
        """Whether *job* is to be read once more before anything is told of it."""
        return self._following.awaits(self.refs_of(job))

    def take(self, job: JobRef | None, at: PollStamp, events: Sequence[EventOrLazy]) -> None:
        """Take in news about *job*, or about everything (None)."""
        if self._state != "open":
            return
        mine, own = (list(events), []) if job is None else self._concerning(job, events, at)
        if job is not None:
            self._totals.changed(job)
        if job is not None and not self._targets.all_read:
            self._note_read(job)
        if self._in_sync_at is None and self._targets.all_read and not self._requests:
            self._in_sync_at = at.sequence
            own.append(InSync(cursor=at.cursor))
        if mine or own:
            # The places of its own events are behind what other watches are told, and none of them is told of those.
            behind = event_count(events)
            mine += with_indexes(own, events_before=behind)
            self._told += event_count(mine)
            self._log.append(
                Batch(at.sequence, LazyEventList(mine, last_index=behind + max(1, len(own))), at.cursor)
            )
            self._wake()

    def _concerning(
        self, job: JobRef, events: Sequence[EventOrLazy], at: PollStamp
    ) -> tuple[list[EventOrLazy], list[Event]]:
        """Return what of *events* concerns the targets that belong to *job*, and what is told to this watch alone."""
        refs, story = self._targets.of(job), self._watcher.story(job)
        if story is None:
            return [], []
        return self._following.select(story, refs, events, at, self._watcher.last_round(job))

    def _note_read(self, job: JobRef) -> None:
        """Take note which targets of *job* have been read."""
        story = self._story(job)
        for ref in self._targets.of(job):
            if story is not None and self._following.is_known(ref) and story.in_sync(ref):
                self._targets.read(ref)

    def check(self, job: JobRef) -> None:
        """See again which targets of *job* have settled; end, or begin to linger, when all have."""
        if self._state != "open":
            return
        story, now = self._story(job), asyncio.get_running_loop().time()
        for ref in self._targets.of(job):
            self._targets.settle(ref, over=story is not None and self._is_over(story, ref, now))
        self._end_when_settled()

    def _is_over(self, story: JobTracker, ref: Ref, now: float) -> bool:
        if self._following.is_joining(ref):
            return False
        return self._following.is_lost(ref) or story.is_settled(ref, now)

    def _end_when_settled(self) -> None:
        if self._state != "open" or self._linger is None:
            return
        if self._targets.over < self._targets.size or self._requests:
            if self._linger_timer is not None:
                self._linger_timer.cancel()
                self._linger_timer = None
        elif not self._linger:
            self._end()
        elif self._linger_timer is None:
            self._linger_timer = asyncio.get_running_loop().call_later(self._linger, self._end)

    def fail(self, error: BaseException) -> None:
        """End, because the engine broke."""
        self._end(error)

    def _too_late(self) -> None:
        late = self._targets.unsettled()
        if not late and not self._requests:
            self._end()
            return
        shown = ", ".join(str(ref) for ref in late[:3]) + (" …" if len(late) > 3 else "")
        latest = self._log.batch_at(self._log.end - 1)
        self._end(
            DeadlineExceeded(
                f"{len(late)} target(s) not over after {self._deadline:g} s: {shown};"
                " what becomes of them is unknown",
                snapshots=LastSeen(late, self.snapshot),
                cursor=latest.cursor if latest else "",
            )
        )
