"""Requests over real HTTP with aiohttp."""

from __future__ import annotations

import asyncio
import re
import ssl as ssl_module
from base64 import b64encode
from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp.http import HttpProcessingError
from attrs import field, frozen, validators
from yarl import URL

from bkjob_async.dialects.common.envelopes import one_line
from bkjob_async.errors import ErrorDetails, RequestTimedOut, SessionClosed, TransportFailed, UsageError
from bkjob_async.http_messages import Closable, HttpRequest, HttpResponse, Received
from bkjob_async.model.base_error import check_type, in_range
from bkjob_async.wire.base_url import readable_url
from bkjob_async.wire.bodies.budget import MIB, BodyBudget
from bkjob_async.wire.bodies.buffer import keep_freed_memory
from bkjob_async.wire.bodies.reading import (
    CONTENT_ENCODING,
    MAX_BODY_SIZE,
    STREAM_BUFFER_SIZE,
    RawResponse,
    decompress_body,
    read_body,
)
from bkjob_async.wire.clean_connections import CleanConnector, had_no_connection
from bkjob_async.wire.fast_http.client import FastHttpClient
from bkjob_async.wire.fast_http.exchange import Exchange
from bkjob_async.wire.fast_http.pool import ConnectFailed, ConnectionPool

KEEPALIVE_TIMEOUT = 30.0
DEFAULT_CONNECTIONS = 64
# How the connections of a lent session are opened: the options of its connector, and the attributes in which aiohttp keeps
# them. It publishes hardly any.
CONNECTOR_OPTIONS = {
    "ssl": "_ssl",
    "resolver": "_resolver",
    "use_dns_cache": "_use_dns_cache",
    "family": "_family",
    "local_addr": "_local_addr_infos",
    "happy_eyeballs_delay": "_happy_eyeballs_delay",
    "interleave": "_interleave",
    "socket_factory": "_socket_factory",
}


def _plain_headers(_options: object, _attribute: object, headers: Mapping[str, str]) -> None:
    check_type("HttpOptions: headers", headers, Mapping, "headers={'X-Site': 'north'}")
    for name, value in headers.items():
        check_type("HttpOptions: the name of a header", name, str)
        check_type(f"HttpOptions: the header {name}", value, str)
        if not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
            raise UsageError(f"{name!r} cannot be the name of a header: use letters, digits, - and _")
        if not (value.isascii() and value.isprintable()):
            raise UsageError(f"the value of the header {name} must be plain ASCII text")


def _is_proxy(_options: object, _attribute: object, proxy: str | None) -> None:
    check_type("HttpOptions: proxy", proxy, str | URL | None)
    url = None if proxy is None else readable_url(proxy)
    if proxy is not None and (url is None or url.scheme not in ("http", "https") or not url.host):
        raise UsageError("a proxy must be an absolute http:// or https:// URL, with a host")


@frozen(kw_only=True)
class HttpOptions:
    """How to reach the platform: *connections* at most, TLS, proxy, further *headers* of every request.

    *connections* None is as many as the client's `max_in_flight`; fewer also bound that.
    *ssl* is True (verify against the system's authorities), a context of your own (client certificates, private
    authorities), or False (no verification; never for production). *proxy* may contain user and password; *trust_env*
    takes the proxy from the environment.
    *largest_body* is the largest size in bytes that one response may have, decompressed. The other responses under way
    may have a quarter of that together, and wait for each other beyond it.
    *fast* False sends every request through aiohttp's `ClientSession`. True lets polls bypass it, which saves CPU time;
    it has no effect with a proxy, *trust_env*, a lent session, or trace configurations.
    A request that may change something goes out on a connection that is opened for it and closed after it, in addition to
    *connections*, so that bytes that a server wrote to an idle connection cannot pass for its response. The pool of a lent
    session cannot promise that, so such requests use a pool like it here, with its proxy, resolver, middlewares and
    addresses. *commands_through_lent_session* True sends them through the lent session all the same; so it is where its
    connector is of a class of your own.
    """

    connections: int | None = field(default=None, validator=validators.optional(in_range(1)))
    ssl: ssl_module.SSLContext | bool = True
    proxy: str | None = field(default=None, repr=False, validator=_is_proxy)
    trust_env: bool = False
    headers: Mapping[str, str] = field(factory=dict, repr=False, validator=_plain_headers)
    largest_body: int = field(default=MAX_BODY_SIZE, validator=in_range(MIB))
    fast: bool = True
    commands_through_lent_session: bool = False


