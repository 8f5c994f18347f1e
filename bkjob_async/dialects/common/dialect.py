"""A dialect: one of the platform's APIs as a table of its operations."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from functools import cache
from operator import attrgetter
from pkgutil import resolve_name
from typing import Any, Literal, Protocol, TypeVar, cast

import msgspec
from attrs import asdict, field, frozen
from msgspec import Struct
from msgspec.structs import replace
from yarl import URL

from bkjob_async.dialects.common.envelopes import read_data, read_envelope
from bkjob_async.dialects.common.json_fields import DEFAULT_ZONE, JsonObject
from bkjob_async.dialects.common.ref_checks import check_raw
from bkjob_async.dialects.common.status_views import snapshot
from bkjob_async.errors import NotSupported, UsageError
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.base_error import WrongType, check_choice
from bkjob_async.model.credentials import AccessToken, Credentials
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.operations.queries import RawCall
from bkjob_async.model.operations.responses import Envelope
from bkjob_async.model.poll_view import KnownRows, PollView
from bkjob_async.model.refs import Ref, Scope, StepRef
from bkjob_async.model.snapshot import LazyResponseData

R = TypeVar("R")

AUTHORIZATION = "X-Bkapi-Authorization"
JSON_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
# A cached response would show a job as it was.
NOT_CACHED = {"Cache-Control": "no-cache"}
# The options of each kind of dialect other than tenant, language and time zone.
GATEWAY_OPTIONS = frozenset(("system", "acting_user"))
ESB_OPTIONS = frozenset(("credentials_in",))
COMMON_OPTIONS = frozenset(("tenant", "language"))
LANGUAGES = ("en", "zh-cn")


class ReadView(Protocol):
    """How the status of a job or step is read from a response."""

    def __call__(
        self,
        operation: Any,
        response: HttpResponse,
        zone: tzinfo,
        /,
        *,
        for_poll: bool,
        known: KnownRows | None = None,
    ) -> PollView:
        """Return the view of a *response*, as lightly as possible *for_poll*, and without rows where they are *known*."""
        ...


def read_raw(_call: RawCall, envelope: JsonObject) -> Any:
    """Return the plain data of a response."""
    return envelope.get("data")


class Call(Struct, frozen=True):
    """One line of a dialect's table: how an operation is sent and its response is read.

    *parameters* returns the platform's parameters of an operation, without those of its scope; None is not sent. A
    GET carries them in the query, a POST as a JSON body. *read* returns the result from the envelope (an object with
    `data`). *read_view* returns the view of a status instead, of which the result is made. *platform_name* is
    the dialect's own name of the operation, None where it is the operation's name; *choose_name* chooses among
    several. *paths* says that a gateway offers the operation below `/system/` only, or for users only.
    """

    method: str
    parameters: Callable[[Any], Mapping[str, Any]]
    read: Callable[[Any, JsonObject], Any] = read_raw
    platform_name: str | None = None
    choose_name: Callable[[Any], str] | None = None
    read_view: ReadView | None = None
    paths: Literal["system", "user"] | None = None

    def name_of(self, operation: Operation[Any]) -> str:
        """Return the dialect's name of *operation*."""
        if self.choose_name is not None:
            return self.choose_name(operation)
        return self.platform_name or operation.name


Calls = Mapping[type[Operation[Any]], Call]


