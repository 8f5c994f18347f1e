"""Permits, each for one request, and those who wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Protocol

from msgspec import Struct

from bkjob_async.http_messages import HttpRequest, HttpResponse, RequestUnderWay

# The priorities of those that wait: urgent calls, polls of what is known to have changed, all others but the last, and polls
# of what failed the last time after a long wait, and may hold their permits for as long again.
URGENT_CALL, URGENT_POLL, DUE, SLOW_RETRY = PRIORITIES = range(4)


class Permit(Struct, eq=False, gc=False):
    """The permission for one request: the scope and the resource it counts towards, and its times on the loop's clock.

    `request` is what was sent with it, `under_way` what can cancel that, `response` what came back.
    *accept_compressed*: a poll asks for a compressed response, None where its size is unknown. *is_observed*: somebody
    may listen to it. `is_held` is True while it counts as under way.
    """

    scope: Hashable
    resource: str
    priority: int
    asked_at: float
    sent_at: float
    received_at: float
    request: HttpRequest | None = None
    under_way: RequestUnderWay | None = None
    response: HttpResponse | None = None
    accept_compressed: bool | None = None
    is_observed: bool = True
    is_held: bool = True


class Waiting(Protocol):
    """What waits for a permit: for a request to *resource* that counts towards *scope*, since *asked_at*."""

    scope: Hashable
    priority: int
    asked_at: float

    @property
    def resource(self) -> str:
        """The name at the gateway of what is requested."""
        ...

    def is_waiting(self) -> bool:
        """Return whether it still wants a permit; it is asked when there is one."""
        ...

    def on_permit(self, permit: Permit) -> None:
        """Take the *permit*, for which `release` is called later."""
        ...


class WaitingCall(Struct, eq=False):
    """A call that waits for its permit; *granted* is done when it may go out, or never will."""

    scope: Hashable
    resource: str
    priority: int
    asked_at: float
    granted: asyncio.Future[Permit]
    permit: Permit | None = None
    timer: asyncio.TimerHandle | None = None

    def is_waiting(self) -> bool:
        """Return whether it was neither granted a permit nor cancelled."""
        return not self.granted.done()

    def on_permit(self, permit: Permit) -> None:
        """Let the caller go on."""
        permit.resource = self.resource
        self.permit = permit
        self.granted.set_result(permit)
