"""Run a coroutine function that needs no client, in an event loop that ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from bkjob_async.errors import WrongEventLoop

P = ParamSpec("P")
T = TypeVar("T")


def run_alone(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Return the plain function with the result of a coroutine function.

    It raises `WrongEventLoop` where an event loop runs in this thread.
    """

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(function(*args, **kwargs))
        raise WrongEventLoop(
            "an event loop runs in this thread: there, await the same function of bkjob_async"
        )

    return called
