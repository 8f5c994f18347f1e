"""Add a callback receiver to an aiohttp application; a module of its own because it imports aiohttp's server."""

from __future__ import annotations

import asyncio

from aiohttp import web

from bkjob_async.watch.callbacks import (
    CONTENT_TOO_LARGE,
    NOT_FOUND,
    READ_TIMEOUT,
    REQUEST_TIMEOUT,
    CallbackReceiver,
)


def add_callback_receiver(
    app: web.Application, receiver: CallbackReceiver, prefix: str = "/bkjob/callback"
) -> None:
    """Have *app* receive callbacks at `{prefix}/{token}`.

    Launch with `receiver.url("https://me.example.com" + prefix)`.
    """

    async def handle(request: web.Request) -> web.Response:
        if not receiver.is_for(request.path):
            return web.Response(status=NOT_FOUND)
        if (request.content_length or 0) > receiver.largest_body:
            return web.Response(status=CONTENT_TOO_LARGE)
        body = bytearray()
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > receiver.largest_body:
                        return web.Response(status=CONTENT_TOO_LARGE)
        except TimeoutError:
            return web.Response(status=REQUEST_TIMEOUT)
        return web.Response(status=receiver.receive(bytes(body), request.headers.get("Content-Type", "")))

    # The token stays out of the route table, which applications print.
    app.router.add_post(prefix.rstrip("/") + "/{token}", handle)
