"""Doing much a slice at a time, so that others have their turn of the loop in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bkjob_async.engine.scheduling.slices import slice_is_over


class CooperativeLoop:
    """Does one small thing after the other, *step* by step, until it says that nothing is left.

    The first slice is done at once: a few things are done when `go` returns.
    """

    __slots__ = ("_next", "_step")

    def __init__(self, step: Callable[[], bool]) -> None:
        """Prepare; *step* does the next thing and tells whether there was one."""
        self._step = step
        self._next: asyncio.Handle | None = None

    def go(self) -> None:
        """Begin, unless it is under way."""
        if self._next is None:
            self._slice()

    def _slice(self) -> None:
        self._next = None
        loop = asyncio.get_running_loop()
        began, done = loop.time(), 0
        while self._step():
            done += 1
            if slice_is_over(done, loop.time() - began):
                self._next = loop.call_soon(self._slice)
                return

    async def wait(self) -> None:
        """Wait until nothing is left."""
        await wait_uncancellable(lambda: self._next is not None, lambda: asyncio.sleep(0))


async def wait_uncancellable(goes_on: Callable[[], bool], pause: Callable[[], Awaitable[object]]) -> None:
    """Pause as long as something *goes_on*, even if cancelled meanwhile; let a cancellation through afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while goes_on():
        try:
            await pause()
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
