"""Runs the HTTP server in a thread, for code that does not use asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self._server.url

    def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call a function in the world's thread, and return its result."""
        if self._loop is None:
            raise RuntimeError("the server is not running; enter it first")

        async def call() -> T:
            return function(*arguments, **named)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def __enter__(self) -> Self:
        started: Future[None] = Future()
        self._thread = Thread(target=asyncio.run, args=(self._serve(started),), daemon=True)
        self._thread.start()
        started.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()
        self._loop = self._stop = self._thread = None

    async def _serve(self, started: Future[None]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with self._server:
                started.set_result(None)
                await self._stop.wait()
        except OSError as error:
            started.set_exception(error)
