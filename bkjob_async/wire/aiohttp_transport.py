"""Requests over real HTTP, by aiohttp."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from base64 import b64encode
from collections.abc import Mapping
from functools import partial

import aiohttp
from attrs import field, frozen
from yarl import URL

from bkjob_async.errors import CallFacts, RequestTimedOut, TransportFailed, UnusableAnswer, UsageError
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.wire.header_sessions import HeaderSessions
from bkjob_async.wire.inflating import ENCODINGS, TooLarge, inflated
from bkjob_async.wire.time_limits import TimeLimits

# A job of 50 000 hosts answers with tens of megabytes; a stream without end must stop somewhere.
LARGEST_BODY = 256 * 1024 * 1024
KEEPALIVE = 30.0
CONTENT_ENCODING = aiohttp.hdrs.CONTENT_ENCODING


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

    *ssl* is True (verify against the system's authorities), a context of your own (client certificates, private
    authorities), or False (no verification; never for production). *proxy* may carry user and password.
    """

    connections: int = 64
    ssl: ssl_module.SSLContext | bool = True
    proxy: str | None = field(default=None, repr=False, validator=_is_proxy)
    trust_env: bool = False
    headers: Mapping[str, str] = field(factory=dict, repr=False, validator=_plain_headers)


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
        self._shared = HeaderSessions(self._sharing)
        self._limits = TimeLimits()
        self._closed = False

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - per call, not per task
        """Send *request* and return the whole answer."""
        session, headers = self._way_for(request)
        limit = self._limits.begin(timeout)
        try:
            response = await session.request(
                request.method,
                request.url,
                headers=headers,
                data=request.body,
                allow_redirects=False,
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
            )
            try:
                body = await self._body_of(response, whole=request.body is None)
            except BaseException:
                response.close()
                raise
            return HttpResponse(status=response.status, headers=response.headers, body=body)
        except asyncio.CancelledError as error:
            if self._limits.end(limit):
                raise RequestTimedOut(CallFacts(message=f"no answer within {timeout:g} s")) from error
            raise
        except TimeoutError as error:
            raise RequestTimedOut(CallFacts(message=f"no answer within {timeout:g} s")) from error
        except aiohttp.ClientConnectorError as error:
            raise TransportFailed(CallFacts(message=said(error), sent=False)) from error
        except aiohttp.ClientHttpProxyError as error:
            # Not chained: it holds the headers of its request, and among them the proxy's password.
            message = f"the proxy refused: HTTP {error.status}"
            raise TransportFailed(CallFacts(message=message, sent=False)) from None
        except UnicodeError as error:
            raise TransportFailed(CallFacts(message=f"no such host: {said(error)}", sent=False)) from error
        except aiohttp.ClientPayloadError as error:
            raise TransportFailed(CallFacts(message=f"the answer broke off: {said(error)}")) from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransportFailed(CallFacts(message=said(error))) from error
        finally:
            self._limits.end(limit)

    def _way_for(self, request: HttpRequest) -> tuple[aiohttp.ClientSession, Mapping[str, str] | None]:
        """Return the session that *request* goes through, and the headers that this session does not add by itself."""
        session = self._opened()
        if not self._lent:
            shared = self._shared.kept(request.headers, kind=request.packed)
            if shared is None:
                full = partial(self._headers_of, request)
                shared = self._shared.find(request.headers, full, kind=request.packed)
            if shared is not None:
                return shared, None
        return session, self._headers_of(request)

    def _headers_of(self, request: HttpRequest) -> Mapping[str, str]:
        """Return the headers of *request* with those of every request."""
        further = self._options.headers
        if not self._says_encoding and not (self._lent and request.packed):
            further = {"Accept-Encoding": "gzip" if request.packed else "identity", **further}
        return {**further, **request.headers}

    async def _body_of(self, response: aiohttp.ClientResponse, *, whole: bool) -> bytes:
        """Read the whole body; *whole*: the request was sent to its end, so nothing else is to be waited for."""
        content = response.content
        # A small body comes together with its head.
        body = content.read_nowait() if whole and content.is_eof() else await read_bounded(response)
        encoding = response.headers.get(CONTENT_ENCODING)
        return body if encoding is None or not self._packed else unpacked(body, encoding, response.status)

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session; raise `TransportFailed` when there can be none any more."""
        if self._closed or (self._session is not None and self._session.closed):
            whose = "lent aiohttp session" if self._lent and not self._closed else "transport"
            raise TransportFailed(CallFacts(message=f"the {whose} is closed", sent=False))
        return self._session or self._open()

    def _open(self) -> aiohttp.ClientSession:
        options = self._options
        connector = aiohttp.TCPConnector(
            limit=options.connections, ssl=options.ssl, keepalive_timeout=KEEPALIVE
        )
        self._session = self._session_on(connector, {}, owner=True)
        return self._session

    def _sharing(self, headers: Mapping[str, str]) -> aiohttp.ClientSession:
        """Return a session with *headers* of its own on the one connector."""
        connector = self._opened().connector
        assert connector is not None  # noqa: S101 - the session is open
        return self._session_on(connector, headers, owner=False)

    def _session_on(
        self, connector: aiohttp.BaseConnector, headers: Mapping[str, str], *, owner: bool
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            connector_owner=owner,
            headers=headers,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=self._options.trust_env,
        )

    async def aclose(self) -> None:
        """Let go of connections; harmless when repeated."""
        self._closed = True
        self._limits.close()
        self._shared.detach()
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


def said(error: BaseException) -> str:
    """Return what *error* is and says, in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


async def read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """Read the whole body; raise `UnusableAnswer` for one beyond all reason."""
    encoded = "Content-Encoding" in response.headers  # aiohttp may be unpacking what its length does not tell
    if not encoded and response.content_length is not None and response.content_length <= LARGEST_BODY:
        return await response.read()
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_BODY:
            response.close()
            raise too_long(response.status)
    return b"".join(chunks)


def unpacked(body: bytes, encoding: str, status: int) -> bytes:
    """Return what a packed *body* unpacks to, or raise the typed error."""
    name = encoding.strip().lower()
    if name in ("", "identity") or not body:
        return body
    if name not in ENCODINGS:
        message = "the answer is packed in a way that nobody asked for"
        raise UnusableAnswer(CallFacts(message=message, http_status=status))
    try:
        return inflated(body, largest=LARGEST_BODY)
    except ValueError as error:
        raise TransportFailed(
            CallFacts(message=f"the answer broke off: {error}", http_status=status)
        ) from error
    except TooLarge:
        raise too_long(status) from None


def too_long(status: int) -> UnusableAnswer:
    """Return the error of an answer beyond all reason."""
    message = f"the answer is longer than {LARGEST_BODY // 2**20} MiB"
    return UnusableAnswer(CallFacts(message=message, http_status=status))
