"""The connections to one server: new ones, and idle ones that are used again."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from functools import cache
from typing import Any
from weakref import WeakSet

import aiohappyeyeballs
from yarl import URL

from bkjob_async.wire.bodies.budget import BodyBudget
from bkjob_async.wire.fast_http.batched_reads import BatchedTransport, open_batched_reads
from bkjob_async.wire.fast_http.connection import READ_BUFFER_SIZE, Connection

# Servers close connections that are idle for a minute or so. One that was not used for this many seconds, or for up to
# twice as many, is closed first.
IDLE_TIMEOUT = 15.0
# The addresses of a name are looked up again after this many seconds. The next address is tried as well when one has not
# answered within EYEBALLS_DELAY. Both are aiohttp's.
ADDRESSES_LIFETIME, EYEBALLS_DELAY = 10.0, 0.25


class ConnectFailed(Exception):
    """No connection to *server* could be opened, because of *reason*: nothing was sent."""

    def __init__(self, server: str, reason: Exception) -> None:
        super().__init__(server, reason)
        self.server = server
        self.reason = reason


class ConnectionPool:
    """Connections to *origin*; of the idle ones, the one used last is used next.

    There are as many as requests under way, which the session's limiter bounds. *budget* bounds the bodies of all.
    """

    def __init__(self, origin: URL, tls: ssl.SSLContext | bool, budget: BodyBudget) -> None:  # noqa: FBT001 - as in HttpOptions
        """Open nothing yet."""
        self.origin = origin
        self._tls = None if origin.scheme == "http" else tls_context(tls) if isinstance(tls, bool) else tls
        self._budget = budget
        self._read_buffer = memoryview(bytearray(READ_BUFFER_SIZE))
        self._connections: WeakSet[Connection] = WeakSet()
        self._idle: list[Connection] = []
        self._opening: set[asyncio.Task[Connection]] = set()
        self._batched_reads = open_batched_reads(self._idle)
        # This many, from the start of the list, were not used since the timer was set.
        self._unused = 0
        self._timer: asyncio.TimerHandle | None = None
        self._lookup: asyncio.Task[Any] | None = None
        self._looked_up_at = 0.0
        self._is_closed = False

    def take_idle(self) -> Connection | None:
        """Return an open connection, or None when no idle one is left."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if len(idle) < self._unused:  # noqa: PLR1730 - at each request
                self._unused = len(idle)
            if connection.is_usable():
                return connection
            connection.close()
        return None

    def open(self) -> asyncio.Task[Connection]:
        """Return a task that opens a connection; it raises `ConnectFailed`."""
        opening = asyncio.get_running_loop().create_task(self._connect())
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        return opening

    async def _connect(self) -> Connection:
        loop, host = asyncio.get_running_loop(), self.origin.raw_host
        try:
            self._check_open()
            sock = await aiohappyeyeballs.start_connection(
                await self._addresses(), happy_eyeballs_delay=EYEBALLS_DELAY
            )
            connection = Connection(self._read_buffer, self._budget, self._release)
            if self._tls is None and self._batched_reads is not None:
                BatchedTransport(sock, connection, self._batched_reads)
            else:
                await loop.create_connection(
                    lambda: connection,
                    sock=sock,
                    ssl=self._tls,
                    server_hostname=None if self._tls is None or host is None else host.rstrip("."),
                )
            self._connections.add(connection)
            self._check_open()  # it may have been closed meanwhile
        # Names that cannot be one are a UnicodeError, and uvloop raises RuntimeError.
        except (OSError, RuntimeError, UnicodeError) as error:
            reason = error
        else:
            return connection
        raise ConnectFailed(self.origin.raw_authority, reason)

    def _check_open(self) -> None:
        """Raise an error, and close what was connected, once the pool is closed."""
        if self._is_closed:
            self.close()
            raise ConnectionAbortedError("the client is closed")

    async def _addresses(self) -> Any:
        """Return the server's addresses; a name is looked up once for all who wait: the thread cannot be cancelled."""
        host, port, kind = self.origin.raw_host, self.origin.port, socket.SOCK_STREAM
        with suppress(socket.gaierror):  # an address needs no thread; in bytes, no encoding for names either
            return socket.getaddrinfo((host or "").encode(), port, type=kind, flags=socket.AI_NUMERICHOST)
        loop, lookup = asyncio.get_running_loop(), self._lookup
        if lookup is None or (lookup.done() and loop.time() > self._looked_up_at + ADDRESSES_LIFETIME):
            self._looked_up_at = loop.time()
            found = loop.getaddrinfo(host, port, type=kind, flags=socket.AI_ADDRCONFIG)
            self._lookup = lookup = loop.create_task(found)
            lookup.add_done_callback(self._on_looked_up)
        await asyncio.wait((lookup,))  # unlike `shield`, it does not pass its cancellation on, by `close`
        if lookup.cancelled():
            raise ConnectionAbortedError("the client is closed")
        return lookup.result()

    def _on_looked_up(self, lookup: asyncio.Task[Any]) -> None:
        if lookup.cancelled() or lookup.exception() is not None:
            self._lookup = None  # the next one looks again

    def _release(self, connection: Connection) -> None:
        """Keep *connection* for the next request if it is open."""
        if not connection.is_open:
            connection.close()
            return
        self._idle.append(connection)
        if self._timer is None:
            self._close_unused()

    def _close_unused(self) -> None:
        """Close the connections that were not used since this was called before, and look again later."""
        for connection in self._idle[: self._unused]:
            connection.close()
        del self._idle[: self._unused]
        self._unused, loop = len(self._idle), asyncio.get_running_loop()
        self._timer = loop.call_later(IDLE_TIMEOUT, self._close_unused) if self._idle else None

    def close(self) -> None:
        """Close all connections, and open no more."""
        self._is_closed = True
        self._idle.clear()
        for connection in tuple(self._connections):
            connection.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._lookup is not None:
            self._lookup.cancel()
        for opening in self._opening:
            opening.cancel()

    async def wait_closed(self) -> None:
        """Wait, after `close`, until nothing is being opened any more."""
        if self._opening:
            await asyncio.wait(set(self._opening))


@cache
def tls_context(verify: bool) -> ssl.SSLContext:  # noqa: FBT001 - as in HttpOptions
    """Return the TLS of all servers that need no other; made once, as it reads the authorities from files."""
    if verify:
        context = ssl.create_default_context()
        authorities = ssl.get_default_verify_paths().cafile
        if authorities and not context.cert_store_stats()["x509_ca"]:
            # Raises the error that was passed over, so that the next caller tries again.
            context.load_verify_locations(authorities)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
