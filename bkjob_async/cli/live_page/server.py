"""The server of the page: it limits connections, checks every request, and sends security headers with every response.

What the platform says is data in a page, never text of HTML.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from html import escape

from aiohttp import web
from attrs import define, field

from bkjob_async.cli.live_page.access import COOKIE_SECONDS, Access
from bkjob_async.cli.live_page.page_state import PageState
from bkjob_async.report.palette import palette, read_file

# The watch needs files of its own: connections that send no request must not use them all.
MAX_CONNECTIONS = 128
IDLE_SECONDS = 15.0
# Errors about what is no request are not written to the terminal, where a board may be drawn.
logger = logging.getLogger("bkjob_async.live_page")

MAX_READERS = 32
# A comment keeps idle connections open; a message comes at most so often; a reader that takes none for so long is left.
COMMENT_SECONDS, MESSAGE_SECONDS, WRITE_SECONDS = 15.0, 0.25, 30.0

READ_METHODS = ("GET",)
# What a browser says of who asks: the page itself, or a person. Pages of other ports of a host have its cookies, too.
OWN_SITES = ("same-origin", "none")
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# The icon is written in the page itself.
NOTHING_ALLOWED = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src data:"
)

NONCE, FIRST = "%nonce%", "%first%"
ICON = '<link rel="icon" href="data:,">'
# The connections of those who have shown the token or its cookie.
READERS = web.AppKey("readers", set[web.RequestHandler])
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@define(eq=False)
class LiveServer:
    """Serves a *state* to readers that *access* allows; `changed` has it sent to them."""

    state: PageState
    access: Access
    readers: int = field(default=0, init=False)
    _wake: asyncio.Event = field(factory=asyncio.Event, init=False)
    _left: asyncio.Event = field(factory=asyncio.Event, init=False)

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(middlewares=[self._checked])
        app[READERS] = set()
        app.router.add_get("/", self._page, allow_head=False)
        app.router.add_get("/events", self._events, allow_head=False)
        return app

    def changed(self) -> None:
        """Send what changed to every reader."""
        self._wake.set()
        self._wake = asyncio.Event()

    async def all_have_left(self) -> None:
        """Wait until nobody reads any more."""
        while self.readers:
            self._left.clear()
            await self._left.wait()

    # Checks ---------------------------------------------------------------------------------------------------------

    @web.middleware
    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check the host, the method and the cookie, in this order, whatever the path; then answer."""
        try:
            response = self._refusal(request) or await handler(request)
        except web.HTTPException as error:
            response = message_page(error.status, error.reason)
        if not response.prepared:
            response.headers.update(HEADERS)
            response.headers.setdefault("Content-Security-Policy", NOTHING_ALLOWED)
        return response

    def _refusal(self, request: web.Request) -> web.StreamResponse | None:
        if not self.access.serves(request.headers.getall("Host", [])):
            return message_page(403, "This page is not served under that name")
        if request.method not in READ_METHODS:
            response = message_page(405, "This page is read only")
            response.headers["Allow"] = "GET"
            return response
        if request.path != "/" and request.headers.get("Sec-Fetch-Site", "none") not in OWN_SITES:
            return message_page(403, "Another page asked for this")
        token = request.query.get("token") if request.path == "/" else None
        if token is not None:
            return self._enter(token, request)
        if not self.access.knows(request.cookies.get(self.access.cookie_name), time.time()):
            return message_page(401, "Open the link that the command has printed; it works once")
        self._note_reader(request)
        return None

    def _note_reader(self, request: web.Request) -> None:
        """Keep the connection of somebody who may read, however many others come."""
        request.app[READERS].add(request.protocol)

    def _enter(self, token: str, request: web.Request) -> web.StreamResponse:
        """Exchange the token for a cookie, and show the page.

        Whoever was sent here by another site is led on, by a page and not by a redirect: a browser sends a strict cookie
        with neither of the two requests otherwise, nor when that page is loaded again.
        """
        if not self.access.take_token(token):
            return message_page(
                401, "This link was used already, or is not the newest: start the command again"
            )
        self._note_reader(request)
        is_direct = request.headers.get("Sec-Fetch-Site", "") == "none"
        response = self._live_page() if is_direct else entry_page()
        response.set_cookie(
            self.access.cookie_name,
            self.access.new_cookie(time.time()),
            max_age=COOKIE_SECONDS,
            path="/",
            httponly=True,
            samesite="Strict",
        )
        return response

    # Answers --------------------------------------------------------------------------------------------------------

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return self._live_page()

    def _live_page(self) -> web.StreamResponse:
        nonce = secrets.token_urlsafe(16)
        response = live_page(nonce, self.state.first_state())
        response.headers["Content-Security-Policy"] = (
            f"{NOTHING_ALLOWED}; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'"
        )
        return response

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Send what changed, as it changes, until the watch is over or the reader leaves."""
        if self.readers >= MAX_READERS:
            response: web.StreamResponse = message_page(503, "As many pages are open as are served")
            response.headers["Retry-After"] = "10"
            return response
        response = web.StreamResponse(headers={**HEADERS, "Content-Security-Policy": NOTHING_ALLOWED})
        response.content_type = "text/event-stream"
        response.charset = "utf-8"
        self.readers += 1
        try:
            await response.prepare(request)
            with suppress(ConnectionError):
                await self._send(response, self.state.revision_of(request.headers.get("Last-Event-ID", "")))
        except TimeoutError:
            # Else the connection would stay, and what it did not take with it.
            if request.transport is not None:
                request.transport.abort()
        finally:
            self.readers -= 1
            self._left.set()
        return response

    async def _send(self, response: web.StreamResponse, sent: int) -> None:
        """Send messages; while one is under way, all further changes are one more."""
        state = self.state
        while True:
            wake = self._wake
            if state.revision > sent:
                pieces, sent, is_last = state.message_after(sent), state.revision, state.is_over
                for piece in pieces:
                    await asyncio.wait_for(response.write(piece), WRITE_SECONDS)
                if is_last:
                    return
                await asyncio.sleep(MESSAGE_SECONDS)
                continue
            try:
                await asyncio.wait_for(wake.wait(), COMMENT_SECONDS)
            except TimeoutError:
                await asyncio.wait_for(response.write(b": still here\n\n"), WRITE_SECONDS)


# Connections ----------------------------------------------------------------------------------------------------------


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
        return server() if has_room(server, app[READERS]) else Refusal()

    try:
        accepting = await loop.create_server(connected, sock=listening)
        try:
            yield server
        finally:
            accepting.close()
    finally:
        await runner.cleanup()
        listening.close()


def has_room(server: web.Server, readers: set[web.RequestHandler]) -> bool:
    """Return True where one more connection may be served: the oldest ends of those that are no reader's, if need be."""
    readers.intersection_update(server.connections)
    open_ones = [
        each for each in server.connections if each.transport is None or not each.transport.is_closing()
    ]
    if len(open_ones) < MAX_CONNECTIONS:
        return True
    oldest = next((each for each in open_ones if each not in readers), None)
    if oldest is not None and isinstance(oldest.transport, asyncio.Transport):
        oldest.transport.abort()
        return True
    return False


