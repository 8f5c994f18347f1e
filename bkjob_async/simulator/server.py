"""The door over HTTP: the platform behind real sockets."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from aiohttp import web

from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.clock import WorldClock
from bkjob_async.simulator.platform import LARGEST_BODY, Platform


def create_app(platform: Platform, clock: WorldClock | None = None) -> web.Application:
    """Return a web application that answers as *platform* does, in *clock*'s time."""
    clock = clock or WorldClock()

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        question = HttpRequest(
            method=request.method, url=request.url, headers=request.headers, body=body or None
        )
        return sent(platform.answer(question, clock.now()))

    async def begin(_app: web.Application) -> None:
        clock.now()

    app = web.Application(client_max_size=2 * LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", handle)
    app.on_startup.append(begin)
    return app


def sent(response: HttpResponse) -> web.Response:
    """Return an answer as aiohttp sends it."""
    return web.Response(status=response.status, headers=dict(response.headers), body=response.body)


class SimulatorServer:
    """Serves a platform on a port of the loopback interface, within `async with`.

    *port* 0 takes a free one; `url` says which. World time passes *speed* times as fast as the event loop's.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = 1.0,
        clock: WorldClock | None = None,
    ) -> None:
        """Serve *platform*, once entered."""
        self.platform = platform
        self.clock = clock or WorldClock(speed=speed)
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens: the ESB's root, and the gateway's base URL as well."""
        return f"http://{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Listen."""
        runner = web.AppRunner(create_app(self.platform, self.clock), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, self._host, self._port).start()
        self._port = runner.addresses[0][1]

    async def aclose(self) -> None:
        """Close every connection; harmless when repeated."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
