"""Begins the polls of what is due, as soon as it has a permit.

What is due asks the limiter of requests for a permit, and waits there if need be, among the calls: this is the only queue.
Most polls are callbacks from there on; one that has to wait for more than its response is a task.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Hashable
from math import inf
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from bkjob_async.engine.scheduling.timer_wheel import Scheduled, TimerWheel
from bkjob_async.watch.cooperative import wait_until_done
from bkjob_async.wire.limits.permits import DUE, SLOW_RETRY, URGENT_POLL, Permit
from bkjob_async.wire.limits.request_limiter import RequestLimiter


class Pollable(Scheduled, Protocol):
    """What is polled. *due* is when; *urgent* is None until it is late, then whether it goes first."""

    urgent: bool | None


K = TypeVar("K", bound=Pollable)

# How many keys that are due ask for a permit at a time, so that a long backlog does not block the event loop.
MAX_ASKED_AT_ONCE = 256
# How many polls begin in one turn of the event loop: one that need not go out ends at once, and the next has its permit.
MAX_BEGUN_AT_ONCE = 256

# Keys due within this many seconds are polled together: waking up costs more than one poll.
COALESCE_SECONDS = 0.002

# In place of the next due time of a key that is being polled: it is due at its end, and goes before late ones.
URGENT = 0.0


class PollRunner(Generic[K]):
    """Calls `poll`, which is set before the first key, for each key that is due, with a permit of *limiter*.

    `poll` returns what remains to be awaited for it, which then runs as a task; or None, and `end` or `await_rest` is called
    for the poll, at once or later. The permit is released at its end. When more keys are due than permits are free, the
    groups that *group* returns take turns, and urgent keys go first. A key is never polled twice at the same time: scheduled
    during its poll, it is polled again afterwards. When a poll raises, all others are cancelled, and *on_crash* is called
    with the error. Keys scheduled after that are polled again.
    """

    poll: Callable[[K, Permit], Coroutine[Any, Any, None] | None]

    def __init__(
        self,
        *,
        on_crash: Callable[[BaseException], None],
        limiter: RequestLimiter,
        group: Callable[[K], Hashable] = lambda _key: None,
        resource: Callable[[K], str] = lambda _key: "",
        may_fail_again: Callable[[K], bool] = lambda _key: True,
    ) -> None:
        """Prepare; nothing runs before a key is due. *resource* returns the name of what a poll most likely requests.

        *may_fail_again* returns whether a poll may be for what failed before: if that took long, others go first.
        """
        self.timers: TimerWheel[K] = TimerWheel()
        self._group = group
        self.resource = resource
        self._failed_slowly: set[K] = set()
        self._may_fail_again = may_fail_again
        self._limiter = limiter
        # Late keys are marked and counted: a dict of them would never shrink after a long backlog.
        self._late = 0
        self._on_crash = on_crash
        self._run: _Run[K] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Handle | None = None
        # When the timer fires: the handles of other event loops do not all say. Set at each poll, so it is no `EarliestTimer`,
        # which would be two more calls.
        self._timer_at = inf
        # Whether keys that are ready are begun, or are about to be.
        self._is_beginning = False

    @property
    def overdue(self) -> int:
        """How many late keys wait for a permit."""
        return self._late

    @property
    def busy(self) -> frozenset[K]:
        """The keys that are being polled."""
        return frozenset(() if self._run is None else tuple(self._run.busy))

    @property
    def has_backlog(self) -> bool:
        """Whether a key is due and waits for a permit."""
        return bool(self._late) or self.timers.first_due <= asyncio.get_running_loop().time()

    @property
    def _is_ending(self) -> bool:
        """Whether all polls are about to end: others begin with the next key that is scheduled after that."""
        return self._run is not None and self._run.is_ending

    def is_busy(self, key: K) -> bool:
        """Return True while *key* is being polled."""
        return self._run is not None and key in self._run.busy

    def due_at(self, key: K) -> float | None:
        """Return when *key* is due, None when it is not scheduled."""
        return asyncio.get_running_loop().time() if is_late(key) else key.due

    def note_failure(self, key: K, *, is_slow: bool) -> None:
        """Note that a poll of *key* has failed, and whether that took long."""
        if is_slow:
            self._failed_slowly.add(key)
        else:
            self._failed_slowly.discard(key)

    def is_slow_retry(self, key: K) -> bool:
        """Return True if the next poll of *key* may take as long as one that failed before."""
        return key in self._failed_slowly and self._may_fail_again(key)

    def schedule(self, key: K, at: float, *, urgent: bool = False) -> None:
        """Make *key* due at *at*, or earlier if it already is; an *urgent* key is due now and goes before late ones."""
        if self._run is not None and (busy := self._run.busy.get(key)) is not None:
            if busy.has_begun:  # else it brings what is asked for now
                at = URGENT if urgent else at
                busy.again_at = at if busy.again_at is None else min(at, busy.again_at)
            return
        if urgent:
            self.timers.discard(key)
            if self._is_ending:
                self.timers.put(key, at)
            elif not key.urgent:
                self._ask(key, urgent=True)
        elif not is_late(key):
            self.timers.schedule_earlier(key, at)
            self._wake()

    def is_idle(self, key: K) -> bool:
        """Return True when *key* is neither scheduled nor being polled."""
        return key.due is None and not is_late(key) and not self.is_busy(key)

    def postpone(self, key: K, at: float) -> None:
        """Make *key* due at *at* if it is due earlier; not when it is late already or being polled."""
        if key.due is not None and key.due < at:
            self.timers.put(key, at)

    def reschedule(self, key: K, at: float) -> None:
        """Make *key* due at *at* in any case, unless it is being polled."""
        if self.is_busy(key):
            return
        self._withdraw(key)
        self.timers.put(key, at)
        self._wake()

    def forget(self, key: K) -> None:
        """Remove *key* from the schedule; a poll under way is not repeated."""
        self.timers.discard(key)
        self._failed_slowly.discard(key)
        self._withdraw(key)
        if self._run is not None and (busy := self._run.busy.get(key)) is not None:
            busy.again_at = None

    # From due to polled ---------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Ask for permits for what is due, and set the timer for the next key."""
        if (self._run or self._begin_run()).is_ending:
            return
        now = asyncio.get_running_loop().time()
        if self.timers.first_due <= now:
            for key in self.timers.pop_all_due(now + COALESCE_SECONDS, MAX_ASKED_AT_ONCE):
                self._ask(key, urgent=False)
        if self.timers.first_due != inf:
            self._set_timer(self.timers.first_due)

    def _ask(self, key: K, *, urgent: bool) -> None:
        """Have *key* polled soon, or queue it for a permit."""
        is_slow = not urgent and self.is_slow_retry(key)  # then the permit says so
        # Its scope is known when it is sent.
        permit = None if is_slow else self._limiter.try_acquire(None, "", urgent=False)
        if permit is None:
            self._queue(key, urgent=urgent)
        else:  # no other key waits, nor does this one
            self._make_ready(key, permit)

    def _queue(self, key: K, *, urgent: bool) -> None:
        """Have *key* wait for a permit."""
        self._withdraw(key)
        self._late += 1
        key.urgent = urgent
        now = asyncio.get_running_loop().time()
        priority = URGENT_POLL if urgent else SLOW_RETRY if self.is_slow_retry(key) else DUE
        self._limiter.queue(LatePoll(self._group(key), priority, now, self, key))

    def _withdraw(self, key: K) -> None:
        """Let a late *key* wait no more."""
        if is_late(key):
            self._late -= 1
            self._limiter.withdraw()
            key.urgent = None

    def wants_permit(self, key: K, *, urgent: bool) -> bool:
        """Return whether a late *key*, *urgent* or not, still waits; while all polls end it is only due."""
        if key.urgent is not urgent:
            return False
        if self._is_ending:
            self._withdraw(key)
            self.timers.put(key, asyncio.get_running_loop().time())
        return not self._is_ending

    def on_permit(self, key: K, permit: Permit) -> None:
        """Have a late *key* polled soon with its *permit*, which came just now."""
        self._late -= 1
        key.urgent = None
        self._make_ready(key, permit)

    def _make_ready(self, key: K, permit: Permit) -> None:
        run = self._run or self._begin_run()
        run.busy[key] = BusyKey(permit)
        run.ready.append(key)
        if not self._is_beginning:
            self._is_beginning = True
            asyncio.get_running_loop().call_soon(self._begin_ready)

    def _begin_ready(self) -> None:
        """Begin to poll all keys that have a permit, and those that get one meanwhile in further turns of the event loop."""
        run, left = self._run, MAX_BEGUN_AT_ONCE
        self._is_beginning = True
        if run is not None and not run.is_ending:
            while run.ready and not run.is_over:
                if not left:
                    asyncio.get_running_loop().call_soon(self._begin_ready)
                    return
                left -= 1
                key = run.ready.popleft()
                busy = run.busy[key]
                busy.has_begun = True
                try:
                    rest = self.poll(key, busy.permit)
                except Exception as error:  # noqa: BLE001 - all polls end, and `on_crash` gets it
                    run.fail(error)
                else:
                    if rest is not None:
                        self.await_rest(key, rest)
        self._is_beginning = False

    def await_rest(self, key: K, rest: Coroutine[Any, Any, None]) -> None:
        """Await, in a task, what remains of the poll of *key*, and end it then."""
        run = self._run
        if run is None or run.is_ending or key not in run.busy:
            rest.close()
            return
        task = asyncio.get_running_loop().create_task(self._await_rest(run, key, rest))
        run.tasks.add(task)
        task.add_done_callback(run.tasks.discard)
        # A task that was cancelled at once has not awaited it.
        task.add_done_callback(lambda _task: rest.close())

    async def _await_rest(self, run: _Run[K], key: K, rest: Coroutine[Any, Any, None]) -> None:
        try:
            await rest
        except asyncio.CancelledError:
            if not is_cancelled():  # else nobody would ever poll this key again
                run.fail(RuntimeError("a poll was cancelled by what it awaited"))
            raise
        except Exception as error:  # noqa: BLE001 - all polls end, and `on_crash` gets it
            run.fail(error)
        finally:
            self._end(run, key)

    def end(self, key: K, again_at: float | None = None) -> None:
        """Let the poll of *key* be over: it is due *again_at*, or earlier if it was scheduled meanwhile; None for never."""
        if self._run is not None:
            self._end(self._run, key, again_at)

    def _end(self, run: _Run[K], key: K, again_at: float | None = None) -> None:
        busy = run.busy.pop(key, None)
        if busy is None:
            return  # its permit was given back when the run ended
        if busy.again_at is not None and (again_at is None or busy.again_at < again_at):
            again_at = busy.again_at
        if again_at == URGENT:
            self._queue(key, urgent=True)  # before the permit goes to another
        elif again_at is not None:
            self.timers.schedule_earlier(key, again_at)
            if again_at < self._timer_at and not run.is_ending:
                self._set_timer(again_at)
        if busy.permit.is_held or self._limiter.waiting:
            is_nested, self._is_beginning = self._is_beginning, True
            self._limiter.release(busy.permit)
            self._is_beginning = is_nested
            if run.ready and not is_nested:
                self._begin_ready()

    def fail(self, error: Exception) -> None:
        """End all polls, because of an *error* in one of them."""
        if self._run is not None:
            self._run.fail(error)

    def _set_timer(self, at: float) -> None:
        """Wake at *at*, unless a timer is set that fires before and sets the next."""
        if self._timer_at <= at:
            return
        self._cancel_timer()
        self._timer_at = at
        self._timer = asyncio.get_running_loop().call_at(at, self._on_timer)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, inf

    def _on_timer(self) -> None:
        self._timer, self._timer_at = None, inf
        is_nested, self._is_beginning = self._is_beginning, True
        self._wake()
        if not is_nested:
            self._begin_ready()

    # All polls together ---------------------------------------------------------------------------------------------

    def _begin_run(self) -> _Run[K]:
        """Let polls begin; they end with the event loop, whatever is due then."""
        run = self._run = _Run()
        run.task = asyncio.get_running_loop().create_task(self._keep(run), name="bkjob_async watch")
        self._ending.add(run.task)
        run.task.add_done_callback(self._ending.discard)
        return run

    async def _keep(self, run: _Run[K]) -> None:
        """Hold a *run* until it is cancelled, or a poll raises, and then until all its tasks have ended."""
        try:
            error = await run.failure
        finally:
            self._give_up(run)
            for task in run.tasks:
                task.cancel()
            try:
                await wait_until_done(run.tasks)
            finally:
                if self._run is run:
                    self._run = None
                    self._cancel_timer()
        self._on_crash(error)

    def _give_up(self, run: _Run[K]) -> None:
        """Cancel what is under way in callbacks, and give back all permits; tasks are cancelled by themselves."""
        run.is_over = True
        run.ready.clear()
        while run.busy:
            permit = run.busy.popitem()[1].permit
            if permit.under_way is not None:
                permit.under_way.cancel()
                permit.under_way = None
            if permit.request is None:
                self._limiter.return_unused(permit)
            else:
                self._limiter.release(permit)

    async def aclose(self) -> None:
        """End all polls and wait until each has ended; harmless when repeated."""
        self._cancel_timer()
        run, ending = self._run, set(self._ending)
        if run is not None and run.task is not None:
            run.task.cancel()
            self._give_up(run)
            self._run = None
        await wait_until_done(ending)


