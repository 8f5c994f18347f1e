"""The session: one operation in, one typed response or one typed error out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any, TypeVar
from weakref import WeakSet

from msgspec.structs import replace
from yarl import URL

from bkjob_async.dialects.common.dialect import Dialect, scope_of
from bkjob_async.dialects.common.status_calls import decode_poll
from bkjob_async.engine.flow_control.health import PlatformHealth
from bkjob_async.engine.flow_control.rate_limit import RateLimiter
from bkjob_async.engine.flow_control.retry import LONGEST_RETRY_AFTER, Retries, RetryBudget
from bkjob_async.errors import (
    CallFailed,
    InvalidResponse,
    RequestTimedOut,
    Throttled,
)
from bkjob_async.http_messages import HttpRequest, HttpResponse, Received
from bkjob_async.model.credentials import Credentials
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.poll_view import KnownRows, PollView
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.observe.to_logging import log_safely
from bkjob_async.wire.attempt_errors import complete_error, may_send_again
from bkjob_async.wire.base_url import checked_base_url
from bkjob_async.wire.bodies.large_bodies import LARGE_BODY, LargeBodyTurns
from bkjob_async.wire.clean_connections import had_no_connection
from bkjob_async.wire.credentials import CredentialsCache, CredentialsSource
from bkjob_async.wire.limits.permits import Permit
from bkjob_async.wire.limits.rate_limit_headers import RateLimitHeaders
from bkjob_async.wire.limits.request_limiter import RequestLimiter, client_closed
from bkjob_async.wire.poll_requests import PollOperation, PollRequests
from bkjob_async.wire.request_reports import report_rate_limit, report_request
from bkjob_async.wire.sending import Sending
from bkjob_async.wire.tracebacks import without_frames
from bkjob_async.wire.transport import CallbackTransport, Transport

T = TypeVar("T")
# What a response to a poll comes to: its view, or what is to be called and awaited for it.
ViewOrRest = PollView | Callable[[], Awaitable[PollView]]
# Returns what is known of the rows that a poll asks for, None where they are to be decoded in any case.
Known = Callable[[], KnownRows | None]

# The gateway's error codes for the quota of one resource, and for too many requests at the same time.
RESOURCE_QUOTA_CODE, CONCURRENCY_CODE = 1642903, 1642904

logger = logging.getLogger("bkjob_async.requests")


def nothing_known() -> None:
    """Return nothing: all rows are to be decoded."""


class Session:
    """Speaks one dialect to one platform; all its requests share one limiter and one retry budget.

    Every request first waits for a permit of the limiter, then has *request_timeout* seconds for itself. An urgent
    request that waits longer than that for its permit, while the gateway accepts no others, raises `Throttled` and is not
    sent. Reads are retried as *retries* says. What starts or changes something is sent once.
    """

    def __init__(
        self,
        base_url: str | URL,
        *,
        transport: Transport,
        dialect: Dialect,
        credentials: CredentialsSource,
        limit: RateLimiter | None = None,
        retries: Retries | None = None,
        request_timeout: float = 30.0,
        seed: int | None = None,
        observe: ObserverDispatch | None = None,
    ) -> None:
        """Join the parts; nothing is opened yet. *observe* receives every request."""
        url = self.base_url = checked_base_url(base_url)
        self.dialect = dialect
        self.transport = transport
        self._callbacks = transport if isinstance(transport, CallbackTransport) else None
        self.limiter = RequestLimiter(limit or RateLimiter())
        self.health = PlatformHealth()
        self.request_timeout = request_timeout
        self.retries = retries or Retries()
        self.credentials = CredentialsCache(credentials)
        self._other_credentials: WeakSet[CredentialsCache] = WeakSet()
        self.observe = observe or ObserverDispatch(client=dialect.name)
        self._retry_budget = RetryBudget(size=self.retries.budget)
        self._base = str(url).rstrip("/")
        self.poll_requests = PollRequests(self._signed)
        self._large_bodies = LargeBodyTurns()
        self._closed = asyncio.Event()
        self._random = Random(seed)  # noqa: S311 - spreads waiting times, keeps no secret

    # The three ways in ----------------------------------------------------------------------------------------------

    async def call(
        self,
        operation: Operation[Any],
        *,
        request_timeout: float | None = None,
        retries: Retries | None = None,
        urgent: bool = True,
        credentials: CredentialsCache | None = None,
        permit: Permit | None = None,
        is_raw: bool = False,
    ) -> Any:
        """Send *operation* and return its typed response, where it *is_raw* an `Envelope`; raise a `CallFailed`.

        *credentials* are used in place of the session's. With a *permit* it is a poll, and sent once.
        """
        read = self.dialect.decode_raw if is_raw else self.dialect.decode
        sending = Sending(
            operation=operation,
            sign=partial(self._signed, operation),
            decode=partial(read, operation),
            timeout=self.request_timeout if request_timeout is None else request_timeout,
            usual=self.credentials,
            held=credentials or self.credentials,
            urgent=urgent,
            is_poll=permit is not None,
            permit=permit,
        )
        return await without_frames(self._call(sending, retries or self.retries), sending.secrets)

    def begin_poll(
        self,
        operation: PollOperation,
        permit: Permit,
        known: Known,
        on_view: Callable[[ViewOrRest], None],
    ) -> bool:
        """Poll as `poll` does, but without a task; return False, and do nothing, where one is needed to send.

        *on_view* gets the view later, or what remains to be awaited for it, unless `permit.under_way` is cancelled.
        """
        credentials, limiter = self.credentials.current, self.limiter
        if self._callbacks is None or credentials is None:
            return False
        if limiter.resource_queues and not limiter.fits(permit, operation.name):
            return False
        permit.resource, permit.scope = operation.name, operation.ref.scope

        def on_received(received: Received) -> None:
            permit.under_way, view = None, None
            if isinstance(received, HttpResponse) and len(received.body) < LARGE_BODY:
                now = asyncio.get_running_loop().time()
                try:
                    view = decode_poll(self.dialect, operation, received, known=known())
                    rate_limit = limiter.on_response(permit, received, now, was_read=True)
                    self._on_success(operation, permit, rate_limit)
                    if permit.is_observed and self.observe.wants_polled_requests:
                        self._report(self._polling(operation, permit, known, None, credentials), None)
                except Exception:  # noqa: BLE001 - `poll` raises it again, for all who have to learn of it
                    view = None
            on_view(
                partial(self.poll, operation, permit, known, received, credentials) if view is None else view
            )

        try:
            request = self.poll_requests.request(
                operation, credentials, accept_compressed=permit.accept_compressed
            )
            permit.under_way = self._callbacks.begin(request, self.request_timeout, on_received)
        except Exception:  # noqa: BLE001 - `poll` raises it again, as above
            return False
        if permit.under_way is None:
            return False
        permit.request = request
        return True

    async def poll(
        self,
        operation: PollOperation,
        permit: Permit,
        known: Known = nothing_known,
        received: Received | None = None,
        credentials: Credentials | None = None,
    ) -> PollView:
        """Send *operation* with a *permit*, once, and decode only what the engine needs; raise a `CallFailed`.

        Rows that are *known* when the response has come need not be decoded. What was *received* already, requested with
        *credentials*, is not requested again.
        """
        sending = self._polling(operation, permit, known, received, credentials)
        return await without_frames(self._send(sending), sending.secrets)

    def _polling(
        self,
        operation: PollOperation,
        permit: Permit,
        known: Known,
        received: Received | None,
        credentials: Credentials | None,
    ) -> Sending[PollView]:
        """Return what `poll` sends."""

        def decode(response: HttpResponse) -> PollView:
            return decode_poll(self.dialect, operation, response, known=known())

        return Sending(
            operation=operation,
            sign=partial(self.poll_requests.request, operation, accept_compressed=permit.accept_compressed),
            decode=decode,
            timeout=self.request_timeout,
            usual=self.credentials,
            held=self.credentials,
            is_poll=True,
            permit=permit,
            received=received,
            credentials=credentials,
        )

    # From an operation to its response ------------------------------------------------------------------------------

    async def _call(self, sending: Sending[T], retries: Retries) -> T:
        """Send what is encoded once for all attempts; what is no poll with the headers of observers."""
        request = self.prepare(sending.operation)
        added = {} if sending.is_poll else self.observe.headers()
        if added:
            request = replace(request, headers={**request.headers, **added})
        sending.sign = partial(self.dialect.sign, request)
        return await self._send(sending, None if sending.is_poll else retries)

    async def _send(self, sending: Sending[T], retries: Retries | None = None) -> T:
        """Send until there is a result, or another attempt makes no sense; without *retries* once.

        Where the credentials were refused and there are new ones, it is sent once more at once, with another permit.
        """
        operation, refused = sending.operation, False
        while True:
            try:
                return await self._attempt(sending)
            except CallFailed as error:
                failure = error
            may_again = not refused and may_send_again(failure, operation)
            if may_again and sending.credentials is not None and sending.held.invalidate(sending.credentials):
                refused = True
            elif retries is None:
                raise failure
            else:
                refused = False
                wait = retries.next_wait(
                    failure,
                    attempt=sending.attempt,
                    repeatable=operation.repeatable,
                    jitter=self._random.random(),
                    longest_retry_after=sending.timeout if sending.urgent else LONGEST_RETRY_AFTER,
                )
                now = asyncio.get_running_loop().time()
                if wait is None or not self._retry_budget.try_spend(failure, now):
                    raise failure
                await self._sleep(self.health.retry_wait(wait, now))
            sending.attempt += 1

    async def _sleep(self, seconds: float) -> None:
        """Sleep before another try; raise `ClientClosed` as soon as the session is closed."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return
        raise client_closed()

    async def _attempt(self, sending: Sending[T]) -> T:
        """Send once, or go on with what was received, and decode; raise a `CallFailed`, complete.

        The limiter and the observers learn from the outcome.
        """
        limiter, operation, kept = self.limiter, sending.operation, sending.permit
        received, sending.received = sending.received, None
        rate_limit: RateLimitHeaders | None = None
        try:
            if received is None:
                sending.permit, sending.credentials = self._usable(sending), None
                sending.credentials = sending.held.current or await sending.held.fetch()
                request = sending.sign(sending.credentials)
                sending.permit = sending.permit or await limiter.acquire(
                    scope_of(operation),
                    operation.name,
                    urgent=sending.urgent,
                    patience=sending.timeout if sending.urgent else None,
                )
                sending.permit.request = request
                received = partial(self.transport.send, request, timeout=sending.timeout)
            permit = sending.permit
            assert permit is not None  # noqa: S101 - what was received came with it
            # It is released last: when the response forbids further requests, the next waiter must not go.
            try:
                response = received if isinstance(received, HttpResponse) else await received()
                rate_limit = limiter.on_response(permit, response, asyncio.get_running_loop().time())
                is_large = len(response.body) >= LARGE_BODY
                decode = sending.decode
                result = await self._decode_large(decode, response) if is_large else decode(response)
                limiter.on_success(permit)
            except CallFailed as error:
                self._learn(permit, error, rate_limit)
                raise
            finally:
                if permit is not kept:
                    limiter.release(permit)
        except CallFailed as error:
            failure = complete_error(
                error,
                operation,
                self.dialect.name,
                attempts=sending.attempt,
                secrets=sending.secrets(),
            )
            self._report(sending, failure)
        except (Exception, asyncio.CancelledError) as error:
            self._report(sending, error)
            was_sent = sending.permit is not None and not had_no_connection(error)
            note_cancelled(error, operation, was_sent=was_sent)
            raise
        else:
            self._on_success(operation, permit, rate_limit)
            self._report(sending, None)
            return result
        raise failure

    def _usable(self, sending: Sending[Any]) -> Permit | None:
        """Return the permit if the request can go out with it now; else give it back, and return None."""
        permit, operation = sending.permit, sending.operation
        if permit is None:
            return None
        if permit.request is not None:
            self.limiter.release(permit)  # another request needs another permit
            return None
        if sending.held.current is None or not self.limiter.fits(permit, operation.name):
            self.limiter.return_unused(permit)
            return None
        permit.resource = operation.name
        if permit.scope is None:
            permit.scope = scope_of(operation)
        return permit

    def _learn(self, permit: Permit, error: CallFailed, rate_limit: RateLimitHeaders | None) -> None:
        """Let the limiter, or the connection, bear the consequences of an *error*."""
        match error:
            case InvalidResponse():
                if permit.response is not None and permit.response.connection is not None:
                    # A connection that carries the response to another request would do so again.
                    permit.response.connection.close()
            case Throttled():
                announced = rate_limit is not None and rate_limit.per_resource
                pause = self.limiter.on_throttled(
                    permit,
                    retry_after=error.retry_after,
                    per_resource=announced or error.code == RESOURCE_QUOTA_CODE,
                    too_concurrent=error.code == CONCURRENCY_CODE,
                )
                report_rate_limit(self.observe, permit.resource, pause, refused=True)
            case RequestTimedOut():
                self.limiter.on_timeout(permit)

    def _on_success(
        self, operation: Operation[Any], permit: Permit, rate_limit: RateLimitHeaders | None
    ) -> None:
        """Count a response that was read."""
        assert permit.response is not None  # noqa: S101 - it was read
        size = len(permit.response.body)
        if rate_limit is not None and rate_limit.remaining <= 0:
            report_rate_limit(self.observe, permit.resource, rate_limit.reset, refused=False)
        if self._retry_budget.left < self._retry_budget.size:
            self._retry_budget.on_success()
        if (counters := self.observe.counters) is not None:
            counters.add_success(operation.name, permit.asked_at, permit.sent_at, permit.received_at, size)

    def _report(self, sending: Sending[Any], error: BaseException | None) -> None:
        """Report a request that is over to the observers; without a permit it was never sent."""
        permit = sending.permit
        if permit is not None and permit.request is not None:
            report_request(self.observe, sending, permit, error)
            permit.response = None  # this frame may live on until the next attempt

    async def _decode_large(self, decode: Callable[[HttpResponse], T], response: HttpResponse) -> T:
        """Decode a large response in a turn of the event loop of its own, and let the caller go on in another one."""
        loop = asyncio.get_running_loop()
        await self._large_bodies.next_turn()
        begun = loop.time()
        result = decode(response)
        took = loop.time() - begun
        await self._large_bodies.next_turn()
        self.limiter.received_at = loop.time() - took  # waiting for turns is not work
        return result

    def prepare(self, operation: Operation[Any]) -> HttpRequest:
        """Return *operation* as a request with an absolute URL, unsigned; raise `NotSupported`."""
        request = self.dialect.encode(operation)
        url = URL(f"{self._base}/{str(request.url).lstrip('/')}", encoded=True)
        return replace(request, url=url)

    def _signed(self, operation: Operation[Any], credentials: Credentials) -> HttpRequest:
        return self.dialect.sign(self.prepare(operation), credentials)

    def credentials_of(self, source: CredentialsSource) -> CredentialsCache:
        """Return other credentials for some calls; a provider of them is cancelled with the session."""
        credentials = CredentialsCache(source)
        self._other_credentials.add(credentials)
        return credentials

    async def aclose(self) -> None:
        """Close all connections; requests that still wait, for whatever it is, raise `ClientClosed`."""
        self.limiter.close()
        self._closed.set()
        # All providers are cancelled before the first is waited for, also where this is cancelled meanwhile.
        closed = [credentials.close() for credentials in (self.credentials, *self._other_credentials)]
        try:
            if called := list(filter(None, closed)):
                await asyncio.wait(called)
        finally:
            await self.transport.aclose()


def note_cancelled(error: BaseException, operation: Operation[Any], *, was_sent: bool) -> None:
    """Say, in a note and in the log, that a command which was cancelled while under way may have been executed."""
    if was_sent and isinstance(error, asyncio.CancelledError) and not operation.repeatable:
        message = f"{operation.name} was cancelled while it was under way, and may have been executed"
        error.add_note(message)
        log_safely(logger, logging.WARNING, "%s", message)
