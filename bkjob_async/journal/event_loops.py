"""Calls from one thread into the event loops of others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec

P = ParamSpec("P")


def is_here(loop: asyncio.AbstractEventLoop) -> bool:
    """Return True when *loop* runs in this thread."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def call_in(
    loop: asyncio.AbstractEventLoop, function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs
) -> bool:
    """Call *function* in *loop*: at once where that runs here, else soon; return False where it is closed."""
    if is_here(loop):
        function(*args, **kwargs)
        return True
    try:
        loop.call_soon_threadsafe(partial(function, *args, **kwargs))
    except RuntimeError:
        return False
    return True


def wake(waiter: asyncio.Future[None]) -> bool:
    """Let go on what awaits *waiter*, in its own event loop; return False where that is closed."""
    return call_in(waiter.get_loop(), _end_wait, waiter)


def _end_wait(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
