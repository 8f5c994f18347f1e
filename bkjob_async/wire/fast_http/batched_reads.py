"""Plain connections that are read together, many in one turn of the event loop.

Requests that were sent together get their responses one by one, as fast as the server makes them. Waking up for each
costs more than reading it: at hosts that are polled one by one, a tenth of the CPU time of everything. So the sockets of
plain connections are not the event loop's. It watches one descriptor for all of them, an epoll of their own, and after a
read that left some to come does not watch it for `WINDOW` seconds: what comes meanwhile is read together.

An example. Sixteen requests were sent, and the server takes half a millisecond for each:

    0.5 ms    the first response is read as it comes; fifteen are awaited, so a window begins
    4.5 ms    eight responses have come, and are read in one turn; seven are awaited, so another window begins
    8.5 ms    the last seven are read in one turn; the event loop watches again

TLS needs asyncio's own transports, as do uvloop, Windows and macOS: there each connection is read as it comes.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Sized

from bkjob_async.wire.fast_http.connection import Connection

# How long responses wait for each other, in seconds.
WINDOW = 0.004
# Fewer awaited responses than this are read as they come: they have hardly any to wait for. So are large ones, each of
# which takes longer than waking up: they had better be read while they are in the processor's cache.
FEWEST_AWAITED, LARGE = 4, 64 * 1024


class BatchedReads:
    """Reads each transport that has something to read, all of them together.

    All connections but those in *idle* await a response.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, idle: Sized) -> None:
        """Watch nothing yet."""
        self.loop = loop
        self._idle = idle
        self._epoll = select.epoll()
        self._transports: dict[int, BatchedTransport] = {}
        # How many bytes of the responses that are read have come.
        self._size = 0
        # That of a window. Without one the event loop watches, if there is any transport.
        self._timer: asyncio.TimerHandle | None = None

    def add(self, descriptor: int, transport: BatchedTransport) -> None:
        """Read a *transport* from now on."""
        self._epoll.register(descriptor, select.EPOLLIN)
        if not self._transports:
            self.loop.add_reader(self._epoll.fileno(), self._read)
        self._transports[descriptor] = transport

    def pause(self, descriptor: int) -> None:
        """Do not read a transport until `resume`."""
        self._epoll.modify(descriptor, 0)

    def resume(self, descriptor: int) -> None:
        """Read a transport again."""
        self._epoll.modify(descriptor, select.EPOLLIN)

    def remove(self, descriptor: int) -> None:
        """Read a transport no more."""
        self._epoll.unregister(descriptor)
        del self._transports[descriptor]
        if not self._transports:
            self.loop.remove_reader(self._epoll.fileno())
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _read(self) -> None:
        """Read all that has come; begin a window if that is worth it, else let the event loop watch."""
        awaited = len(self._transports) - len(self._idle)
        found = self._epoll.poll(0)
        has_partial = False
        try:
            for descriptor, _ in found:
                transport = self._transports.get(descriptor)
                if transport is not None:  # else one that was read before it has closed it
                    self._size += transport.read()
                    has_partial = has_partial or transport.connection.is_partial
        finally:  # an error of whoever is called back must not be the end of all reading
            self._go_on(len(found), left=awaited - len(found), has_partial=has_partial)

    def _go_on(self, found: int, *, left: int, has_partial: bool) -> None:
        """Begin a window, or let the event loop watch, after *found* transports were read, and so many *left* to wait on.

        Where none is left, the server is faster than this process: waiting for what was requested meanwhile saves nothing.
        """
        is_large = self._size >= LARGE * found
        if not has_partial:
            self._size = 0
        if found and left >= FEWEST_AWAITED and not (has_partial or is_large):
            if self._timer is None:
                self.loop.remove_reader(self._epoll.fileno())
            self._timer = self.loop.call_later(WINDOW, self._read)
        elif self._timer is not None:
            self._timer = None
            self.loop.add_reader(self._epoll.fileno(), self._read)


class BatchedTransport(asyncio.Transport):
    """The transport of a plain *connection*: writes at once, and is read by *reads*."""

    def __init__(self, sock: socket.socket, connection: Connection, reads: BatchedReads) -> None:
        """Take a connected *sock*."""
        super().__init__({"socket": sock})
        self.connection = connection
        self._loop = reads.loop
        self._socket = sock
        self._descriptor = sock.fileno()
        self._reads = reads
        self._read_buffer = connection.get_buffer(-1)  # always the same
        self._unsent = b""
        self._is_closing = False
        reads.add(self._descriptor, self)
        connection.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data*; what does not fit is sent later."""
        if self._is_closing:
            return
        try:
            sent = 0 if self._unsent else self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._close(error)
            return
        if sent < len(data):
            self._unsent += data[sent:]
            self._loop.add_writer(self._descriptor, self._send_rest)

    def _send_rest(self) -> None:
        data, self._unsent = self._unsent, b""
        self._loop.remove_writer(self._descriptor)
        self.write(data)

    def read(self) -> int:
        """Read what has come; return how many bytes."""
        try:
            size = self._socket.recv_into(self._read_buffer)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._close(error)
            return 0
        if size:
            self.connection.buffer_updated(size)
        else:
            self._close(None)
        return size

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`."""
        self._reads.pause(self._descriptor)

    def resume_reading(self) -> None:
        """Read again."""
        self._reads.resume(self._descriptor)

    def is_closing(self) -> bool:
        """Return True once closed."""
        return self._is_closing

    def abort(self) -> None:
        """Close the connection at once."""
        self._close(None)

    def _close(self, error: Exception | None) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        self._reads.remove(self._descriptor)
        if self._unsent:
            self._loop.remove_writer(self._descriptor)
        self._socket.close()
        self._loop.call_soon(self.connection.connection_lost, error)


def open_batched_reads(idle: Sized) -> BatchedReads | None:
    """Return the reads of the running event loop, None where it or the system has no such descriptors."""
    loop = asyncio.get_running_loop()
    is_supported = hasattr(select, "epoll") and isinstance(loop, asyncio.SelectorEventLoop)
    return BatchedReads(loop, idle) if is_supported else None
