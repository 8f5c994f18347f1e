"""A transport that several clients use, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define

from bkjob_async.http_messages import HttpRequest, HttpResponse, Received, RequestUnderWay
from bkjob_async.wire.transport import CallbackTransport, Transport


@define
class LentTransport:
    """Sends through *owned*, and leaves it open when a client is closed."""

    owned: Transport

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        """Send *request* and return the whole response."""
        return await self.owned.send(request, timeout=timeout)

    def begin(
        self, request: HttpRequest, timeout: float, on_received: Callable[[Received], None]
    ) -> RequestUnderWay | None:
        """Send *request* at once where *owned* can; see `CallbackTransport`."""
        if not isinstance(self.owned, CallbackTransport):
            return None
        return self.owned.begin(request, timeout, on_received)

    async def aclose(self) -> None:
        """Do nothing: whoever lent it closes it."""
