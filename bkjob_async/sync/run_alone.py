"""Run a coroutine that needs no client, in an event loop that ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from bkjob_async.errors import WrongEventLoop

T = TypeVar("T")


def run_alone(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of *coroutine*; raise `WrongEventLoop` where an event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    coroutine.close()
    raise WrongEventLoop("an event loop runs in this thread: there, await the same function of bkjob_async")
