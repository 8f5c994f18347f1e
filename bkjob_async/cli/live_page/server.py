"""The server of the page: it checks every request, and sends security headers with every response."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web
from attrs import define, field

from bkjob_async.cli.live_page.access import COOKIE_SECONDS, Access
from bkjob_async.cli.live_page.assets import entry_page, live_page, message_page
from bkjob_async.cli.live_page.page_state import PageState

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
            return self._enter(token, request.headers.get("Sec-Fetch-Site", ""))
        if not self.access.knows(request.cookies.get(self.access.cookie_name), time.time()):
            return message_page(401, "Open the link that the command has printed; it works once")
        return None

    def _enter(self, token: str, site: str) -> web.StreamResponse:
        """Exchange the token for a cookie, and show the page.

        Whoever was sent here by another site is led on, by a page and not by a redirect: a browser sends a strict cookie
        with neither of the two requests otherwise, nor when that page is loaded again.
        """
        if not self.access.take_token(token):
            return message_page(
                401, "This link was used already, or is not the newest: start the command again"
            )
        response = self._live_page() if site == "none" else entry_page()
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
