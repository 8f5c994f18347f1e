"""Where requests wait for their turn, before the connection pool."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from bkjob_async.engine.flow_control.fair_queue import PriorityFairQueue
from bkjob_async.engine.flow_control.rate_limit import CLOCK_RESOLUTION, RateLimiter
from bkjob_async.engine.flow_control.server_quota import ServerQuota
from bkjob_async.errors import ClientClosed, ErrorDetails, Throttled
from bkjob_async.wire.rate_limit_headers import RateLimitHeaders

# A scope pays one turn more for so many bytes of an answer, while others wait.
BYTES_A_TURN = 65_536


class Permit:
    """One request that was let out: for whom, for what, and when."""

    __slots__ = ("heard", "resource", "scope", "sent", "urgent")

    def __init__(self, scope: Hashable, resource: str, urgent: bool, sent: float) -> None:  # noqa: FBT001 - once a request
        self.scope = scope
        self.resource = resource
        self.urgent = urgent
        self.sent = self.heard = sent


class Waiter(Permit):
    """One request that waits for its turn."""

    __slots__ = ("is_out", "lane", "timer", "turn")

    def __init__(self, place: Permit, lane: _Queue, turn: asyncio.Future[None]) -> None:
        super().__init__(place.scope, place.resource, place.urgent, place.sent)
        self.lane = lane
        self.turn = turn
        self.is_out = False
        self.timer: asyncio.TimerHandle | None = None


class RequestLimiter:
    """A queue in front of all bounds: the client's own `RateLimiter`, and the quotas that the gateway announces.

    Scopes take turns, urgent requests first, though one turn in eight is the background's; within a scope the first to
    come is the first. A quota of one resource alone holds up only the requests for that resource. Time spent here does
    not count towards a request's own time limit.
    """

    def __init__(self, limit: RateLimiter) -> None:
        """Guard *limit*; it belongs to this admission alone."""
        self.limit = limit
        self.quota = ServerQuota()
        self.waiting = 0
        self._common = _Queue(None)
        self._lanes: dict[str, _Queue] = {}
        self._order = [self._common]
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def requests_per_second(self) -> float | None:
        """Requests a second that may go out as far as is known, None while there is no bound."""
        known = [pace for pace in (self.limit.rate, self.quota.estimated_rate) if pace is not None]
        return min(known) if known else None

    # A request's way ------------------------------------------------------------------------------------------------

    async def acquire(
        self,
        scope: Hashable = None,
        resource: str = "",
        *,
        urgent: bool = False,
        patience: float | None = None,
    ) -> Permit:
        """Wait until a request may go out; each place needs one `leave`. Raise `ClientClosed` after `close`.

        *scope* is whose share it counts towards, *resource* what is asked for by its name at the gateway. Raise
        `Throttled` when for *patience* seconds (None: for ever) none of its kind has been let through.
        """
        place = self.enter_at_once(scope, resource, urgent=urgent)
        return place if place is not None else await self._wait(scope, resource, patience, urgent=urgent)

    def enter_at_once(self, scope: Hashable, resource: str, *, urgent: bool) -> Permit | None:
        """Let a request out if nobody waits and nothing is in its way, as is usual; None where it has to wait."""
        now = asyncio.get_running_loop().time()
        limit, quota = self.limit, self.quota
        if (
            self.waiting
            or self._lanes
            or self._closed
            or limit.in_flight >= limit.concurrency.allowed
            or limit.next_allowed_at > now
            or (quota.next_allowed_urgent_at if urgent else quota.next_allowed_at) > now
        ):
            return None
        limit.acquire(now)
        quota.acquire(now)
        return Permit(scope, resource, urgent, now)

    async def _wait(self, scope: Hashable, resource: str, patience: float | None, *, urgent: bool) -> Permit:
        if self._closed:
            raise closed()
        loop = asyncio.get_running_loop()
        place = Permit(scope, resource, urgent, loop.time())
        lane = self._lanes.get(place.resource, self._common)
        waiting = Waiter(place, lane, loop.create_future())
        lane.turns.push(place.scope, waiting, urgent=place.urgent)
        self.waiting += 1
        self._let_in()
        if patience is not None and not waiting.is_out:
            waiting.timer = loop.call_later(patience, self._give_up, waiting, patience)
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting.is_out:
                self.release()  # its turn came in the same breath as the cancellation
            elif not self._closed:
                self.waiting -= 1
            raise
        finally:
            if waiting.timer is not None:
                waiting.timer.cancel()
        return waiting

    def _give_up(self, waiting: Waiter, patience: float) -> None:
        """Tell a request that it has waited in vain, unless others of its kind got through meanwhile."""
        if waiting.turn.done():
            return
        loop = asyncio.get_running_loop()
        quota = waiting.lane.quota or self.quota
        left = quota.last_success_at + patience - loop.time()
        if left > CLOCK_RESOLUTION:
            waiting.timer = loop.call_later(left, self._give_up, waiting, patience)
            return
        self.waiting -= 1
        next_allowed_at = self._opens(waiting.lane, urgent=waiting.urgent) - loop.time()
        waiting.turn.set_exception(
            not_sent(patience, next_allowed_at if next_allowed_at > CLOCK_RESOLUTION else None)
        )

    def answered(self, place: Permit, size: int, said: RateLimitHeaders | None) -> None:
        """Take note of an answer of *size* bytes, and of what it *said* of a quota."""
        limit = self.limit
        now = place.heard = asyncio.get_running_loop().time()
        limit.concurrency.on_response(now, sent=place.sent, size=size, in_flight=limit.in_flight)
        if said is not None:
            self._quota_of(place.resource, own=said.of_resource).on_headers(
                now,
                limit=said.limit,
                remaining=said.remaining,
                reset=said.reset,
                sent=place.sent,
                in_flight=limit.in_flight - 1,
            )
        if size > BYTES_A_TURN and self.waiting:
            turns = (self._lanes.get(place.resource) or self._common).turns
            turns.add_cost(place.scope, size / BYTES_A_TURN, urgent=place.urgent)

    def accepted(self, place: Permit) -> None:
        """Take note that a request was let through."""
        self.quota.on_success(place.heard, sent=place.sent)
        lane = self._lanes.get(place.resource) if self._lanes else None
        if lane is not None and lane.quota is not None:
            lane.quota.on_success(place.heard, sent=place.sent)

    def refused(self, place: Permit, *, told: float | None, of_resource: bool, at_once: bool) -> None:
        """Take note of a refusal: let nothing of its kind out for *told* seconds, or until a window must be over.

        *at_once* says that there were too many at the same time.
        """
        now = asyncio.get_running_loop().time()
        if at_once:
            self.limit.concurrency.on_throttled(now, sent=place.sent)
        self._quota_of(place.resource, own=of_resource).on_throttled(now, retry_after=told, sent=place.sent)

    def unanswered(self, place: Permit) -> None:
        """Take note that there was no answer in time."""
        self.limit.concurrency.on_timeout(asyncio.get_running_loop().time(), sent=place.sent)

    def release(self) -> None:
        """Give the place of a request that came back to the next."""
        self.limit.release()
        if self.waiting:
            self._let_in()

    def _quota_of(self, resource: str, *, own: bool) -> ServerQuota:
        """Return the quota of a resource alone, or that of the whole gateway."""
        if not own:
            return self.quota
        lane = self._lanes.get(resource)
        if lane is None:
            lane = self._lanes[resource] = _Queue(ServerQuota())
            self._order.append(lane)
        assert lane.quota is not None  # noqa: S101 - made with one
        return lane.quota

    # The queue ------------------------------------------------------------------------------------------------------

    def _opens(self, lane: _Queue, *, urgent: bool) -> float:
        """Return when the next request of a lane may go, as far as it hangs on time."""
        next_allowed_at = max(
            self.limit.next_allowed_at,
            self.quota.next_allowed_urgent_at if urgent else self.quota.next_allowed_at,
        )
        if lane.quota is None:
            return next_allowed_at
        return max(
            next_allowed_at, lane.quota.next_allowed_urgent_at if urgent else lane.quota.next_allowed_at
        )

    def _let_out(self, waiting: Waiter, now: float) -> None:
        self.limit.acquire(now)
        self.quota.acquire(now)
        if waiting.lane.quota is not None:
            waiting.lane.quota.acquire(now)
        self.waiting -= 1
        waiting.sent = waiting.heard = now
        waiting.is_out = True
        waiting.turn.set_result(None)

    def _let_in(self) -> None:
        """Let in whoever may go, by turns; set an alarm for the next when that is a question of time."""
        loop = asyncio.get_running_loop()
        while self.waiting and not self.limit.is_full:
            now = loop.time()
            place, next_allowed_at = self._next(now)
            if place is None:
                if next_allowed_at is not None:
                    self._alarm(next_allowed_at)
                return
            lane = self._lanes.get(place.resource)
            if lane is not None and lane is not place.lane:
                # It came before anybody knew that its resource has a quota of its own.
                place.lane = lane
                lane.turns.push(place.scope, place, urgent=place.urgent)
                continue
            self._let_out(place, now)

    def _next(self, now: float) -> tuple[Waiter | None, float | None]:
        """Return who goes now, else when somebody may."""
        soonest: float | None = None
        for number, lane in enumerate(self._order):
            if not lane.turns:
                continue
            next_allowed_at = self._opens(lane, urgent=False)
            next_allowed_urgent_at = (
                self._opens(lane, urgent=True) if lane.turns.has_urgent else next_allowed_at
            )
            place = None
            if next_allowed_at <= now + CLOCK_RESOLUTION:
                place = lane.turns.pop()
            elif next_allowed_urgent_at <= now + CLOCK_RESOLUTION:
                place = lane.turns.pop(background=False)
            if place is not None:
                self._order.append(self._order.pop(number))
                return place, None
            if lane.turns:
                at = (
                    next_allowed_urgent_at
                    if next_allowed_urgent_at > now + CLOCK_RESOLUTION
                    else next_allowed_at
                )
                soonest = at if soonest is None else min(soonest, at)
        return None, soonest

    def _alarm(self, at: float) -> None:
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._let_in()

    def close(self) -> None:
        """Let nobody in any more; whoever waits is told."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for lane in self._order:
            for place in lane.turns.clear():
                place.turn.set_exception(closed())
        self.waiting = 0


class _Queue:
    """Those who wait behind the same quota; the common one is that of the whole gateway."""

    __slots__ = ("quota", "turns")

    def __init__(self, quota: ServerQuota | None) -> None:
        self.quota = quota
        self.turns: PriorityFairQueue[Hashable, Waiter] = PriorityFairQueue(is_live=is_queued)


def is_queued(place: Waiter) -> bool:
    """Whether somebody still waits for this turn."""
    return not place.turn.done()


def not_sent(waited: float, next_allowed_at: float | None) -> Throttled:
    """Return what somebody hears whose turn did not come in time; *next_allowed_at* is in how many seconds it may."""
    why = (
        "the gateway lets nothing through"
        if next_allowed_at is not None
        else "requests under way get no answers"
    )
    message = f"not sent, it waited {waited:g} s for its turn: {why}"
    return Throttled(ErrorDetails(message=message, retry_after=next_allowed_at, sent=False))


def closed() -> ClientClosed:
    """Return what somebody hears who waits for a turn that never comes."""
    return ClientClosed("the client was closed before this request went out")
