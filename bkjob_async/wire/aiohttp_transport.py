"""Requests over real HTTP, by aiohttp."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from base64 import b64encode
from collections.abc import Mapping
from contextlib import nullcontext

import aiohttp
from aiohttp.http import HttpProcessingError
from attrs import field, frozen, validators
from yarl import URL

from bkjob_async.errors import ErrorDetails, RequestTimedOut, TransportFailed, UsageError
from bkjob_async.http_messages import Closable, HttpRequest, HttpResponse
from bkjob_async.wire.bodies import CONTENT_ENCODING, LARGEST_BODY, decoded_body, read_bounded
from bkjob_async.wire.body_budget import MIB, BodyBudget
from bkjob_async.wire.fast_http.client import FastHttpClient
from bkjob_async.wire.fast_http.response_parser import Answer
from bkjob_async.wire.timeouts import TimeoutManager

KEEPALIVE = 30.0
# Where nobody says how many.
CONNECTIONS = 64


def _plain_headers(_options: object, _attribute: object, headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
            raise UsageError(f"{name!r} is no name of a header")
        if not (value.isascii() and value.isprintable()):
            raise UsageError(f"the value of {name} must be plain ASCII text")


def _is_proxy(_options: object, _attribute: object, proxy: str | None) -> None:
    if proxy is not None and (URL(proxy).scheme not in ("http", "https") or not URL(proxy).host):
        raise UsageError("a proxy is an absolute http:// or https:// URL")


@frozen(kw_only=True)
class HttpOptions:
    """How to reach the platform: *connections* at most, TLS, proxy, further *headers* of every request.

    *connections* None is as many as the client's `max_in_flight`; fewer bound that, too.
    *ssl* is True (verify against the system's authorities), a context of your own (client certificates, private
    authorities), or False (no verification; never for production). *proxy* may carry user and password.
    *largest_body* bytes are the most that one answer may have, unpacked; the others that are under way may have a quarter
    as many together, and wait for each other beyond that.
    """

    connections: int | None = field(default=None, validator=validators.optional(validators.gt(0)))
    ssl: ssl_module.SSLContext | bool = True
    proxy: str | None = field(default=None, repr=False, validator=_is_proxy)
    trust_env: bool = False
    headers: Mapping[str, str] = field(factory=dict, repr=False, validator=_plain_headers)
    largest_body: int = field(default=LARGEST_BODY, validator=validators.ge(MIB))


class AiohttpTransport:
    """An aiohttp session, opened at first use, closed unless it was lent.

    A lent *session* keeps its own connector and is never closed here.
    """

    def __init__(
        self, options: HttpOptions | None = None, *, session: aiohttp.ClientSession | None = None
    ) -> None:
        """Use *options* for a session of our own, or the lent *session*."""
        self._options = options or HttpOptions()
        self._proxy, self._proxy_headers = proxy_of(self._options.proxy)
        self._lent = session is not None
        self._session = session
        self._packed = session is None or not session.auto_decompress  # else aiohttp unpacks piece by piece
        self._says_encoding = any(name.lower() == "accept-encoding" for name in self._options.headers)
        self._short: FastHttpClient | None = None
        self._limits = TimeoutManager()
        self._budget = BodyBudget(self._options.largest_body)
        self._closed = False

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - per call, not per task
        """Send *request* and return the whole answer."""
        short = self._short or self._shortest()
        limit = self._limits.begin(timeout)
        try:
            answer = await short.ask(request) if short is not None and short.is_open else None
            (status, headers, body), connection = answer or await self._ask_as_usual(request)
            encoding = headers.get(CONTENT_ENCODING)
            if encoding is not None and self._packed:
                body = await decoded_body(body, encoding, status, self._budget)
            return HttpResponse(status=status, headers=headers, body=body, connection=connection)
        except asyncio.CancelledError:
            if not self._limits.end(limit):
                raise
            failure: Exception = timed_out(timeout)
        except Exception as error:  # noqa: BLE001 - raised below, away from the frames that hold headers
            failure = failure_of(error, timeout)
        finally:
            self._limits.end(limit)
        try:
            raise failure
        finally:
            del failure  # else it and this frame would hold each other

    async def _ask_as_usual(self, request: HttpRequest) -> tuple[Answer, Closable | None]:
        """Ask in aiohttp's own way, which knows of bodies, proxies and whatever a lent session has."""
        session = self._opened()
        with nullcontext() if self._short is None else self._short.lines.making_room():
            response = await session.request(
                request.method,
                request.url,
                headers=self._headers_of(request),
                data=request.body,
                allow_redirects=False,
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
            )
            content, headers, status = response.content, response.headers, response.status
            connection = connection_of(response)
            try:
                body = await read_bounded(content, headers, status, self._budget, read=response.read)
            except BaseException:
                response.close()
                raise
            return (status, headers, body), connection

    def _headers_of(self, request: HttpRequest) -> Mapping[str, str]:
        """Return the headers of *request* with those of every request."""
        further = self._options.headers
        if not self._says_encoding and not (self._lent and request.accept_compressed):
            further = {"Accept-Encoding": "gzip" if request.accept_compressed else "identity", **further}
        return {**further, **request.headers}

    def _shortest(self) -> FastHttpClient | None:
        """Return the short way, None where there is none; raise `TransportFailed` when there can be no way any more."""
        self._opened()
        return self._short

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session; raise `TransportFailed` when there can be none any more."""
        if self._closed or (self._session is not None and self._session.closed):
            whose = "lent aiohttp session" if self._lent and not self._closed else "transport"
            raise TransportFailed(ErrorDetails(message=f"the {whose} is closed", sent=False))
        return self._session or self._open()

    def _open(self) -> aiohttp.ClientSession:
        options = self._options
        connector = aiohttp.TCPConnector(
            limit=options.connections or CONNECTIONS, ssl=options.ssl, keepalive_timeout=KEEPALIVE
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=options.trust_env,
        )
        if self._proxy is None and not options.trust_env:
            self._short = FastHttpClient(connector, self._headers_of, self._budget)
        return self._session

    async def aclose(self) -> None:
        """Let go of connections; harmless when repeated."""
        self._closed = True
        self._limits.close()
        short, self._short = self._short, None
        if short is not None:
            short.lines.close()
        session, self._session = self._session, None
        if session is None or self._lent:
            return
        await session.close()


def proxy_of(text: str | None) -> tuple[URL | None, Mapping[str, str] | None]:
    """Return a proxy's URL and its password apart, for errors name the URL.

    aiohttp makes Proxy-Authorization of the Authorization that is meant for a proxy.
    """
    if text is None:
        return None, None
    url = URL(text)
    if not url.user:
        return url, None
    word = b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
    return url.with_user(None), {"Authorization": f"Basic {word}"}


def connection_of(response: aiohttp.ClientResponse) -> Closable | None:
    """Return what *response* comes over; None where aiohttp works otherwise than expected.

    A short answer is whole, and its connection back in the pool, before anybody reads its head.
    """
    handler = getattr(response, "_protocol", None)
    return getattr(handler, "transport", None)


def failure_of(error: Exception, timeout: float) -> Exception:
    """Return the typed error that one of aiohttp's is; whatever is none of those is returned as it is."""
    match error:
        case TimeoutError():
            return timed_out(timeout)
        case aiohttp.ClientConnectorError():
            details = ErrorDetails(message=said(error), sent=False)
        case aiohttp.ClientHttpProxyError():
            # Its text names the headers of its request, and among them the proxy's password.
            details = ErrorDetails(message=f"the proxy refused: HTTP {error.status}", sent=False)
        case UnicodeError():
            details = ErrorDetails(message=f"no such host: {said(error)}", sent=False)
        case aiohttp.ClientPayloadError():
            details = ErrorDetails(message=f"the answer broke off: {said(error)}")
        case aiohttp.ClientError() | HttpProcessingError() | OSError():
            details = ErrorDetails(message=said(error))
        case _:
            return error
    return TransportFailed(details)


def timed_out(timeout: float) -> RequestTimedOut:
    """Return the error of a request that took longer than *timeout* seconds."""
    return RequestTimedOut(ErrorDetails(message=f"no answer within {timeout:g} s"))


def said(error: BaseException) -> str:
    """Return what *error* is and says, in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
