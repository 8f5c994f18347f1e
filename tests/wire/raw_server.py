"""Servers of raw connections, for tests that must be in command of every byte."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

from yarl import URL

Reply = Callable[[int, int, bytes], bytes | None]
Respond = Callable[[int, int, bytes, asyncio.StreamWriter], Awaitable[bool]]


class RawServer:
    """Counts connections and keeps the heads of requests; *respond* writes the response to each.

    It takes the number of the connection, that of the request on it, the head, and where the response goes; the
    connection is closed when it returns False.
    """

    def __init__(self, respond: Respond) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self._respond = respond
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to what comes over one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number, self.connections = self.connections, self.connections + 1
        try:
            for request in count():
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                if not await self._respond(number, request, head, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._tasks)

    async def ended(self) -> None:
        """Wait until every connection was closed."""
        while self._tasks:  # noqa: ASYNC110 - each ends by itself; nobody could set an event
            await asyncio.sleep(0.001)


@asynccontextmanager
async def responding(
    respond: Respond, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[RawServer, URL]]:
    """Serve on a loopback port, by TLS with a *context*."""
    raw = RawServer(respond)
    server = await asyncio.start_server(raw, "127.0.0.1", 0, ssl=context)
    scheme = "http" if context is None else "https"
    try:
        yield raw, URL(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")
        await raw.ended()
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def serving(
    reply: Reply, context: ssl.SSLContext | None = None, *, last: Callable[[int], bool] = lambda _: False
) -> AsyncIterator[tuple[RawServer, URL]]:
    """Serve what *reply* returns for each request; None hangs up without a response.

    A response that says `Connection: close` is the last, and so is each on a connection of whose number *last* says so.
    """

    async def respond(number: int, request: int, head: bytes, writer: asyncio.StreamWriter) -> bool:
        response = reply(number, request, head)
        if response is None:
            return False
        writer.write(response)
        await writer.drain()
        return not (b"Connection: close" in response or last(number))

    async with responding(respond, context) as served:
        yield served


def answer(body: bytes, *further: str) -> bytes:
    """Return a whole response with *body*."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *further]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
