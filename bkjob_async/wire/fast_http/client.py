"""GET requests over aiohttp's connections without its `ClientSession`.

`ClientSession.request` prepares URL, headers, cookies, redirects and timeouts anew for each request. For a small
response that costs more than sending the request and reading what comes back. A poll needs none of it: its bytes are
those of the poll before, except for the URL. Connections, their limit, TLS and every unusual response stay with aiohttp.

This folder uses parts of aiohttp that are not in its documentation; `is_supported` checks that they are there. To remove
it, delete the folder and what `aiohttp_transport` says of it: every request then takes aiohttp's ordinary path.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cache

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from bkjob_async.http_messages import Closable, HttpRequest
from bkjob_async.wire.bodies.budget import BodyBudget
from bkjob_async.wire.bodies.reading import RawResponse
from bkjob_async.wire.fast_http.pool import NO_TIMEOUT, NO_TRACES, ConnectionPool

Headers = Mapping[str, str]

logger = logging.getLogger("bkjob_async")

# What this folder uses of aiohttp: attributes of its classes, and arguments of its functions.
ATTRIBUTES: dict[type, tuple[str, ...]] = {
    ResponseHandler: (
        *("connection_lost", "data_received", "eof_received", "pause_writing", "resume_writing"),
        *("read", "set_response_params", "should_close"),
    ),
    aiohttp.connector.Connection: ("close", "protocol", "release", "transport"),
}
ARGUMENTS: dict[Callable[..., object], tuple[tuple[object, ...], dict[str, object]]] = {
    aiohttp.ClientRequest: (("GET", URL("http://host/")), {"headers": {}, "loop": None}),
    aiohttp.BaseConnector.connect: ((None, None), {"traces": NO_TRACES, "timeout": NO_TIMEOUT}),
    ResponseHandler.set_response_params: (
        (None,),
        {"read_until_eof": True, "auto_decompress": False, "read_bufsize": 1},
    ),
}


def open_fast_client(
    session: aiohttp.ClientSession, full_headers: Callable[[HttpRequest], Headers], budget: BodyBudget
) -> FastHttpClient | None:
    """Return a client over the connector of *session*; None where its requests have to go through the session.

    The trace configurations of a session have to see its requests.
    """
    if session.connector is None or session.trace_configs or not is_supported():
        return None
    return FastHttpClient(session.connector, full_headers, budget)


@cache
def is_supported() -> bool:
    """Return whether aiohttp has what this folder uses; log a warning, once, where it has not."""
    missing = missing_parts()
    if missing:
        logger.warning(
            "aiohttp %s lacks %s: requests take its ordinary path, which needs more CPU time",
            aiohttp.__version__,
            ", ".join(missing),
        )
    return not missing


def missing_parts() -> list[str]:
    """Return what this folder uses of aiohttp, but is not there."""
    missing = [
        f"{owner.__name__}.{name}"
        for owner, names in ATTRIBUTES.items()
        for name in names
        if not hasattr(owner, name)
    ]
    for function, (positional, named) in ARGUMENTS.items():
        try:
            inspect.signature(function).bind(*positional, **named)
        except TypeError as error:
            missing.append(f"{function.__qualname__} ({error})")
    return missing


class SharedHead:
    """What requests with the same headers to the same server have in common: everything but the target."""

    __slots__ = ("accept_compressed", "after_target", "authority", "headers", "sample", "scheme")

    def __init__(self, request: HttpRequest, sample: aiohttp.ClientRequest) -> None:
        """Take what *request* shares with others, as aiohttp prepared it in *sample*."""
        self.headers = request.headers
        self.accept_compressed = request.accept_compressed
        self.scheme = request.url.scheme
        self.authority = request.url.raw_authority
        self.sample = sample
        lines = "".join(f"{name}: {value}\r\n" for name, value in sample.headers.items())
        self.after_target = f" HTTP/1.1\r\n{lines}\r\n".encode()

    def fits(self, request: HttpRequest) -> bool:
        """Return whether *request* differs in its target only; headers are compared by identity."""
        url = request.url
        return (
            self.headers is request.headers
            and self.accept_compressed is request.accept_compressed
            and self.authority == url.raw_authority
            and self.scheme == url.scheme
        )


class FastHttpClient:
    """Sends GET requests to one server over *connector*; *full_headers* returns all headers of a request."""

    __slots__ = ("_full_headers", "_last_headers", "_origin", "_templates", "pool")

    def __init__(
        self,
        connector: aiohttp.BaseConnector,
        full_headers: Callable[[HttpRequest], Headers],
        budget: BodyBudget,
    ) -> None:
        """Send nothing yet; the server is that of the first request."""
        self._full_headers = full_headers
        # One for requests that accept compressed responses, one for those that do not.
        self._templates: dict[bool, SharedHead] = {}
        self._last_headers: Headers | None = None
        self._origin: URL | None = None
        self.pool = ConnectionPool(connector, budget)

    async def send(self, request: HttpRequest) -> tuple[RawResponse, Closable] | None:
        """Send *request*; return the response and its connection, or None where it needs the ordinary path.

        Like aiohttp, send it once more when the connection turns out to be closed.
        """
        template, target = self._template_for(request), request.url.raw_path_qs
        if template is None or not is_plain(target):
            return None
        pool, request_bytes = self.pool, f"GET {target}".encode() + template.after_target
        is_retry = False
        while True:
            connection = pool.take_idle() or await pool.connect(template.sample)
            try:
                response = await connection.send(request_bytes)
                # Behind an unusual response nobody can see where the next one begins.
                reusable = response is not None
                if response is None:
                    response = await connection.read_by_handler()
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                connection.close()
                if is_retry:
                    raise
                is_retry = True
            except BaseException:
                connection.close()
                raise
            else:
                pool.release(connection, reusable=reusable)
                return response, connection.transport

    def _template_for(self, request: HttpRequest) -> SharedHead | None:
        """Return the template of *request*, None where it needs the ordinary path.

        Headers that come twice in a row will come again, so their template is kept.
        """
        if request.body is not None or request.method != "GET":
            return None
        kept = self._templates.get(request.accept_compressed)
        if kept is not None and kept.fits(request):
            return kept
        if not self._is_own_server(request.url):
            return None
        headers = self._full_headers(request)
        if not all(is_plain(name) and is_plain(value) for name, value in headers.items()):
            return None
        sample = aiohttp.ClientRequest(
            "GET", request.url.origin(), headers=headers, loop=asyncio.get_running_loop()
        )
        template = SharedHead(request, sample)
        if self._last_headers is request.headers:
            self._templates[request.accept_compressed] = template
        self._last_headers = request.headers
        return template

    def _is_own_server(self, url: URL) -> bool:
        if url.scheme not in ("http", "https") or "@" in url.raw_authority:
            return False
        if self._origin is None:
            self._origin = url.origin()
        return self._origin == url.origin()

    def yielding_to_connector(self) -> AbstractContextManager[None]:
        """Hold no idle connection meanwhile: a request on the ordinary path may need it."""
        return self.pool.yielding_to_connector()

    def close(self) -> None:
        """Give all connections back to the connector."""
        self.pool.close()


def is_plain(text: str) -> bool:
    """Return whether *text* may stand in the head of a request as it is."""
    return text.isascii() and text.isprintable()
