"""Report requests and rate limits to observers."""

from __future__ import annotations

import asyncio
from typing import Any

from bkjob_async.dialects.common.envelopes import first_request_id
from bkjob_async.errors import CallFailed
from bkjob_async.observe.counters import OTHER
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.observe.observer import RateLimitHit, RequestSent
from bkjob_async.wire.limits.permits import Permit
from bkjob_async.wire.sending import Sending


def report_request(
    observe: ObserverDispatch, sending: Sending[Any], permit: Permit, error: BaseException | None
) -> None:
    """Report a request that was sent with *permit* and ended with *error*; a success (None) is counted elsewhere.

    A request id that a server made of a secret is left out.
    """
    operation, is_poll = sending.operation, sending.is_poll
    request, response = permit.request, permit.response
    assert request is not None  # noqa: S101 - it was sent
    ended_at = asyncio.get_running_loop().time() if response is None else permit.received_at
    seconds, queued = ended_at - permit.sent_at, permit.sent_at - permit.asked_at
    size = 0 if response is None else len(response.body)
    if error is not None and observe.counters is not None:
        is_expected = isinstance(error, CallFailed | asyncio.CancelledError)
        outcome = type(error).__name__ if is_expected else OTHER
        observe.counters.add_failure(operation.name, outcome, seconds, queued, size)
    if not (observe.wants_polled_requests if is_poll else observe.wants_requests):
        return
    if isinstance(error, CallFailed):
        request_id = next(iter(error.request_ids.values()), "")
    else:
        request_id = "" if response is None else first_request_id(response.headers)
    url = request.url
    observe(
        RequestSent(
            client=observe.client,
            operation=operation.name,
            ref=getattr(operation, "ref", None),
            outcome="ok" if error is None else type(error).__name__,
            http_status=None if response is None else response.status,
            seconds=seconds,
            queue_seconds=queued,
            bytes=size,
            attempt=sending.attempt,
            request_id="" if any(secret in request_id for secret in sending.secrets()) else request_id,
            method=request.method,
            server=url.host or "",
            port=url.port,
            path=url.path,
            is_poll=is_poll,
        )
    )


def report_rate_limit(observe: ObserverDispatch, operation: str, pause: float, *, refused: bool) -> None:
    """Report that the gateway lets no further request through for *pause* seconds."""
    if observe.counters is not None:
        observe.counters.throttled["refused" if refused else "announced"] += 1
    if observe.listens(RateLimitHit):
        observe(RateLimitHit(client=observe.client, operation=operation, refused=refused, pause=pause))
