"""The watch of the twin; written by `python -m tests.generate`: change bkjob_async/watch/watch.py."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Self

from bkjob_async.engine.stream.wait_conditions import Condition
from bkjob_async.model.base_error import BkJobError
from bkjob_async.model.events import Batch, Event, HostChanged, Lost
from bkjob_async.model.ref_input import RefLike
from bkjob_async.model.refs import Ref, Scope
from bkjob_async.model.result import JobResult
from bkjob_async.model.snapshot import HostPage, JobSnapshot, StepSnapshot
from bkjob_async.model.status import Phase
from bkjob_async.sync.iterators import Reader
from bkjob_async.sync.loop_thread import LoopThread
from bkjob_async.watch import watch
from bkjob_async.watch.stats import Explanation, RecordingState, WatchStats


class Watch:
    """The status changes of jobs and steps, as a stream of events.

    `client.watch` creates a watch; open it with `with`, then iterate it:

    >>> with client.watch([job, step], deadline=3600) as watch:
    ...     for event in watch:
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

    def __init__(self, thread: LoopThread, watch: watch.Watch) -> None:
        """Hand over to *watch*, in the loop of *thread*; `client.watch` does so."""
        self._thread = thread
        self._watch = watch
        watch._name_opening("with client.watch(...) as watch")

    def __repr__(self) -> str:
        return repr(self._watch)

    def _repr_html_(self) -> str:
        return self._thread.call(self._watch._repr_html_)

    def __enter__(self) -> Self:
        try:
            self._thread.open_watch(self._watch)
        except BkJobError:
            raise
        except BaseException:  # interrupted: it may be open all the same, and nobody else would close it
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Reader[Event]:
        return Reader(self._thread, self._thread.call(self._watch.__aiter__))

    @property
    def scope(self) -> Scope | None:
        """The scope of jobs that are named by a bare id, None for none."""
        return self._watch.scope

    def close(self) -> None:
        """Stop watching; harmless when repeated. The jobs continue, and the events can still be read.

        Raises `WrongEventLoop` in another event loop or process than that in which the watch was opened.

        >>> with client.watch(job, linger=None) as watch:
        ...     watch.close()
        >>> watch
        <Watch closed: ...>
        """
        self._thread.close_watch(self._watch)

    def events(
        self, *, ref: RefLike | None = None, scope: Scope | None = None, after: str | None = None
    ) -> Reader[Event]:
        """Return a reader of the events: of all, of one target and its parts, or of one scope.

        >>> with client.watch(job) as watch:
        ...     for event in watch.events(ref=step):
        ...         print(type(event).__name__, event.ref)
        HostChanged 2:20000000001/30000000001
        HostChanged 2:20000000001/30000000001
        HostChanged 2:20000000001/30000000001
        StepChanged 2:20000000001/30000000001
        InSync None
        """
        return Reader(self._thread, self._thread.call(self._watch.events, ref=ref, scope=scope, after=after))

    def hosts(
        self,
        *,
        ref: RefLike | None = None,
        scope: Scope | None = None,
        phase: Phase | None = None,
        after: str | None = None,
    ) -> Reader[HostChanged]:
        """Return a reader of the changes of hosts: of one target, of one scope, into one phase.

        >>> with client.watch(job) as watch:
        ...     for change in watch.hosts(phase=bkjob.Phase.FAILED):
        ...         print(change)
        2:20000000001/30000000001 0:10.0.0.2 ∅ → FAILED (SCRIPT_NOT_ZERO_EXIT_CODE)
        """
        return Reader(
            self._thread, self._thread.call(self._watch.hosts, ref=ref, scope=scope, phase=phase, after=after)
        )

    def batches(self, *, after: str | None = None) -> Reader[Batch]:
        """Return a reader of whole batches, one for each poll that revealed changes.

        >>> with client.watch(job) as watch:
        ...     for batch in watch.batches():
        ...         print(len(batch.events))
        7
        """
        return Reader(self._thread, self._thread.call(self._watch.batches, after=after))

    def as_finished(self, *, after: str | None = None) -> Reader[JobResult]:
        """Return a reader of the results of targets as they finish; a reopened target may finish again.

        >>> with client.watch([job]) as watch:
        ...     for result in watch.as_finished():
        ...         print(result.ref, result.ok)
        2:20000000001 False
        """
        return Reader(self._thread, self._thread.call(self._watch.as_finished, after=after))

    def results(self) -> dict[Ref, JobResult | Lost]:
        """Wait until the watch ends; return how each target ended, before it was opened or since, that has not run again.

        >>> with client.watch([job]) as watch:
        ...     ends = watch.results()
        >>> ends[job].ok
        False
        """
        return self._thread.run(self._watch.results())

    def wait(self, ref: RefLike, *, until: Condition | None = None) -> JobResult:
        """Wait until *ref*, a target of this watch, has ended; return its result.

        The result is returned whether the job succeeded or not, at once where it has ended and has not run again; after an
        operation of this client once that is sure. With *until*
        (`HostsDone`, `FirstFailure`, `Waiting` for the next wait, or a condition of your own) it returns the result so far as
        soon as the condition holds; with `DetailLevel.END_ONLY` hosts count when their step is over.
        Raises `ConditionUnreachable` when it cannot hold any more, `TargetLost` when the target cannot be read any more, what
        ends the watch, and `UsageError` for what is no target, or is dropped meanwhile. Before the first successful poll it
        also raises what `client.wait` does.

        >>> with client.watch([job, step]) as watch:
        ...     result = watch.wait(step)
        ...     print(result)
        2:20000000001/30000000001 FAIL: 1 step; 1 FAILED, 2 SUCCESS; not well: 0:10.0.0.2
        """
        return self._thread.run(self._watch.wait(ref, until=until))

    @property
    def targets(self) -> set[Ref]:
        """The targets; after the end of the watch, those that it had.

        >>> with client.watch([job]) as watch:
        ...     print(*watch.targets)
        2:20000000001
        """
        return self._thread.call(lambda: self._watch.targets)

    def targets_of(self, job_instance_id: int) -> tuple[Ref, ...]:
        """Return the targets that belong to the job with this id, in any scope.

        >>> with client.watch([job, step]) as watch:
        ...     print(*watch.targets_of(20000000001))
        2:20000000001 2:20000000001/30000000001
        """
        return self._thread.call(self._watch.targets_of, job_instance_id)

    def add(self, *refs: RefLike) -> None:
        """Watch *refs*, too, from now on; they are what `client.watch` takes.

        A target that was dropped before is new: its end, if it has ended, is delivered again.
        A few are added before this returns; many are added in slices, so that the event loop is not blocked.
        Raises `UsageError` when the watch is not open, `WrongEventLoop` elsewhere than in its event loop.

        >>> with client.watch(linger=None) as watch:
        ...     watch.add(job, "2:20000000001/30000000001")
        ...     print(len(watch.targets))
        2
        """
        self._thread.call(self._watch.add, *refs)

    def drop(self, *refs: RefLike) -> None:
        """Stop watching *refs*, in slices; what is not a target is ignored.

        >>> with client.watch([job, step], linger=None) as watch:
        ...     watch.drop(step)
        ...     print(*watch.targets)
        2:20000000001
        """
        self._thread.call(self._watch.drop, *refs)

    def nudge(self, ref: RefLike) -> None:
        """Poll *ref* as soon as possible, its job once a second at most: more nudges are one poll when the second is over.

        >>> with client.watch(job) as watch:
        ...     watch.nudge(job)
        ...     ends = watch.results()
        """
        self._thread.call(self._watch.nudge, ref)

    @property
    def is_changing(self) -> bool:
        """Whether some of what was given to `add` and `drop` has yet to be added or dropped.

        >>> with client.watch(job, linger=None) as watch:
        ...     print(watch.is_changing)
        False
        """
        return self._thread.call(lambda: self._watch.is_changing)

    @property
    def active(self) -> int:
        """How many targets are not over.

        >>> with client.watch([job, step]) as watch:
        ...     ends = watch.results()
        ...     print(watch.active)
        0
        """
        return self._thread.call(lambda: self._watch.active)

    @property
    def is_open(self) -> bool:
        """Whether the targets are polled, and more can be added: from `with` until the watch ends.

        >>> with client.watch(job) as watch:
        ...     ends = watch.results()
        ...     print(watch.is_open)
        False
        """
        return self._thread.call(lambda: self._watch.is_open)

    @property
    def error(self) -> BaseException | None:
        """The error that the watch ended with, which its readers raise; None while it is open, and when it ended in order.

        >>> with client.watch(job, deadline=600) as watch:
        ...     ends = watch.results()
        ...     print(watch.error)
        None
        """
        return self._thread.call(lambda: self._watch.error)

    @property
    def is_paused(self) -> bool:
        """Whether polling its targets pauses, also for other watches; it is set while nobody can use what polls show.

        Polls that are under way end. Within a second after the pause targets are polled again.

        >>> with client.watch(job) as watch:
        ...     watch.is_paused = True
        ...     watch.is_paused = False
        ...     ends = watch.results()
        """
        return self._thread.call(lambda: self._watch.is_paused)

    @is_paused.setter
    def is_paused(self, paused: bool) -> None:
        self._thread.call(setattr, self._watch, "is_paused", paused)

    @property
    def recording(self) -> RecordingState | None:
        """How far the journal has recorded the watch; None without a journal, and before the watch is opened.

        >>> with client.watch(job, journal="memory:recording", name="night") as watch:
        ...     ends = watch.results()
        ...     print(watch.recording.unstored, watch.recording.trouble)
        0 None
        """
        return self._thread.call(lambda: self._watch.recording)

    @property
    def is_in_sync(self) -> bool:
        """Whether the present state of all targets was delivered, but of those in trouble.

        >>> with client.watch(job) as watch:
        ...     ends = watch.results()
        ...     print(watch.is_in_sync)
        True
        """
        return self._thread.call(lambda: self._watch.is_in_sync)

    def snapshot(self, ref: RefLike) -> JobSnapshot | StepSnapshot | None:
        """Return *ref* as last seen, None before it was seen.

        >>> with client.watch(job) as watch:
        ...     ends = watch.results()
        ...     print(watch.snapshot(step).status)
        FAIL
        """
        return self._thread.call(self._watch.snapshot, ref)

    def progress(self, ref: RefLike) -> JobResult | None:
        """Return the result that *ref* would have if it ended now, None before it was seen.

        >>> with client.watch(job) as watch:
        ...     ends = watch.results()
        ...     print(watch.progress(job))
        2:20000000001 FAIL: 1 step; 1 FAILED, 2 SUCCESS; not well: 0:10.0.0.2
        """
        return self._thread.call(self._watch.progress, ref)

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

        >>> with client.watch(job) as watch:
        ...     ends = watch.results()
        ...     page = watch.hosts_of(job, limit=1)
        ...     print([str(host.host) for _, host in page.hosts], page.total)
        ['0:10.0.0.2'] 3
        """
        return self._thread.call(self._watch.hosts_of, ref, phases, after, limit)

    def counts(self, ref: RefLike | None = None) -> Mapping[Phase, int]:
        """Count the hosts of *ref*, or of all targets, by phase, in the present execution of each step.

        A host counts once for each watched step, whether the step, its job or both are targets. For all targets, the
        first call counts every job (some microseconds each); later calls count only jobs that have changed.

        >>> with client.watch(job) as watch:
        ...     ends = watch.results()
        ...     print(watch.counts()[bkjob.Phase.SUCCESS], watch.counts()[bkjob.Phase.FAILED])
        2 1
        """
        return self._thread.call(self._watch.counts, ref)

    def explain(self, ref: RefLike) -> Explanation:
        """Return why *ref* is polled or not, and when next.

        >>> with client.watch(job, linger=60) as watch:
        ...     first = next(watch.batches())
        ...     print(watch.explain(job))
        2:20000000001: it is ...; seen ... s ago, ...
        """
        return self._thread.call(self._watch.explain, ref)

    def stats(self) -> WatchStats:
        """Return the watch in figures, in its event loop; `client.stats` may be called from any thread.

        >>> with client.watch(job) as watch:
        ...     ends = watch.results()
        ...     print(watch.stats().over)
        1
        """
        return self._thread.call(self._watch.stats)

    @property
    def expects_callbacks(self) -> bool:
        """Whether callbacks are expected to report ends; polls are rarer then.

        >>> with client.watch(job) as watch:
        ...     watch.expects_callbacks = True
        ...     ends = watch.results()
        """
        return self._thread.call(lambda: self._watch.expects_callbacks)

    @expects_callbacks.setter
    def expects_callbacks(self, expected: bool) -> None:
        self._thread.call(setattr, self._watch, "expects_callbacks", expected)
