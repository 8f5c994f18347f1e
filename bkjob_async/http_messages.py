"""An HTTP request and its response, as plain values."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from msgspec import Struct, field
from yarl import URL


class HttpRequest(Struct, frozen=True, gc=False, kw_only=True):
    """One request, ready to be sent.

    *url* is absolute or, before the session has joined it, relative to the base URL. *accept_compressed* says
    whether a compressed response is worth asking for. Headers and body may hold credentials, so neither shows
    in the repr. A URL never holds credentials.
    """

    method: str
    url: URL
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    accept_compressed: bool = True

    def __repr__(self) -> str:
        return f"HttpRequest(method={self.method!r}, url={self.url!r}, accept_compressed={self.accept_compressed})"


class Closable(Protocol):
    """The connection that a response came over."""

    def close(self) -> None:
        """Close the connection; harmless when repeated."""
        ...


class RequestUnderWay(Protocol):
    """A request whose response is yet to come."""

    def cancel(self) -> None:
        """Let no response come; harmless when repeated."""
        ...


class HttpResponse(Struct, frozen=True, gc=False, kw_only=True, eq=False):
    """One whole response: status, headers with lower-case names, body.

    *connection* is the one it came over, or None where that is not known. It may be in use again already.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    connection: Closable | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HttpResponse):
            return NotImplemented
        return (self.status, self.headers, self.body) == (other.status, other.headers, other.body)

    def __ne__(self, other: object) -> bool:
        return not self == other  # msgspec's own `__ne__` does not ask `__eq__`

    __hash__ = None  # type: ignore[assignment]  # headers have none

    def __repr__(self) -> str:
        return f"HttpResponse(status={self.status})"


# What a request comes to: its whole response, or what remains to be awaited for it, which may raise as `Transport.send` does.
Received = HttpResponse | Callable[[], Awaitable[HttpResponse]]