class Refusal(asyncio.Protocol):
    """Ends a connection at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """End it."""
        if isinstance(transport, asyncio.Transport):
            transport.abort()


# Pages ----------------------------------------------------------------------------------------------------------------


@cache
def whole_page() -> str:
    """Return the page with its style and its script, before it has a nonce."""
    html, css, script = (
        read_file("bkjob_async.cli.live_page", f"page.{end}") for end in ("html", "css", "js")
    )
    return html.replace("%style%", palette() + css).replace("%script%", script)


def live_page(nonce: str, first_state: bytes) -> web.Response:
    """Return the page with what it shows first; its style and its script are allowed by *nonce*."""
    # No string of JSON ends the element then; the state comes last, and nothing is replaced within it.
    data = first_state.decode("ascii").replace("<", "\\u003c")
    page = whole_page().replace(NONCE, nonce).replace(FIRST, data)
    return web.Response(text=page, content_type="text/html", charset="utf-8")


def entry_page() -> web.Response:
    """Return a page that leads on to the live page."""
    return small_page(200, '<meta http-equiv="refresh" content="0;url=/">', '<a href="/">The page</a>')


def message_page(status: int, text: str) -> web.Response:
    """Return a page with one sentence."""
    return small_page(status, "", escape(text) + ".")


def small_page(status: int, head: str, body: str) -> web.Response:
    """Return a page of one paragraph."""
    return web.Response(
        status=status,
        text=f'<!doctype html><html lang="en"><head><meta charset="utf-8">{head}{ICON}<title>bkjob</title></head>'
        f"<body><p>{body}</p></body></html>\n",
        content_type="text/html",
        charset="utf-8",
    )
