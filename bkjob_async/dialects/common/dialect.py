"""A dialect: one of the platform's APIs as a table of its operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from operator import attrgetter
from typing import Any, Literal, TypeVar, overload

import msgspec
from attrs import evolve, field, frozen, validators
from msgspec import Struct
from yarl import URL

from bkjob_async.dialects.common.auth import sign_body, sign_header
from bkjob_async.dialects.common.envelopes import open_envelope, read_envelope
from bkjob_async.dialects.common.json_fields import DEFAULT_ZONE, JsonObject
from bkjob_async.dialects.common.parsed import ParsedJob, job_poll_view, job_snapshot, with_empty_lists
from bkjob_async.dialects.common.ref_checks import check_raw
from bkjob_async.errors import NotSupported, UsageError
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.credentials import Credentials
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus, Operation
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.operations.queries import RawCall
from bkjob_async.model.operations.responses import Envelope
from bkjob_async.model.poll_view import JobPollView, KnownRows, StepPollView
from bkjob_async.model.refs import JobRef, Ref, Scope
from bkjob_async.model.snapshot import JobSnapshot, LazyResponseData, StepSnapshot

R = TypeVar("R")

JSON_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
# A cached response would show a job as it was.
NOT_CACHED = {"Cache-Control": "no-cache"}
# The options of each kind of dialect other than tenant, language and time zone.
GATEWAY_OPTIONS = frozenset(("system", "acting_user"))
ESB_OPTIONS = frozenset(("credentials_in",))
COMMON_OPTIONS = frozenset(("tenant", "language"))


class Call(Struct, frozen=True):
    """One line of a dialect's table: how an operation is sent and its response is read.

    *parameters* returns the platform's parameters of an operation, without those of its scope; None is not sent. A
    GET carries them in the query, a POST as a JSON body. *read* returns the result from the envelope (an object with
    `data`). *read_strict* returns the same result from a response that is exactly as documented, and None for any
    other. It is several times as fast. *read_poll* returns the poll view of a response. *skip_rows* returns that of a
    response with the rows that are known, or with another digest of its rows, None for any other. *platform_name* is
    the dialect's own name of the operation, None where it is the operation's name; *choose_name* chooses among
    several. *paths* says that a gateway offers the operation below `/system/` only, or for users only.
    """

    method: str
    parameters: Callable[[Any], Mapping[str, Any]]
    read: Callable[[Any, JsonObject], Any]
    platform_name: str | None = None
    choose_name: Callable[[Any], str] | None = None
    read_strict: Callable[[Any, HttpResponse, tzinfo], Any | None] | None = None
    read_poll: Callable[[Any, HttpResponse, tzinfo], Any] | None = None
    skip_rows: Callable[[Any, HttpResponse, KnownRows], StepPollView | None] | None = None
    paths: Literal["system", "user"] | None = None

    def name_of(self, operation: Operation[Any]) -> str:
        """Return the dialect's name of *operation*."""
        if self.choose_name is not None:
            return self.choose_name(operation)
        return self.platform_name or operation.name


def job_status_call(
    method: str,
    parameters: Callable[[Any], Mapping[str, Any]],
    read: Callable[[JobRef, JsonObject], ParsedJob],
    read_strictly: Callable[[JobRef, HttpResponse, tzinfo], ParsedJob | None],
    *,
    poll: Callable[[JobRef, HttpResponse], JobPollView | None] | None = None,
    omits_empty_lists: bool = False,
    paths: Literal["system", "user"] | None = None,
) -> Call:
    """Return a line of a dialect's table for an operation whose *ref* is a job.

    *read* reads any response that can be understood, *read_strictly* one that is exactly as documented. *poll* makes
    a poll view without reading every row in full; it is tried first. Both return None for any other response.
    *omits_empty_lists*: a step without a list of hosts has none, where hosts were requested.
    """

    def listed(operation: Any, job: ParsedJob) -> ParsedJob:
        return with_empty_lists(job) if omits_empty_lists and operation.return_ip_result else job

    def snapshot(operation: Any, envelope: JsonObject) -> JobSnapshot:
        return job_snapshot(listed(operation, read(operation.ref, envelope)), operation.ref)

    def strict_snapshot(operation: Any, response: HttpResponse, zone: tzinfo) -> JobSnapshot | None:
        job = read_strictly(operation.ref, response, zone)
        return None if job is None else job_snapshot(listed(operation, job), operation.ref)

    def poll_view(operation: Any, response: HttpResponse, zone: tzinfo) -> JobPollView:
        ref = operation.ref
        view = None if poll is None else poll(ref, response)
        if view is not None:
            return view
        job = read_strictly(ref, response, zone)
        job = job or read(ref, JsonObject(open_envelope(response), zone=zone))
        return job_poll_view(listed(operation, job))

    return Call(method, parameters, snapshot, read_strict=strict_snapshot, read_poll=poll_view, paths=paths)


Calls = Mapping[type[Operation[Any]], Call]


