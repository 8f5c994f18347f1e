"""Decode recorded responses and callbacks, exactly as a live call would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, overload
from urllib.parse import parse_qsl, unquote_plus

from msgspec.structs import replace

from bkjob_async.dialects.common.dialect import Dialect
from bkjob_async.dialects.common.envelopes import open_envelope
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.decode_requests import operation_for
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.errors import CallFailed, ErrorDetails, InvalidResponse
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.responses import Callback
from bkjob_async.model.refs import Ref, Scope
from bkjob_async.model.status import run_status
from bkjob_async.model.text.json_text import parse_json

R = TypeVar("R")

FORM = "application/x-www-form-urlencoded"
STEP_LISTS = ("step_instances", "step_instance_list")


@overload
def decode(
    body: bytes | str,
    *,
    operation: Operation[R],
    dialect: str | Dialect = ...,
    http_status: int = ...,
    headers: Mapping[str, str] | None = ...,
    envelope: bool = ...,
) -> R: ...
@overload
def decode(
    body: bytes | str,
    *,
    operation: str,
    dialect: str | Dialect = ...,
    http_status: int = ...,
    headers: Mapping[str, str] | None = ...,
    envelope: bool = ...,
    ref: Ref | None = ...,
    scope: Scope | None = ...,
) -> Any: ...
def decode(
    body: bytes | str,
    *,
    operation: str | Operation[Any],
    dialect: str | Dialect = "gateway-v3",
    http_status: int = 200,
    headers: Mapping[str, str] | None = None,
    envelope: bool = True,
    ref: Ref | None = None,
    scope: Scope | None = None,
) -> Any:
    """Return what a live call would return for this response, or raise what it would raise.

    *operation* is the platform's name of it or, where the response depends on the parameters, the operation
    itself; a name without a class of its own returns the plain `data`. *envelope* False takes a *body* that
    is the `data` alone. Ids that the response does not name come from *ref* and *scope*, and without those
    read as 2**63 - 1. Raises a `CallFailed`, and `UsageError` for a dialect that does not exist or does not
    have the operation.
    """
    own_dialect = dialect_by_name(dialect) if isinstance(dialect, str) else dialect
    content = body.encode(errors="replace") if isinstance(body, str) else body
    response = HttpResponse(status=http_status, headers=headers or {}, body=content)
    name = operation if isinstance(operation, str) else operation.name
    try:
        if not envelope:
            response = wrap_data(response)
        if isinstance(operation, str):
            operation = operation_for(operation, envelope_or_empty(response), ref=ref, scope=scope)
        return own_dialect.decode(operation, response)
    except CallFailed as error:
        failure = type(error)(replace(error.details, operation=name, dialect=own_dialect.name))
    raise failure


def envelope_or_empty(response: HttpResponse) -> Mapping[str, Any]:
    """Return the envelope of a response, an empty one for an error: that is for decoding to raise."""
    try:
        return open_envelope(response)
    except CallFailed:
        return {}


def wrap_data(response: HttpResponse) -> HttpResponse:
    """Return a response with an envelope around its data; raise `InvalidResponse` unless it is JSON."""
    try:
        parse_json(response.body)
    except ValueError:
        message = f"the data is not JSON ({len(response.body)} bytes)"
        raise InvalidResponse(ErrorDetails(message=message, http_status=response.status)) from None
    return replace(response, body=b'{"data":' + response.body.removeprefix(b"\xef\xbb\xbf") + b"}")


def decode_callback(body: bytes | str, content_type: str = "application/json") -> Callback:
    """Return what the platform called back with; raise `InvalidResponse` for what is no callback.

    The second attempt of a callback carries the same JSON as a form, so *content_type* is a hint only.
    """
    content = body.encode(errors="replace") if isinstance(body, str) else body
    for text in possible_texts(content, content_type):
        try:
            value = parse_json(text)
        except ValueError:
            continue
        return read_callback(JsonObject(value))
    raise InvalidResponse(ErrorDetails(operation="callback", message="the callback is not JSON"))


def possible_texts(content: bytes, content_type: str) -> Iterator[bytes]:
    """Yield the texts that a body may mean: itself, and what a form carries as a key or a value."""
    yield content
    if not content_type.lower().startswith(FORM):
        return
    text = content.decode(errors="replace")
    yield unquote_plus(text).strip().removesuffix("=").encode()
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return
    yield from (part.encode() for pair in pairs for part in reversed(pair) if part)


def read_callback(callback: JsonObject) -> Callback:
    """Read a callback; documents and servers call the list of steps differently, or leave it out."""
    steps = callback.children(*STEP_LISTS) or ()
    return Callback(
        job_instance_id=callback.identity("job_instance_id"),
        status=run_status(callback.integer("status")),
        steps={step.identity("step_instance_id"): run_status(step.integer("status")) for step in steps},
    )
