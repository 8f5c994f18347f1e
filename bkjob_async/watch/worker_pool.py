"""The workers that poll what is due, under one task that somebody owns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable
from typing import Any, Generic, Protocol, TypeVar

from bkjob_async.engine.flow_control.fair_queue import PriorityFairQueue
from bkjob_async.engine.scheduling.timer_wheel import Scheduled, TimerWheel
from bkjob_async.watch.cooperative import wait_uncancellable


class Pollable(Scheduled, Protocol):
    """What is polled: it knows when it is due, and once that is past whether its turn is urgent."""

    urgent: bool | None


K = TypeVar("K", bound=Pollable)

# How many late keys are lined up at a time, so that a long backlog never holds up the loop.
SWEEP = 256

# What is due within so many seconds is polled together with what is due now: waking up costs more than a poll's share.
COALESCE_SECONDS = 0.002

# In place of when a key is wanted again: it is not being polled.
NOT_BUSY = -1.0


class WorkerPool(Generic[K]):
    """Runs *poll* for whatever the schedule says is due, with at most *workers* at once.

    Where more is due than can be polled, the groups that *group* names take turns, and what is urgent goes first. A key
    being polled is never polled a second time before it came back; made due meanwhile, it is polled again right after.
    When a poll crashes, every worker stops and *crashed* is told, with the error itself and not a group of one. Workers
    start anew for whatever becomes due afterwards.
    """

    def __init__(
        self,
        poll: Callable[[K], Awaitable[None]],
        *,
        crashed: Callable[[BaseException], None],
        workers: int,
        group: Callable[[K], Hashable] = lambda _key: None,
    ) -> None:
        """Prepare; nothing runs before something is due."""
        self.schedule: TimerWheel[K] = TimerWheel()
        self._group = group
        # Late keys are marked as such: a dict of the longest backlog would keep the room that it once needed.
        self._late = 0
        self._turns: PriorityFairQueue[Hashable, K] = PriorityFairQueue(is_live=is_late)
        self._poll = poll
        self._crashed = crashed
        self._workers = workers
        self._crew: _Workers[K] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def overdue(self) -> int:
        """How many keys are known to be late, and wait for a worker."""
        return self._late

    def is_busy(self, key: K) -> bool:
        """Whether *key* is being polled now."""
        return self._crew is not None and key in self._crew.busy

    def due_at(self, key: K) -> float | None:
        """Return when *key* is due, None when it is not scheduled."""
        return asyncio.get_running_loop().time() if is_late(key) else key.due

    def due(self, key: K, at: float, *, urgent: bool = False) -> None:
        """Make *key* due at *at*, or earlier if it already is; *urgent* puts it before what is late already."""
        crew = self._crew
        if crew is not None:
            asked = crew.busy.get(key, NOT_BUSY)
            if asked != NOT_BUSY:
                crew.busy[key] = at if asked is None else min(at, asked)
                return
        if urgent:
            self.schedule.discard(key)
            if not key.urgent:
                self._line_up((key,), urgent=True)
        elif not is_late(key):
            self.schedule.schedule_earlier(key, at)
        self._wake()

    def is_idle(self, key: K) -> bool:
        """Whether *key* is neither due some time nor being polled."""
        return key.due is None and not is_late(key) and not self.is_busy(key)

    def postpone(self, key: K, at: float) -> None:
        """Make *key* due at *at* where it is due earlier; what is late already, or being polled, stays so."""
        if key.due is not None and key.due < at:
            self.schedule.put(key, at)

    def reschedule(self, key: K, at: float) -> None:
        """Make *key* due at *at*, whether it was due earlier or later, or is late; one being polled stays so."""
        if self.is_busy(key):
            return
        if is_late(key):
            self._has_turn(key)
        self.schedule.put(key, at)
        self._wake()

    def forget(self, key: K) -> None:
        """Take *key* off the schedule; a poll on its way comes back and is not repeated."""
        self.schedule.discard(key)
        if is_late(key):
            self._has_turn(key)
        if self._crew is not None and key in self._crew.busy:
            self._crew.busy[key] = None

    def _wake(self) -> None:
        """Hand what is due to workers that have nothing to do, and set the alarm for what is due next."""
        loop = asyncio.get_running_loop()
        crew = self._crew
        if crew is None:
            crew = self._crew = _Workers()
            crew.task = loop.create_task(self._run(crew), name="bkjob_async watch")
            self._ending.add(crew.task)
            crew.task.add_done_callback(self._ending.discard)
        now, first = loop.time(), self._first_due()
        if first is not None and first <= now:
            if crew.idle:
                crew.assign(self._take(now, len(crew.idle)))
                first = self._first_due()
            if first is not None and first <= now and crew.can_grow(self._workers):
                crew.grow(self._work)
        if first is not None and first > now:
            self._alarm(first)

    def _first_due(self) -> float | None:
        """Return when the first key is due, long ago if one is late; None when nothing is."""
        return 0.0 if self._late else self.schedule.next_due()

    def _take(self, now: float, most: int) -> list[K]:
        """Return what is polled next, *most* keys at most: what is due, by turns where there is more of it."""
        soon = now + COALESCE_SECONDS
        if not self._late:
            keys = self.schedule.pop_all_due(soon, most)
            if len(keys) < most:
                return keys
            first = self.schedule.next_due()
            if first is None or first > soon:
                return keys
            self._line_up(keys, urgent=False)
        self._line_up(self.schedule.pop_all_due(now, SWEEP), urgent=False)
        keys = []
        while len(keys) < most and (key := self._turns.pop()) is not None:
            self._has_turn(key)
            keys.append(key)
        return keys

    def _line_up(self, late: Iterable[K], *, urgent: bool) -> None:
        """Let what is *late* wait for its turn."""
        for key in late:
            self._late += key.urgent is None
            key.urgent = urgent
            self._turns.push(self._group(key), key, urgent=urgent)

    def _has_turn(self, key: K) -> None:
        """Take note that *key*, which is late, waits for its turn no more."""
        self._late -= 1
        key.urgent = None

    def _alarm(self, at: float) -> None:
        """Wake at *at*, unless an earlier alarm is set that will set the next."""
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(at, self._on_alarm)

    def _on_alarm(self) -> None:
        self._timer = None
        self._wake()

    async def _run(self, crew: _Workers[K]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                crew.group = group
                crew.grow(self._work)
        except BaseExceptionGroup as several:
            crew.group = None
            if self._crew is crew:
                self._crew = None
            error = first_of(several)
            if error is not None:
                self._crashed(error)
        finally:
            crew.group = None

    async def _work(self, crew: _Workers[K]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            key = self._next_for(crew, loop.time()) if crew is self._crew else None
            if key is None:
                key = await crew.rest(loop.create_future())
            try:
                await self._poll(key)
            finally:
                again = crew.busy.pop(key)
            if again is not None and crew is self._crew:
                self.schedule.schedule_earlier(key, again)  # this worker is awake: it looks what is due next
            elif again is not None:
                self.due(key, again)

    def _next_for(self, crew: _Workers[K], now: float) -> K | None:
        """Return what a worker polls that has just become free, and hand the rest of what is due to others."""
        first = self._first_due()
        if first is None:
            return None
        if first > now:
            self._alarm(first)
            return None
        keys = self._take(now, 1 + len(crew.idle))
        if not keys:
            return None
        key = keys.pop(0)
        crew.busy[key] = None
        if keys:
            crew.assign(keys)
        if crew.idle or crew.can_grow(self._workers):
            self._wake()
        return key

    async def aclose(self) -> None:
        """Stop every worker and wait until each has stopped, whoever stopped it; harmless when repeated."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        crew, self._crew = self._crew, None
        if crew is not None and crew.task is not None:
            crew.task.cancel()
        ending = set(self._ending)
        await wait_uncancellable(
            lambda: not all(task.done() for task in ending), lambda: asyncio.wait(ending)
        )


