"""Open a response's envelope: return its data, or raise the typed error.

An error is classified by its code first, then by the headers of gateway or proxy, then by the HTTP status.
Success is HTTP 2xx with `result` true and `code` 0, in version 4 with no `error`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, TypeVar
from urllib.parse import urlsplit

from msgspec.structs import replace

from bkjob_async.dialects.common.error_codes import (
    error_for_code,
    error_for_family,
    error_for_status,
    is_redirect,
)
from bkjob_async.dialects.common.json_fields import JsonObject, as_flag, as_integer
from bkjob_async.dialects.common.redaction import redact_named
from bkjob_async.dialects.common.retry_after import parse_retry_after
from bkjob_async.errors import CallFailed, ErrorDetails, InvalidResponse, PlatformTrouble, Throttled
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.responses import Envelope
from bkjob_async.model.text.json_text import parse_json

R = TypeVar("R")

LONGEST_MESSAGE = 500

REQUEST_ID_HEADERS = ("X-Bkapi-Request-Id", "X-Request-Id", "X-Bk-Job-Request-Id")
LOWER_CASE_HEADERS = tuple(name.lower() for name in REQUEST_ID_HEADERS)
REQUEST_ID_KEYS = ("request_id", "job_request_id")
# The second ones are those of the reply that the ESB's oldest component makes its own of.
CODE_KEYS = ("code", "bk_error_code")
# The last ones are those of other services: of Django and Spring, and of what checks tokens.
MESSAGE_KEYS = ("message", "msg", "bk_error_msg", "error_description", "detail", "error")
ERROR_CODE_HEADER = "x-bkapi-error-code"
ERROR_MESSAGE_HEADER = "x-bkapi-error-message"
# Errors whose response may say when to send again.
WITH_RETRY_AFTER = (Throttled, PlatformTrouble)

_TITLE = re.compile(rb"<title[^>]*>(.{1,200}?)</title", re.IGNORECASE | re.DOTALL)
_REQUEST_ID = re.compile(r"[\w.:-]{1,100}")


def open_envelope(response: HttpResponse) -> dict[str, Any]:
    """Return the envelope of a success, or raise the typed error."""
    try:
        body = parse_json(response.body)
    except ValueError:
        raise error_from_response(response, None, is_json=False) from None
    if isinstance(body, dict) and 200 <= response.status < 300 and is_success(body):
        return body
    raise error_from_response(response, body)


def read_data(response: HttpResponse, zone: tzinfo, read: Callable[[JsonObject], R]) -> R:
    """Return what *read* makes of the envelope of a success; its errors name the response."""
    members = open_envelope(response)
    try:
        return read(JsonObject(members, zone=zone))
    except InvalidResponse as error:
        details = error.details
    headers = {name.lower(): value for name, value in response.headers.items()}
    ids = request_ids(headers, members)
    raise InvalidResponse(replace(details, http_status=response.status, request_ids=ids))


def read_envelope(response: HttpResponse, members: Mapping[str, Any]) -> Envelope:
    """Return a successful *response* whole; *members* are those of its envelope."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Envelope(
        data=members.get("data"),
        message=message_of(members),
        request_ids=request_ids(headers, members),
        http_status=response.status,
        headers=response.headers,
        body=response.body,
    )


def is_success(body: Mapping[str, Any]) -> bool:
    """Return True for an envelope of any dialect with data rather than an error."""
    code = first_of(body, CODE_KEYS)
    if body.get("error") is not None or (code is not None and as_integer(code) != 0):
        return False
    result = body.get("result")
    if result is None:
        return code is not None or "data" in body
    return as_flag(result) is True


