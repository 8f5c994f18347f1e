"""The session: one operation in, one typed answer or one typed error out."""

from __future__ import annotations

from random import Random
from typing import Any, TypeVar, overload

import anyio
from attrs import evolve
from yarl import URL

from bkjob_async.dialects.base import Dialect
from bkjob_async.engine.limit import Limit
from bkjob_async.engine.retry import Retries, never_happened
from bkjob_async.errors import (
    CallFailed,
    OutcomeUnknown,
    PlatformTrouble,
    Throttled,
    TransportFailed,
    UnusableAnswer,
    UsageError,
)
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.credentials import Credentials, secrets_of
from bkjob_async.model.look import JobLook, StepLook
from bkjob_async.model.operations import GetJobInstanceStatus, GetStepInstanceStatus, Operation
from bkjob_async.wire.admission import Admission
from bkjob_async.wire.transport import Transport

R = TypeVar("R")

REMAINING, RESET = "X-Bkapi-RateLimit-Remaining", "X-Bkapi-RateLimit-Reset"
# Without a word from the server, a refused request waits for a window of the usual length to pass.
USUAL_WINDOW = 1.0
LONGEST_WINDOW = 3600.0


class Session:
    """Speaks one dialect to one platform, through one budget.

    Every request waits for admission first, then has *request_timeout* seconds for itself. Reads are tried again as
    *retries* says; what starts or changes something goes out once.
    """

    def __init__(
        self,
        base_url: str | URL,
        *,
        transport: Transport,
        dialect: Dialect,
        credentials: Credentials,
        limit: Limit | None = None,
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
        self.admission = Admission(limit or Limit())
        self.request_timeout = request_timeout
        self.retries = retries or Retries()
        self._base = str(url).rstrip("/")
        self._credentials = credentials
        self._secrets = secrets_of(credentials)
        self._dice = Random(seed)  # noqa: S311 - spreads waits, keeps no secret

    def prepare(self, operation: Operation[Any]) -> HttpRequest:
        """Return *operation* as a signed, absolute request; raise `NotSupported`."""
        request = self.dialect.encode(operation)
        url = URL(f"{self._base}/{str(request.url).lstrip('/')}", encoded=True)
        return self.dialect.sign(evolve(request, url=url), self._credentials)

    async def call(
        self, operation: Operation[R], *, request_timeout: float | None = None, urgent: bool = True
    ) -> R:
        """Carry *operation* to the platform; return its typed answer, or raise a `CallFailed`."""
        request = self.prepare(operation)
        attempt = 1
        while True:
            try:
                response = await self._exchange(request, timeout=request_timeout, urgent=urgent)
                return self.dialect.decode(operation, response)
            except CallFailed as error:
                failure, cause = self._explained(error, operation, attempt), error.__cause__
            wait = self.retries.next_wait(
                failure, attempt=attempt, repeatable=operation.repeatable, jitter=self._dice.random()
            )
            if wait is None:
                raise failure from cause
            await anyio.sleep(wait)
            attempt += 1

    @overload
    async def look(self, question: GetJobInstanceStatus) -> JobLook: ...
    @overload
    async def look(self, question: GetStepInstanceStatus) -> StepLook: ...
    async def look(self, question: GetJobInstanceStatus | GetStepInstanceStatus) -> JobLook | StepLook:
        """Ask once, and read the answer as lightly as the engine needs; raise a `CallFailed`."""
        try:
            response = await self._exchange(self.prepare(question), timeout=None, urgent=False)
            return self.dialect.look(question, response)
        except CallFailed as error:
            failure, cause = self._explained(error, question, 1), error.__cause__
        raise failure from cause

    async def _exchange(
        self,
        request: HttpRequest,
        *,
        timeout: float | None,  # noqa: ASYNC109 - per call, not per task
        urgent: bool,
    ) -> HttpResponse:
        await self.admission.enter(urgent=urgent)
        try:
            response = await self.transport.send(request, timeout=timeout or self.request_timeout)
        finally:
            self.admission.leave()
        self._heed(response)
        return response

    def _heed(self, response: HttpResponse) -> None:
        """Stop before the announced limit refuses anything."""
        if response.headers.get(REMAINING) == "0":
            self.admission.pause(seconds_of(response.headers.get(RESET)))

    def _explained(self, error: CallFailed, operation: Operation[Any], attempts: int) -> CallFailed:
        """Return *error* with what only the session knows, and without any secret."""
        if isinstance(error, Throttled):
            self.admission.pause(error.retry_after or USUAL_WINDOW)
        facts = evolve(
            error.facts,
            operation=operation.name,
            dialect=self.dialect.name,
            attempts=attempts,
            message=self._redacted(error.facts.message),
        )
        return kind_of(error, operation)(facts)

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def aclose(self) -> None:
        """Let go of connections."""
        self.admission.close()
        await self.transport.aclose()


def seconds_of(text: str | None) -> float:
    """Read a header's whole seconds; what makes no sense is the usual window."""
    if text is not None and text.isascii() and text.isdigit():
        return min(float(text), LONGEST_WINDOW)
    return USUAL_WINDOW


def kind_of(error: CallFailed, operation: Operation[Any]) -> type[CallFailed]:
    """Return the class that *error* has for the caller of *operation*.

    When a command went out and no clear answer came back, nobody knows whether it happened.
    """
    unclear = isinstance(error, TransportFailed | PlatformTrouble | UnusableAnswer)
    if not operation.repeatable and unclear and not never_happened(error):
        return OutcomeUnknown
    return type(error)
