"""A request that is sent by `begin` where the transport can, as most polls are, and awaited here."""

from __future__ import annotations

import asyncio

from bkjob_async.http_messages import HttpRequest, HttpResponse, Received
from bkjob_async.wire.transport import CallbackTransport


async def begun(transport: CallbackTransport, request: HttpRequest, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
    """Return the response to *request*; cancel it with this task."""
    done: asyncio.Future[Received] = asyncio.get_running_loop().create_future()

    def on_received(received: Received) -> None:
        if not done.done():  # else it was cancelled in this turn of the event loop
            done.set_result(received)

    under_way = transport.begin(request, timeout, on_received)
    if under_way is None:
        return await transport.send(request, timeout=timeout)
    try:
        received = await done
    finally:
        under_way.cancel()
    return received if isinstance(received, HttpResponse) else await received()
