"""An HTTP server that serves the simulated platform on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from types import TracebackType
from typing import Self

from aiohttp import web

from bkjob_async.http_messages import HttpRequest
from bkjob_async.simulator.faults.faults import PIECES, Delivery
from bkjob_async.simulator.handlers.auth import MAX_BODY_BYTES
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.callbacks import CallbackSender
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.servers.control import CONTROL_PATH, control
from bkjob_async.simulator.servers.control_access import access_error


def create_app(
    platform: Platform, clock: WorldClock, *, control_names: Collection[str] = ()
) -> web.Application:
    """Return a web application that serves *platform*, in *clock*'s time.

    *control_names* are host names under which the control API may be called, besides loopback ones.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        http_request = HttpRequest(
            method=request.method, url=request.url, headers=request.headers, body=body or None
        )
        if request.path.startswith(CONTROL_PATH):
            forbidden = access_error(request.headers, reached_at=address_of(request), names=control_names)
            if forbidden is not None:
                return full_response(Delivery(response=forbidden))
            return full_response(Delivery(response=control(platform, clock, http_request)))
        return await send_delivery(platform.deliver(http_request, clock.now()), request)

    async def start_clock(_app: web.Application) -> None:
        clock.now()

    app = web.Application(client_max_size=2 * MAX_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", handle)
    app.on_startup.append(start_clock)
    return app


def address_of(request: web.Request) -> str | None:
    """Return the address of this machine that a request came to."""
    name = request.get_extra_info("sockname")
    return str(name[0]) if isinstance(name, tuple) else None


async def send_delivery(delivery: Delivery, request: web.Request) -> web.StreamResponse:
    """Send a response as its delivery says."""
    if delivery.hang:
        await asyncio.Event().wait()
    if delivery.delay:
        await asyncio.sleep(delivery.delay)
    if delivery.reset and request.transport is not None:
        request.transport.abort()  # data written afterwards is lost
    if delivery.cut is not None or delivery.drip is not None:
        return await send_partially(delivery, request)
    return full_response(delivery)


def full_response(delivery: Delivery) -> web.Response:
    """Return a response of aiohttp."""
    response = delivery.response
    return web.Response(status=response.status, headers=dict(response.headers), body=response.body)


async def send_partially(delivery: Delivery, request: web.Request) -> web.StreamResponse:
    """Send a body slowly, or only its beginning."""
    body = delivery.response.body
    response = web.StreamResponse(status=delivery.response.status, headers=dict(delivery.response.headers))
    response.content_length = len(body)
    await response.prepare(request)
    size = max(1, -(-len(body) // PIECES))
    end = len(body) if delivery.cut is None else int(len(body) * delivery.cut)
    for start in range(0, end, size):
        if delivery.drip is not None:
            await asyncio.sleep(delivery.drip)
        await response.write(body[start : min(end, start + size)])
    if delivery.cut is not None:
        if request.transport is not None:
            request.transport.close()
        return response
    await response.write_eof()
    return response


class SimulatorServer:
    """Serves a platform on a port of the loopback interface, within `async with`.

    *port* 0 is any free port; `url` has it. World time is that of *clock*. Callbacks are sent while it serves, to
    loopback addresses only unless *remote_callbacks*. *control_names* are host names under which the control API may
    be called, besides loopback ones.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: WorldClock | None = None,
        control_names: Collection[str] = (),
        remote_callbacks: bool = False,
    ) -> None:
        """Serve *platform*, once entered."""
        self.platform = platform
        self.clock = clock or WorldClock()
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._control_names = frozenset(name.lower() for name in control_names)
        self._callbacks = CallbackSender(platform, self.clock, remote=remote_callbacks)

    @property
    def url(self) -> str:
        """The URL of the server: the root of the ESB, and the base URL of the gateway."""
        return f"http://{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Listen; raise OSError for a port that is taken, RuntimeError where no event loop of asyncio runs."""
        asyncio.get_running_loop()
        app = create_app(self.platform, self.clock, control_names=self._control_names)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        self._runner = runner
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except BaseException:
            await self.aclose()
            raise
        self._port = runner.addresses[0][1]
        self._callbacks.start()

    async def aclose(self) -> None:
        """Close every connection; harmless when repeated."""
        await self._callbacks.aclose()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
