"""An aiohttp application: one client in its cleanup context, callbacks at a route of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from aiohttp import web

import bkjob_async as bkjob
from bkjob_async import add_callback_receiver

JOBS = web.AppKey("jobs", bkjob.JobClient)
CALLBACKS = web.AppKey("callbacks", bkjob.CallbackReceiver)


def application(connect: Callable[[], bkjob.JobClient]) -> web.Application:
    """Return an application that runs scripts and receives callbacks when they end."""
    app = web.Application()
    app[CALLBACKS] = bkjob.CallbackReceiver()
    add_callback_receiver(app, app[CALLBACKS], "/bkjob/callback")

    async def jobs(app: web.Application) -> AsyncIterator[None]:
        async with connect() as app[JOBS]:
            yield

    app.cleanup_ctx.append(jobs)
    app.router.add_post("/run", run)
    return app


async def run(request: web.Request) -> web.Response:
    """Run a script; the callback makes the watch poll the job at once."""
    client, callbacks = request.app[JOBS], request.app[CALLBACKS]
    launched = await client.fast_execute_script(
        await request.text(),
        request.query["host"],
        account_alias="root",
        callback_url=callbacks.url("https://me.example.com/bkjob/callback"),
    )
    async with client.watch(launched.ref, deadline=600, callbacks=callbacks) as watch:
        async for result in watch.as_finished():
            return web.json_response({"ok": result.ok})
    raise web.HTTPBadGateway(text=f"{launched.ref} cannot be read any more")
