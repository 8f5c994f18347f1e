"""Reports of requests and rate limits to observers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from bkjob_async.dialects.common.envelopes import first_request_id
from bkjob_async.errors import CallFailed
from bkjob_async.model.operations.base import Operation
from bkjob_async.observe.counters import OTHER
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.observe.observer import RateLimitHit, RequestSent
from bkjob_async.wire.limits.permits import Permit

NO_HEADERS: Mapping[str, str] = {}


def report_request(
    observe: ObserverDispatch,
    permit: Permit,
    operation: Operation[Any],
    *,
    attempt: int,
    error: BaseException | None,
    is_poll: bool,
    secrets: Iterable[str],
) -> None:
    """Report a request that was sent with *permit* and is over; one that succeeded is already counted."""
    now = asyncio.get_running_loop().time()
    if error is not None and observe.counters is not None:
        response = permit.response
        observe.counters.add_failure(
            operation.name,
            outcome_label(error),
            (now if response is None else permit.received_at) - permit.sent_at,
            permit.sent_at - permit.asked_at,
            0 if response is None else len(response.body),
        )
    if observe.wants_polled_requests if is_poll else observe.wants_requests:
        observe(
            request_sent(
                observe.client,
                permit,
                operation,
                attempt=attempt,
                error=error,
                now=now,
                is_poll=is_poll,
                secrets=secrets,
            )
        )


def request_sent(
    client: str,
    permit: Permit,
    operation: Operation[Any],
    *,
    attempt: int,
    error: BaseException | None,
    now: float,
    is_poll: bool,
    secrets: Iterable[str] = (),
) -> RequestSent:
    """Return the observation of a request that was sent with *permit* and ended with *error*, None for success.

    A request id that a server made of one of *secrets* is left out.
    """
    request, response = permit.request, permit.response
    assert request is not None  # noqa: S101 - it was sent
    url = request.url
    request_id = request_id_of(error, NO_HEADERS if response is None else response.headers)
    return RequestSent(
        client=client,
        operation=operation.name,
        ref=getattr(operation, "ref", None),
        outcome="ok" if error is None else type(error).__name__,
        http_status=None if response is None else response.status,
        seconds=(now if response is None else permit.received_at) - permit.sent_at,
        queue_seconds=permit.sent_at - permit.asked_at,
        bytes=0 if response is None else len(response.body),
        attempt=attempt,
        request_id="" if any(secret in request_id for secret in secrets) else request_id,
        method=request.method,
        server=url.host or "",
        port=url.port,
        path=url.path,
        is_poll=is_poll,
    )


def outcome_label(error: BaseException) -> str:
    """Return the name of an error's class if it is one of a few, else `other`."""
    return type(error).__name__ if isinstance(error, CallFailed | asyncio.CancelledError) else OTHER


def request_id_of(error: BaseException | None, headers: Mapping[str, str]) -> str:
    """Return the id under which the platform's operators find a request, empty for none."""
    if isinstance(error, CallFailed):
        return next(iter(error.request_ids.values()), "")
    return first_request_id(headers)


def report_rate_limit(observe: ObserverDispatch, operation: str, pause: float, *, refused: bool) -> None:
    """Report that the gateway lets no further request through for *pause* seconds."""
    if observe.counters is not None:
        observe.counters.throttled["refused" if refused else "announced"] += 1
    if observe.listens(RateLimitHit):
        observe(RateLimitHit(client=observe.client, operation=operation, refused=refused, pause=pause))
