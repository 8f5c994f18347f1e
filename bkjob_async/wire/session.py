"""The session: one operation in, one typed answer or one typed error out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, TypeVar, overload

import anyio
from attrs import evolve
from yarl import URL

from bkjob_async.dialects.common.dialect import Dialect
from bkjob_async.dialects.common.envelopes import read_envelope
from bkjob_async.dialects.common.redaction import redact_details, secrets_in
from bkjob_async.engine.flow_control.rate_limit import RateLimiter
from bkjob_async.engine.flow_control.retry import LONGEST_RETRY_AFTER, Retries, RetryBudget, was_not_executed
from bkjob_async.errors import (
    CallFailed,
    InvalidResponse,
    NotAuthenticated,
    OutcomeUnknown,
    PlatformTrouble,
    RequestTimedOut,
    Throttled,
    TransportFailed,
    UsageError,
)
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.credentials import Credentials
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus, Operation
from bkjob_async.model.operations.responses import Envelope
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.wire.credentials import CredentialsCache, CredentialsSource
from bkjob_async.wire.prepared_requests import PreparedRequest, PreparedRequestCache
from bkjob_async.wire.rate_limit_headers import RateLimitHeaders, parse_rate_limit_headers
from bkjob_async.wire.request_limiter import RequestLimiter
from bkjob_async.wire.tracebacks import strip_traceback
from bkjob_async.wire.transport import Transport

R = TypeVar("R")
T = TypeVar("T")

# The gateway's refusals that concern one resource only, and too many requests at the same time rather than in a window.
RESOURCE_RATE, CONCURRENCY = 1642903, 1642904
# The ESB's code for everything, a refused application among it: it does not prove that nothing happened.
VAGUE = 1306000


class Session:
    """Speaks one dialect to one platform, through one budget.

    Every request waits for admission first, then has *request_timeout* seconds for itself. An urgent one waits for
    admission no longer than that either, unless the gateway lets others through meanwhile: then it raises `Throttled`, and
    was not sent. Reads are tried again as *retries* says; what starts or changes something goes out once.
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
    ) -> None:
        """Join the parts; nothing is opened yet."""
        url = URL(base_url)
        if url.scheme not in ("http", "https") or not url.host:
            raise UsageError("the URL must be absolute: http:// or https://, with a host")
        if url.user is not None or url.password is not None or url.query_string:
            raise UsageError("the URL must carry neither user, password nor query: credentials go elsewhere")
        self.base_url = url
        self.dialect = dialect
        self.transport = transport
        self.limiter = RequestLimiter(limit or RateLimiter())
        self.request_timeout = request_timeout
        self.retries = retries or Retries()
        self.credentials = CredentialsCache(credentials)
        self._budget = RetryBudget(size=self.retries.budget)
        self._base = str(url).rstrip("/")
        self._ready = PreparedRequestCache(self._signed)
        self._dice = Random(seed)  # noqa: S311 - spreads waits, keeps no secret

    def prepare(self, operation: Operation[Any]) -> HttpRequest:
        """Return *operation* as an absolute, unsigned request; raise `NotSupported`."""
        request = self.dialect.encode(operation)
        url = URL(f"{self._base}/{str(request.url).lstrip('/')}", encoded=True)
        return evolve(request, url=url)

    def _signed(self, operation: Operation[Any], credentials: Credentials) -> HttpRequest:
        return self.dialect.sign(self.prepare(operation), credentials)

    async def call(
        self,
        operation: Operation[R],
        *,
        request_timeout: float | None = None,
        retries: Retries | None = None,
        urgent: bool = True,
    ) -> R:
        """Carry *operation* to the platform; return its typed answer, or raise a `CallFailed`."""
        try:
            return await self._carry(
                operation,
                lambda response: self.dialect.decode(operation, response),
                timeout=request_timeout,
                retries=retries or self.retries,
                urgent=urgent,
            )
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised below
            shown = strip_traceback(error, self.credentials.secrets)
        try:
            raise shown
        finally:
            del shown  # else it and this frame would hold each other

    async def call_raw(
        self,
        operation: Operation[Any],
        *,
        request_timeout: float | None = None,
        retries: Retries | None = None,
        urgent: bool = True,
    ) -> Envelope:
        """Carry *operation* to the platform; return its answer as it came, or raise a `CallFailed`."""
        try:
            return await self._carry(
                operation,
                read_envelope,
                timeout=request_timeout,
                retries=retries or self.retries,
                urgent=urgent,
            )
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised below
            shown = strip_traceback(error, self.credentials.secrets)
        try:
            raise shown
        finally:
            del shown  # else it and this frame would hold each other

    @overload
    async def poll(self, question: GetJobInstanceStatus) -> JobPollView: ...
    @overload
    async def poll(self, question: GetStepInstanceStatus) -> StepPollView: ...
    async def poll(
        self, question: GetJobInstanceStatus | GetStepInstanceStatus
    ) -> JobPollView | StepPollView:
        """Ask once, and read the answer as lightly as the engine needs; raise a `CallFailed`."""
        try:
            return await self._poll(question)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised below
            shown = strip_traceback(error, self.credentials.secrets)
        try:
            raise shown
        finally:
            del shown  # else it and this frame would hold each other

    async def _poll(
        self, question: GetJobInstanceStatus | GetStepInstanceStatus
    ) -> JobPollView | StepPollView:
        def read(response: HttpResponse) -> JobPollView | StepPollView:
            ready.learn_size(len(response.body))
            return self.dialect.decode_poll(question, response)

        attempt = 1
        while True:
            credentials: Credentials | None = None
            try:
                credentials = self.credentials.held or await self.credentials.get()
                ready = self._ready.get(question, credentials)
                answer = await self._exchange(ready, read, timeout=self.request_timeout, urgent=False)
            except CallFailed as error:
                failure = self._explained(error, question, attempt)
            else:
                self._budget.on_success()
                return answer
            if attempt > 1 or not self._can_sign_anew(failure, question, credentials):
                raise failure
            attempt += 1

    def _can_sign_anew(
        self, failure: CallFailed, operation: Operation[Any], credentials: Credentials | None
    ) -> bool:
        """Let go of refused *credentials*; return whether there can be others to try once more with."""
        if credentials is None or not may_sign_anew(failure, operation):
            return False
        return self.credentials.forget(credentials)

    async def _carry(
        self,
        operation: Operation[Any],
        read: Callable[[HttpResponse], T],
        *,
        timeout: float | None,  # noqa: ASYNC109 - per try, not per task
        retries: Retries,
        urgent: bool,
    ) -> T:
        """Send until there is an answer, or no sense in another try."""
        request = self.prepare(operation)
        limit = self.request_timeout if timeout is None else timeout
        attempt, renewed = 1, False
        while True:
            credentials: Credentials | None = None
            try:
                credentials = await self.credentials.get()
                signed = self.dialect.sign(request, credentials)
                ready = PreparedRequest(operation, signed)
                answer = await self._exchange(ready, read, timeout=limit, urgent=urgent)
            except CallFailed as error:
                failure = self._explained(error, operation, attempt)
            else:
                self._budget.on_success()
                return answer
            if not renewed and self._can_sign_anew(failure, operation, credentials):
                renewed = True
                attempt += 1
                continue
            wait = retries.next_wait(
                failure,
                attempt=attempt,
                repeatable=operation.repeatable,
                jitter=self._dice.random(),
                longest_retry_after=limit if urgent else LONGEST_RETRY_AFTER,
            )
            if wait is None or not self._budget.try_spend(failure, asyncio.get_running_loop().time()):
                raise failure
            await anyio.sleep(wait)
            attempt += 1

    async def _exchange(
        self,
        ready: PreparedRequest,
        read: Callable[[HttpResponse], T],
        *,
        timeout: float,  # noqa: ASYNC109 - per call, not per task
        urgent: bool,
    ) -> T:
        limiter, scope, resource = self.limiter, ready.scope, ready.resource
        place = limiter.enter_at_once(scope, resource, urgent=urgent) or await limiter.acquire(
            scope, resource, urgent=urgent, patience=timeout if urgent else None
        )
        # The place is given on only when the answer has been heeded: who comes next must find the door closed.
        said: RateLimitHeaders | None = None
        try:
            response = await self.transport.send(ready.request, timeout=timeout)
            said = parse_rate_limit_headers(response.headers)
            limiter.answered(place, len(response.body), said)
            answer = read_or_close(read, response)
        except Throttled as error:
            of_resource = error.code == RESOURCE_RATE or (said is not None and said.of_resource)
            limiter.refused(
                place, told=error.retry_after, of_resource=of_resource, at_once=error.code == CONCURRENCY
            )
            raise
        except RequestTimedOut:
            limiter.unanswered(place)
            raise
        else:
            limiter.accepted(place)
            return answer
        finally:
            limiter.release()

    def _explained(self, error: CallFailed, operation: Operation[Any], attempts: int) -> CallFailed:
        """Return *error* with what only the session knows, and without any secret."""
        details = evolve(
            error.details, operation=operation.name, dialect=self.dialect.name, attempts=attempts
        )
        secrets = (*self.credentials.secrets, *secrets_in(operation))
        return kind_of(error, operation)(redact_details(details, secrets))

    async def aclose(self) -> None:
        """Let go of connections; who still waits for a turn hears `ClientClosed`."""
        self.limiter.close()
        try:
            await self.credentials.aclose()
        finally:
            await self.transport.aclose()


def read_or_close(read: Callable[[HttpResponse], T], response: HttpResponse) -> T:
    """Return what *read* makes of *response*; close the connection when that is nothing.

    A connection that carries an answer to another request would do so again.
    """
    try:
        return read(response)
    except InvalidResponse:
        if response.connection is not None:
            response.connection.close()
        raise


def kind_of(error: CallFailed, operation: Operation[Any]) -> type[CallFailed]:
    """Return the class that *error* has for the caller of *operation*.

    When a command went out and no clear answer came back, nobody knows whether it happened.
    """
    unclear = isinstance(error, TransportFailed | PlatformTrouble | InvalidResponse)
    if not operation.repeatable and unclear and not was_not_executed(error):
        return OutcomeUnknown
    return type(error)


def may_sign_anew(error: CallFailed, operation: Operation[Any]) -> bool:
    """Tell whether the call may go out once more with other credentials: certainly nothing happened."""
    if not isinstance(error, NotAuthenticated) or not error.details.sent:
        return False
    return operation.repeatable or error.code != VAGUE