class AiohttpTransport:
    """Sends requests through an aiohttp session, opened at first use.

    A lent *session* keeps its own connector and is never closed here.
    """

    def __init__(
        self, options: HttpOptions | None = None, *, session: aiohttp.ClientSession | None = None
    ) -> None:
        """Use *options* for a session of its own, or the lent *session*."""
        self._options = options or HttpOptions()
        self._proxy, self._proxy_headers = split_proxy(self._options.proxy)
        self._is_lent = session is not None
        self._session = session
        # For what is not a GET, and may change something.
        self._command_session: aiohttp.ClientSession | None = None
        self._decompresses = session is None or not session.auto_decompress  # else aiohttp does
        self._has_accept_encoding = any(name.lower() == "accept-encoding" for name in self._options.headers)
        self._fast: FastHttpClient | None = None
        self._budget = BodyBudget(self._options.largest_body)
        keep_freed_memory()
        self._closed = False

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - per call, not per task
        """Send *request* and return the whole response."""
        done: asyncio.Future[Received] = asyncio.get_running_loop().create_future()

        def on_received(received: Received) -> None:
            if not done.done():  # else this was cancelled just before
                done.set_result(received)

        under_way = self.begin(request, timeout, on_received)
        if under_way is None:
            return await self._response_to(request, timeout)
        try:
            received = await done
        finally:
            under_way.cancel()
        return received if isinstance(received, HttpResponse) else await received()

    def begin(
        self, request: HttpRequest, timeout: float, on_received: Callable[[Received], None]
    ) -> Exchange | None:
        """Send *request* through the fast client where it can; see `CallbackTransport`."""
        if self._fast is None:
            self._open_session(request.url)
        if self._fast is None:
            return None
        return self._fast.begin(request, timeout, partial(self._on_end, request, timeout, on_received))

    def _on_end(
        self, request: HttpRequest, timeout: float, on_received: Callable[[Received], None], ended: Exchange
    ) -> None:
        """Go on with the response of an exchange that has *ended*; what is not plain takes a task."""
        outcome = ended.outcome
        if isinstance(outcome, tuple):
            status, headers, body = outcome
            if not self._decompresses or headers.get(CONTENT_ENCODING) is None:
                on_received(
                    HttpResponse(status=status, headers=headers, body=body, connection=ended.connection)
                )
                return
        on_received(partial(self._response_to, request, timeout, ended))

    async def _response_to(
        self,
        request: HttpRequest,
        timeout: float,  # noqa: ASYNC109 - per call, not per task
        ended: Exchange | None = None,
    ) -> HttpResponse:
        """Return the response to *request*, sent now through the session, or the one that an exchange has *ended* with."""
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                (status, headers, body), connection = (
                    await self._send_through_session(request)
                    if ended is None
                    else (ended.response(), ended.connection)
                )
                encoding = headers.get(CONTENT_ENCODING)
                if encoding is not None and self._decompresses:
                    body = await decompress_body(body, encoding, status, self._budget)
                return HttpResponse(status=status, headers=headers, body=body, connection=connection)
        except Exception as error:  # noqa: BLE001 - raised below, away from the frames that hold headers
            is_other_limit = self._is_lent and not limit.expired()
            failure = typed_error(
                error, "the time limit of the lent session" if is_other_limit else f"{timeout:g} s"
            )
        try:
            raise failure
        finally:
            del failure  # else it and this frame would hold each other

    async def _send_through_session(self, request: HttpRequest) -> tuple[RawResponse, Closable | None]:
        """Send *request* on aiohttp's ordinary path, which knows bodies, proxies and all that a lent session has."""
        session = self._open_session(request.url)
        if request.method != "GET":
            session = self._open_command_session(session)
        response = await session.request(
            request.method,
            request.url,
            headers=self._full_headers(request),
            data=request.body,
            allow_redirects=False,
            proxy=self._proxy,
            proxy_headers=self._proxy_headers,
            raise_for_status=False,
        )
        if response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            # Through a tunnel, to a server with TLS, aiohttp itself raises this.
            response.close()
            raise aiohttp.ClientHttpProxyError(response.request_info, (), status=response.status)
        connection = connection_of(response)
        try:
            body = await read_body(response, self._budget)
        except BaseException:
            response.close()
            raise
        return (response.status, response.headers, body), connection

    def _full_headers(self, request: HttpRequest) -> Mapping[str, str]:
        """Return the headers of *request* with those of every request."""
        common = self._options.headers
        if not self._has_accept_encoding and not (self._is_lent and request.accept_compressed):
            common = {"Accept-Encoding": "gzip" if request.accept_compressed else "identity", **common}
        return {**common, **request.headers}

    def _open_session(self, url: URL) -> aiohttp.ClientSession:
        """Return the session, opened if need be, for *url* first; raise `TransportFailed` once closed."""
        if self._closed:
            raise TransportFailed(ErrorDetails(message="the transport is closed", sent=False))
        if self._session is not None:
            if self._session.closed:
                raise SessionClosed(ErrorDetails(message="the lent aiohttp session is closed", sent=False))
            return self._session
        options = self._options
        limit = options.connections or DEFAULT_CONNECTIONS
        connector = CleanConnector(limit=limit, ssl=options.ssl, keepalive_timeout=KEEPALIVE_TIMEOUT)
        session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=options.trust_env,
            read_bufsize=STREAM_BUFFER_SIZE,
        )
        # Trace configurations, which instrumentation adds to every session, have to see the requests.
        needs_session = self._proxy is not None or options.trust_env or session.trace_configs
        if options.fast and not needs_session and url.scheme in ("http", "https"):
            try:
                pool = ConnectionPool(url.origin(), options.ssl, self._budget)
            except OSError as error:  # no file descriptor is left; the next request tries again
                session.detach()
                raise TransportFailed(not_connected(url.raw_authority, error)) from None
            self._fast = FastHttpClient(pool, self._full_headers)
        self._session = session
        return session

    def _open_command_session(self, session: aiohttp.ClientSession) -> aiohttp.ClientSession:
        """Return a session like *session* that opens a connection for each request, opened if need be."""
        lent = session.connector
        if self._is_lent and (
            self._options.commands_through_lent_session or type(lent) is not aiohttp.TCPConnector
        ):
            return session
        if self._command_session is None:
            of_connector: dict[str, Any] = {"ssl": self._options.ssl}
            if self._is_lent:
                of_connector = options_of(lent)
                bound_to = of_connector["local_addr"]  # as aiohttp keeps it: with what `socket` needs
                of_connector["local_addr"] = bound_to and bound_to[0][-1]
            # The client bounds how many requests are under way.
            connector = CleanConnector(limit=0, force_close=True, **of_connector)
            self._command_session = with_connector(session, connector)
        return self._command_session

    async def aclose(self) -> None:
        """Close all connections; harmless when repeated."""
        self._closed = True
        fast, self._fast = self._fast, None
        if fast is not None:
            fast.close()
        if self._command_session is not None and self._command_session.connector is not None:
            await self._command_session.connector.close()
        if self._session is not None and not self._is_lent:
            await self._session.close()
        if fast is not None:
            await fast.wait_closed()


