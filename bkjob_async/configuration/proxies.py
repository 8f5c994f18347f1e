"""The proxy to the platform, as the environment names it for most programs."""

from __future__ import annotations

from base64 import b64encode
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from attrs import field, frozen

from bkjob_async.errors import UsageError


@frozen(kw_only=True)
class Proxy:
    """A proxy: *url* as it was given, which may hold a password, and *shown*, which does not."""

    url: str = field(repr=False)
    shown: str
    host: str
    port: int
    is_tls: bool
    authorization: str = field(default="", repr=False)


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy to *url*, None for the direct way: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.

    This machine is reached directly. Raises `UsageError` for what is no HTTP proxy.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = getproxies_environment()
    given = proxies.get(parts.scheme) or proxies.get("all")
    if not given or is_this_machine(host) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return proxy_at(given, f"{parts.scheme.upper()}_PROXY or ALL_PROXY")


def proxy_at(given: str, source: str) -> Proxy:
    """Return the proxy that is *given* as text by a *source*; raise `UsageError` for what is no HTTP proxy."""
    whole = given if "://" in given else f"http://{given}"
    try:
        found = urlsplit(whole)
        port = found.port
    except ValueError:
        found, port = urlsplit(""), None
    if found.scheme not in ("http", "https") or not found.hostname:
        raise UsageError(f"{source} must name a proxy as http://HOST:PORT") from None
    port = port or (443 if found.scheme == "https" else 80)
    authorization = ""
    if found.username is not None:
        user = f"{unquote(found.username)}:{unquote(found.password or '')}"
        authorization = f"Basic {b64encode(user.encode()).decode()}"
    shown = f"{found.scheme}://{found.hostname}:{port}"
    return Proxy(
        url=whole,
        shown=shown,
        host=found.hostname,
        port=port,
        is_tls=found.scheme == "https",
        authorization=authorization,
    )


def is_this_machine(host: str) -> bool:
    """Return True for `localhost` and for addresses of the loopback interface."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.casefold() == "localhost"
