"""How long a loop stands still, with what of that is collecting garbage."""

from __future__ import annotations

import asyncio
import gc
import time
from types import TracebackType
from typing import Any, Self


class Heartbeat:
    """Beats at every turn of the loop while it is open, and keeps the longest time between two beats, in milliseconds.

    Three kinds are kept apart: `wall` is by the clock, other processes' share included; `cpu` is this thread's own;
    `own` is of that what was not spent in Python's collector of cycles. `collecting` is the longest single collection.
    """

    def __init__(self) -> None:
        """Prepare; it begins with `async with`."""
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
        """Return the longest times as figures of *what* was going on."""
        return {
            f"{what} wall": self.wall,
            f"{what} cpu": self.cpu,
            f"{what} own": self.own,
            f"{what} collecting": self.collecting,
        }
