"""Probe the network between here and the platform: names, connections, certificates, the server's clock."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic

from attrs import frozen

from bkjob_async.configuration.proxies import Proxy

PROBE_SECONDS = 10.0
MAX_HEAD = 16 * 1024
# A proxy that wants to know its user.
PROXY_REFUSES = 407


@frozen(kw_only=True)
class Reached:
    """A server that was connected to: its TLS version, the end of its certificate, its time and its status."""

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


async def reach(
    host: str, port: int, path: str, context: ssl.SSLContext | None, proxy: Proxy | None = None
) -> Reached:
    """Connect, through *proxy* if there is one, and ask for the head of *path* without credentials.

    Raises `OSError`, `TimeoutError`, `ProxyRefused`.
    """
    async with asyncio.timeout(PROBE_SECONDS):
        reader, writer = await connected(host, port, context, proxy)
        lines = [f"Host: {authority(host, port)}", "Connection: close"]
        if proxy is not None and context is None:
            path = f"http://{authority(host, port)}{path}"
            lines += authorization_of(proxy)
        try:
            tls, ends = certificate_of(writer)
            writer.write(request_head(f"HEAD {path}", lines))
            began = monotonic()
            status, date = await read_head(reader)
            if status == PROXY_REFUSES and proxy is not None:
                raise ProxyRefused(status)
            return Reached(
                tls=tls, certificate_ends=ends, date=date, status=status, seconds=monotonic() - began
            )
        finally:
            writer.close()


async def connected(
    host: str, port: int, context: ssl.SSLContext | None, proxy: Proxy | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a server; through a *proxy* by a tunnel where TLS is spoken."""
    if proxy is None:
        return await asyncio.open_connection(host, port, ssl=context, limit=MAX_HEAD)
    own = ssl.create_default_context() if proxy.is_tls else None
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port, ssl=own, limit=MAX_HEAD)
    if context is None:
        return reader, writer
    try:
        await open_tunnel(reader, writer, authority(host, port), proxy)
        await writer.start_tls(context, server_hostname=host)
    except BaseException:
        writer.close()
        raise
    return reader, writer


async def open_tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: str, proxy: Proxy
) -> None:
    """Ask a proxy for a way to *server*; raise `ProxyRefused`."""
    writer.write(request_head(f"CONNECT {server}", [f"Host: {server}", *authorization_of(proxy)]))
    status, _ = await read_head(reader)
    if status is None or not 200 <= status < 300:
        raise ProxyRefused(status)


def request_head(begin: str, lines: Sequence[str]) -> bytes:
    """Return a request without a body."""
    return "\r\n".join([f"{begin} HTTP/1.1", *lines, "", ""]).encode()


def authorization_of(proxy: Proxy) -> Sequence[str]:
    """Return the header with the user of a proxy, none where it has none."""
    return [f"Proxy-Authorization: {proxy.authorization}"] if proxy.authorization else []


async def read_head(reader: asyncio.StreamReader) -> tuple[int | None, datetime | None]:
    """Return the status and the server's time, None for what cannot be read."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None, None
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split()
    status = int(words[1]) if len(words) > 1 and re.fullmatch(r"[1-9][0-9]{2}", words[1]) else None
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "date":
            try:
                return status, parsedate_to_datetime(value.strip()).astimezone(UTC)
            except (ValueError, TypeError, OverflowError):
                break
    return status, None


def certificate_of(writer: asyncio.StreamWriter) -> tuple[str, datetime | None]:
    """Return the version of TLS and the end of the server's certificate, nothing for a plain connection."""
    tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    if tls is None:
        return "", None
    ends = (tls.getpeercert() or {}).get("notAfter")
    seconds = ssl.cert_time_to_seconds(ends) if isinstance(ends, str) else None
    return tls.version() or "TLS", None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def authority(host: str, port: int) -> str:
    """Return host and port as HTTP names them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
