"""The limiter of requests: each call, and each poll that is due, waits here for a permit."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from math import inf
from operator import methodcaller

from bkjob_async.engine.flow_control.fair_queue import PriorityFairQueue
from bkjob_async.engine.flow_control.rate_limit import CLOCK_RESOLUTION, RateLimiter
from bkjob_async.engine.flow_control.server_quota import LATENESS, ServerQuota
from bkjob_async.errors import ClientClosed, ErrorDetails, Throttled
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.request_limit import RequestLimit
from bkjob_async.wire.limits.earliest_timer import EarliestTimer
from bkjob_async.wire.limits.permits import (
    DUE,
    PRIORITIES,
    SLOW_RETRY,
    URGENT_CALL,
    Permit,
    Waiting,
    WaitingCall,
)
from bkjob_async.wire.limits.rate_limit_headers import (
    REMAINING,
    RateLimitHeaders,
    parse_rate_limit_headers,
)

# While others wait, a scope pays one more turn for each so many bytes of a response.
BYTES_PER_TURN = 65_536


class RequestLimiter:
    """One queue in front of all bounds: the client's own `RateLimiter`, and the quotas that the gateway announces.

    Scopes take turns. Urgent calls go first, then urgent polls, except for one turn in eight; within a scope the first to
    come is the first to go. The quota of a single resource holds up only the requests for that resource: these wait in
    `resource_queues`, by its name. Time spent waiting here does not count towards a request's own timeout.
    """

    def __init__(self, limit: RateLimiter) -> None:
        """Guard *limit*, which nothing else may use."""
        self.limit = limit
        # How many neither have a permit nor gave up.
        self.waiting = 0
        # How many requests are under way of those that may take long again.
        self._slow_retries = 0
        # When the last response came: its decoding began then, without any other task in between.
        self.received_at = -inf
        self._shared_queue = RequestQueue()
        self.quota = self._shared_queue.quota
        self.resource_queues: dict[str, RequestQueue] = {}
        # All queues; the one that was served last comes last.
        self._queues = [self._shared_queue]
        self._timer = EarliestTimer(self._grant_permits)
        self._closed = False

    @property
    def requests_per_second(self) -> float | None:
        """The rate at which requests may go out as far as is known, None while there is no bound."""
        known = [rate for rate in (self.limit.rate, self.quota.estimated_rate) if rate is not None]
        return min(known) if known else None

    @property
    def is_throttled(self) -> bool:
        """Whether the gateway lets no request through, or none for one of its resources."""
        return any(queue.quota.is_closed for queue in self._queues)

    def refuses_all(self, resource: str, *, since: float, refused: float) -> bool:
        """Return whether no request for *resource* was let through since *since*, and one refused at *refused* or later."""
        return any(
            queue.last_success_at < since and queue.quota.has_refused(refused)
            for queue in self._queues_of(resource)
        )

    @property
    def is_scarce(self) -> bool:
        """Whether requests wait because fewer are allowed than could be under way."""
        concurrency = self.limit.concurrency
        return self.waiting > 0 and (
            concurrency.allowed < concurrency.maximum or self.requests_per_second is not None
        )

    def limit_at_work(self) -> RequestLimit | None:
        """Return the limit that keeps the next request from going out at once, None where none does."""
        limit, now = self.limit, asyncio.get_running_loop().time()
        if not limit.is_full and self.quota.next_allowed_at > max(
            now + CLOCK_RESOLUTION, limit.next_allowed_at
        ):
            return RequestLimit.GATEWAY_QUOTA
        at_work = limit.limit_at_work(now)
        if at_work is None and self.waiting:
            # Nothing else holds it up: it waits for the quota of its resource, or for other slow retries.
            return (
                RequestLimit.GATEWAY_QUOTA
                if self._last_priority == SLOW_RETRY
                else RequestLimit.SLOW_PLATFORM
            )
        return at_work

    def set_rate(self, rate: float | None) -> None:
        """Change how many requests may go out in a second; those that wait go by the new rate from now on."""
        self.limit.set_rate(rate, asyncio.get_running_loop().time())
        self._timer.cancel()
        self._grant_permits()

    # Before a request -----------------------------------------------------------------------------------------------

    def try_acquire(self, scope: Hashable, resource: str, *, urgent: bool) -> Permit | None:
        """Return a permit if no request waits and no bound is reached, as is usual; else None."""
        limit, quota = self.limit, self.quota
        if (
            self.waiting
            or limit.in_flight >= limit.concurrency.allowed
            or self.resource_queues
            or self._closed
        ):
            return None
        now = asyncio.get_running_loop().time()
        if (
            limit.next_allowed_at > now
            or (quota.next_allowed_urgent_at if urgent else quota.next_allowed_at) > now
        ):
            return None
        if limit.rate is None and not quota.is_known:
            limit.in_flight += 1  # nothing else to count
        else:
            limit.acquire(now)
            quota.acquire(now)
        return Permit(scope, resource, URGENT_CALL if urgent else DUE, now, now, now)

    async def acquire(
        self,
        scope: Hashable = None,
        resource: str = "",
        *,
        urgent: bool = False,
        patience: float | None = None,
    ) -> Permit:
        """Wait until a request may go out; each permit needs one `release`. Raise `ClientClosed` after `close`.

        *scope* is whose share the request counts towards, *resource* its name at the gateway. Raise `Throttled` when for
        *patience* seconds (None: for ever) no request of its kind succeeded.
        """
        permit = self.try_acquire(scope, resource, urgent=urgent)
        if permit is not None:
            return permit
        if self._closed:
            raise client_closed()
        loop = asyncio.get_running_loop()
        priority = URGENT_CALL if urgent else DUE
        waiter = WaitingCall(scope, resource, priority, loop.time(), loop.create_future())
        self.queue(waiter)
        if patience is not None and waiter.permit is None:
            waiter.timer = loop.call_later(patience, self._on_impatience, waiter, patience)
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            if waiter.permit is not None:
                self.return_unused(waiter.permit)  # granted just before the cancellation
            raise
        finally:
            if waiter.permit is None:
                self.withdraw()
            if waiter.timer is not None:
                waiter.timer.cancel()

    def queue(self, waiter: Waiting) -> None:
        """Give a permit to *waiter* as soon as a request may go out; each one that gives up needs one `withdraw`."""
        self.waiting += 1
        queue = self._queue_of(waiter.resource) if self.resource_queues else self._shared_queue
        queue.waiters.push(waiter.scope, waiter, priority=waiter.priority)
        self._grant_permits()

    def withdraw(self) -> None:
        """Count one less that waits, as it gave up."""
        self.waiting -= 1

    def return_unused(self, permit: Permit) -> None:
        """Take back a *permit* with which no request was sent, as if it had not been granted; harmless once it is released."""
        if permit.is_held:
            self.limit.uncount()
            for queue in self._queues_of(permit.resource):
                queue.quota.uncount()
            self.release(permit)

    def fits(self, permit: Permit, resource: str) -> bool:
        """Return whether a *permit* lets a request for *resource* out, too; one that has no quota of its own always."""
        return permit.resource == resource or resource not in self.resource_queues

    def _queue_of(self, resource: str) -> RequestQueue:
        """Return the queue of a resource: its own if its quota is known, else that of all."""
        return self.resource_queues.get(resource, self._shared_queue)

    def _queues_of(self, resource: str) -> tuple[RequestQueue, ...]:
        """Return the queue of all, and that of a resource if its quota is known."""
        own = self.resource_queues.get(resource)
        return (self._shared_queue,) if own is None else (self._shared_queue, own)

    def _on_impatience(self, waiter: WaitingCall, patience: float) -> None:
        """Raise `Throttled` in *waiter*, or wait on while others of its kind succeed."""
        if waiter.granted.done():
            return
        loop = asyncio.get_running_loop()
        queue = self._queue_of(waiter.resource)
        remaining = queue.last_success_at + patience - loop.time()
        if remaining > CLOCK_RESOLUTION:
            waiter.timer = loop.call_later(remaining, self._on_impatience, waiter, patience)
            return
        next_at = self._next_allowed_at(queue, urgent=waiter.priority == URGENT_CALL)
        wait, rate = next_at - loop.time(), self.limit.rate
        if wait <= CLOCK_RESOLUTION:
            error = not_sent(patience, "earlier requests get no responses", None)
        elif rate is not None and self.limit.next_allowed_at >= next_at:
            cause = f"requests_per_second of this client is {rate:g}, which lets the next one go in {round(wait, 1):g} s"
            error = not_sent(patience, f"{cause}: raise it, or request_timeout", wait)
        else:
            error = not_sent(patience, "the gateway accepts no requests at present", wait)
        waiter.granted.set_exception(error)

    # After a request ------------------------------------------------------------------------------------------------

    def on_response(
        self,
        permit: Permit,
        response: HttpResponse,
        now: float,
        *,
        was_read: bool = False,
    ) -> RateLimitHeaders | None:
        """Learn from the *response* that came *now* to the request of *permit*; return what it announces, if anything.

        *was_read*: the request was not throttled, and counts as under way no more; else `on_success` says so later. The next
        one has its turn when the permit is released.
        """
        limit, size = self.limit, len(response.body)
        permit.response, permit.received_at, self.received_at = response, now, now
        announces = REMAINING in response.headers
        rate_limit = parse_rate_limit_headers(response.headers) if announces else None
        concurrency = limit.concurrency
        if permit.sent_at > concurrency.decreased_at:
            concurrency.round.append((now - permit.sent_at, size, limit.in_flight))
            if len(concurrency.round) >= concurrency.round_size:
                concurrency.end_round(now)
        if rate_limit is not None:
            self._learning_queue(permit.resource, per_resource=rate_limit.per_resource).quota.on_headers(
                now,
                limit=rate_limit.limit,
                remaining=rate_limit.remaining,
                reset=rate_limit.reset,
                sent=permit.sent_at,
                in_flight=limit.in_flight - 1,
            )
        if size > BYTES_PER_TURN and self.waiting:
            waiters = self._queue_of(permit.resource).waiters
            waiters.add_cost(permit.scope, size / BYTES_PER_TURN, priority=permit.priority)
        if was_read:
            self.on_success(permit)
            self._count_over(permit)
        return rate_limit

    def on_throttled(
        self, permit: Permit, *, retry_after: float | None, per_resource: bool, too_concurrent: bool
    ) -> float:
        """Let no request of its kind out for *retry_after* seconds, or until a window must be over.

        *too_concurrent* says that too many were under way at the same time. Return the seconds until the next may go.
        """
        now = asyncio.get_running_loop().time()
        if too_concurrent:
            self.limit.concurrency.on_throttled(now, sent=permit.sent_at)
        queue = self._learning_queue(permit.resource, per_resource=per_resource)
        queue.quota.on_throttled(
            now,
            retry_after=retry_after,
            sent=permit.sent_at,
            accepted_per_second=queue.accepted_per_second,
        )
        return max(0.0, queue.quota.next_allowed_at - now)

    def on_timeout(self, permit: Permit) -> None:
        """Learn that no response came in time, unless that was to be expected."""
        if permit.priority != SLOW_RETRY:
            self.limit.concurrency.on_timeout(asyncio.get_running_loop().time(), sent=permit.sent_at)

    def release(self, permit: Permit) -> None:
        """Take back the *permit* of a request that is over, and let the next go; harmless when repeated."""
        self._count_over(permit)
        if self.waiting:
            self._grant_permits()

    def _count_over(self, permit: Permit) -> None:
        """Count the request of *permit* as under way no more."""
        if permit.is_held:
            permit.is_held = False
            self.limit.in_flight -= 1
            self._slow_retries -= permit.priority == SLOW_RETRY

    def on_success(self, permit: Permit) -> None:
        """Learn from a request that was not throttled."""
        for queue in self._queues_of(permit.resource) if self.resource_queues else self._queues:
            queue.on_success(permit)

    def _learning_queue(self, resource: str, *, per_resource: bool) -> RequestQueue:
        """Return the queue whose quota is learnt of: that of one resource, from now on, or that of the whole gateway."""
        if not per_resource:
            return self._shared_queue
        queue = self.resource_queues.get(resource)
        if queue is None:
            queue = self.resource_queues[resource] = RequestQueue()
            self._queues.append(queue)
        return queue

    # The queues -----------------------------------------------------------------------------------------------------

    def _grant_permits(self, due_at: float = inf) -> None:
        """Grant as many permits as the bounds allow; set the timer for the next one if only time is missing.

        The timer was to fire at *due_at*: a busy event loop is late.
        """
        loop, limit, due_at = asyncio.get_running_loop(), self.limit, min(due_at, self._timer.at)
        is_plain = limit.rate is None and not self.quota.is_known and not self.resource_queues
        while self.waiting and limit.in_flight < limit.concurrency.allowed:
            now = loop.time()
            if (
                is_plain
            ):  # nothing but the number under way holds requests up, and nothing else is to be counted
                waiter = self._shared_queue.waiters.pop(last=self._last_priority)
                if waiter is None:
                    return
                limit.in_flight += 1
                self._give_permit(waiter, now)
                continue
            found = self._next_waiter(now)
            if not isinstance(found, tuple):
                if found is not None:
                    self._timer.set(found)
                return
            waiter, served = found
            if self.resource_queues and (queue := self._queue_of(waiter.resource)) is not served:
                # It came before its resource was known to have a quota of its own.
                queue.waiters.push(waiter.scope, waiter, priority=waiter.priority)
                continue
            limit.acquire(min(now, max(due_at, now - LATENESS)))
            self.quota.acquire(now)
            if served is not self._shared_queue:
                served.quota.acquire(now)
            self._give_permit(waiter, now)

    @property
    def _last_priority(self) -> int:
        """The last priority that may go now: slow retries hold at most half of the permits, or one."""
        return SLOW_RETRY if 2 * self._slow_retries < self.limit.concurrency.allowed else DUE

    def _give_permit(self, waiter: Waiting, now: float) -> None:
        self.waiting -= 1
        self._slow_retries += waiter.priority == SLOW_RETRY
        resource = waiter.resource if self.resource_queues else ""
        waiter.on_permit(Permit(waiter.scope, resource, waiter.priority, waiter.asked_at, now, now))

    def _next_waiter(self, now: float) -> tuple[Waiting, RequestQueue] | float | None:
        """Return who may go now and from which queue, else when the next may, None where that is not known."""
        earliest, last = None, self._last_priority
        for index, queue in enumerate(self._queues):
            if not queue.waiters.has_any(last):
                continue
            next_at = self._next_allowed_at(queue, urgent=False)
            next_urgent_at = (
                self._next_allowed_at(queue, urgent=True) if queue.waiters.has(URGENT_CALL) else next_at
            )
            waiter: Waiting | None = None
            if next_at <= now + CLOCK_RESOLUTION:
                waiter = queue.waiters.pop(last=last)
            elif next_urgent_at <= now + CLOCK_RESOLUTION:
                waiter = queue.waiters.pop(last=URGENT_CALL)
            if waiter is not None:
                self._queues.append(self._queues.pop(index))
                return waiter, queue
            if queue.waiters.has_any(last):
                at = next_urgent_at if next_urgent_at > now + CLOCK_RESOLUTION else next_at
                earliest = at if earliest is None else min(earliest, at)
        return earliest

    def _next_allowed_at(self, queue: RequestQueue, *, urgent: bool) -> float:
        """Return when the next request of *queue* may go, as far as it depends on time."""
        next_at = self.limit.next_allowed_at
        for quota in (self.quota, queue.quota):
            next_at = max(next_at, quota.next_allowed_urgent_at if urgent else quota.next_allowed_at)
        return next_at

    def close(self) -> None:
        """Grant no more permits; raise `ClientClosed` in all that wait."""
        self._closed = True
        self._timer.cancel()
        for queue in self._queues:
            for waiter in queue.waiters.clear():
                if isinstance(waiter, WaitingCall):
                    waiter.granted.set_exception(client_closed())


class RequestQueue:
    """The requests that wait for the same *quota*, that of the gateway or of one resource, and the successes of others."""

    __slots__ = ("_accepted", "_accepted_before", "_second", "last_success_at", "quota", "waiters")

    def __init__(self) -> None:
        self.quota = ServerQuota()
        self.last_success_at = -inf
        self._second = self._accepted = self._accepted_before = 0
        self.waiters: PriorityFairQueue[Hashable, Waiting] = PriorityFairQueue(
            len(PRIORITIES), is_live=methodcaller("is_waiting")
        )

    @property
    def accepted_per_second(self) -> int:
        """How many requests the gateway let through in the second of the last success, or in the one before it."""
        return max(self._accepted, self._accepted_before)

    def on_success(self, permit: Permit) -> None:
        """Count a request that was let through."""
        now = self.last_success_at = permit.received_at
        second = int(now)
        if second != self._second:
            self._accepted_before = self._accepted if second == self._second + 1 else 0
            self._second, self._accepted = second, 0
        self._accepted += 1
        if self.quota.is_known:
            self.quota.on_success(now, sent=permit.sent_at)


def not_sent(waited: float, cause: str, retry_after: float | None) -> Throttled:
    """Return the error of a request whose permit did not come in time."""
    message = f"not sent after waiting {waited:g} s: {cause}"
    return Throttled(ErrorDetails(message=message, retry_after=retry_after, sent=False))


def client_closed() -> ClientClosed:
    """Return the error of a request that still waits when the client is closed."""
    return ClientClosed("the client was closed before this request was sent")
