"""Parse a request as the platform does: the user, the operation, the parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from attrs import field, frozen

from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.refs import Scope, ScopeType
from bkjob_async.simulator.protocol.api_errors import (
    ApiError,
    api_error,
    bad_request,
    missing_parameter,
    no_such_path,
    violation,
)

GATEWAY_PATH = re.compile(r"/api/(v3|v4)/(system/)?(\w+)/?$")
ESB_PATH = re.compile(r"/api/c/compapi/v2/(job|jobv3)/(\w+)/?$")

ESB_KEYS = {
    "bk_app_code": "bk_app_code",
    "app_code": "bk_app_code",
    "bk_app_secret": "bk_app_secret",
    "app_secret": "bk_app_secret",
    "bk_token": "bk_token",
    "bk_ticket": "bk_ticket",
    "bk_username": "bk_username",
    "username": "bk_username",
    "access_token": "access_token",
}
BUSINESS_SETS = range(8_000_000, 10_000_000)
ID_CONSTRAINTS = {
    "job_instance_id": "InvalidJobInstanceId",
    "step_instance_id": "InvalidStepInstanceId",
    "execute_object_resource_id": "InvalidExecuteObjectResourceId",
}


@frozen(kw_only=True)
class ParsedRequest:
    """A parsed request: dialect, operation, parameters, and the user it acts for.

    *nested* are the names of parameters that the ESB's `params` alone has.
    """

    dialect: str
    operation: str
    method: str
    parameters: Mapping[str, Any] = field(repr=False)
    credentials: Mapping[str, str] = field(repr=False)
    language: str
    system: bool = False
    acting_user: str | None = None
    nested: frozenset[str] = frozenset()

    @property
    def is_query(self) -> bool:
        """Whether parameters are read from the query alone."""
        return self.method == "GET"

    @property
    def user(self) -> str:
        """The user that it acts for."""
        return self.acting_user or self.credentials.get("bk_username") or "admin"

    def text(self, name: str) -> str | None:
        """Return an optional text."""
        value = self.parameters.get(name)
        return None if value is None else str(value)

    def integer(self, name: str) -> int | None:
        """Return an optional integer; raise `ApiError` for anything else."""
        value = self.parameters.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise bad_request()
        try:
            return int(value)
        except ValueError:
            raise bad_request() from None

    def flag(self, name: str) -> bool:
        """Return an optional boolean, in any spelling that Spring accepts."""
        value = self.parameters.get(name)
        if value is None or value == "":
            return False
        word = str(value).lower()
        if word in ("true", "on", "yes", "1"):
            return True
        if word in ("false", "off", "no", "0"):
            return False
        raise bad_request()

    def required_text(self, name: str, *, code: int = 1241007) -> str:
        """Return a text; raise `ApiError` with *code* for a missing one, in a query as the framework does."""
        text = self.text(name)
        if not text:
            raise self._absent(name) if self.is_query else api_error(code, name)
        return text

    def _absent(self, name: str) -> ApiError:
        """Return the error for a missing parameter."""
        return bad_request() if self.is_query and self.dialect == "gateway-v3" else missing_parameter(name)

    def id(self, name: str, *, code: int = 1241007) -> int:
        """Return an id, 1 or more; raise `ApiError` with *code* for any other; 1240003 is that of a constraint."""
        is_constraint = code == 1240003 or (self.dialect == "gateway-v4" and name in ID_CONSTRAINTS)
        if self.parameters.get(name) in (None, "") and not (is_constraint and not self.is_query):
            raise self._absent(name)
        value = self.integer(name)
        if value is None or value < 1:
            raise violation(ID_CONSTRAINTS[name]) if is_constraint else api_error(code, name)
        return value

    def scope(self, *, legacy: bool = True) -> Scope:
        """Return the scope; *legacy* also takes a `bk_biz_id`."""
        kind, number = self.text("bk_scope_type"), self.integer("bk_scope_id")
        if kind is not None or number is not None:
            if number is None or number < 1:
                raise violation("InvalidBkScopeId")
            return Scope(known_scope_type(kind), number)
        business = self.integer("bk_biz_id") if legacy else None
        if business is None or business < 1:
            raise violation("InvalidBkScopeType" if business is None else "InvalidBkBizId")
        return Scope.biz_set(business) if business in BUSINESS_SETS else Scope.biz(business)


def known_scope_type(kind: str | None) -> ScopeType:
    """Return a kind of scope; raise `ApiError` for an unknown one."""
    try:
        return ScopeType(kind or "")
    except ValueError:
        raise violation("InvalidBkScopeType") from None


def parse_request(request: HttpRequest) -> ParsedRequest:
    """Return a request in parts; raise `ApiError` for an invalid one."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    language = "en" if headers.get("blueking-language", "zh-cn").lower() == "en" else "zh-cn"
    path = request.url.path
    query = dict(parse_qsl(request.url.raw_query_string, keep_blank_values=True))
    if found := GATEWAY_PATH.search(path):
        version, system, operation = found.groups()
        dialect = f"gateway-{version}"
        return ParsedRequest(
            dialect=dialect,
            operation=operation,
            method=request.method,
            parameters=query if request.method == "GET" else body_of(request, by="job"),
            credentials=header_credentials(headers, by="gateway"),
            language=language,
            system=bool(system),
            acting_user=headers.get("x-bk-username") if system else None,
        )
    if found := ESB_PATH.search(path):
        component, operation = found.groups()
        given = {**query, **({} if request.method == "GET" else body_of(request, by="esb"))}
        credentials = {ESB_KEYS[key]: str(given.pop(key)) for key in ESB_KEYS if given.get(key) is not None}
        if "x-bkapi-authorization" in headers:
            credentials = header_credentials(headers, by="esb")
        nested = given.pop("params", None)
        if isinstance(nested, str):
            nested = decoded(nested.encode())
        nested = nested if isinstance(nested, dict) else {}
        return ParsedRequest(
            dialect=f"esb-{component}",
            operation=operation,
            method=request.method,
            parameters={**nested, **given},
            credentials=credentials,
            language=headers.get("blueking-language", "en").lower(),
            nested=frozenset(nested) - frozenset(given),
        )
    raise no_such_path(path)


def body_of(request: HttpRequest, *, by: str) -> dict[str, Any]:
    """Return a JSON body's object, whatever its Content-Type says, or a form's fields."""
    body = request.body or b""
    if not body.strip():
        return {}
    value = decoded(body)
    if isinstance(value, dict):
        return value
    kind = next((text for name, text in request.headers.items() if name.lower() == "content-type"), "")
    if by == "esb" and "form" in kind:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if by == "esb":
        raise ApiError(1306406, "Parameters error, the request body is not a JSON object", by="esb")
    raise bad_request()


def decoded(text: bytes) -> Any:
    """Return a JSON value, None for invalid JSON."""
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return None


def header_credentials(headers: Mapping[str, str], *, by: str) -> dict[str, str]:
    """Return the credentials of the authorization header; raise `ApiError` for anything but a JSON object."""
    text = headers.get("x-bkapi-authorization")
    if text is None:
        return {}
    value = decoded(text.encode())
    if isinstance(value, dict):
        return {key: str(held) for key, held in value.items() if held is not None}
    if by == "esb":
        raise ApiError(1306000, "APP authentication failed, the authorization header is not JSON", by="esb")
    message = 'Parameters error [reason="request header X-Bkapi-Authorization is not a valid JSON"]'
    raise ApiError(1640001, message, status=400, by="gateway")
