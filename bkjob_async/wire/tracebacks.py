"""Errors on their way to the caller: without the frames that they passed, for those hold credentials.

A traceback keeps every variable of every frame, and error trackers store them: headers, bodies and parameters among
them. So an error leaves as if it had been raised where it leaves.
"""

from __future__ import annotations

import inspect
import traceback
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from bkjob_async.dialects.common.redaction import redact
from bkjob_async.model.base_error import BkJobError

P = ParamSpec("P")
T = TypeVar("T")

EXPECTED = (BkJobError, CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


def strip_traceback(error: BaseException, secrets: Iterable[str] = ()) -> BaseException:
    """Return *error* without its frames and what stands behind it; raise the result outside of any `except`.

    An error that nobody expects keeps, as a note, the lines of code that it passed. One whose own text shows one of
    *secrets* becomes another that does not.
    """
    if not isinstance(error, EXPECTED):
        error = _noted(error, tuple(secrets))
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def _noted(error: BaseException, secrets: tuple[str, ...]) -> BaseException:
    """Return an unexpected *error* with the way that it took, as text."""
    way = "".join(traceback.format_tb(error.__traceback__))
    shown = f"{error} {error!r} {getattr(error, '__notes__', '')}"
    if any(secret in shown for secret in secrets):
        error = BkJobError(redact(f"{type(error).__name__}: {error}", secrets))
    if way:
        error.add_note(f"It came this way:\n{redact(way, secrets)}")
    return error


def hide_arguments(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Keep the arguments of a coroutine function out of the frames of its errors."""

    @wraps(method)
    def called(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        return _outermost(method(*args, **kwargs))

    # Whoever asks is told that it has to be awaited: from Python 3.12 on there is a way to say so.
    mark: Callable[[Any], Any] = getattr(inspect, "markcoroutinefunction", lambda function: function)
    marked: Callable[P, Coroutine[Any, Any, T]] = mark(called)
    return marked


async def _outermost(awaited: Awaitable[T]) -> T:
    try:
        return await awaited
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised below
        shown = strip_traceback(error)
    try:
        raise shown
    finally:
        del shown  # else it and this frame would hold each other
