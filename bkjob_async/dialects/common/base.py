"""What every dialect offers, and the table that it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any, Literal, Protocol, TypeVar, overload

import msgspec
from attrs import evolve, field, frozen
from yarl import URL

from bkjob_async.dialects.common.auth import sign_header
from bkjob_async.dialects.common.envelopes import opened
from bkjob_async.dialects.common.json_fields import DEFAULT_ZONE, JsonObject
from bkjob_async.errors import NotSupported, UsageError
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.credentials import Credentials
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus, Operation
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.operations.queries import RawCall
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.model.refs import Ref, Scope
from bkjob_async.model.snapshot import JobSnapshot, LazyResponseData, StepSnapshot

R = TypeVar("R")

JSON_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
# A proxy that keeps answers would show a job as it was.
NOT_CACHED = {"Cache-Control": "no-cache"}


class Dialect(Protocol):
    """One way to speak with the platform: pure translation.

    `encode` makes a relative, unsigned request; it raises `NotSupported` for what the dialect cannot do. `sign` puts
    credentials where this dialect expects them, never into a URL. `decode` returns the typed answer or raises the
    typed error; `look` reads the same bytes as lightly as the engine needs.
    """

    @property
    def name(self) -> str:
        """The dialect's name, as `connect` takes it."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What can be asked in it."""
        ...

    def encode(self, operation: Operation[Any]) -> HttpRequest:
        """Put *operation* into a relative, unsigned request; raise `NotSupported`."""
        ...

    def sign(self, request: HttpRequest, credentials: Credentials) -> HttpRequest:
        """Add *credentials* where this dialect expects them."""
        ...

    def decode(self, operation: Operation[R], response: HttpResponse) -> R:
        """Return the typed answer to *operation*, or raise a `CallFailed`."""
        ...

    @overload
    def look(self, operation: GetJobInstanceStatus, response: HttpResponse) -> JobPollView: ...
    @overload
    def look(self, operation: GetStepInstanceStatus, response: HttpResponse) -> StepPollView: ...


@frozen(kw_only=True)
class Call:
    """One line of a dialect's table: how an operation travels there and back.

    *name* is the dialect's own name of the operation, None where it is the common one. *parameters* turns the
    operation into the platform's parameters without those of its scope, None meaning not sent; *read* turns the operation and the opened envelope
    (whose `data` it reads) into the model; *quick* does the same to an answer exactly as documented, and says None to
    any other; *look* reads the response in the engine's way. *only* says that a gateway offers it below `/system/` alone,
    or to users alone. A GET carries parameters in the query, a POST as a JSON
    body.
    """

    method: str
    parameters: Callable[[Any], Mapping[str, Any]]
    read: Callable[[Any, JsonObject], Any]
    name: str | None = None
    quick: Callable[[Any, HttpResponse, tzinfo], Any | None] | None = None
    look: Callable[[Any, HttpResponse, tzinfo], Any] | None = None
    only: Literal["system", "user"] | None = None


Calls = Mapping[type[Operation[Any]], Call]


def raw_parameters(call: RawCall) -> Mapping[str, Any]:
    """Return the parameters of a call that has no line of its own, as they are."""
    return call.parameters


def read_raw(_call: RawCall, answer: JsonObject) -> Any:
    """Return the plain data of an answer."""
    return answer.get("data")