class BusyKey(Struct, eq=False, gc=False):
    """The *permit* of a key that is polled, and when it is due again; with *has_begun* False it only has the permit."""

    permit: Permit
    again_at: float | None = None
    has_begun: bool = False


class LatePoll(Struct, eq=False):
    """A *key* of *runner* that waits for a permit; the other members are those of `Waiting`."""

    scope: Hashable
    priority: int
    asked_at: float
    runner: PollRunner[Any]
    key: Any

    @property
    def resource(self) -> str:
        """What the poll most likely requests."""
        return self.runner.resource(self.key)

    def is_waiting(self) -> bool:
        """Return whether it still wants a permit."""
        return self.runner.wants_permit(self.key, urgent=self.priority == URGENT_POLL)

    def on_permit(self, permit: Permit) -> None:
        """Take the *permit*."""
        self.runner.on_permit(self.key, permit)


class _Run(Generic[K]):
    """The polls from the first one to a crash or the end: all that are *busy*, and those of them that are *ready* to begin.

    *task* holds the run, and so ends with the event loop; *tasks* are those of single polls. *failure* is the error of one.
    """

    __slots__ = ("busy", "failure", "is_over", "ready", "task", "tasks")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.failure: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self.is_over = False
        self.ready: deque[K] = deque()
        self.busy: dict[K, BusyKey] = {}

    @property
    def is_ending(self) -> bool:
        """Whether no more polls begin."""
        return self.is_over or (self.task is not None and self.task.cancelling() > 0)

    def fail(self, error: Exception) -> None:
        """End the run because of an *error*, unless it ends already."""
        self.is_over = True
        if not self.failure.done():
            self.failure.set_result(error)


def is_cancelled() -> bool:
    """Return whether the present task is cancelled, which what it awaits cannot do."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def is_late(key: Pollable) -> bool:
    """Return True when *key* waits for a permit."""
    return key.urgent is not None
