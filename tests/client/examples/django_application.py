"""A Django project with asynchronous views: one client per process, opened and closed with its ASGI server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.http import HttpRequest, JsonResponse

import bkjob_async as bkjob

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class WithJobs:
    """Gives a client to every request: `application = WithJobs(get_asgi_application(), connect)` in `asgi.py`."""

    client: bkjob.JobClient

    def __init__(
        self,
        application: Callable[[Scope, Receive, Send], Awaitable[None]],
        connect: Callable[[], bkjob.JobClient],
    ) -> None:
        """Wrap Django's own *application*."""
        self.application = application
        self.connect = connect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the client when the server starts, and close it when the server ends."""
        if scope["type"] != "lifespan":
            await self.application({**scope, "jobs": self.client}, receive, send)
            return
        await receive()
        async with self.connect() as self.client:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def restart(request: HttpRequest, host: str) -> JsonResponse:
    """Restart a service on a host: `path("restart/<host>", restart)`."""
    client: bkjob.JobClient = request.scope["jobs"]
    result = await client.run_script("systemctl restart nginx", host, deadline=60)
    return JsonResponse({"ok": result.ok, "failed": [host.host.label for _, host in result.failed]})