@frozen(kw_only=True)
class TableDialect:
    """A dialect made of a table: one line per operation.

    *zone* is that of times which carry none. *tenant* and *language* (`en`, `zh-cn`) go into the headers that the
    platform has for them. *elsewhere* names the dialects that have an operation which this one lacks.
    """

    name: str
    capabilities: Capabilities
    root: str
    calls: Calls = field(repr=False)
    scope_parameters: Callable[[Scope], Mapping[str, Any]] = field(repr=False)
    trailing: str = ""
    zone: tzinfo = DEFAULT_ZONE
    tenant: str | None = None
    language: str | None = None
    elsewhere: Mapping[type[Operation[Any]], tuple[str, ...]] = field(factory=dict, repr=False, eq=False)

    def call_for(self, operation: Operation[Any]) -> Call:
        """Return the line of the table for *operation*; raise `NotSupported`."""
        call = self.calls.get(type(operation))
        if call is not None:
            return call
        if isinstance(operation, RawCall):
            return Call(method=operation.method, parameters=raw_parameters, read=read_raw)
        others = self.elsewhere.get(type(operation), ())
        has = f"; {', '.join(others)} can" if others else ""
        raise NotSupported(f"{self.name} has no {operation.name}{has}")

    def encode(self, operation: Operation[Any]) -> HttpRequest:
        """Put *operation* into a relative, unsigned request; raise `NotSupported`."""
        call = self.call_for(operation)
        scope = scope_of(operation)
        where = self.scope_parameters(scope) if scope is not None else {}
        parameters = {**where, **call.parameters(operation)}
        path = self.path_of(call.name or operation.name)
        headers = self.headers() | NOT_CACHED if operation.repeatable else self.headers()
        return request_of(self.method_of(call), path, parameters, headers)

    def path_of(self, name: str) -> str:
        """Return the path of an operation by the dialect's own *name* of it."""
        return f"{self.root}{name}{self.trailing}"

    def method_of(self, call: Call) -> str:
        """Return the HTTP method that a call travels by."""
        return call.method

    def headers(self) -> dict[str, str]:
        """Return the headers of every request, credentials apart; raise `UsageError` for a broken one."""
        own = {"X-Bk-Tenant-Id": self.tenant, "Blueking-Language": self.language, **self.further_headers()}
        for name, value in own.items():
            if value is not None and not (value.isascii() and value.isprintable() and value):
                raise UsageError(f"{name} must be plain ASCII text")
        return JSON_HEADERS | {name: value for name, value in own.items() if value is not None}

    def further_headers(self) -> Mapping[str, str | None]:
        """Return the headers that only this dialect has."""
        return {}

    def sign(self, request: HttpRequest, credentials: Credentials) -> HttpRequest:
        """Put *credentials* into the gateway's header."""
        return sign_header(request, credentials)

    def decode(self, operation: Operation[R], response: HttpResponse) -> R:
        """Return the typed answer to *operation*, or raise a `CallFailed`."""
        call = self.call_for(operation)
        found = call.quick(operation, response, self.zone) if call.quick else None
        if found is None:
            found = call.read(operation, JsonObject(opened(response), zone=self.zone))
        answer: R = with_raw(found, response.body)
        return answer

    @overload
    def look(self, operation: GetJobInstanceStatus, response: HttpResponse) -> JobPollView: ...
    @overload
    def look(self, operation: GetStepInstanceStatus, response: HttpResponse) -> StepPollView: ...
    def look(
        self, operation: GetJobInstanceStatus | GetStepInstanceStatus, response: HttpResponse
    ) -> JobPollView | StepPollView:
        """Read the answer as lightly as the engine needs it, or raise a `CallFailed`."""
        call = self.call_for(operation)
        if call.look is None:
            raise NotSupported(f"{self.name} cannot watch by {operation.name}")
        answer: JobPollView | StepPollView = call.look(operation, response, self.zone)
        return answer


def with_raw(answer: Any, body: bytes) -> Any:
    """Return a snapshot that keeps the *body* that it was read from, any other answer as it is."""
    if isinstance(answer, JobSnapshot):
        raw = LazyResponseData(body)
        return evolve(answer, response=raw, steps=tuple(evolve(step, response=raw) for step in answer.steps))
    return evolve(answer, response=LazyResponseData(body)) if isinstance(answer, StepSnapshot) else answer


def scope_of(operation: Operation[Any]) -> Scope | None:
    """Return the scope that *operation* is about, its own or that of its job; None for none."""
    ref: Ref | None = getattr(operation, "ref", None)
    scope: Scope | None = getattr(operation, "scope", None) if ref is None else ref.scope
    return scope


def request_of(
    method: str, path: str, parameters: Mapping[str, Any], headers: Mapping[str, str]
) -> HttpRequest:
    """Return a relative request that carries *parameters* where *method* has them; None is left out."""
    sent = {name: value for name, value in parameters.items() if value is not None}
    if method == "GET":
        query = {name: query_text(value) for name, value in sent.items()}
        return HttpRequest(method=method, url=URL(path).with_query(query), headers=headers)
    return HttpRequest(method=method, url=URL(path), headers=headers, body=msgspec.json.encode(sent))


def query_text(value: object) -> str:
    """Return *value* as it stands in a query: booleans are the text `true` and `false`, objects are JSON."""
    if isinstance(value, bool | list | tuple | dict):
        return msgspec.json.encode(value).decode()
    return str(int(value)) if isinstance(value, int) else str(value)
