"""Access to the control API: local programs, no web page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import ip_address

import msgspec

from bkjob_async.http_messages import HttpResponse

LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain"})


def access_error(
    headers: Mapping[str, str], *, reached_at: str | None, names: Collection[str] = ()
) -> HttpResponse | None:
    """Return the 403 for a request that a web page may have sent, None for one that is allowed.

    A browser sends an `Origin` with requests of a page of another site, and after DNS rebinding the page's
    own name as `Host`. So any `Origin` is rejected, and every `Host` but loopback ones, the address that the
    request came to (*reached_at*), and *names*, which are added for containers and the like.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    if "origin" in lowered:
        return forbidden("no web page may use the control API: it refuses every Origin")
    host = host_of(lowered.get("host", ""))
    if is_loopback(host) or (reached_at is not None and host == reached_at.lower()) or host in names:
        return None
    return forbidden(
        "the control API refuses this Host; ask for it at a loopback address, "
        "or let it have other names with control_names"
    )


def host_of(header: str) -> str:
    """Return the name or address of a `Host` header, without its port."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Return True for a name or address of this machine alone."""
    if host in LOCAL_NAMES:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def forbidden(reason: str) -> HttpResponse:
    """Return a 403 in the control API's own JSON."""
    return HttpResponse(
        status=403, headers={"content-type": "application/json"}, body=msgspec.json.encode({"error": reason})
    )
