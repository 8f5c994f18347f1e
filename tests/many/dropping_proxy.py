"""A TCP proxy that can drop everything, as a network does that is cut: connections stay open, and nothing comes through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class DroppingProxy:
    """Passes bytes on to a port of this machine, both ways, until `is_dropping` is set."""

    def __init__(self, port: int) -> None:
        """Prepare for the server at *port*."""
        self.is_dropping = False
        self._server_port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port to connect to."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Accept connections."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)

    async def aclose(self) -> None:
        """Close all connections."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
            for start, end in ((reader, far_writer), (far_reader, writer)):
                task = asyncio.create_task(self._pass_on(start, end))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while data := await reader.read(1 << 16):
                    if not self.is_dropping:
                        writer.write(data)
                        await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def dropping_proxy(port: int) -> AsyncIterator[DroppingProxy]:
    """Run a proxy to the server at *port*."""
    proxy = DroppingProxy(port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.aclose()
