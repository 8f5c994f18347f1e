"""Runs the HTTP server in a thread, for code that does not use asyncio."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from bkjob_async.simulator.servers.http import SimulatorServer

P = ParamSpec("P")
T = TypeVar("T")


class ServerInThread:
    """Serves a simulator from a thread, within `with`.

    `url` is its URL. The world belongs to that thread: use it through `run`.
    """

    def __init__(self, server: SimulatorServer) -> None:
        """Serve *server*, once entered."""
        self._server = server
        self._portal: BlockingPortal | None = None
        self._running = ExitStack()

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self._server.url

    def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call a function in the world's thread, and return its result."""
        if self._portal is None:
            raise RuntimeError("the server is not running; enter it first")
        return self._portal.call(partial(function, *arguments, **named))

    def __enter__(self) -> Self:
        with ExitStack() as running:
            portal = running.enter_context(start_blocking_portal())
            running.enter_context(portal.wrap_async_context_manager(self._server))
            self._running, self._portal = running.pop_all(), portal
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._portal = None
        self._running.close()
