"""Connections on which nothing was received before the request: a stray response must not answer it."""

from __future__ import annotations

import asyncio
import select

import aiohttp

from bkjob_async.errors import ErrorDetails, TransportFailed

# So many connections are opened in place of each other before the server is given up.
ATTEMPTS = 3


class CleanConnector(aiohttp.TCPConnector):
    """A connector that gives out no connection on which bytes came in since its last response, or since it was opened.

    Proxies and load balancers do write to idle connections: a 408 before they close them, a second response. aiohttp looks
    for such bytes when a connection comes back to the pool, and takes those that come later for the next response. Where
    connections are encrypted, bytes that the event loop has yet to read are not seen here: the tickets of TLS 1.3 are such
    bytes, too.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> aiohttp.connector.Connection:
        """Return a connection from the pool or a new one; raise `TransportFailed` where the server always writes first."""
        for _ in range(ATTEMPTS):
            connection = await super().connect(req, traces, timeout)
            try:
                await asyncio.sleep(0)  # what has arrived by now is read
                is_clean = not has_received(connection)
            except BaseException:
                connection.close()
                raise
            if is_clean:
                return connection
            connection.close()
        message = (
            f"the server wrote to {ATTEMPTS} connections, one after the other, before a request was sent"
        )
        raise TransportFailed(ErrorDetails(message=message, sent=False))


def has_received(connection: aiohttp.connector.Connection) -> bool:
    """Return True where bytes, or the end, have come over an unused *connection*."""
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or protocol.should_close or transport.is_closing():
        return True
    if transport.get_extra_info("ssl_object") is not None:
        return False
    sock = transport.get_extra_info("socket")
    return sock is not None and is_readable(sock.fileno())


def is_readable(descriptor: int) -> bool:
    """Return True where a read would return at once."""
    if not hasattr(select, "poll"):  # Windows, whose select knows no limit of descriptors
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
