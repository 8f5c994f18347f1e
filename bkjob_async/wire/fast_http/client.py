"""GET requests over connections of its own, without aiohttp.

`ClientSession.request` prepares URL, headers, cookies, redirects and timeouts anew for each request. For a small
response that costs more than sending the request and reading what comes back. A poll needs none of it: its bytes are
those of the poll before, except for the URL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiohttp.http import SERVER_SOFTWARE
from multidict import CIMultiDict

from bkjob_async.http_messages import HttpRequest
from bkjob_async.wire.fast_http.exchange import Exchange
from bkjob_async.wire.fast_http.pool import ConnectionPool
from bkjob_async.wire.timeouts import TimeoutManager

Headers = Mapping[str, str]


class SharedHead:
    """What requests with the same headers have in common: everything but the target."""

    def __init__(self, request: HttpRequest, headers: Headers) -> None:
        """Take what *request* shares with others, and all its *headers*; what aiohttp adds is added."""
        self.headers = request.headers
        self.scheme = request.url.scheme
        self.authority = request.url.raw_authority
        full = CIMultiDict(headers)
        full.setdefault("Host", request.url.host_port_subcomponent or "")
        full.setdefault("Accept", "*/*")
        full.setdefault("User-Agent", SERVER_SOFTWARE)
        lines = "".join(f"{name}: {value}\r\n" for name, value in full.items())
        self.after_target = f" HTTP/1.1\r\n{lines}\r\n".encode()

    def fits(self, request: HttpRequest) -> bool:
        """Return whether *request* differs in its target only; headers are compared by identity."""
        url = request.url
        return (
            self.headers is request.headers
            and self.authority == url.raw_authority
            and self.scheme == url.scheme
        )


class FastHttpClient:
    """Sends GET requests to one server over the connections of *pool*; *full_headers* returns all headers of one."""

    def __init__(self, pool: ConnectionPool, full_headers: Callable[[HttpRequest], Headers]) -> None:
        """Send nothing yet."""
        self._pool = pool
        self._full_headers = full_headers
        self._timeouts = TimeoutManager()
        # One for requests that accept compressed responses, one for those that do not.
        self._templates: dict[bool, SharedHead] = {}
        self._last_headers: Headers | None = None

    def begin(
        self, request: HttpRequest, timeout: float, on_end: Callable[[Exchange], None]
    ) -> Exchange | None:
        """Send *request*, and return the exchange; None where it needs the ordinary path."""
        template, target = self._template_for(request), request.url.raw_path_qs
        if template is None or not is_plain(target):
            return None
        exchange = Exchange(
            pool=self._pool,
            timeouts=self._timeouts,
            request_bytes=f"GET {target}".encode() + template.after_target,
            at=asyncio.get_running_loop().time() + timeout,
            on_end=on_end,
        )
        exchange.begin()
        return exchange

    def _template_for(self, request: HttpRequest) -> SharedHead | None:
        """Return the template of *request*, None where it needs the ordinary path.

        Headers that come twice in a row will come again, so their template is kept.
        """
        if request.body is not None or request.method != "GET":
            return None
        kept = self._templates.get(request.accept_compressed)
        if kept is not None and kept.fits(request):
            return kept
        if "@" in request.url.raw_authority or request.url.origin() != self._pool.origin:
            return None
        headers = self._full_headers(request)
        if not all(is_plain(name) and is_plain(value) for name, value in headers.items()):
            return None
        template = SharedHead(request, headers)
        if self._last_headers is request.headers:
            self._templates[request.accept_compressed] = template
        self._last_headers = request.headers
        return template

    def close(self) -> None:
        """Close all connections."""
        self._timeouts.close()
        self._pool.close()

    async def wait_closed(self) -> None:
        """Wait, after `close`, until nothing is being opened any more."""
        await self._pool.wait_closed()


def is_plain(text: str) -> bool:
    """Return whether *text* may stand in the head of a request as it is."""
    return text.isascii() and text.isprintable()
