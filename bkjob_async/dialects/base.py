"""What every dialect offers, and the table that it is made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any, Protocol, TypeVar, overload

import msgspec
from attrs import evolve, field, frozen
from yarl import URL

from bkjob_async.dialects.envelopes import opened
from bkjob_async.dialects.reading import DEFAULT_ZONE, Fields
from bkjob_async.errors import NotSupported
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.capabilities import Capabilities
from bkjob_async.model.credentials import AccessToken, Credentials
from bkjob_async.model.look import JobLook, StepLook
from bkjob_async.model.operations import GetJobInstanceStatus, GetStepInstanceStatus, Operation

R = TypeVar("R")

JSON_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
AUTHORIZATION = "X-Bkapi-Authorization"


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
    def look(self, operation: GetJobInstanceStatus, response: HttpResponse) -> JobLook: ...
    @overload
    def look(self, operation: GetStepInstanceStatus, response: HttpResponse) -> StepLook: ...


@frozen(kw_only=True)
class Call:
    """One line of a dialect's table: how an operation travels there and back.

    *parameters* turns the operation into the platform's parameters, None meaning not sent; *read* turns the operation
    and the opened envelope (whose `data` it reads) into the model; *look* reads the response in the engine's way. A
    GET carries parameters in the query, a POST as a JSON body.
    """

    method: str
    path: str
    parameters: Callable[[Any], Mapping[str, Any]]
    read: Callable[[Any, Fields], Any]
    look: Callable[[Any, HttpResponse, tzinfo], Any] | None = None


@frozen(kw_only=True)
class TableDialect:
    """A dialect made of a table: one line per operation.

    *zone* is that of times which carry none.
    """

    name: str
    capabilities: Capabilities
    calls: Mapping[type[Operation[Any]], Call] = field(repr=False)
    zone: tzinfo = DEFAULT_ZONE

    def call_for(self, operation: Operation[Any]) -> Call:
        """Return the line of the table for *operation*; raise `NotSupported`."""
        call = self.calls.get(type(operation))
        if call is None:
            raise NotSupported(f"{self.name} has no {operation.name}")
        return call

    def encode(self, operation: Operation[Any]) -> HttpRequest:
        """Put *operation* into a relative, unsigned request; raise `NotSupported`."""
        call = self.call_for(operation)
        return request_of(call.method, call.path, call.parameters(operation))

    def sign(self, request: HttpRequest, credentials: Credentials) -> HttpRequest:
        """Put *credentials* into the gateway's header."""
        return evolve(request, headers={**request.headers, AUTHORIZATION: header_of(credentials)})

    def decode(self, operation: Operation[R], response: HttpResponse) -> R:
        """Return the typed answer to *operation*, or raise a `CallFailed`."""
        call = self.call_for(operation)
        answer: R = call.read(operation, Fields(opened(response), zone=self.zone))
        return answer

    @overload
    def look(self, operation: GetJobInstanceStatus, response: HttpResponse) -> JobLook: ...
    @overload
    def look(self, operation: GetStepInstanceStatus, response: HttpResponse) -> StepLook: ...
    def look(
        self, operation: GetJobInstanceStatus | GetStepInstanceStatus, response: HttpResponse
    ) -> JobLook | StepLook:
        """Read the answer as lightly as the engine needs it, or raise a `CallFailed`."""
        call = self.call_for(operation)
        if call.look is None:
            raise NotSupported(f"{self.name} cannot watch by {operation.name}")
        answer: JobLook | StepLook = call.look(operation, response, self.zone)
        return answer


def request_of(method: str, path: str, parameters: Mapping[str, Any]) -> HttpRequest:
    """Return a relative request that carries *parameters* where *method* has them; None is left out."""
    sent = {name: value for name, value in parameters.items() if value is not None}
    if method == "GET":
        query = {name: query_text(value) for name, value in sent.items()}
        return HttpRequest(method=method, url=URL(path).with_query(query), headers=JSON_HEADERS)
    return HttpRequest(method=method, url=URL(path), headers=JSON_HEADERS, body=msgspec.json.encode(sent))


def query_text(value: object) -> str:
    """Return *value* as it stands in a query: booleans are the text `true` and `false`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, int) else str(value)


def header_of(credentials: Credentials) -> str:
    """Return the value of `X-Bkapi-Authorization`: one JSON object, ASCII only."""
    return json.dumps(keys_of(credentials))


def keys_of(credentials: Credentials) -> dict[str, str]:
    """Return credentials under the platform's names, without what is absent."""
    if isinstance(credentials, AccessToken):
        return {"access_token": credentials.access_token}
    keys = {
        "bk_app_code": credentials.bk_app_code,
        "bk_app_secret": credentials.bk_app_secret,
        "bk_username": credentials.bk_username,
        "bk_token": credentials.bk_token,
        "bk_ticket": credentials.bk_ticket,
    }
    return {name: value for name, value in keys.items() if value is not None}