def error_from_response(response: HttpResponse, body: Any, *, is_json: bool = True) -> CallFailed:
    """Return the typed error of a response, whose *body* is None where it is not JSON."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    members = body if isinstance(body, dict) else {}
    nested = members.get("error")
    error: dict[str, Any] = nested if isinstance(nested, dict) else {}
    code = code_of(first_of(error or members, CODE_KEYS))
    made_by_gateway = code_of(headers.get(ERROR_CODE_HEADER))
    details = detail_codes(error)
    kind = next(
        (
            kind
            for kind in (
                *(error_for_code(detail) for detail in details),
                error_for_code(code),
                error_for_code(made_by_gateway),
                error_for_family(code if code is not None else made_by_gateway),
                # A web page that is not found may be anybody's.
                error_for_status(response.status) if is_json or response.status != 404 else None,
            )
            if kind is not None
        ),
        CallFailed if looks_like_envelope(members) else InvalidResponse,
    )
    message = message_of(error or members) or one_line(headers.get(ERROR_MESSAGE_HEADER, ""))
    if is_redirect(response.status):
        message = describe_redirect(headers)
    if not message and not is_json:
        message = describe_body(response.body)
    elif not message and kind is InvalidResponse:
        message = "the response is JSON, but not the platform's envelope"
    elif not message and kind is CallFailed:
        message = "the platform gives no reason"
    permission = error.get("data") if error else members.get("permission")
    return kind(
        ErrorDetails(
            code=code if code is not None else made_by_gateway,
            detail_codes=details,
            message=message,
            http_status=response.status,
            request_ids=request_ids(headers, members),
            retry_after=parse_retry_after(headers) if kind in WITH_RETRY_AFTER else None,
            permission=permission if isinstance(permission, dict) and permission.get("actions") else None,
        )
    )


def describe_body(body: bytes) -> str:
    """Return a message about a body that is not JSON: HTML, nothing, half a body."""
    begin = body.lstrip()[:4096]
    title = _TITLE.search(begin)
    if title:
        return f"the response is a web page, not JSON: {one_line(title[1].decode(errors='replace'))!r}"
    if not begin:
        return "the response is empty"
    what = "not whole, or not JSON" if begin[:1] in b"{[" else "not JSON"
    return f"the response is {what} ({len(body)} bytes)"


def describe_redirect(headers: Mapping[str, str]) -> str:
    """Return a message about a redirect: its target without possible secrets, and what to do."""
    try:
        url = urlsplit(headers.get("location", "")[:LONGEST_MESSAGE])
        host, port = url.hostname or "", url.port
    except ValueError:
        return "the response is a redirect: the URL is wrong"
    server = f"{url.scheme or 'http'}://{host}{f':{port}' if port else ''}" if host else ""
    where = one_line(server + url.path)
    return f"the response is a redirect{' to ' if where else ''}{where}: the URL is wrong"


def first_of(members: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the first of *members* under these *names* that says something, None for none."""
    return next((members[name] for name in names if members.get(name) not in (None, "", {})), None)


def looks_like_envelope(members: Mapping[str, Any]) -> bool:
    """Return True when these are the members of one of the platform's envelopes."""
    return any(name in members for name in ("result", "error", *CODE_KEYS))


def code_of(value: object) -> int | str | None:
    """Return an error code: a number or a short text; None for none and for 0."""
    number = as_integer(value)
    if number is not None:
        return number or None
    return one_line(value)[:60] or None if isinstance(value, str) else None


def detail_codes(error: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the numeric codes that version 4 lists, as text, beside its text code."""
    details = error.get("details")
    rows = details if isinstance(details, list) else []
    codes = (as_integer(row.get("code")) for row in rows[:10] if isinstance(row, dict))
    return tuple(code for code in codes if code)


def message_of(members: Mapping[str, Any]) -> str:
    """Return the message of an envelope in one line; it may be in several languages at once."""
    said = first_of(members, MESSAGE_KEYS)
    if isinstance(said, dict):
        said = said.get("en") or next((text for text in said.values() if isinstance(text, str)), "")
    return one_line(said) if isinstance(said, str) else ""


def one_line(text: str) -> str:
    """Return *text* as one bounded line, with named credentials hidden."""
    line = " ".join(redact_named(text[: 4 * LONGEST_MESSAGE]).split())
    line = "".join(letter for letter in line if letter.isprintable())
    return line if len(line) <= LONGEST_MESSAGE else line[:LONGEST_MESSAGE] + "…"


def first_request_id(headers: Mapping[str, str]) -> str:
    """Return the first id of a response that its headers carry, empty for none."""
    for name in LOWER_CASE_HEADERS:
        value = headers.get(name)
        if value is not None and _REQUEST_ID.fullmatch(value):
            return value
    return ""


def request_ids(headers: Mapping[str, str], members: Mapping[str, Any]) -> dict[str, str]:
    """Return the ids by which the platform's operators find this call, by header or key."""
    found: dict[str, Any] = {name: headers.get(name.lower()) for name in REQUEST_ID_HEADERS}
    found |= {name: members.get(name) for name in REQUEST_ID_KEYS}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, str) and _REQUEST_ID.fullmatch(value)
    }
