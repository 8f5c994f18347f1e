"""A watch: some jobs and steps, and one stream of their events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from bkjob_async.engine.folding.stream_state import StreamState
from bkjob_async.engine.stream.wait_conditions import Condition, check_condition
from bkjob_async.engine.tracking.host_pages import host_page
from bkjob_async.errors import UsageError
from bkjob_async.model.base_error import check_number, check_type
from bkjob_async.model.events import Batch, Event, Finished, HostChanged, Lost
from bkjob_async.model.ref_input import RefLike, as_ref, as_refs
from bkjob_async.model.refs import Ref, Scope, check_optional_scope
from bkjob_async.model.result import JobResult
from bkjob_async.model.snapshot import HostPage, JobSnapshot, StepSnapshot
from bkjob_async.model.status import Phase, as_phase
from bkjob_async.model.text import html
from bkjob_async.model.text.html import MOST_HOSTS
from bkjob_async.watch.plan import WatchPlan
from bkjob_async.watch.stats import Explanation, RecordingState, WatchStats
from bkjob_async.watch.stream.readers import (
    Reader,
    all_events,
    events_about,
    finished_results,
    host_changes,
    whole_batch,
)
from bkjob_async.watch.subscription.subscription import Subscription
from bkjob_async.watch.waiting import result_so_far, wait_for

# A notebook is shown the failed hosts of so many targets.
MOST_SHOWN = 200


class Watch:
    """The status changes of jobs and steps, as an asynchronous stream of events.

    `client.watch` creates a watch; open it with `async with`, then iterate it:

    >>> async with client.watch([job, step], deadline=3600) as watch:
    ...     async for event in watch:
    ...         match event:
    ...             case bkjob.HostChanged(host=host, after=after):
    ...                 print(host, after)
    ...             case bkjob.Finished(ref=ref, result=result):
    ...                 print(ref, result.status)
    0:10.0.0.1 SUCCESS
    0:10.0.0.2 SCRIPT_NOT_ZERO_EXIT_CODE
    0:10.0.0.3 SUCCESS
    2:20000000001/30000000001 FAIL
    2:20000000001 FAIL

    The watch ends *linger* seconds after all targets have settled; with `linger=None` it ends only when it is left. At
    the end of *linger* each target is polled once more, so that what runs again until then is seen. The watch waits for
    these polls for 10 seconds at most.
    Leaving it stops the polling and never touches a job.

    Every iterator is a reader with a position of its own, and receives all events. The stream guarantees:

    * **Batches.** The changes that one poll revealed form one batch. Batches are in order, and no change comes twice.
    * **Transitions.** A change carries the status `before` and `after`. A host that passed through several states
      between two polls shows one change.
    * **Order.** The last changes of hosts come before the end of their step, and the end of a step before that of its
      job.
    * **Absence.** A host that a response does not mention has not changed.
    * **Reopening.** A finished target that runs again is `Reopened` as soon as a poll shows it. While the watch lingers,
      targets that have settled are polled every 10 seconds. They are also polled after
      an operation through this client, after `nudge`, when another watch adds them, and together with any other target
      of their job. With `linger=None` they are not polled by time.
    * **Steps that never began.** Such a step is over when its job is over: its status stays as it was, with
      `is_finished`. It is reopened when the job continues.
    * **Errors.** A failed poll is `Trouble`, never a failed job. A target that cannot be read any more is `Lost`, and
      stays lost in this watch until it is dropped and added again.
    * **Nothing at all.** Where nothing of any target could be read yet, and all polls are answered with `NotAuthenticated`,
      `ApplicationNotAllowed`, `ApiNotFound` or `InvalidResponse`, the readers that leave `Trouble` out (`hosts`,
      `as_finished`, `results`) raise that error after three polls or 30 seconds, whichever is later. Those of events
      and batches do not; nor does a watch with a journal or with `linger=None`.
    * **Joining.** A target that this or another watch has followed before is read once more before any event of it is
      delivered: first its present state, then its changes. The same holds for a target that is dropped and added again.
      Of a job with a step that the platform refuses to show, `Trouble` names the step; after half a minute the state of the
      job, and that step where it is a target, is delivered with the step as it was read last.
    * **Slow readers.** A slow reader misses no host. In place of the events that have left the log it receives the
      newest change of each host, marked `skipped`.
    * **Cursors.** The cursor of an event names the place behind that event, the cursor of a batch the place behind the
      batch. A reader that is given a cursor as *after* continues from there.

    The methods that return a reader take a cursor as *after*: that of an event, a batch or a reader; None or empty text
    means the beginning. The reader continues behind that event within its batch (`batches` begins with the rest of that
    batch) or behind that batch, and misses nothing:

    * Events that the log still holds come one by one, each once.
    * In place of events that have left the log, the newest change of each host comes, marked `skipped`, in several
      batches if there are many targets. All of these events but the last carry the cursor from before them: a reader
      that continues from one of them receives the present state again. If the batch that the cursor points into has left
      the log itself, what it said of hosts, steps and ends may come once more.
    * A cursor of an earlier watch of the same client is accepted. Then the state before this watch was in sync comes
      marked `skipped`. A cursor of another open watch is accepted, too: what both watches receive comes once, and
      targets that were added to this watch later begin with their state at that time.

    A watch with a journal, given to `client.watch`, is recorded under a name, and another process continues it:

    * **Resuming.** In every opening but the first, the first event is `Resumed`. Then what changed while nobody watched
      comes as ordinary changes, and `InSync` once every target was read again. Targets are those of the record, and
      those given. A reader without a cursor begins with this opening, one with empty text with the oldest that is kept.
    * **Recording.** Readers are given an event once it is stored. While the store cannot be used, `Trouble` with the
      error `JournalUnavailable` comes once, and events wait; nothing is lost.
    * **Cursors of any process** that recorded the name are accepted; a reader continues behind the event or batch,
      with nothing lost and nothing twice. Slow readers read from the store what has left the log. Only in place of what
      the journal does not keep any more the newest change of each host comes, marked `skipped`.
    * **One holder.** When another watch opens the name, this one ends: its readers raise `Superseded`.

    Other text raises `UsageError`, as does the cursor of an event that its batch never had, if the log still holds that.
    """

    def __init__(self, plan: WatchPlan) -> None:
        """Prepare to watch; nothing is polled before `async with`. `client.watch` does so."""
        self.scope = plan.scope
        self._plan = plan
        self._fleet = plan.fleet
        self._subscription = Subscription(
            plan.poller,
            plan.check_client,
            deadline=plan.deadline,
            linger=plan.linger,
            detail_level=plan.detail_level,
        )
        self._stream = self._subscription.stream

    def _name_opening(self, statement: str) -> None:
        """Name another *statement* that opens this watch, where it is used without await."""
        self._stream.opened_by = statement

    def __repr__(self) -> str:
        watched = self._subscription
        return (
            f"<Watch {self._stream.state}: {watched.targets.over} of {watched.targets.size} targets over,"
            f" {watched.event_count} events, {watched.polls} polls>"
        )

    def _repr_html_(self) -> str:
        targets = self._subscription.targets
        title = f"Watch, {self._stream.state}: {targets.over} of {targets.size} over"
        ends = (self.progress(ref) for ref in islice(targets, MOST_SHOWN))
        failed = [pair for end in ends if end is not None for pair in islice(end.failed, MOST_HOSTS)]
        return html.page(title, self.counts(), failed=failed, failed_count=len(failed))

    async def __aenter__(self) -> Self:
        if self._stream.state != "new":
            raise UsageError("a watch is opened once; make another with client.watch()")
        if self._fleet is None:
            self._subscription.open(self._plan.refs)
            return self
        try:
            await self._subscription.open_fleet(
                self._fleet.journal.store,
                self._fleet.name,
                self._plan.refs,
                take_over=self._fleet.take_over,
            )
        except BaseException:
            await self._fleet.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    if not TYPE_CHECKING:  # a checker reports a `with` or `for`; this is for code that nobody checks

        def __enter__(self) -> NoReturn:
            raise UsageError(
                "the watch is asynchronous: async with client.watch(...) as watch; code without an event loop uses"
                " the client of bkjob_async.sync"
            )

        def __exit__(self, *_error: object) -> None: ...

        def __iter__(self) -> NoReturn:
            raise UsageError(
                "the watch is asynchronous: async for event in watch; code without an event loop uses the client"
                " of bkjob_async.sync"
            )

    async def aclose(self) -> None:
        """Stop watching; harmless when repeated. The jobs continue, and the events can still be read.

        Raises `WrongEventLoop` in another event loop or process than that in which the watch was opened.

        >>> async with client.watch(job, linger=None) as watch:
        ...     await watch.aclose()
        >>> watch
        <Watch closed: 0 of 1 targets over, 0 events, 0 polls>
        """
        self._stream.check_loop()
        try:
            await self._subscription.aclose()
        finally:
            if self._fleet is not None:
                await self._fleet.aclose()

    # Reading --------------------------------------------------------------------------------------------------------

    def __aiter__(self) -> Reader[Event]:
        return self._stream.reader(all_events)

    def events(
        self, *, ref: RefLike | None = None, scope: Scope | None = None, after: str | None = None
    ) -> Reader[Event]:
        """Return a reader of the events: of all, of one target and its parts, or of one scope.

        >>> async with client.watch(job) as watch:
        ...     async for event in watch.events(ref=step):
        ...         print(type(event).__name__, event.ref)
        HostChanged 2:20000000001/30000000001
        HostChanged 2:20000000001/30000000001
        HostChanged 2:20000000001/30000000001
        StepChanged 2:20000000001/30000000001
        InSync None
        """
        about = self._ref_or_none(ref)
        if about is None and scope is None:
            return self._stream.reader(all_events, after)
        check_optional_scope(scope)
        return self._stream.reader(partial(events_about, ref=about, scope=scope), after)

    def hosts(
        self,
        *,
        ref: RefLike | None = None,
        scope: Scope | None = None,
        phase: Phase | None = None,
        after: str | None = None,
    ) -> Reader[HostChanged]:
        """Return a reader of the changes of hosts: of one target, of one scope, into one phase.

        >>> async with client.watch(job) as watch:
        ...     async for change in watch.hosts(phase=bkjob.Phase.FAILED):
        ...         print(change)
        2:20000000001/30000000001 0:10.0.0.2 ∅ → FAILED (SCRIPT_NOT_ZERO_EXIT_CODE)
        """
        into = None if phase is None else as_phase(phase)
        check_optional_scope(scope)
        select = partial(host_changes, ref=self._ref_or_none(ref), scope=scope, phase=into)
        return self._stream.reader(select, after, shows_trouble=False)

    def batches(self, *, after: str | None = None) -> Reader[Batch]:
        """Return a reader of whole batches, one for each poll that revealed changes.

        >>> async with client.watch(job) as watch:
        ...     async for batch in watch.batches():
        ...         print(len(batch.events))
        7
        """
        return self._stream.reader(whole_batch, after)

    def _batches_until(self, is_over: Callable[[], bool]) -> Reader[Batch]:
        """Return a reader of whole batches that ends where *is_over* holds while it waits; polls that fail ask again."""
        return self._stream.reader(whole_batch, is_over=is_over)

    def as_finished(self, *, after: str | None = None) -> Reader[JobResult]:
        """Return a reader of the results of targets as they finish; a reopened target may finish again.

        >>> async with client.watch([job]) as watch:
        ...     async for result in watch.as_finished():
        ...         print(result.ref, result.ok)
        2:20000000001 False
        """
        return self._stream.reader(finished_results, after, shows_trouble=False)

    async def results(self) -> dict[Ref, JobResult | Lost]:
        """Wait until the watch ends; return how each target ended, before it was opened or since, that has not run again.

        >>> async with client.watch([job]) as watch:
        ...     ends = await watch.results()
        >>> ends[job].ok
        False
        """
        state = StreamState(jobs=False)
        async for batch in self._stream.reader(whole_batch, shows_trouble=False):
            state.apply(batch)
        ended = {ref: end.result if isinstance(end, Finished) else end for ref, end in state.ends.items()}
        if self._fleet is not None:
            ended = self._subscription.states.earlier_ends(ended) | ended
        return ended

    async def wait(self, ref: RefLike, *, until: Condition | None = None) -> JobResult:
        """Wait until *ref*, a target of this watch, has ended; return its result.

        The result is returned whether the job succeeded or not, at once where it has ended and has not run again; after an
        operation of this client once that is sure. With *until*
        (`HostsDone`, `FirstFailure`, `Waiting` for the next wait, or a condition of your own) it returns the result so far as
        soon as the condition holds; with `DetailLevel.END_ONLY` hosts count when their step is over.
        Raises `ConditionUnreachable` when it cannot hold any more, `TargetLost` when the target cannot be read any more, what
        ends the watch, and `UsageError` for what is no target, or is dropped meanwhile. Before the first successful poll it
        also raises what `client.wait` does.

        >>> async with client.watch([job, step]) as watch:
        ...     result = await watch.wait(step)
        ...     print(result)
        2:20000000001/30000000001 FAIL: 1 step; 1 FAILED, 2 SUCCESS; not well: 0:10.0.0.2
        """
        check_condition(until)
        return await wait_for(self._subscription, self._plan.poller, as_ref(ref, self.scope), until)

    # Targets --------------------------------------------------------------------------------------------------------

    @property
    def targets(self) -> set[Ref]:
        """The targets; after the end of the watch, those that it had.

        >>> async with client.watch([job]) as watch:
        ...     print(*watch.targets)
        2:20000000001
        """
        return set(self._subscription.targets)

    def targets_of(self, job_instance_id: int) -> tuple[Ref, ...]:
        """Return the targets that belong to the job with this id, in any scope.

        >>> async with client.watch([job, step]) as watch:
        ...     print(*watch.targets_of(20000000001))
        2:20000000001 2:20000000001/30000000001
        """
        return self._subscription.targets.of_id(job_instance_id)

    def add(self, *refs: RefLike) -> None:
        """Watch *refs*, too, from now on; they are what `client.watch` takes.

        A target that was dropped before is new: its end, if it has ended, is delivered again.
        A few are added before this returns; many are added in slices, so that the event loop is not blocked.
        Raises `UsageError` when the watch is not open, `WrongEventLoop` elsewhere than in its event loop.

        >>> async with client.watch(linger=None) as watch:
        ...     watch.add(job, "2:20000000001/30000000001")
        ...     print(len(watch.targets))
        2
        """
        self._stream.check_loop()
        if not self._subscription.is_open:
            raise UsageError("targets are added to an open watch; linger=None keeps it open")
        self._subscription.change(as_refs(refs, self.scope), add=True)

    def drop(self, *refs: RefLike) -> None:
        """Stop watching *refs*, in slices; what is not a target is ignored.

        >>> async with client.watch([job, step], linger=None) as watch:
        ...     watch.drop(step)
        ...     print(*watch.targets)
        2:20000000001
        """
        self._stream.check_loop()
        if self._subscription.is_open:
            self._subscription.change(as_refs(refs, self.scope), add=False)

    def nudge(self, ref: RefLike) -> None:
        """Poll *ref* as soon as possible, its job once a second at most: more nudges are one poll when the second is over.

        >>> async with client.watch(job) as watch:
        ...     watch.nudge(job)
        ...     ends = await watch.results()
        """
        self._stream.check_loop()
        self._plan.poller.nudge(as_ref(ref, self.scope))

    @property
    def is_changing(self) -> bool:
        """Whether some of what was given to `add` and `drop` has yet to be added or dropped.

        >>> async with client.watch(job, linger=None) as watch:
        ...     print(watch.is_changing)
        False
        """
        return self._subscription.is_changing

    @property
    def active(self) -> int:
        """How many targets are not over.

        >>> async with client.watch([job, step]) as watch:
        ...     ends = await watch.results()
        ...     print(watch.active)
        0
        """
        return self._subscription.targets.size - self._subscription.targets.over

    # Opening, pausing and the end -----------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether the targets are polled, and more can be added: from `async with` until the watch ends.

        >>> async with client.watch(job) as watch:
        ...     ends = await watch.results()
        ...     print(watch.is_open)
        False
        """
        return self._subscription.is_open

    @property
    def error(self) -> BaseException | None:
        """The error that the watch ended with, which its readers raise; None while it is open, and when it ended in order.

        >>> async with client.watch(job, deadline=600) as watch:
        ...     ends = await watch.results()
        ...     print(watch.error)
        None
        """
        return self._subscription.end

    @property
    def is_paused(self) -> bool:
        """Whether polling its targets pauses, also for other watches; it is set while nobody can use what polls show.

        Polls that are under way end. Within a second after the pause targets are polled again.

        >>> async with client.watch(job) as watch:
        ...     watch.is_paused = True
        ...     watch.is_paused = False
        ...     ends = await watch.results()
        """
        return self._subscription.is_paused

    @is_paused.setter
    def is_paused(self, paused: bool) -> None:
        self._subscription.is_paused = paused

    @property
    def recording(self) -> RecordingState | None:
        """How far the journal has recorded the watch; None without a journal, and before the watch is opened.

        >>> async with client.watch(job, journal="memory:recording", name="night") as watch:
        ...     ends = await watch.results()
        ...     print(watch.recording.unstored, watch.recording.trouble)
        0 None
        """
        journal = self._subscription.journal
        return None if journal is None else journal.state

    # The present state ----------------------------------------------------------------------------------------------

    @property
    def is_in_sync(self) -> bool:
        """Whether the present state of all targets was delivered, but of those in trouble.

        >>> async with client.watch(job) as watch:
        ...     ends = await watch.results()
        ...     print(watch.is_in_sync)
        True
        """
        return self._subscription.is_in_sync

    def snapshot(self, ref: RefLike) -> JobSnapshot | StepSnapshot | None:
        """Return *ref* as last seen, None before it was seen.

        >>> async with client.watch(job) as watch:
        ...     ends = await watch.results()
        ...     print(watch.snapshot(step).status)
        FAIL
        """
        return self._subscription.states.snapshot(as_ref(ref, self.scope))

    def progress(self, ref: RefLike) -> JobResult | None:
        """Return the result that *ref* would have if it ended now, None before it was seen.

        >>> async with client.watch(job) as watch:
        ...     ends = await watch.results()
        ...     print(watch.progress(job))
        2:20000000001 FAIL: 1 step; 1 FAILED, 2 SUCCESS; not well: 0:10.0.0.2
        """
        return result_so_far(self._subscription, as_ref(ref, self.scope))

    def hosts_of(
        self,
        ref: RefLike,
        phases: Collection[Phase] | None = None,
        after: str | None = None,
        limit: int = 200,
    ) -> HostPage:
        """Return a page of the hosts of *ref* as they are now, those that failed first; no host before it was seen.

        *phases* leaves out hosts in other phases. *after* is that of the page before: no host in between is left out or
        repeated, unless its phase changes between the two pages. It takes about a millisecond for ten thousand hosts.
        Raises `UsageError` for a *limit* below 1, for what is no phase, and for an *after* that is not from a page of this
        target.

        >>> async with client.watch(job) as watch:
        ...     ends = await watch.results()
        ...     page = watch.hosts_of(job, limit=1)
        ...     print([str(host.host) for _, host in page.hosts], page.total)
        ['0:10.0.0.2'] 3
        """
        check_number("limit", limit, 1)
        check_type("after", after, str | None)
        check_type("phases", phases, Collection | None, "phases=[Phase.FAILED]")
        phases = None if phases is None else frozenset(map(as_phase, phases))
        ref = as_ref(ref, self.scope)
        state = self._subscription.states.state_of(ref)
        if state is None or not state.was_read(ref):
            return HostPage(hosts=(), total=0)
        return host_page(state, ref, phases, after, limit)

    def counts(self, ref: RefLike | None = None) -> Mapping[Phase, int]:
        """Count the hosts of *ref*, or of all targets, by phase, in the present execution of each step.

        A host counts once for each watched step, whether the step, its job or both are targets. For all targets, the
        first call counts every job (some microseconds each); later calls count only jobs that have changed.

        >>> async with client.watch(job) as watch:
        ...     ends = await watch.results()
        ...     print(watch.counts()[bkjob.Phase.SUCCESS], watch.counts()[bkjob.Phase.FAILED])
        2 1
        """
        if ref is None:
            return self._subscription.states.total_counts()
        ref = as_ref(ref, self.scope)
        return self._subscription.states.counts(ref)

    def explain(self, ref: RefLike) -> Explanation:
        """Return why *ref* is polled or not, and when next.

        >>> async with client.watch(job, linger=60) as watch:
        ...     first = await anext(watch.batches())
        ...     print(watch.explain(job))
        2:20000000001: it is over; seen 0.0 s ago, next poll in 10.0 s
        """
        ref = as_ref(ref, self.scope)
        return self._plan.poller.explain(ref, self._subscription.states.state_of(ref))

    def stats(self) -> WatchStats:
        """Return the watch in figures, in its event loop; `client.stats` may be called from any thread.

        >>> async with client.watch(job) as watch:
        ...     ends = await watch.results()
        ...     print(watch.stats().over)
        1
        """
        targets, load = self._subscription.targets, self._subscription.load()
        return WatchStats(
            targets=targets.size,
            over=targets.over,
            events=self._subscription.event_count,
            polls=self._subscription.polls,
            due=load.due,
            in_flight=load.in_flight,
            oldest_unseen=load.oldest_unseen,
            longest_block=self._plan.poller.longest_block,
            limit=self._plan.poller.limit_at_work(),
        )

    # Callbacks ------------------------------------------------------------------------------------------------------

    @property
    def expects_callbacks(self) -> bool:
        """Whether callbacks are expected to report ends; polls are rarer then.

        >>> async with client.watch(job) as watch:
        ...     watch.expects_callbacks = True
        ...     ends = await watch.results()
        """
        return self._subscription.expects_callbacks

    @expects_callbacks.setter
    def expects_callbacks(self, expected: bool) -> None:
        self._subscription.expects_callbacks = expected

    def _ref_or_none(self, ref: RefLike | None) -> Ref | None:
        return None if ref is None else as_ref(ref, self.scope)
