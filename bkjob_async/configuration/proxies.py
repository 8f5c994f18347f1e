"""The proxy to the platform, as the environment names it for most programs."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from bkjob_async.errors import UsageError


def proxy_for(url: str) -> str | None:
    """Return the proxy to *url*, None for the direct way: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.

    This machine is reached directly. Raises `UsageError` for what is no HTTP proxy.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = getproxies_environment()
    given = proxies.get(parts.scheme) or proxies.get("all")
    if not given or is_this_machine(host) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return http_proxy(given, f"{parts.scheme.upper()}_PROXY or ALL_PROXY")


def http_proxy(given: str, source: str) -> str:
    """Return the URL of the proxy that is *given* by a *source*; raise `UsageError` for what is no HTTP proxy."""
    whole = given if "://" in given else f"http://{given}"
    try:
        found = urlsplit(whole)
        _ = found.port  # one that is none raises
    except ValueError:
        found = urlsplit("")
    if found.scheme not in ("http", "https") or not found.hostname:
        raise UsageError(f"{source} must name a proxy as http://HOST:PORT") from None
    return whole


def is_this_machine(host: str) -> bool:
    """Return True for `localhost` and for addresses of the loopback interface."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.casefold() == "localhost"
