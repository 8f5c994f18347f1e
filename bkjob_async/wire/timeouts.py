"""Time limits of many requests at once, by one timer."""

from __future__ import annotations

import asyncio


class RequestTimeout:
    """The time that one request has."""

    __slots__ = ("at", "cancelling", "passed", "task")

    def __init__(self, task: asyncio.Task[object], at: float) -> None:
        self.task = task
        self.at = at
        self.cancelling = task.cancelling()
        self.passed = False


class TimeoutManager:
    """Cancels requests that take too long.

    What `asyncio.timeout` does, at a tenth of its cost: nearly every request comes back in time, so that a timer of its
    own for each would be made for nothing.
    """

    __slots__ = ("_running", "_timer")

    def __init__(self) -> None:
        """Nothing is limited yet."""
        self._running: set[RequestTimeout] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, seconds: float) -> RequestTimeout:
        """Cancel the current task in *seconds*, unless `end` comes first."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101 - whoever awaits runs in a task
        limit = RequestTimeout(task, loop.time() + seconds)
        self._running.add(limit)
        if self._timer is None or limit.at < self._timer.when():
            self._set_timer(loop, limit.at)
        return limit

    def end(self, limit: RequestTimeout) -> bool:
        """Let go of *limit*; return whether it, and nobody else, cancelled the task. Harmless when repeated."""
        self._running.discard(limit)
        if not limit.passed:
            return False
        limit.passed = False
        return limit.task.uncancel() <= limit.cancelling

    def _set_timer(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for limit in [limit for limit in self._running if limit.at <= now]:
            self._running.discard(limit)
            limit.passed = True
            limit.task.cancel()
        if self._running:
            self._set_timer(loop, min(limit.at for limit in self._running))

    def close(self) -> None:
        """Let go of the timer, unless something still runs."""
        if self._timer is not None and not self._running:
            self._timer.cancel()
            self._timer = None
