"""The doorbell inside an aiohttp application; imported by its users alone, for it brings aiohttp's server."""

from __future__ import annotations

import asyncio

from aiohttp import web

from bkjob_async.watch.callbacks import LONGEST_READ, TOO_LARGE, TOO_SLOW, CallbackReceiver

NOT_HERE = 404


def add_callback_receiver(
    app: web.Application, doorbell: CallbackReceiver, prefix: str = "/bkjob/callback"
) -> None:
    """Let *app* receive callbacks at `{prefix}/{token}`: `doorbell.url("https://me.example.com" + prefix)`."""

    async def handle(request: web.Request) -> web.Response:
        if not doorbell.is_for(request.path):
            return web.Response(status=NOT_HERE)
        if (request.content_length or 0) > doorbell.largest_body:
            return web.Response(status=TOO_LARGE)
        body = bytearray()
        try:
            async with asyncio.timeout(LONGEST_READ):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > doorbell.largest_body:
                        return web.Response(status=TOO_LARGE)
        except TimeoutError:
            return web.Response(status=TOO_SLOW)
        return web.Response(status=doorbell.receive(bytes(body), request.headers.get("Content-Type", "")))

    # The token stays out of the route table, which people print.
    app.router.add_post(prefix.rstrip("/") + "/{token}", handle)
