"""An HTTP request and its response, as plain values."""

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen
from yarl import URL


@frozen(kw_only=True)
class HttpRequest:
    """One request, ready to be sent.

    *url* is absolute or, before the session has joined it, relative to the base URL. *accept_compressed* says
    whether a compressed response is worth asking for. Headers and body may hold credentials, so neither shows
    in the repr. A URL never holds credentials.
    """

    method: str
    url: URL
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    accept_compressed: bool = True


class Closable(Protocol):
    """The connection that a response came over."""

    def close(self) -> None:
        """Close the connection; harmless when repeated."""
        ...


@frozen(kw_only=True)
class HttpResponse:
    """One whole response: status, headers with lower-case names, body.

    *connection* is the one it came over, or None where that is not known. It may be in use again already.
    """

    status: int
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    connection: Closable | None = field(default=None, repr=False, eq=False)
