"""Servers of raw connections, for tests that must be in command of every byte."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from yarl import URL

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Reply = Callable[[int, int, bytes], bytes | None]


class RawServer:
    """Counts connections and keeps the heads of requests; *reply* returns the response to each.

    It takes the number of the connection, that of the request on it, and the head; None hangs up without a response. A
    response that says `Connection: close` is the last, and so is each on a connection of whose number *last* says so.
    """

    def __init__(self, reply: Reply, last: Callable[[int], bool]) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self._reply = reply
        self._last = last
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to what comes over one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number, self.connections = self.connections, self.connections + 1
        try:
            request = 0
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                answer = self._reply(number, request, head)
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
                if b"Connection: close" in answer or self._last(number):
                    return
                request += 1
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
            await asyncio.sleep(0)


@asynccontextmanager
async def serving(
    reply: Reply, context: ssl.SSLContext | None = None, *, last: Callable[[int], bool] = lambda _: False
) -> AsyncIterator[tuple[RawServer, URL]]:
    """Serve on a loopback port, by TLS with a *context*."""
    raw = RawServer(reply, last)
    server = await asyncio.start_server(raw, "127.0.0.1", 0, ssl=context)
    scheme = "http" if context is None else "https"
    try:
        yield raw, URL(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")
        await raw.ended()
    finally:
        server.close()
        await server.wait_closed()


def answer(body: bytes, *further: str) -> bytes:
    """Return a whole response with *body*."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *further]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
