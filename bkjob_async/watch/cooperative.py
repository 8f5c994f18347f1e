"""Run long work in short slices, so that other tasks of the event loop can run in between."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from itertools import islice

from bkjob_async.model.refs import Ref

# A slice ends after this many seconds, or this many steps where each takes next to no time.
MAX_SLICE_SECONDS = 0.002
MAX_SLICE_STEPS = 64
EXHAUSTED = object()


class CooperativeIterator:
    """Runs an iterator to its end in slices, an item a step; a new one replaces one under way.

    The first slice runs at once: a small amount of work is done when `start` returns. What a step starts is run behind it.
    """

    __slots__ = ("_is_running", "_iterator")

    def __init__(self) -> None:
        self._iterator: Iterator[None] = iter(())
        self._is_running = False

    def start(self, iterator: Iterator[None]) -> None:
        """Run *iterator*; each item ends a step."""
        self._iterator = iterator
        if not self._is_running:
            self._run_slice()

    def cancel(self) -> None:
        """Drop what is under way."""
        self._iterator = iter(())

    def _run_slice(self) -> None:
        loop = asyncio.get_running_loop()
        started, steps = loop.time(), 0
        self._is_running, is_left = True, False
        try:
            while not is_left:
                iterator = self._iterator
                if next(iterator, EXHAUSTED) is EXHAUSTED and iterator is self._iterator:
                    break
                steps += 1
                is_left = slice_is_over(steps, loop.time() - started)
        finally:
            self._is_running = is_left
        if is_left:
            loop.call_soon(self._run_slice)

    async def wait(self) -> None:
        """Wait until all work is done."""
        await wait_uncancellable(lambda: self._is_running, lambda: asyncio.sleep(0))


class PendingChanges:
    """Targets to add to and to drop from a watch, in the order of the calls."""

    __slots__ = ("_refs", "_runs")

    def __init__(self) -> None:
        self._refs: deque[Ref] = deque()
        # For each run of refs: whether they are added, and how many of them are left.
        self._runs: deque[tuple[bool, int]] = deque()

    def __bool__(self) -> bool:
        return bool(self._refs)

    def put(self, refs: Iterable[Ref], *, add: bool) -> None:
        """Append *refs*, to be added or to be dropped."""
        before = len(self._refs)
        self._refs.extend(refs)
        if len(self._refs) > before:
            self._runs.append((add, len(self._refs) - before))

    def pop(self) -> tuple[Ref, bool]:
        """Remove and return the first ref, and whether it is added."""
        add, left = self._runs.popleft()
        while not left:
            add, left = self._runs.popleft()
        self._runs.appendleft((add, left - 1))
        return self._refs.popleft(), add

    def to_add(self) -> Iterator[Ref]:
        """Yield the refs that are yet to be added, each once, without those that are dropped again."""
        refs = iter(self._refs)
        found: dict[Ref, None] = {}
        for add, count in self._runs:
            for ref in islice(refs, count):
                if add:
                    found[ref] = None
                else:
                    found.pop(ref, None)
        return iter(found)

    def clear(self) -> None:
        """Remove all."""
        self._refs.clear()
        self._runs.clear()


def slice_is_over(steps: int, seconds: float) -> bool:
    """Return True when a slice of so many *steps* that took *seconds* is long enough."""
    return steps >= MAX_SLICE_STEPS or seconds >= MAX_SLICE_SECONDS


async def wait_uncancellable(is_running: Callable[[], bool], pause: Callable[[], Awaitable[object]]) -> None:
    """Pause while *is_running*, even when cancelled meanwhile; raise the cancellation afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while is_running():
        try:
            await pause()
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def wait_until_done(tasks: Collection[asyncio.Task[None]]) -> None:
    """Wait until all *tasks* have ended, even when cancelled meanwhile; raise the cancellation afterwards."""
    left = set(tasks)
    await wait_uncancellable(lambda: not all(task.done() for task in left), lambda: asyncio.wait(left))