class _Workers(Generic[K]):
    """The workers of one run: who is idle, what is being polled and when it is wanted again."""

    __slots__ = ("busy", "group", "idle", "size", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.group: asyncio.TaskGroup | None = None
        self.idle: list[asyncio.Future[K]] = []
        self.busy: dict[K, float | None] = {}
        self.size = 0

    def assign(self, keys: Iterable[K]) -> None:
        """Give each of *keys* to an idle worker; there are enough of them."""
        for key in keys:
            call = self.idle.pop()
            if not call.done():  # it is where a loop ends under us: its worker will not come back
                self.busy[key] = None
                call.set_result(key)

    async def rest(self, call: asyncio.Future[K]) -> K:
        """Be idle until something is handed out, and return it."""
        self.idle.append(call)
        try:
            return await call
        except asyncio.CancelledError:
            if not call.cancelled():
                self.busy.pop(call.result())
            elif call in self.idle:
                self.idle.remove(call)
            raise

    def can_grow(self, limit: int) -> bool:
        """Whether another worker may start."""
        return self.group is not None and self.size < limit

    def grow(self, work: Callable[[_Workers[K]], Coroutine[Any, Any, None]]) -> None:
        """Start another worker, unless all of them are being stopped."""
        assert self.group is not None  # noqa: S101 - `can_grow` was asked
        working = work(self)
        try:
            self.group.create_task(working)
        except RuntimeError:
            working.close()
        else:
            self.size += 1


def is_late(key: Pollable) -> bool:
    """Whether *key* waits for its turn."""
    return key.urgent is not None


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """Return the first error in *group* that is not a cancellation."""
    for error in group.exceptions:
        found = first_of(error) if isinstance(error, BaseExceptionGroup) else error
        if found is not None and not isinstance(found, asyncio.CancelledError):
            return found
    return None
