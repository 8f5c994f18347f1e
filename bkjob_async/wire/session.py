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
from bkjob_async.model.credentials import Credentials, secrets_of
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.responses import Envelope
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
from bkjob_async.wire.tracebacks import without_frames
from bkjob_async.wire.transport import CallbackTransport, Transport

R = TypeVar("R")
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
        operation: Operation[R],
        *,
        request_timeout: float | None = None,
        retries: Retries | None = None,
        urgent: bool = True,
        credentials: CredentialsCache | None = None,
    ) -> R:
        """Send *operation* and return its typed response; raise a `CallFailed`.

        *credentials* are used in place of the session's.
        """
        decode: Callable[[HttpResponse], R] = partial(self.dialect.decode, operation)
        held = credentials or self.credentials
        call = self._call(operation, decode, request_timeout, retries, held, urgent=urgent)
        return await without_frames(call, partial(self._secrets, held))

    async def call_raw(
        self,
        operation: Operation[Any],
        *,
        request_timeout: float | None = None,
        retries: Retries | None = None,
        urgent: bool = True,
        credentials: CredentialsCache | None = None,
    ) -> Envelope:
        """Send *operation* and return its response as the platform wrote it; raise a `CallFailed`."""
        decode = partial(self.dialect.decode_raw, operation)
        held = credentials or self.credentials
        call = self._call(operation, decode, request_timeout, retries, held, urgent=urgent)
        return await without_frames(call, partial(self._secrets, held))

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
            permit.under_way = None
            if not isinstance(received, HttpResponse) or len(received.body) >= LARGE_BODY:
                on_view(partial(self.poll, operation, permit, known, received, credentials))
                return
            now = asyncio.get_running_loop().time()
            try:
                view = decode_poll(self.dialect, operation, received, known=known())
                rate_limit = limiter.on_response(permit, received, now, was_read=True)
                signed_with = self.credentials, credentials
                self._on_success(operation, permit, rate_limit, signed_with, is_poll=True)
            except Exception:  # noqa: BLE001 - `poll` raises it again, for all who have to learn of it
                on_view(partial(self.poll, operation, permit, known, received, credentials))
                return
            on_view(view)

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
        sign = partial(self.poll_requests.request, operation, accept_compressed=permit.accept_compressed)

        def decode(response: HttpResponse) -> PollView:
            return decode_poll(self.dialect, operation, response, known=known())

        held = self.credentials
        attempt = self._attempt(
            operation,
            sign,
            decode,
            self.request_timeout,
            held=held,
            urgent=False,
            permit=permit,
            received=received,
            credentials=credentials,
        )
        return await without_frames(attempt, partial(self._secrets, held))

    async def poll_list(self, operation: Operation[R], permit: Permit) -> R:
        """Send *operation* with a *permit*, once, and return its typed response; raise a `CallFailed`."""
        sign = partial(self.dialect.sign, self.prepare(operation))
        decode: Callable[[HttpResponse], R] = partial(self.dialect.decode, operation)
        timeout, held = self.request_timeout, self.credentials
        attempt = self._attempt(operation, sign, decode, timeout, held=held, urgent=False, permit=permit)
        return await without_frames(attempt, partial(self._secrets, held))

    # From an operation to its response ------------------------------------------------------------------------------

    async def _call(
        self,
        operation: Operation[Any],
        decode: Callable[[HttpResponse], T],
        request_timeout: float | None,
        retries: Retries | None,
        held: CredentialsCache,
        *,
        urgent: bool,
    ) -> T:
        request = self.prepare(operation)
        added = self.observe.headers()
        if added:
            request = replace(request, headers={**request.headers, **added})
        sign = partial(self.dialect.sign, request)
        timeout = self.request_timeout if request_timeout is None else request_timeout
        retries = retries or self.retries
        return await self._send(operation, sign, decode, retries, timeout, held=held, urgent=urgent)

    async def _send(
        self,
        operation: Operation[Any],
        sign: Callable[[Credentials], HttpRequest],
        decode: Callable[[HttpResponse], T],
        retries: Retries,
        timeout: float,  # noqa: ASYNC109 - per attempt, not per task
        *,
        held: CredentialsCache,
        urgent: bool,
    ) -> T:
        """Send until there is a result, or another attempt makes no sense."""
        number = 1
        while True:
            try:
                return await self._attempt(
                    operation, sign, decode, timeout, held=held, urgent=urgent, number=number
                )
            except CallFailed as error:
                failure = error
            number = failure.details.attempts
            wait = retries.next_wait(
                failure,
                attempt=number,
                repeatable=operation.repeatable,
                jitter=self._random.random(),
                longest_retry_after=timeout if urgent else LONGEST_RETRY_AFTER,
            )
            now = asyncio.get_running_loop().time()
            if wait is None or not self._retry_budget.try_spend(failure, now):
                raise failure
            await self._sleep(self.health.retry_wait(wait, now))
            number += 1

    async def _sleep(self, seconds: float) -> None:
        """Sleep before another try; raise `ClientClosed` as soon as the session is closed."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return
        raise client_closed()

    async def _attempt(
        self,
        operation: Operation[Any],
        sign: Callable[[Credentials], HttpRequest],
        decode: Callable[[HttpResponse], T],
        timeout: float,  # noqa: ASYNC109 - per attempt, not per task
        *,
        held: CredentialsCache,
        urgent: bool,
        number: int = 1,
        permit: Permit | None = None,
        received: Received | None = None,
        credentials: Credentials | None = None,
    ) -> T:
        """Send with a permit and decode, as attempt *number*; raise a `CallFailed`, complete.

        A poll has its *permit*, which it may keep: the poll runner releases it. The limiter and the observers learn from the
        outcome. What was *received* with the permit is the response, to a request that was signed with *credentials*: those
        that are *held* may be others by now. Where they were refused and there are new ones, it is sent once more, with another
        permit.
        """
        limiter, kept, refused = self.limiter, permit, False
        is_poll = permit is not None
        while True:
            rate_limit: RateLimitHeaders | None = None
            try:
                if permit is None or received is None:
                    permit, credentials = self._usable(permit, operation, held), None
                    credentials = held.current or await held.fetch()
                    request = sign(credentials)
                    permit = permit or await limiter.acquire(
                        scope_of(operation),
                        operation.name,
                        urgent=urgent,
                        patience=timeout if urgent else None,
                    )
                    permit.request = request
                # It is released last: when the response forbids further requests, the next waiter must not go.
                try:
                    if received is None:
                        assert permit.request is not None  # noqa: S101 - it was made just now
                        response = await self.transport.send(permit.request, timeout=timeout)
                    else:
                        response = received if isinstance(received, HttpResponse) else await received()
                    received = None
                    rate_limit = limiter.on_response(permit, response, asyncio.get_running_loop().time())
                    is_large = len(response.body) >= LARGE_BODY
                    result = await self._decode_large(decode, response) if is_large else decode(response)
                    limiter.on_success(permit)
                except CallFailed as error:
                    self._learn(permit, error, rate_limit)
                    raise
                finally:
                    if permit is not kept:
                        limiter.release(permit)
            except CallFailed as error:
                signed_with = held, credentials
                failure = complete_error(
                    error,
                    operation,
                    self.dialect.name,
                    attempts=number,
                    secrets=self._secrets(*signed_with),
                )
                self._report(permit, operation, number, failure, signed_with, is_poll=is_poll)
            except (Exception, asyncio.CancelledError) as error:
                self._report(permit, operation, number, error, (held, credentials), is_poll=is_poll)
                note_cancelled(error, operation, was_sent=permit is not None and not had_no_connection(error))
                raise
            else:
                signed_with = held, credentials
                self._on_success(operation, permit, rate_limit, signed_with, attempt=number, is_poll=is_poll)
                return result
            may_again = not refused and may_send_again(failure, operation)
            if not (may_again and credentials is not None and held.invalidate(credentials)):
                raise failure
            refused = True
            number += 1

    def _usable(
        self, permit: Permit | None, operation: Operation[Any], held: CredentialsCache
    ) -> Permit | None:
        """Return *permit* if the request of *operation* can go out with it now; else give it back, and return None."""
        if permit is None:
            return None
        if permit.request is not None:
            self.limiter.release(permit)  # another request needs another permit
            return None
        if held.current is None or not self.limiter.fits(permit, operation.name):
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
        self,
        operation: Operation[Any],
        permit: Permit,
        rate_limit: RateLimitHeaders | None,
        signed_with: tuple[CredentialsCache, Credentials | None],
        *,
        attempt: int = 1,
        is_poll: bool,
    ) -> None:
        """Count and report a response that was read, to a request *signed with* credentials that the cache held."""
        assert permit.response is not None  # noqa: S101 - it was read
        size = len(permit.response.body)
        if rate_limit is not None and rate_limit.remaining <= 0:
            report_rate_limit(self.observe, permit.resource, rate_limit.reset, refused=False)
        if self._retry_budget.left < self._retry_budget.size:
            self._retry_budget.on_success()
        if (counters := self.observe.counters) is not None:
            counters.add_success(operation.name, permit.asked_at, permit.sent_at, permit.received_at, size)
        observe = self.observe
        if (permit.is_observed and observe.wants_polled_requests) if is_poll else observe.wants_requests:
            self._report(permit, operation, attempt, None, signed_with, is_poll=is_poll)

    def _report(
        self,
        permit: Permit | None,
        operation: Operation[Any],
        attempt: int,
        error: BaseException | None,
        signed_with: tuple[CredentialsCache, Credentials | None],
        *,
        is_poll: bool,
    ) -> None:
        """Report a request that is over to the observers; without a permit it was never sent."""
        if permit is None or permit.request is None:
            return
        secrets = self._secrets(*signed_with)
        report_request(
            self.observe, permit, operation, attempt=attempt, error=error, is_poll=is_poll, secrets=secrets
        )
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

    # Errors ---------------------------------------------------------------------------------------------------------

    def _secrets(self, held: CredentialsCache, signed_with: Credentials | None = None) -> tuple[str, ...]:
        """Return all secrets that must not be shown: the session's, those that are *held*, and those of one request.

        That may have been *signed with* credentials that were replaced many times since.
        """
        own = self.credentials
        secrets = own.secrets if held is own else own.secrets + held.secrets
        if signed_with is None:
            return secrets
        return tuple(dict.fromkeys((*secrets, *secrets_of(signed_with))))

    def credentials_of(self, source: CredentialsSource) -> CredentialsCache:
        """Return other credentials for some calls; a provider of them is cancelled with the session."""
        credentials = CredentialsCache(source)
        self._other_credentials.add(credentials)
        return credentials

    async def aclose(self) -> None:
        """Close all connections; requests that still wait, for whatever it is, raise `ClientClosed`."""
        self.limiter.close()
        self._closed.set()
        try:
            for credentials in (self.credentials, *self._other_credentials):
                await credentials.aclose()
        finally:
            await self.transport.aclose()


def note_cancelled(error: BaseException, operation: Operation[Any], *, was_sent: bool) -> None:
    """Say, in a note and in the log, that a command which was cancelled while under way may have been executed."""
    if was_sent and isinstance(error, asyncio.CancelledError) and not operation.repeatable:
        message = f"{operation.name} was cancelled while it was under way, and may have been executed"
        error.add_note(message)
        log_safely(logger, logging.WARNING, "%s", message)
