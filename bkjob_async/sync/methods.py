"""Methods of the synchronous client, made of the functions that are methods of the asynchronous one."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from bkjob_async.client import client
from bkjob_async.client.caller import Caller
from bkjob_async.client.operations import paged_list
from bkjob_async.sync.iterators import PagedList
from bkjob_async.sync.loop_thread import LoopThread
from bkjob_async.sync.watch import Watch
from bkjob_async.watch import watch
from bkjob_async.wire.tracebacks import hide_call_arguments, hides_arguments

P = ParamSpec("P")
T = TypeVar("T")

# What a docstring about coroutines says otherwise here.
WORDS = (
    (r">>> async (with|for) ", r">>> \1 "),
    (r"\.\.\. (\s*)async (with|for) ", r"... \1\2 "),
    (r"\bawait anext\(", "next("),
    (r"\bawait (?=\w)", ""),
    (r" async for (\w)", r" for \1"),
    (r"`async (with|for)`", r"`\1`"),
    (r"\baclose\b", "close"),
)


class HandsOver(Protocol):
    """A synchronous client: it hands over to an asynchronous one, in the event loop of a thread."""

    _client: client.JobClient
    _thread: LoopThread


S = TypeVar("S", bound=HandsOver)


def in_loop(
    function: Callable[Concatenate[Caller, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[HandsOver, P], T]:
    """Return the method that runs a coroutine function in the loop, and waits for its result."""

    def method(self: HandsOver, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._thread.run(function(self._client, *args, **kwargs))

    return named_as(function, method)


def called_in_loop(
    function: Callable[Concatenate[Caller, P], T],
) -> Callable[Concatenate[HandsOver, P], T]:
    """Return the method that calls a plain function in the loop."""

    def method(self: HandsOver, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._thread.call(function, self._client, *args, **kwargs)

    return named_as(function, method)


def called_here(
    function: Callable[Concatenate[Caller, P], T],
) -> Callable[Concatenate[HandsOver, P], T]:
    """Return the method that calls a function which reads nothing that the loop changes, or hands itself over."""

    def method(self: HandsOver, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return function(self._client, *args, **kwargs)

    return named_as(function, method)


def listed(
    function: Callable[Concatenate[Caller, P], paged_list.PagedList[T]],
) -> Callable[Concatenate[HandsOver, P], PagedList[T]]:
    """Return the method whose list is read in the loop."""

    def method(self: HandsOver, /, *args: P.args, **kwargs: P.kwargs) -> PagedList[T]:
        return PagedList(self._thread, function(self._client, *args, **kwargs))

    return named_as(function, method)


def watched(
    function: Callable[Concatenate[Caller, P], watch.Watch],
) -> Callable[Concatenate[HandsOver, P], Watch]:
    """Return the method whose watch is open in the loop."""

    def method(self: HandsOver, /, *args: P.args, **kwargs: P.kwargs) -> Watch:
        return Watch(self._thread, self._thread.call(function, self._client, *args, **kwargs))

    return named_as(function, method)


def viewed(function: Callable[Concatenate[Any, P], client.JobClient]) -> Callable[Concatenate[S, P], S]:
    """Return the method whose result is a view of the client, in the same thread."""

    def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> S:
        make = cast("Callable[..., S]", type(self))
        return make(function(self._client, *args, **kwargs), self._thread)

    return named_as(function, method)


def in_loop_or_listed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method of a coroutine function, or of a function that returns a list."""
    return in_loop(function) if iscoroutinefunction(function) else listed(function)


def named_as(function: Callable[..., Any], method: Callable[P, T]) -> Callable[P, T]:
    """Return *method* with the name, the documentation and the parameters of *function*."""
    named = wraps(function)(hide_call_arguments(method) if hides_arguments(function) else method)
    _, *parameters = signature(function).parameters.values()
    own = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    named.__module__, named.__qualname__ = f"{__package__}.client", f"JobClient.{function.__name__}"
    named.__doc__ = said(function.__doc__)
    vars(named)["__signature__"] = signature(function).replace(parameters=[own, *parameters])
    return named


def said(text: str | None) -> str | None:
    """Return a docstring as it is without coroutines; None where Python has left it out."""
    if text is not None:
        for pattern, replacement in WORDS:
            text = re.sub(pattern, replacement, text)
    return text
