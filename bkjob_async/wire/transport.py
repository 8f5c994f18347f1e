"""What carries a request to the platform and an answer back."""

from typing import Protocol

from bkjob_async.http_messages import HttpRequest, HttpResponse


class Transport(Protocol):
    """A door to the platform: real HTTP, or a simulated world.

    `send` takes an absolute request and returns the whole answer, whatever its status. It raises
    `TransportFailed` when no whole answer came back and `RequestTimedOut` when none came within *timeout* seconds;
    it fills neither operation nor dialect. Redirects are not followed.
    """

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - per call, not per task
        """Send *request* and return the whole answer."""
        ...

    async def aclose(self) -> None:
        """Let go of connections; harmless when repeated."""
        ...