@frozen(kw_only=True)
class Dialect:
    """One of the platform's APIs as data: one line per operation, the path, and where credentials are put.

    It encodes operations and decodes responses, without I/O.

    The path of an operation is *path_prefix*, its name, *path_suffix*. *options* names the options that only
    this dialect has: *system* and *acting_user* (gateways), *credentials_in* (ESB).

    With *system* the `/system/` twins of a gateway are called. They act for *acting_user* (`X-Bk-Username`)
    or for the user of the credentials; the gateway grants them to applications one by one. *credentials_in*
    is `header`, or `body` for an ESB that reads no header; every read is then a POST, so that no secret
    stands in a URL. *tenant* and *language* (`en`, `zh-cn`) go into the headers that the platform has for
    them. *zone* is that of times without one.

    *rare_calls* name further parts of the table, of operations that few programs send: their modules are
    imported when one of them is looked for. *supported_by* returns the dialects that have a class of operations,
    for the error of one that lacks it; *instead* says what this dialect has in place of one, by its name.
    """

    name: str
    capabilities: Capabilities
    path_prefix: str
    path_suffix: str = ""
    calls: Calls = field(repr=False)
    rare_calls: tuple[str, ...] = field(default=(), repr=False)
    scope_parameters: Callable[[Scope], Mapping[str, Any]] = field(repr=False)
    options: frozenset[str] = field(repr=False)
    zone: tzinfo = DEFAULT_ZONE
    tenant: str | None = None
    language: str | None = None
    system: bool = False
    acting_user: str | None = None
    credentials_in: Literal["header", "body"] = "header"
    supported_by: Callable[[type[Operation[Any]]], Sequence[str]] = field(
        default=lambda _: (), repr=False, eq=False
    )
    instead: Mapping[str, str] = field(factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        """Raise `UsageError` for what no header can have, and for an acting user where the platform would ignore it."""
        for name in ("tenant", "language", "acting_user"):
            value = getattr(self, name)
            if value is not None and not (
                isinstance(value, str) and value.isascii() and value.isprintable() and value.strip()
            ):
                raise UsageError(
                    f"{name} goes into a header, and must be plain ASCII text, not {value!r:.60}"
                )
        if self.language is not None:
            check_choice("language", self.language, LANGUAGES)
        check_choice("credentials_in", self.credentials_in, ("header", "body"))
        if not isinstance(self.zone, tzinfo):
            raise UsageError(
                f"timezone is a tzinfo, such as ZoneInfo('Asia/Shanghai'), not {self.zone!r:.60}"
            )
        if not isinstance(self.system, bool):
            raise UsageError(f"system is True or False, not {self.system!r:.60}")
        if self.acting_user is not None and not self.system:
            raise UsageError("an acting user is named only with system=True")

    def call_for(self, operation: Operation[Any]) -> Call:
        """Return the line of the table for *operation*; raise `NotSupported`."""
        call = self.calls.get(type(operation))
        if call is not None:
            return call
        if isinstance(operation, RawCall):
            return Call(operation.method, attrgetter("parameters"))
        call = self.line_of(type(operation))
        if call is None:
            raise self.not_supported(type(operation))
        return call

    def line_of(self, kind: type[Operation[Any]]) -> Call | None:
        """Return the line of the table for operations of this *kind*, None where there is none."""
        return self.calls.get(kind) or calls_at(self.rare_calls).get(kind)

    def check_has(self, kind: type[Operation[Any]]) -> None:
        """Raise `NotSupported` where the table has no line for operations of this *kind*."""
        if self.line_of(kind) is None:
            raise self.not_supported(kind)

    def not_supported(self, kind: type[Operation[Any]]) -> NotSupported:
        """Return the error that names the dialects which have this *kind* of operation, or what there is instead."""
        others = self.supported_by(kind)
        has = f"; {', '.join(others)} can" if others else ""
        other = self.instead.get(kind.name)
        hint = f"; {other}" if other else ""
        return NotSupported(f"{self.name} has no {kind.name}{has}{hint}")

    def all_calls(self) -> Calls:
        """Return the whole table, with the rare lines."""
        return {**self.calls, **calls_at(self.rare_calls)}

    def encode(self, operation: Operation[Any]) -> HttpRequest:
        """Return *operation* as a relative, unsigned request; raise `NotSupported`, `UsageError` for what cannot be sent."""
        call = self.call_for(operation)
        if call.paths is not None and (call.paths == "system") is not self.system:
            here = "only with system=True" if call.paths == "system" else "not with system=True"
            raise NotSupported(f"{self.name} has {operation.name} {here}")
        try:
            return self._request_of(operation, call)
        except UnicodeEncodeError as error:
            character = ord(error.object[error.start])
            why = f"a text has half of a surrogate pair, U+{character:04X}: it cannot be sent"
            failure = UsageError(f"{operation.name}: {why}")
        except TypeError:
            reason = why_unsendable(self._parameters_of(operation, call))
            if reason is None:
                raise
            failure = WrongType(f"{operation.name}: {reason}")
        # Raised here, so that the text, which may be a whole script, is not kept in the context.
        raise failure

    def _request_of(self, operation: Operation[Any], call: Call) -> HttpRequest:
        parameters = self._parameters_of(operation, call)
        headers = self.headers() | NOT_CACHED if operation.repeatable else self.headers()
        # Where credentials stand in the body everything is a POST; the ESB takes both methods for all
        # operations.
        method = "POST" if self.credentials_in == "body" else call.method
        path = (
            f"{self.path_prefix}{'system/' if self.system else ''}{call.name_of(operation)}{self.path_suffix}"
        )
        return build_request(method, path, parameters, headers)

    def headers(self) -> dict[str, str]:
        """Return the headers of every request, without credentials."""
        optional = {
            "X-Bk-Tenant-Id": self.tenant,
            "Blueking-Language": self.language,
            "X-Bk-Username": self.acting_user,
        }
        return JSON_HEADERS | {name: value for name, value in optional.items() if value is not None}

    def sign(self, request: HttpRequest, credentials: Credentials) -> HttpRequest:
        """Return *request* with *credentials* in its header, or in its body beside the parameters; never in its URL."""
        return (sign_body if self.credentials_in == "body" else sign_header)(request, credentials)

    def decode(self, operation: Operation[R], response: HttpResponse) -> R:
        """Return the typed result of *operation*, or raise a `CallFailed`."""
        call = self.call_for(operation)
        result: Any
        if call.read_view is not None:
            view, about = (
                call.read_view(operation, response, self.zone, for_poll=False),
                cast("Any", operation),
            )
            result = snapshot(view, about.ref, LazyResponseData(response.body))
        else:

            def read(envelope: JsonObject) -> Any:
                found = call.read(operation, envelope)
                if isinstance(operation, RawCall):
                    self._check_raw(operation, found)
                return found

            result = read_data(response, self.zone, read)
        found: R = result
        return found

    def decode_raw(self, operation: Operation[Any], response: HttpResponse) -> Envelope:
        """Return the response to *operation* as the platform wrote it, or raise a `CallFailed`."""

        def read(envelope: JsonObject) -> Envelope:
            self._check_raw(operation, envelope.get("data"))
            return read_envelope(response, envelope.members)

        return read_data(response, self.zone, read)

    def _check_raw(self, operation: Operation[Any], data: object) -> None:
        """Compare the response to a query with its parameters; the response to a command may name a new job."""
        if operation.repeatable:
            check_raw(self._parameters_of(operation, self.call_for(operation)), data)

    def _parameters_of(self, operation: Operation[Any], call: Call) -> Mapping[str, Any]:
        """Return the platform's parameters of *operation*, with those of its scope, its job and its step."""
        scope, ref = scope_of(operation), getattr(operation, "ref", None)
        scoped = {} if scope is None else self.scope_parameters(scope)
        named = {} if ref is None else ref_parameters(ref)
        return {**scoped, **named, **call.parameters(operation)}


@cache
def calls_at(places: tuple[str, ...]) -> Calls:
    """Return the tables at these *places*, `folder.file:NAME`; with all classes they take as long to import as the rest."""
    tables = [resolve_name(f"bkjob_async.dialects.{place}") for place in places]
    return {kind: call for table in tables for kind, call in table.items()}


def scope_of(operation: Operation[Any]) -> Scope | None:
    """Return the scope that *operation* is about, its own or that of its job; None for none."""
    ref: Ref | None = getattr(operation, "ref", None)
    scope: Scope | None = getattr(operation, "scope", None) if ref is None else ref.scope
    return scope


def ref_parameters(ref: Ref) -> dict[str, Any]:
    """Return the parameters that name a job or a step."""
    named = {"job_instance_id": ref.job_instance_id}
    return {**named, "step_instance_id": ref.step_instance_id} if isinstance(ref, StepRef) else named


def build_request(
    method: str, path: str, parameters: Mapping[str, Any], headers: Mapping[str, str]
) -> HttpRequest:
    """Return a relative request that carries *parameters* where *method* has them; None is left out."""
    sent = {name: value for name, value in parameters.items() if value is not None}
    if method == "GET":
        query = {name: query_text(value) for name, value in sent.items()}
        return HttpRequest(method=method, url=URL(path).with_query(query), headers=headers)
    return HttpRequest(method=method, url=URL(path), headers=headers, body=msgspec.json.encode(sent))


def why_unsendable(parameters: Mapping[Any, Any]) -> str | None:
    """Return what is wrong with the first of *parameters* that cannot be sent, None where all can."""
    for name, value in parameters.items():
        if not isinstance(name, str):
            return f"the name of a parameter is text, not {name!r:.60}"
        try:
            msgspec.json.encode(value)
        except TypeError as error:
            return f"the parameter {name!r:.60} cannot be sent as JSON: {error}"
        except UnicodeEncodeError:  # it is not what was refused
            continue
    return None


def query_text(value: object) -> str:
    """Return *value* as it stands in a query: booleans are the text `true` and `false`, objects are JSON."""
    if isinstance(value, bool | list | tuple | dict):
        return msgspec.json.encode(value).decode()
    return str(int(value)) if isinstance(value, int) else str(value)


# Credentials: in one header or the body, never in a URL -------------------------------------------


def credential_fields(credentials: Credentials) -> dict[str, str]:
    """Return credentials under the platform's names, without what is absent."""
    return asdict(credentials, filter=lambda _, value: value is not None)


def sign_header(request: HttpRequest, credentials: Credentials) -> HttpRequest:
    """Return *request* with *credentials* in the gateway's header: one JSON object, ASCII only."""
    return replace(
        request, headers={**request.headers, AUTHORIZATION: json.dumps(credential_fields(credentials))}
    )


def sign_body(request: HttpRequest, credentials: Credentials) -> HttpRequest:
    """Return *request* with *credentials* in the body of a POST; raise `UsageError` for an access token."""
    if isinstance(credentials, AccessToken):
        raise UsageError("an access token travels in the header only: use credentials_in='header'")
    body = {**msgspec.json.decode(request.body or b"{}"), **credential_fields(credentials)}
    return replace(request, body=msgspec.json.encode(body))