def options_of(lent: object) -> dict[str, Any]:
    """Return the options of a connector like one that is *lent*; raise `UsageError` where they cannot be read."""
    try:
        return {option: getattr(lent, name) for option, name in CONNECTOR_OPTIONS.items()}
    except AttributeError as error:
        raise not_like_lent(error.name) from None


def with_connector(session: aiohttp.ClientSession, connector: CleanConnector) -> aiohttp.ClientSession:
    """Return a session like *session* in all but its *connector*; raise `UsageError` where aiohttp keeps that elsewhere."""
    other = copy(session)
    other._connector = connector  # noqa: SLF001 - aiohttp has no other way
    if other.connector is not connector:
        raise not_like_lent("connector")
    return other


def not_like_lent(name: str | None) -> UsageError:
    """Return the error of a lent session whose attribute *name* is not where it is expected."""
    return UsageError(
        f"this version of aiohttp does not tell the {name} of a lent session, so commands could take another way"
        " than its own: give HttpOptions(commands_through_lent_session=True), or no session"
    )


def split_proxy(proxy: str | None) -> tuple[URL | None, Mapping[str, str] | None]:
    """Return the URL of a proxy without its password, and the headers with it: errors name the URL.

    aiohttp sends the Authorization among a proxy's headers as Proxy-Authorization.
    """
    if proxy is None:
        return None, None
    url = URL(proxy)
    if not url.user:
        return url, None
    basic = b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
    return url.with_user(None), {"Authorization": f"Basic {basic}"}


