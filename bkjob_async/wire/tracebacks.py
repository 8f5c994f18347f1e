"""Errors without the frames that they passed, for those hold credentials.

A traceback keeps every variable of every frame, among them headers, bodies and parameters, and error trackers store
them. So an error leaves this package as if it had been raised where it leaves.
"""

from __future__ import annotations

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
# The attribute of a function that keeps its arguments out of the frames of its errors.
HIDES = "_hides_arguments"


def strip_traceback(error: BaseException, secrets: Iterable[str] = ()) -> BaseException:
    """Return *error* without its frames, cause and context; raise the result outside of any `except`.

    An unexpected error keeps the lines of code that it passed as a note. If its own text contains one of *secrets*,
    a `BkJobError` without the secret is returned in its place.
    """
    if not isinstance(error, EXPECTED):
        error = _noted(error, tuple(secrets))
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def _noted(error: BaseException, secrets: tuple[str, ...]) -> BaseException:
    """Return an unexpected *error* with its traceback as text."""
    lines = "".join(traceback.format_tb(error.__traceback__))
    shown = f"{error} {error!r} {getattr(error, '__notes__', '')}"
    if any(secret in shown for secret in secrets):
        error = BkJobError(redact(f"{type(error).__name__}: {error}", secrets))
    if lines:
        error.add_note(f"It was raised here:\n{redact(lines, secrets)}")
    return error


def hide_arguments(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Keep the arguments of a coroutine function out of the frames of its errors."""

    @wraps(method)
    async def called(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised below
            shown = strip_traceback(error)
        finally:
            del args, kwargs
        try:
            raise shown
        finally:
            del shown  # else it and this frame would hold each other

    vars(called)[HIDES] = True
    return called


def hide_call_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """Keep the arguments of a plain function out of the frames of its errors."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised below
            shown = strip_traceback(error)
        finally:
            del args, kwargs
        try:
            raise shown
        finally:
            del shown  # else it and this frame would hold each other

    vars(called)[HIDES] = True
    return called


def hides_arguments(function: Callable[..., Any]) -> bool:
    """Return True for what `hide_arguments` or `hide_call_arguments` has made."""
    return HIDES in vars(function)


async def without_frames(awaited: Awaitable[T], secrets: Callable[[], Iterable[str]] = tuple) -> T:
    """Await, and raise any error as if it had been raised here, without what *secrets* returns then."""
    try:
        return await awaited
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised below
        shown = strip_traceback(error, secrets())
    try:
        raise shown
    finally:
        del shown  # else it and this frame would hold each other
