"""Permits for requests, those who wait for one, and their queues."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from msgspec import Struct

from bkjob_async.engine.flow_control.fair_queue import PriorityFairQueue
from bkjob_async.engine.flow_control.server_quota import ServerQuota
from bkjob_async.errors import ClientClosed, ErrorDetails, Throttled
from bkjob_async.http_messages import HttpRequest, HttpResponse


class Permit(Struct, eq=False, gc=False):
    """The permission for one request: the scope and the resource it counts towards, and its times on the loop's clock.

    `request` is what was sent with it, `response` what came back.
    """

    scope: Hashable
    resource: str
    urgent: bool
    asked_at: float
    sent_at: float
    received_at: float
    request: HttpRequest | None = None
    response: HttpResponse | None = None


class Waiter(Struct, eq=False):
    """One request that waits for its permit; *granted* is done when it may go out, or never will."""

    permit: Permit
    queue: RequestQueue
    granted: asyncio.Future[None]
    has_permit: bool = False
    timer: asyncio.TimerHandle | None = None


class RequestQueue:
    """The requests that wait for the same *quota*; None is the queue of all without a quota of their own."""

    __slots__ = ("quota", "waiters")

    def __init__(self, quota: ServerQuota | None) -> None:
        self.quota = quota
        self.waiters: PriorityFairQueue[Hashable, Waiter] = PriorityFairQueue(is_live=still_waits)


def still_waits(waiter: Waiter) -> bool:
    """Return whether *waiter* was neither granted a permit nor cancelled."""
    return not waiter.granted.done()


def not_sent(waited: float, retry_after: float | None) -> Throttled:
    """Return the error of a request whose permit did not come in time."""
    cause = (
        "the gateway accepts no requests at present"
        if retry_after is not None
        else "earlier requests get no responses"
    )
    message = f"not sent after waiting {waited:g} s: {cause}"
    return Throttled(ErrorDetails(message=message, retry_after=retry_after, sent=False))


def client_closed() -> ClientClosed:
    """Return the error of a request that still waits when the client is closed."""
    return ClientClosed("the client was closed before this request was sent")
