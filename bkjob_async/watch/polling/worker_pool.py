"""A pool of workers that poll what is due, in one task group."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable
from math import inf
from typing import Any, Generic, Protocol, TypeVar

from bkjob_async.engine.flow_control.fair_queue import PriorityFairQueue
from bkjob_async.engine.scheduling.timer_wheel import Scheduled, TimerWheel
from bkjob_async.watch.cooperative import wait_uncancellable


class Pollable(Scheduled, Protocol):
    """What is polled. *due* is when; *urgent* is None until it is late, then whether it goes first."""

    urgent: bool | None


K = TypeVar("K", bound=Pollable)

# How many late keys are queued at a time, so that a long backlog does not block the event loop.
MAX_QUEUED_AT_ONCE = 256

# Keys due within this many seconds are polled together: waking up costs more than one poll.
COALESCE_SECONDS = 0.002

# In place of the next due time of a key that is being polled: it is not being polled.
NOT_BUSY = -1.0
# In place of the same: it is due at once, and goes before late ones.
URGENT = 0.0


class WorkerPool(Generic[K]):
    """Calls `poll`, which is set before the first key, for each key that is due, with at most *workers* calls at once.

    When more keys are due than can be polled, the groups that *group* returns take turns, and urgent keys go first. A
    key is never polled twice at the same time: scheduled during its poll, it is polled again afterwards. When a poll
    raises, all workers stop and *on_crash* is called with the error. New workers start for keys scheduled after that.
    """

    poll: Callable[[K], Awaitable[None]]

    def __init__(
        self,
        *,
        on_crash: Callable[[BaseException], None],
        workers: int,
        group: Callable[[K], Hashable] = lambda _key: None,
    ) -> None:
        """Prepare; nothing runs before a key is due."""
        self.timers: TimerWheel[K] = TimerWheel()
        self._group = group
        # Late keys are marked and counted: a dict of them would never shrink after a long backlog.
        self._late = 0
        self._queue: PriorityFairQueue[Hashable, K] = PriorityFairQueue(is_live=is_late)
        self._on_crash = on_crash
        self._max_workers = workers
        self._workers: _Workers[K] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Handle | None = None
        # When the timer fires: the handles of other event loops do not all say.
        self._timer_at = inf

    @property
    def overdue(self) -> int:
        """How many late keys wait for a worker."""
        return self._late

    @property
    def busy(self) -> frozenset[K]:
        """The keys that are being polled."""
        return frozenset(() if self._workers is None else tuple(self._workers.busy))

    @property
    def has_backlog(self) -> bool:
        """Whether a key is due and waits for a worker."""
        return self._first_due() <= asyncio.get_running_loop().time()

    @property
    def is_full(self) -> bool:
        """Whether every worker that may be is at work."""
        return self._workers is not None and len(self._workers.busy) >= self._max_workers

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
            if again_at != NOT_BUSY:
                at = URGENT if urgent else at
                workers.busy[key] = at if again_at is None else min(at, again_at)
                return
        if urgent:
            self.timers.discard(key)
            if not key.urgent:
                self._enqueue((key,), urgent=True)
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
        if is_late(key):
            self._dequeue(key)
        self.timers.put(key, at)
        self._wake()

    def forget(self, key: K) -> None:
        """Remove *key* from the schedule; a poll under way is not repeated."""
        self.timers.discard(key)
        if is_late(key):
            self._dequeue(key)
        if self._workers is not None and key in self._workers.busy:
            self._workers.busy[key] = None

    def _wake(self) -> None:
        """Assign due keys to idle workers, and set the timer for the next key."""
        loop = asyncio.get_running_loop()
        workers = self._workers
        if workers is None:
            workers = self._workers = _Workers()
            workers.task = loop.create_task(self._run(workers), name="bkjob_async watch")
            self._ending.add(workers.task)
            workers.task.add_done_callback(self._ending.discard)
        now, first = loop.time(), self._first_due()
        if first <= now:
            if workers.idle:
                workers.assign(self._pop_due(now, len(workers.idle)))
                first = self._first_due()
            if first <= now and workers.can_add(self._max_workers):
                workers.add_worker(self._work)
        if first > now:
            self._set_timer(first)

    def _first_due(self) -> float:
        """Return a time before which no key is due: 0 if one is late, infinity when none is scheduled."""
        return 0.0 if self._late else self.timers.first_due

    def _pop_due(self, now: float, most: int) -> list[K]:
        """Remove and return at most *most* due keys, in turns by group when there are more."""
        soon = now + COALESCE_SECONDS
        if not self._late:
            keys = self.timers.pop_all_due(soon, most)
            if len(keys) < most or self.timers.first_due > soon:
                return keys
            self._enqueue(keys, urgent=False)
        self._enqueue(self.timers.pop_all_due(now, MAX_QUEUED_AT_ONCE), urgent=False)
        keys = []
        while len(keys) < most and (key := self._queue.pop()) is not None:
            self._dequeue(key)
            keys.append(key)
        return keys

    def _enqueue(self, late: Iterable[K], *, urgent: bool) -> None:
        """Queue late keys for a worker."""
        for key in late:
            self._late += key.urgent is None
            key.urgent = urgent
            self._queue.push(self._group(key), key, urgent=urgent)

    def _dequeue(self, key: K) -> None:
        """Record that a late *key* leaves the queue."""
        self._late -= 1
        key.urgent = None

    def _set_timer(self, at: float) -> None:
        """Wake at *at*, unless that is never, or a timer is set that fires before and sets the next."""
        if at == inf:
            return
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = asyncio.get_running_loop().call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._wake()

    async def _run(self, workers: _Workers[K]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                workers.group = group
                workers.add_worker(self._work)
        except BaseExceptionGroup as several:
            workers.group = None
            if self._workers is workers:
                self._workers = None
            error = first_of(several)
            if error is not None:
                self._on_crash(error)
        finally:
            workers.group = None

    async def _work(self, workers: _Workers[K]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            key = self._next_for(workers, loop.time()) if workers is self._workers else None
            if key is None:
                key = await workers.wait_for_key(loop.create_future())
            try:
                await self.poll(key)
            finally:
                again = workers.busy.pop(key)
            if again == URGENT and workers is self._workers:
                self._enqueue((key,), urgent=True)  # this worker, or another that is free, polls it next
            elif again is not None and workers is self._workers:
                self.timers.schedule_earlier(key, again)  # this worker checks next what is due
            elif again is not None:
                self.schedule(key, again, urgent=again == URGENT)

    def _next_for(self, workers: _Workers[K], now: float) -> K | None:
        """Return the next key for a worker that became free, and assign other due keys to idle workers."""
        keys = self._pop_due(now, 1 + len(workers.idle)) if self._first_due() <= now else []
        if not keys:
            self._set_timer(self._first_due())
            return None
        key = keys.pop(0)
        workers.busy[key] = None
        if keys:
            workers.assign(keys)
        if workers.idle or workers.can_add(self._max_workers):
            self._wake()
        return key

    async def aclose(self) -> None:
        """Stop all workers and wait until each has stopped; harmless when repeated."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        workers, self._workers = self._workers, None
        if workers is not None and workers.task is not None:
            workers.task.cancel()
        ending = set(self._ending)
        await wait_uncancellable(
            lambda: not all(task.done() for task in ending), lambda: asyncio.wait(ending)
        )


