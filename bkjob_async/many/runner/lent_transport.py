"""A transport that several clients use, one after the other."""

from __future__ import annotations

from attrs import define

from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.wire.transport import Transport


@define
class LentTransport:
    """Sends through *owned*, and leaves it open when a client is closed."""

    owned: Transport

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        """Send *request* and return the whole response."""
        return await self.owned.send(request, timeout=timeout)

    async def aclose(self) -> None:
        """Do nothing: whoever lent it closes it."""
