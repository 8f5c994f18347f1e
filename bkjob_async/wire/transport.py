"""The protocols of a transport: it sends a request to the platform and returns the response."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from bkjob_async.http_messages import HttpRequest, HttpResponse, Received, RequestUnderWay


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


@runtime_checkable
class CallbackTransport(Transport, Protocol):
    """A transport that can send a request without a task: most polls are sent so, as it costs less."""

    def begin(
        self, request: HttpRequest, timeout: float, on_received: Callable[[Received], None]
    ) -> RequestUnderWay | None:
        """Send *request*, and call *on_received* once, later, unless it is cancelled.

        Return None, and send nothing, where `send` has to be awaited.
        """
        ...