class _Workers(Generic[K]):
    """The workers of one run: idle ones, and for each key being polled when it is due again."""

    __slots__ = ("busy", "group", "idle", "size", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.group: asyncio.TaskGroup | None = None
        self.idle: list[asyncio.Future[K]] = []
        self.busy: dict[K, float | None] = {}
        self.size = 0

    def assign(self, keys: Iterable[K]) -> None:
        """Assign each of *keys* to an idle worker; there are enough of them."""
        for key in keys:
            assigned = self.idle.pop()
            if not assigned.done():  # it is done when the event loop is ending: its worker has been cancelled
                self.busy[key] = None
                assigned.set_result(key)

    async def wait_for_key(self, assigned: asyncio.Future[K]) -> K:
        """Wait until a key is assigned, and return it."""
        self.idle.append(assigned)
        try:
            return await assigned
        except asyncio.CancelledError:
            if not assigned.cancelled():
                self.busy.pop(assigned.result())
            elif assigned in self.idle:
                self.idle.remove(assigned)
            raise

    def can_add(self, limit: int) -> bool:
        """Return True when another worker may start."""
        return self.group is not None and self.size < limit

    def add_worker(self, work: Callable[[_Workers[K]], Coroutine[Any, Any, None]]) -> None:
        """Start another worker, unless the group is being cancelled."""
        assert self.group is not None  # noqa: S101 - `can_add` was asked
        working = work(self)
        try:
            self.group.create_task(working)
        except RuntimeError:
            working.close()
        else:
            self.size += 1


def is_late(key: Pollable) -> bool:
    """Return True when *key* is queued for a worker."""
    return key.urgent is not None


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """Return the first error in *group* that is not a cancellation."""
    for error in group.exceptions:
        found = first_of(error) if isinstance(error, BaseExceptionGroup) else error
        if found is not None and not isinstance(found, asyncio.CancelledError):
            return found
    return None
