"""Serve an application on a socket, with a limit of connections, each of which must soon send a request."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

# The watch needs files of its own: connections that send no request must not use them all.
MAX_CONNECTIONS = 128
IDLE_SECONDS = 15.0
# Errors about what is no request are not written to the terminal, where a board may be drawn.
logger = logging.getLogger("bkjob_async.live_page")


@asynccontextmanager
async def listening_on(listening: socket.socket, app: web.Application) -> AsyncIterator[web.Server]:
    """Serve *app* on a socket that listens; close it at the end."""
    loop = asyncio.get_running_loop()
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=logger,
        keepalive_timeout=IDLE_SECONDS,
        shutdown_timeout=0.2,
        handle_signals=False,
    )
    await runner.setup()
    server = runner.server
    assert server is not None  # noqa: S101 - it was just made

    def connected() -> asyncio.Protocol:
        return server() if len(server.connections) < MAX_CONNECTIONS else Refusal()

    try:
        accepting = await loop.create_server(connected, sock=listening)
        try:
            yield server
        finally:
            accepting.close()
    finally:
        await runner.cleanup()
        listening.close()


class Refusal(asyncio.Protocol):
    """Ends a connection at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """End it."""
        if isinstance(transport, asyncio.Transport):
            transport.abort()
