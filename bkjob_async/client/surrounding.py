"""Let observers surround what the client does in several requests."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from bkjob_async.client.caller import Caller

P = ParamSpec("P")
T = TypeVar("T")
Method = Callable[Concatenate[Caller, P], Coroutine[Any, Any, T]]


def surrounded(method: Method[P, T]) -> Method[P, T]:
    """Let observers surround each call of *method*, under its name."""
    verb = method.__name__

    @wraps(method)
    async def called(client: Caller, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with client._session.observe.around(verb):
            return await method(client, *args, **kwargs)

    return called
