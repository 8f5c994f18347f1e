"""The workers that poll what is due, under one task that somebody owns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import anyio

from bkjob_async.engine.schedule import Schedule

K = TypeVar("K", bound=Hashable)


class Supervisor(Generic[K]):
    """Runs *poll* for whatever the schedule says is due, with at most *workers* at once.

    A key being polled is never polled a second time before it came back; made due meanwhile, it is polled again right
    after. When a poll crashes, everything stops and *crashed* is told, with the error itself and not a group of one.
    """

    def __init__(
        self,
        poll: Callable[[K], Awaitable[None]],
        *,
        crashed: Callable[[BaseException], None],
        workers: int,
    ) -> None:
        """Prepare; nothing runs before something is due."""
        self.schedule: Schedule[K] = Schedule()
        self._poll = poll
        self._crashed = crashed
        self._workers = workers
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._idle: deque[asyncio.Future[None]] = deque()
        self._busy: dict[K, float | None] = {}
        self._started = 0
        self._group: anyio.abc.TaskGroup | None = None

    def is_busy(self, key: K) -> bool:
        """Whether *key* is being polled now."""
        return key in self._busy

    def due(self, key: K, at: float) -> None:
        """Make *key* due at *at*, or earlier if it already is."""
        if key in self._busy:
            asked = self._busy[key]
            self._busy[key] = at if asked is None else min(at, asked)
            return
        self.schedule.hasten(key, at)
        self._wake()

    def forget(self, key: K) -> None:
        """Take *key* off the schedule; a poll on its way comes back and is not repeated."""
        self.schedule.discard(key)
        if key in self._busy:
            self._busy[key] = None

    def _wake(self) -> None:
        """See to it that a worker starts as soon as the first key is due."""
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._task = loop.create_task(self._run(), name="bkjob_async watch")
        first = self.schedule.next_due()
        if first is None:
            return
        if first > loop.time():
            self._alarm(first)
        elif self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result(None)
        elif self._group is not None and self._started < self._workers:
            self._started += 1
            self._group.start_soon(self._work)

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

    async def _run(self) -> None:
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                self._started = 1
                group.start_soon(self._work)
        except BaseExceptionGroup as several:
            error = first_of(several)
            if error is not None:
                self._crashed(error)
        finally:
            self._group = None

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            key = self.schedule.pop_due(loop.time())
            if key is None:
                idle: asyncio.Future[None] = loop.create_future()
                self._idle.append(idle)
                self._wake()
                await idle
                continue
            if self.schedule.next_due() is not None:
                self._wake()  # one worker wakes the next, as long as anything is due
            self._busy[key] = None
            try:
                await self._poll(key)
            finally:
                again = self._busy.pop(key)
            if again is not None:
                self.due(key, again)

    async def aclose(self) -> None:
        """Stop every worker and wait until each has stopped; harmless when repeated."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
        self._idle.clear()
        self._busy.clear()


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """Return the first error in *group* that is not a cancellation."""
    for error in group.exceptions:
        found = first_of(error) if isinstance(error, BaseExceptionGroup) else error
        if found is not None and not isinstance(found, asyncio.CancelledError):
            return found
    return None