def read_raw(_call: RawCall, envelope: JsonObject) -> Any:
    """Return the plain data of a response."""
    return envelope.get("data")


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

    *rare_calls* returns further lines of the table, of operations that few programs send: their modules are
    imported when one of them is looked for. *supported_by* returns the dialects that have a class of operations,
    for the error of one that lacks it; *instead* says what this dialect has in place of one, by its name.
    """

    name: str
    capabilities: Capabilities
    path_prefix: str
    path_suffix: str = ""
    calls: Calls = field(repr=False)
    rare_calls: Callable[[], Calls] = field(default=dict, repr=False)
    scope_parameters: Callable[[Scope], Mapping[str, Any]] = field(repr=False)
    options: frozenset[str] = field(repr=False)
    zone: tzinfo = DEFAULT_ZONE
    tenant: str | None = None
    language: str | None = None
    system: bool = False
    acting_user: str | None = None
    credentials_in: Literal["header", "body"] = field(
        default="header", validator=validators.in_(("header", "body"))
    )
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
        kind = type(operation)
        call = self.calls.get(kind)
        if call is not None:
            return call
        if isinstance(operation, RawCall):
            return Call(operation.method, attrgetter("parameters"), read_raw)
        call = self.rare_calls().get(kind)
        if call is not None:
            return call
        others = self.supported_by(kind)
        has = f"; {', '.join(others)} can" if others else ""
        other = self.instead.get(operation.name)
        hint = f"; {other}" if other else ""
        raise NotSupported(f"{self.name} has no {operation.name}{has}{hint}")

    def all_calls(self) -> Calls:
        """Return the whole table, with the rare lines."""
        return {**self.calls, **self.rare_calls()}

    def encode(self, operation: Operation[Any]) -> HttpRequest:
        """Return *operation* as a relative, unsigned request; raise `NotSupported`, `UsageError` for what is no text."""
        call = self.call_for(operation)
        if call.paths is not None and (call.paths == "system") is not self.system:
            here = "only with system=True" if call.paths == "system" else "not with system=True"
            raise NotSupported(f"{self.name} has {operation.name} {here}")
        try:
            return self._request_of(operation, call)
        except UnicodeEncodeError as error:
            character = ord(error.object[error.start])
        # Raised here, so that the text, which may be a whole script, is not kept in the context.
        raise UsageError(
            f"{operation.name}: a text has half of a surrogate pair, U+{character:04X}: it cannot be sent"
        )

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
        found = call.read_strict(operation, response, self.zone) if call.read_strict else None
        if found is None:
            found = call.read(operation, JsonObject(open_envelope(response), zone=self.zone))
        if isinstance(operation, RawCall):
            self._check_raw(operation, found)
        result: R = with_raw(found, response.body)
        return result

    def decode_raw(self, operation: Operation[Any], response: HttpResponse) -> Envelope:
        """Return the response to *operation* as the platform wrote it, or raise a `CallFailed`."""
        envelope = read_envelope(response)
        self._check_raw(operation, envelope.data)
        return envelope

    def _check_raw(self, operation: Operation[Any], data: object) -> None:
        """Compare the response to a query with its parameters; the response to a command may name a new job."""
        if operation.repeatable:
            check_raw(self._parameters_of(operation, self.call_for(operation)), data)

    def _parameters_of(self, operation: Operation[Any], call: Call) -> Mapping[str, Any]:
        """Return the platform's parameters of *operation*, with those of its scope."""
        scope = scope_of(operation)
        scoped = self.scope_parameters(scope) if scope is not None else {}
        return {**scoped, **call.parameters(operation)}

    @overload
    def decode_poll(self, operation: GetJobInstanceStatus, response: HttpResponse) -> JobPollView: ...
    @overload
    def decode_poll(
        self, operation: GetStepInstanceStatus, response: HttpResponse, known: KnownRows | None = None
    ) -> StepPollView: ...
    @overload
    def decode_poll(
        self,
        operation: GetJobInstanceStatus | GetStepInstanceStatus,
        response: HttpResponse,
        known: KnownRows | None = None,
    ) -> JobPollView | StepPollView: ...
    def decode_poll(
        self,
        operation: GetJobInstanceStatus | GetStepInstanceStatus,
        response: HttpResponse,
        known: KnownRows | None = None,
    ) -> JobPollView | StepPollView:
        """Return the poll view of a status response, or raise a `CallFailed`.

        The response is read as lightly as a poll needs it; one about a step with the rows that are *known* may be
        returned without them.
        """
        call = self.call_for(operation)
        if call.read_poll is None:
            raise NotSupported(f"{self.name} cannot watch by {operation.name}")
        view: JobPollView | StepPollView | None = None
        if known is not None and call.skip_rows is not None:
            view = call.skip_rows(operation, response, known)
        return call.read_poll(operation, response, self.zone) if view is None else view


def with_raw(result: Any, body: bytes) -> Any:
    """Return a snapshot that keeps the *body* that it was read from, any other result as it is."""
    if isinstance(result, JobSnapshot):
        raw = LazyResponseData(body)
        return evolve(result, response=raw, steps=tuple(evolve(step, response=raw) for step in result.steps))
    return evolve(result, response=LazyResponseData(body)) if isinstance(result, StepSnapshot) else result


def scope_of(operation: Operation[Any]) -> Scope | None:
    """Return the scope that *operation* is about, its own or that of its job; None for none."""
    ref: Ref | None = getattr(operation, "ref", None)
    scope: Scope | None = getattr(operation, "scope", None) if ref is None else ref.scope
    return scope


def refuse_options(name: str, see: str, **options: object) -> None:
    """Raise `NotSupported` for the options that *name* does not take; the dialects to *see* do."""
    given = [option for option, value in options.items() if value not in (None, (), {})]
    if given:
        raise NotSupported(f"{name} does not take {', '.join(given)}; see {see}")


def build_request(
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
