"""Check that a client is used while it is open, in one event loop of one process."""

from __future__ import annotations

import asyncio
import os

from bkjob_async.errors import ClientClosed, WrongEventLoop


class Lifetime:
    """The state of a client, shared by all its views: new, open or closed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid: int | None = None
        self._closed = False

    def __str__(self) -> str:
        return "closed" if self._closed else "open" if self._loop else "new"

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that the client was opened in, None before that."""
        return self._loop

    def open(self) -> None:
        """Open in the running event loop; raise `ClientClosed` the second time."""
        if self._closed or self._loop is not None:
            raise ClientClosed("a client is opened once; make another with connect()")
        self._loop, self._pid = running_loop(), os.getpid()

    def close(self) -> bool:
        """Close; return True the first time. Raise `WrongEventLoop` in another event loop or process."""
        if self._loop is not None and not self._closed:
            self.check()
        first, self._closed = not self._closed, True
        return first

    def check(self) -> None:
        """Raise if the client is not open, or used in another event loop or process."""
        if self._closed:
            raise ClientClosed("the client is closed; make another with connect()")
        if self._loop is None:
            raise ClientClosed("open the client first: async with bkjob_async.connect(...) as client")
        if os.getpid() != self._pid:
            raise WrongEventLoop("the process was forked; connect() anew in the child")
        if running_loop() is not self._loop:
            raise WrongEventLoop("the client belongs to another event loop; connect() once per loop")


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop that runs here; raise `WrongEventLoop` in a thread without one, and under trio."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise WrongEventLoop(
            "no asyncio event loop runs here: use the client in coroutines of asyncio, not from other threads or trio;"
            " code without an event loop uses bkjob_async.sync.connect(...)"
        ) from None
