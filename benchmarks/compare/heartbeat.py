"""How long the event loop is blocked, and how much of that is garbage collection."""

from __future__ import annotations

import asyncio
import gc
import time
from types import TracebackType
from typing import Any, Self


class Heartbeat:
    """Measures the longest time between two iterations of the event loop, in milliseconds, while it is open.

    `wall` is elapsed time, which includes other processes; `cpu` is this thread's CPU time; `own` is `cpu` without
    Python's cyclic garbage collector; `collecting` is the longest single collection.
    """

    def __init__(self) -> None:
        """Prepare; measuring starts with `async with`."""
        self.wall = self.cpu = self.own = self.collecting = 0.0
        self._collected = self._collecting_since = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        gc.callbacks.append(self._on_collection)
        self._task = asyncio.get_running_loop().create_task(self._beat())
        await asyncio.sleep(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if self._task is not None:
            self._task.cancel()
        gc.callbacks.remove(self._on_collection)

    async def _beat(self) -> None:
        wall, cpu, collected = time.perf_counter(), time.thread_time(), self._collected
        while True:
            await asyncio.sleep(0)
            last_wall, last_cpu, last_collected = wall, cpu, collected
            wall, cpu, collected = time.perf_counter(), time.thread_time(), self._collected
            self.wall = max(self.wall, 1e3 * (wall - last_wall))
            self.cpu = max(self.cpu, 1e3 * (cpu - last_cpu))
            self.own = max(self.own, 1e3 * (cpu - last_cpu - (collected - last_collected)))

    def _on_collection(self, phase: str, _info: dict[str, Any]) -> None:
        if phase == "start":
            self._collecting_since = time.thread_time()
            return
        took = time.thread_time() - self._collecting_since
        self._collected += took
        self.collecting = max(self.collecting, 1e3 * took)

    def figures(self, what: str) -> dict[str, float]:
        """Return the longest times under keys such as `add wall`, where *what* is "add"."""
        return {
            f"{what} wall": self.wall,
            f"{what} cpu": self.cpu,
            f"{what} own": self.own,
            f"{what} collecting": self.collecting,
        }
