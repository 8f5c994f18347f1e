"""The protocol of a transport: it sends a request to the platform and returns the response."""

from typing import Protocol

from bkjob_async.http_messages import HttpRequest, HttpResponse


class Transport(Protocol):
    """Real HTTP, or a simulated platform.

    `send` takes a request with an absolute URL and returns the whole response, whatever its status. It raises
    `TransportFailed` when no whole response came back and `RequestTimedOut` when none came within *timeout* seconds, and
    leaves the operation and the dialect in their details empty. It does not follow redirects.
    """

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - per call, not per task
        """Send *request* and return the whole response."""
        ...

    async def aclose(self) -> None:
        """Close all connections; harmless when repeated."""
        ...
