"""A pool of workers that poll what is due, as soon as it has a permit, in one task group.

What is due asks the limiter of requests for a permit, and waits there if need be, among the calls: this is the only queue.
A worker polls with the permit; there are as many workers as permits were ever out at the same time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from math import inf
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from bkjob_async.engine.scheduling.timer_wheel import Scheduled, TimerWheel
from bkjob_async.watch.cooperative import wait_uncancellable
from bkjob_async.wire.limits.permits import DUE, URGENT_POLL, Permit
from bkjob_async.wire.limits.request_limiter import RequestLimiter


class Pollable(Scheduled, Protocol):
    """What is polled. *due* is when; *urgent* is None until it is late, then whether it goes first."""

    urgent: bool | None


K = TypeVar("K", bound=Pollable)

# How many keys that are due ask for a permit at a time, so that a long backlog does not block the event loop.
MAX_ASKED_AT_ONCE = 256

# Keys due within this many seconds are polled together: waking up costs more than one poll.
COALESCE_SECONDS = 0.002

# In place of the next due time of a key that is being polled: it is not being polled.
NOT_BUSY = -1.0
# In place of the same: its poll has not begun, so that what is asked for now is what it brings.
NOT_BEGUN = -2.0
# In place of the same: it is due at once, and goes before late ones.
URGENT = 0.0


class WorkerPool(Generic[K]):
    """Calls `poll`, which is set before the first key, for each key that is due, with a permit of *limiter*.

    The permit is released after the poll. When more keys are due than permits are free, the groups that *group* returns
    take turns, and urgent keys go first. A key is never polled twice at the same time: scheduled during its poll, it is
    polled again afterwards. When a poll raises, all workers stop and *on_crash* is called with the error. New workers start
    for keys scheduled after that.
    """

    poll: Callable[[K, Permit], Awaitable[None]]

    def __init__(
        self,
        *,
        on_crash: Callable[[BaseException], None],
        limiter: RequestLimiter,
        group: Callable[[K], Hashable] = lambda _key: None,
        resource: Callable[[K], str] = lambda _key: "",
    ) -> None:
        """Prepare; nothing runs before a key is due. *resource* returns the name of what a poll most likely requests."""
        self.timers: TimerWheel[K] = TimerWheel()
        self._group = group
        self.resource = resource
        self._limiter = limiter
        # Late keys are marked and counted: a dict of them would never shrink after a long backlog.
        self._late = 0
        self._on_crash = on_crash
        self._workers: _Workers[K] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Handle | None = None
        # When the timer fires: the handles of other event loops do not all say.
        self._timer_at = inf
        self._is_starting = False

    @property
    def overdue(self) -> int:
        """How many late keys wait for a permit."""
        return self._late

    @property
    def busy(self) -> frozenset[K]:
        """The keys that are being polled."""
        return frozenset(() if self._workers is None else tuple(self._workers.busy))

    @property
    def has_backlog(self) -> bool:
        """Whether a key is due and waits for a permit."""
        return bool(self._late) or self.timers.first_due <= asyncio.get_running_loop().time()

    @property
    def _is_ending(self) -> bool:
        """Whether the workers are about to end: others begin with the next key that is scheduled after that."""
        return self._workers is not None and self._workers.is_ending

    def is_busy(self, key: K) -> bool:
        """Return True while *key* is being polled."""
        return self._workers is not None and key in self._workers.busy

    def due_at(self, key: K) -> float | None:
        """Return when *key* is due, None when it is not scheduled."""
        return asyncio.get_running_loop().time() if is_late(key) else key.due

    def schedule(self, key: K, at: float, *, urgent: bool = False) -> None:
        """Make *key* due at *at*, or earlier if it already is; an *urgent* key is due now and goes before late ones."""
        workers = self._workers
        if workers is not None:
            again_at = workers.busy.get(key, NOT_BUSY)
            if again_at == NOT_BEGUN:
                return
            if again_at != NOT_BUSY:
                at = URGENT if urgent else at
                workers.busy[key] = at if again_at is None else min(at, again_at)
                return
        if urgent:
            self.timers.discard(key)
            if self._is_ending:
                self.timers.put(key, at)
            elif not key.urgent:
                self._ask(key, urgent=True)
                self._start_workers()
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
        self._withdraw(key)
        if self._workers is not None and self._workers.busy.get(key, NOT_BEGUN) != NOT_BEGUN:
            self._workers.busy[key] = None

    # From due to polled ---------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Ask for permits for what is due, and set the timer for the next key."""
        if (self._workers or self._begin_run()).is_ending:
            return
        now = asyncio.get_running_loop().time()
        if self.timers.first_due <= now:
            for key in self.timers.pop_all_due(now + COALESCE_SECONDS, MAX_ASKED_AT_ONCE):
                self._ask(key, urgent=False)
            self._start_workers()
        if self.timers.first_due != inf:
            self._set_timer(self.timers.first_due)

    def _ask(self, key: K, *, urgent: bool) -> None:
        """Have *key* polled by the next free worker, or queue it for a permit."""
        permit = self._limiter.try_acquire(self._group(key), "", urgent=False)
        if permit is None:
            self._queue(key, urgent=urgent)
        else:
            self._withdraw(key)
            self._begin(key, permit)

    def _queue(self, key: K, *, urgent: bool) -> None:
        """Have *key* wait for a permit."""
        self._withdraw(key)
        self._late += 1
        key.urgent = urgent
        now = asyncio.get_running_loop().time()
        self._limiter.queue_poll(LatePoll(self._group(key), URGENT_POLL if urgent else DUE, now, self, key))

    def _withdraw(self, key: K) -> None:
        """Let a late *key* wait no more."""
        if is_late(key):
            self._late -= 1
            self._limiter.withdraw_poll()
            key.urgent = None

    def wants_permit(self, key: K, *, urgent: bool) -> bool:
        """Return whether a late *key*, *urgent* or not, still waits; while workers end it is only due."""
        if key.urgent is not urgent:
            return False
        if self._is_ending:
            self._withdraw(key)
            self.timers.put(key, asyncio.get_running_loop().time())
        return not self._is_ending

    def on_permit(self, key: K, permit: Permit) -> None:
        """Have a late *key* polled with its *permit*, which came just now."""
        self._withdraw(key)
        self._begin(key, permit)
        workers = self._workers
        if workers is not None and workers.coming < len(workers.ready) and not self._is_starting:
            self._is_starting = True
            asyncio.get_running_loop().call_soon(self._start_workers)

    def _begin(self, key: K, permit: Permit) -> None:
        """Keep a *key* with its *permit* for the next free worker."""
        workers = self._workers or self._begin_run()
        workers.busy[key] = NOT_BEGUN
        workers.ready.append((key, permit))

    def _begin_run(self) -> _Workers[K]:
        """Start the first worker of a new run; it ends with the event loop, whatever is due then."""
        workers = self._workers = _Workers()
        workers.task = asyncio.get_running_loop().create_task(self._run(workers), name="bkjob_async watch")
        self._ending.add(workers.task)
        workers.task.add_done_callback(self._ending.discard)
        return workers

    def _start_workers(self) -> None:
        """Wake idle workers, or start others, for all keys that are ready."""
        self._is_starting = False
        if self._workers is not None:
            self._workers.start(self._work)

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
        self._wake()

    # Workers --------------------------------------------------------------------------------------------------------

    async def _run(self, workers: _Workers[K]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                workers.group = group
                workers.coming += 1
                group.create_task(self._work(workers))
                workers.start(self._work)
        except BaseExceptionGroup as several:
            error = first_of(several)
            if error is not None:
                self._on_crash(error)
        finally:
            workers.group, workers.has_failed = None, True
            self._give_back(workers)
            if self._workers is workers:
                self._workers = None
                self._cancel_timer()

    def _give_back(self, workers: _Workers[K]) -> None:
        """Give back the permits of keys that nobody will poll."""
        while workers.ready:
            key, permit = workers.ready.popleft()
            workers.busy.pop(key, None)
            self._limiter.return_unused(permit)

    async def _work(self, workers: _Workers[K]) -> None:
        workers.coming -= 1
        while True:
            while not workers.ready:
                await workers.wait()
            key, permit = workers.ready.popleft()
            workers.busy[key] = None
            try:
                await self.poll(key, permit)
            except BaseException:
                workers.has_failed = True
                raise
            finally:
                again = workers.busy.pop(key)
                if again == URGENT:
                    self._queue(key, urgent=True)  # before the permit goes to another
                elif again is not None:
                    self.timers.schedule_earlier(key, again)
                    if again < self._timer_at and not workers.is_ending:
                        self._set_timer(again)
                workers.coming += 1  # the permit may go to what this worker polls next
                self._limiter.release(permit)
            workers.coming -= 1

    async def aclose(self) -> None:
        """Stop all workers and wait until each has stopped; harmless when repeated."""
        self._cancel_timer()
        workers, ending = self._workers, set(self._ending)
        if workers is not None and workers.task is not None:
            workers.task.cancel()
            self._give_back(workers)
            self._workers = None
        await wait_uncancellable(
            lambda: not all(task.done() for task in ending), lambda: asyncio.wait(ending)
        )


class LatePoll(Struct, eq=False):
    """A *key* of *pool* that waits for a permit; the other members are those of `Waiting`."""

    scope: Hashable
    priority: int
    asked_at: float
    pool: WorkerPool[Any]
    key: Any

    @property
    def resource(self) -> str:
        """What the poll most likely requests."""
        return self.pool.resource(self.key)

    def is_waiting(self) -> bool:
        """Return whether it still wants a permit."""
        return self.pool.wants_permit(self.key, urgent=self.priority == URGENT_POLL)

    def on_permit(self, permit: Permit) -> None:
        """Take the *permit*."""
        self.pool.on_permit(self.key, permit)


class _Workers(Generic[K]):
    """The workers of one run: what is ready for them, and for each key being polled when it is due again.

    *coming* are those that were woken or started, and have not run since. *has_failed*: a poll failed, or the run is over.
    """

    __slots__ = ("busy", "coming", "group", "has_failed", "idle", "ready", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.group: asyncio.TaskGroup | None = None
        self.coming = 0
        self.has_failed = False
        self.ready: deque[tuple[K, Permit]] = deque()
        self.idle: list[asyncio.Future[None]] = []
        self.busy: dict[K, float | None] = {}

    async def wait(self) -> None:
        """Wait, as an idle worker, until something is ready."""
        woken = asyncio.get_running_loop().create_future()
        self.idle.append(woken)
        await woken
        self.coming -= 1

    @property
    def is_ending(self) -> bool:
        """Whether no more workers begin; a group that is cancelled would wait for them without end."""
        return self.has_failed or (self.task is not None and self.task.cancelling() > 0)

    def start(self, work: Callable[[_Workers[K]], Coroutine[Any, Any, None]]) -> None:
        """Wake a worker for each key that is ready, or start one more, unless the group is being cancelled."""
        while self.coming < len(self.ready) and not self.is_ending:
            if self.idle:
                woken = self.idle.pop()
                if woken.done():  # its worker has been cancelled
                    continue
                woken.set_result(None)
            elif self.group is not None:
                self.group.create_task(work(self))
            else:
                return  # it begins with what is ready
            self.coming += 1


def is_late(key: Pollable) -> bool:
    """Return True when *key* waits for a permit."""
    return key.urgent is not None


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """Return the first error in *group* that is not a cancellation."""
    for error in group.exceptions:
        found = first_of(error) if isinstance(error, BaseExceptionGroup) else error
        if found is not None and not isinstance(found, asyncio.CancelledError):
            return found
    return None