def connection_of(response: aiohttp.ClientResponse) -> Closable | None:
    """Return the connection of *response*, or None where aiohttp does not have it where it is expected.

    When a short response is returned, its connection is in the pool again already; so aiohttp no longer names it.
    """
    handler = getattr(response, "_protocol", None)
    return getattr(handler, "transport", None)


def typed_error(error: Exception, within: str) -> Exception:
    """Return this package's error for one of aiohttp's, after the time *within* if it is one of time; others as they are."""
    sent = not (isinstance(error, aiohttp.ConnectionTimeoutError) or had_no_connection(error))
    match error:
        case TimeoutError():
            what = "response" if sent else "connection"
            return RequestTimedOut(ErrorDetails(message=f"no {what} within {within}", sent=sent))
        case aiohttp.ClientConnectorError():
            host = f"[{error.host}]" if ":" in error.host else error.host
            server = f"{host}:{error.port}"
            if isinstance(error, aiohttp.ClientProxyConnectionError):
                server = f"the proxy {server}"
            details = not_connected(server, error.os_error)
        case ConnectFailed(server=server, reason=reason):
            details = not_connected(server, reason)
        case aiohttp.ClientHttpProxyError():
            # Its text contains the headers of its request, and so the proxy's password.
            wants_user = error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
            why = "asks for a user and password, or refuses those of its URL" if wants_user else "refused"
            details = ErrorDetails(message=f"the proxy {why}: HTTP {error.status}", sent=False)
        case UnicodeError():
            details = ErrorDetails(message=f"no such host: {shown(error)}", sent=False)
        case aiohttp.InvalidURL():
            details = ErrorDetails(message=f"the URL cannot be used: {shown(error)}", sent=False)
        case aiohttp.ClientError() | HttpProcessingError() | OSError():
            details = ErrorDetails(message=what_failed(error), sent=sent)
        case _:
            return error
    return TransportFailed(details)


def not_connected(server: str, reason: Exception) -> ErrorDetails:
    """Return what is known where no connection to *server* could be opened."""
    # TLS was begun, and the server answered otherwise: the URL has https in place of http.
    is_plain = isinstance(reason, ssl_module.SSLError) and reason.reason == "WRONG_VERSION_NUMBER"
    hint = "; the server does not speak TLS at this port" if is_plain else ""
    return ErrorDetails(message=f"cannot connect to {server}: {shown(reason)}{hint}", sent=False)


def what_failed(error: Exception) -> str:
    """Return what is said of an *error* of an open connection, without what came over it, which may be cookies."""
    match error:
        case aiohttp.ClientPayloadError():
            return f"the response was cut off or damaged: {without_received(shown(error))}"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection"  # its text is what had come of the head
        case HttpProcessingError() | aiohttp.ClientResponseError(__cause__=HttpProcessingError()):
            return f"invalid HTTP: {without_received(error.message)}"
        case _:
            return shown(error)


def shown(error: BaseException) -> str:
    """Return the class and the text of *error* in one bounded line."""
    text = str(error)
    if isinstance(error, aiohttp.ClientResponseError):
        # Its own text contains the URL, and so the password of a lent session's proxy.
        text = f"{error.status}, {error.message}, from {error.request_info.real_url.origin()}"
    text = one_line(text)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def without_received(text: str) -> str:
    """Return what aiohttp says of a response, without the bytes of it that it quotes behind that."""
    return one_line(re.split(r""":\s*\n|:? b?['"]""", text, maxsplit=1)[0])
