"""Questions that are all alike, asked over aiohttp's connections without the rest of its session.

`ClientSession.request` prepares URL, headers, cookies, redirects and time limits anew for each request: for a small
answer that costs more than sending it and reading what comes back. A look needs none of it, and is the same bytes as the
look before but for its URL. Connections, their pool, TLS, and whatever answer is unusual remain aiohttp's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError
from yarl import URL

from bkjob_async.http_messages import Closable, HttpRequest
from bkjob_async.wire.bodies import read_bounded
from bkjob_async.wire.body_budget import BodyBudget
from bkjob_async.wire.fast_http.connections import ConnectionPool
from bkjob_async.wire.fast_http.response_parser import MOST_INTERIM, Answer

Headers = Mapping[str, str]

# How many tries are left at each: a connection that was kept may turn out to be closed only when it is used again.
TRIES = (1, 0)


class RequestTemplate:
    """What requests with the same headers to the same server have in common: all but the target."""

    __slots__ = ("accept_compressed", "authority", "headers", "rest", "sample", "scheme")

    def __init__(self, request: HttpRequest, sample: aiohttp.ClientRequest) -> None:
        """Take what *request* shares with others, as aiohttp prepared it in *sample*."""
        self.headers = request.headers
        self.accept_compressed = request.accept_compressed
        self.scheme = request.url.scheme
        self.authority = request.url.raw_authority
        self.sample = sample
        lines = "".join(f"{name}: {value}\r\n" for name, value in sample.headers.items())
        self.rest = f" HTTP/1.1\r\n{lines}\r\n".encode()

    def holds_for(self, request: HttpRequest) -> bool:
        """Whether *request* differs in its target only; headers are told by identity."""
        url = request.url
        return (
            self.headers is request.headers
            and self.accept_compressed is request.accept_compressed
            and self.authority == url.raw_authority
            and self.scheme == url.scheme
        )


class FastHttpClient:
    """Sends requests without a body to one server over *connector*; *full* returns all the headers of one.

    It relies on how aiohttp works inside. Where that is not as expected, `is_open` becomes False and stays so: requests
    then go the usual way.
    """

    __slots__ = ("_budget", "_full", "_kept", "_last", "_origin", "is_open", "lines")

    def __init__(
        self, connector: aiohttp.BaseConnector, full: Callable[[HttpRequest], Headers], budget: BodyBudget
    ) -> None:
        """Send nothing yet; the server is that of the first request."""
        self._budget = budget
        self._full = full
        self._kept: dict[bool, RequestTemplate] = {}
        self._last: Headers | None = None
        self._origin: URL | None = None
        self.lines = ConnectionPool(connector, budget)
        self.is_open = True

    async def ask(self, request: HttpRequest) -> tuple[Answer, Closable] | None:
        """Send *request*, return the answer and its connection; None where only the usual way leads there.

        Like aiohttp, it tries once more when the connection turns out to be closed.
        """
        likeness, target = self._likeness(request), request.url.raw_path_qs
        if likeness is None or not is_plain(target):
            return None
        lines, words = self.lines, f"GET {target}".encode() + likeness.rest
        try:
            for tries_left in TRIES:
                line = lines.take() or await lines.open(likeness.sample)
                try:
                    answer = await line.ask(words)
                    # Behind an unusual answer nobody can see where the next one begins.
                    last = answer is None
                    if answer is None:
                        answer = await read_from(line.handler, self._budget)
                except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                    line.close()
                    if not tries_left:
                        raise
                except BaseException:
                    line.close()
                    raise
                else:
                    lines.put(line, last=last)
                    return answer, line.transport
        except (AttributeError, TypeError):
            self._give_up()
        return None

    def _likeness(self, request: HttpRequest) -> RequestTemplate | None:
        """Return what *request* has in common with others, None where it cannot go this way.

        What comes twice in a row is kept, for it will come again: of packed and of plain ones, one each.
        """
        if request.body is not None or request.method != "GET":
            return None
        kept = self._kept.get(request.accept_compressed)
        if kept is not None and kept.holds_for(request):
            return kept
        if not self._is_server(request.url):
            return None
        full = self._full(request)
        if not all(is_plain(name) and is_plain(value) for name, value in full.items()):
            return None
        try:
            origin, loop = request.url.origin(), asyncio.get_running_loop()
            found = RequestTemplate(request, aiohttp.ClientRequest("GET", origin, headers=full, loop=loop))
        except (AttributeError, TypeError):
            self._give_up()
            return None
        if self._last is request.headers:
            self._kept[request.accept_compressed] = found
        self._last = request.headers
        return found

    def _is_server(self, url: URL) -> bool:
        """Whether *url* leads to the one server."""
        if url.scheme not in ("http", "https") or "@" in url.raw_authority:
            return False
        if self._origin is None:
            self._origin = url.origin()
        return self._origin == url.origin()

    def _give_up(self) -> None:
        self.is_open = False
        self._kept.clear()
        self.lines.close()


async def read_from(handler: ResponseHandler, budget: BodyBudget) -> Answer:
    """Read an answer of whatever shape."""
    for _ in range(MOST_INTERIM):
        message, content = await handler.read()
        if message.code == 101 or not 100 <= message.code < 200:
            body = await read_bounded(content, message.headers, message.code, budget)
            return message.code, message.headers, body
    raise HttpProcessingError(message="there is no end of interim answers")


def is_plain(text: str) -> bool:
    """Whether *text* may stand in the head of a request as it is."""
    return text.isascii() and text.isprintable()
