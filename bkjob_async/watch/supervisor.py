"""The workers that poll what is due, under one task that somebody owns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

import anyio
import anyio.abc

from bkjob_async.engine.fairness import Turns
from bkjob_async.engine.schedule import Schedule

K = TypeVar("K", bound=Hashable)

# How many late keys are lined up at a time, so that a long backlog never holds up the loop.
SWEEP = 256


class Supervisor(Generic[K]):
    """Runs *poll* for whatever the schedule says is due, with at most *workers* at once.

    Where more is due than can be polled, the groups that *group* names take turns, and what is urgent goes first. A key
    being polled is never polled a second time before it came back; made due meanwhile, it is polled again right after.
    When a poll crashes, everything stops and *crashed* is told, with the error itself and not a group of one.
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
        self.schedule: Schedule[K] = Schedule()
        self._group = group
        # Late keys by whether they are urgent.
        self._overdue: dict[K, bool] = {}
        self._turns: Turns[Hashable, K] = Turns(wanted=self._overdue.__contains__)
        self._poll = poll
        self._crashed = crashed
        self._workers = workers
        self._crew: _Crew[K] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def overdue(self) -> int:
        """How many keys are known to be late, and wait for a worker."""
        return len(self._overdue)

    def is_busy(self, key: K) -> bool:
        """Whether *key* is being polled now."""
        return self._crew is not None and key in self._crew.busy

    def due_at(self, key: K) -> float | None:
        """Return when *key* is due, None when it is not scheduled."""
        return asyncio.get_running_loop().time() if key in self._overdue else self.schedule.due_at(key)

    def due(self, key: K, at: float, *, urgent: bool = False) -> None:
        """Make *key* due at *at*, or earlier if it already is; *urgent* puts it before what is late already."""
        crew = self._crew
        if crew is not None and key in crew.busy:
            asked = crew.busy[key]
            crew.busy[key] = at if asked is None else min(at, asked)
            return
        if urgent:
            self.schedule.discard(key)
            if not self._overdue.get(key):
                self._overdue[key] = True
                self._turns.push(self._group(key), key, urgent=True)
        elif key not in self._overdue:
            self.schedule.hasten(key, at)
        self._wake()

    def forget(self, key: K) -> None:
        """Take *key* off the schedule; a poll on its way comes back and is not repeated."""
        self.schedule.discard(key)
        self._overdue.pop(key, None)
        if self._crew is not None and key in self._crew.busy:
            self._crew.busy[key] = None

    def _wake(self) -> None:
        """See to it that a worker starts as soon as the first key is due."""
        loop = asyncio.get_running_loop()
        if self._crew is None:
            crew = self._crew = _Crew()
            crew.task = loop.create_task(self._run(crew), name="bkjob_async watch")
            self._ending.add(crew.task)
            crew.task.add_done_callback(self._ending.discard)
        first = 0.0 if self._overdue else self.schedule.next_due()
        if first is None:
            return
        if first > loop.time():
            self._alarm(first)
        elif not self._crew.wake_one() and self._crew.can_grow(self._workers):
            self._crew.grow(self._work)

    def _take(self, now: float) -> K | None:
        """Return what is polled next: what is due, by turns where several are."""
        key = self.schedule.pop_due(now)
        if not self._overdue:
            first = self.schedule.next_due()
            if key is None or first is None or first > now:
                return key
        for _ in range(SWEEP):
            if key is None:
                break
            self._overdue[key] = False
            self._turns.push(self._group(key), key, urgent=False)
            key = self.schedule.pop_due(now)
        else:
            if key is not None:
                self.schedule.put(key, now)
        key = self._turns.pop()
        if key is not None:
            del self._overdue[key]
        return key

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

    async def _run(self, crew: _Crew[K]) -> None:
        try:
            async with anyio.create_task_group() as group:
                crew.group = group
                crew.grow(self._work)
        except BaseExceptionGroup as several:
            error = first_of(several)
            if error is not None:
                self._crashed(error)
        finally:
            crew.group = None

    async def _work(self, crew: _Crew[K]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            key = self._take(loop.time()) if crew is self._crew else None
            if key is None:
                rest: asyncio.Future[None] = loop.create_future()
                crew.idle.append(rest)
                if crew is self._crew:
                    self._wake()
                await rest
                continue
            if crew.idle or crew.can_grow(self._workers):
                self._wake()  # one worker wakes the next, as long as anything is due
            crew.busy[key] = None
            try:
                await self._poll(key)
            finally:
                again = crew.busy.pop(key)
            if again is not None and crew is self._crew:
                self.schedule.hasten(key, again)  # this worker is awake: it looks what is due next
            elif again is not None:
                self.due(key, again)

    async def aclose(self) -> None:
        """Stop every worker and wait until each has stopped, whoever stopped it; harmless when repeated."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        crew, self._crew = self._crew, None
        if crew is not None and crew.task is not None:
            crew.task.cancel()
        if self._ending:
            with anyio.CancelScope(shield=True):
                await asyncio.wait(set(self._ending))


class _Crew(Generic[K]):
    """The workers of one run: who is idle, what is being polled and when it is wanted again."""

    __slots__ = ("busy", "group", "idle", "size", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.group: anyio.abc.TaskGroup | None = None
        self.idle: deque[asyncio.Future[None]] = deque()
        self.busy: dict[K, float | None] = {}
        self.size = 0

    def wake_one(self) -> bool:
        """Wake an idle worker; tell whether there was one."""
        while self.idle:
            rest = self.idle.popleft()
            if not rest.done():
                rest.set_result(None)
                return True
        return False

    def can_grow(self, limit: int) -> bool:
        """Whether another worker may start."""
        return self.group is not None and self.size < limit

    def grow(self, work: Callable[[_Crew[K]], Coroutine[Any, Any, None]]) -> None:
        """Start another worker."""
        assert self.group is not None  # noqa: S101 - `can_grow` was asked
        self.size += 1
        self.group.start_soon(work, self)


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """Return the first error in *group* that is not a cancellation."""
    for error in group.exceptions:
        found = first_of(error) if isinstance(error, BaseExceptionGroup) else error
        if found is not None and not isinstance(found, asyncio.CancelledError):
            return found
    return None
