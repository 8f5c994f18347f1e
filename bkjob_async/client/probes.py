"""Probe the network between here and the platform: names, connections, certificates, the server's clock."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic

import aiohttp
from aiohttp.connector import Connection
from attrs import define
from yarl import URL

from bkjob_async.wire.aiohttp_transport import split_proxy

PROBE_SECONDS = 10.0
# A proxy that wants to know its user.
PROXY_REFUSES = 407


@define(kw_only=True)
class Reached:
    """A server that was connected to: its TLS version, the end of its certificate, its time and its status.

    *connected_at* is when it was, None where only a proxy was reached, and *seconds* how long its response took.
    """

    connected_at: float | None = None
    tls: str = ""
    certificate_ends: datetime | None = None
    date: datetime | None = None
    status: int | None = None
    seconds: float = 0.0


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of *host*; raise `OSError`, `TimeoutError` after ten seconds."""
    async with asyncio.timeout(PROBE_SECONDS):
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [*dict.fromkeys(str(address[0]) for _, _, _, _, address in found)]


class ProxyRefused(Exception):
    """A proxy opened no way to the server; *status* is that of its answer, None where it gave none."""

    def __init__(self, status: int | None) -> None:
        """Keep the *status*."""
        super().__init__(f"HTTP {status}")
        self.status = status


async def reach(url: URL, context: ssl.SSLContext | None, proxy: str | None = None) -> Reached:
    """Connect, through *proxy* if there is one, and ask for the head of *url* without credentials.

    Raises `OSError`, `TimeoutError`, `ProxyRefused`.
    """
    reached = Reached()
    through, proxy_headers = split_proxy(proxy)

    class Head(aiohttp.ClientResponse):
        """A response whose connection is looked at before it is read, and may be closed with it."""

        async def start(self, connection: Connection) -> aiohttp.ClientResponse:
            """Begin to read the response."""
            reached.connected_at = monotonic()
            reached.tls, reached.certificate_ends = certificate_of(connection.transport)
            return await super().start(connection)

    try:
        async with (
            asyncio.timeout(PROBE_SECONDS),
            aiohttp.ClientSession(response_class=Head) as session,
            session.head(
                url,
                ssl=context or True,
                proxy=through,
                proxy_headers=proxy_headers,
                allow_redirects=False,
            ) as response,
        ):
            reached.seconds = monotonic() - (reached.connected_at or 0.0)
            reached.status, reached.date = response.status, time_of(response.headers.get("Date", ""))
    except aiohttp.ClientHttpProxyError as error:
        raise ProxyRefused(error.status) from None
    except aiohttp.ClientConnectorCertificateError as error:
        raise error.certificate_error from None
    except aiohttp.ClientConnectorError as error:
        raise error.os_error from None
    except aiohttp.ClientOSError:
        raise
    except aiohttp.ClientError:  # what was reached does not speak HTTP
        if proxy is not None and reached.connected_at is None:
            raise ProxyRefused(None) from None
    if reached.status == PROXY_REFUSES and proxy is not None:
        raise ProxyRefused(reached.status)
    return reached


def time_of(date: str) -> datetime | None:
    """Return the time in a header, None for none."""
    try:
        return parsedate_to_datetime(date).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def certificate_of(transport: asyncio.Transport | None) -> tuple[str, datetime | None]:
    """Return the version of TLS and the end of the server's certificate, nothing for a plain connection."""
    tls: ssl.SSLObject | None = None if transport is None else transport.get_extra_info("ssl_object")
    if tls is None:
        return "", None
    ends = (tls.getpeercert() or {}).get("notAfter")
    seconds = ssl.cert_time_to_seconds(ends) if isinstance(ends, str) else None
    return tls.version() or "TLS", None if seconds is None else datetime.fromtimestamp(seconds, UTC)
