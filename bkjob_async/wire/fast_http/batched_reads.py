"""Reads many connections in one turn of the event loop.

Requests that were sent together get their responses one by one, as fast as the server makes them. Waking up for each
costs more than reading it. So the event loop watches one descriptor for all connections, an epoll of their own, and after
a read does not watch it for `WINDOW` seconds: what comes meanwhile is read together.

An example. Sixteen requests were sent, and the server takes half a millisecond for each:

    0.5 ms    the first response is read as it comes; fifteen are awaited, so a window begins
    4.5 ms    eight responses have come, and are read in one turn; seven are awaited, so another window begins
    8.5 ms    the last seven are read in one turn; the event loop watches again
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Sized
from typing import Protocol

# How long responses wait for each other, in seconds.
WINDOW = 0.004
# Fewer awaited responses than this are read as they come: they have hardly any to wait for.
FEWEST_AWAITED = 4


class Readable(Protocol):
    """A connection that reads by itself."""

    def on_readable(self, *, is_ending: bool) -> None:
        """Read what has come; *is_ending*: the connection ends, or has failed."""
        ...


class BatchedReads:
    """Calls `on_readable` of each connection that has something to read, of all of them together.

    All connections but those in *idle* await a response.
    """

    __slots__ = ("_connections", "_epoll", "_idle", "_is_watched", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, idle: Sized) -> None:
        """Watch nothing yet."""
        self._loop = loop
        self._idle = idle
        self._epoll = select.epoll()
        self._connections: dict[int, Readable] = {}
        self._is_watched = False
        self._timer: asyncio.TimerHandle | None = None

    def add(self, descriptor: int, connection: Readable) -> None:
        """Read a *connection* whose *descriptor* the event loop does not watch."""
        self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLRDHUP)
        self._connections[descriptor] = connection
        if self._timer is None:
            self._watch()

    def remove(self, descriptor: int) -> None:
        """Leave a connection to the event loop."""
        self._epoll.unregister(descriptor)
        del self._connections[descriptor]
        if not self._connections:
            self._unwatch()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _watch(self) -> None:
        if not self._is_watched:
            self._is_watched = True
            self._loop.add_reader(self._epoll.fileno(), self._read)

    def _unwatch(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._loop.remove_reader(self._epoll.fileno())

    def _read(self) -> None:
        """Read all that has come; begin a window if that is worth it, else let the event loop watch."""
        self._timer = None
        found = self._epoll.poll(0)
        if found and len(self._connections) - len(self._idle) - len(found) >= FEWEST_AWAITED:
            self._unwatch()
            self._timer = self._loop.call_later(WINDOW, self._read)
        else:
            self._watch()
        for descriptor, event in found:
            connection = self._connections.get(descriptor)
            if connection is not None:  # else one that was read before it has closed it
                connection.on_readable(is_ending=event != select.EPOLLIN)


def open_batched_reads(idle: Sized) -> BatchedReads | None:
    """Return the reads of the running event loop, None where it or the system has no such descriptors."""
    loop = asyncio.get_running_loop()
    is_supported = hasattr(select, "epoll") and isinstance(loop, asyncio.SelectorEventLoop)
    return BatchedReads(loop, idle) if is_supported else None
