"""An aiohttp application whose browsers follow one watch as server-sent events; they come and go."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

from aiohttp import web

import bkjob_async as bkjob

WATCH = web.AppKey("watch", bkjob.Watch)


def application(connect: Callable[[], bkjob.JobClient], jobs: Sequence[bkjob.RefLike]) -> web.Application:
    """Return an application that watches *jobs* until it ends."""
    app = web.Application()

    async def watching(app: web.Application) -> AsyncIterator[None]:
        async with connect() as client, client.watch(jobs, linger=None) as app[WATCH]:
            yield

    async def end_streams(app: web.Application) -> None:
        await app[WATCH].aclose()  # its readers end, and with them the responses

    app.cleanup_ctx.append(watching)
    app.on_shutdown.append(end_streams)
    app.router.add_get("/events", events)
    return app


async def events(request: web.Request) -> web.StreamResponse:
    """Send the changes of hosts behind the last one that this browser has had."""
    watch = request.app[WATCH]
    try:
        changes = watch.hosts(after=request.headers.get("Last-Event-ID"))
    except bkjob.UsageError:  # a cursor from before a restart, which is good with a journal only
        changes = watch.hosts()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    with suppress(ConnectionResetError):  # the browser has gone
        async for change in changes:
            data = json.dumps(bkjob.event_to_json(change))
            await response.write(f"id: {change.cursor}\ndata: {data}\n\n".encode())
    return response
