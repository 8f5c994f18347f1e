"""The envelopes of data and errors, in each dialect."""

from __future__ import annotations

from typing import Any

import msgspec

from bkjob_async.http_messages import HttpResponse
from bkjob_async.simulator.protocol.api_errors import MESSAGES, PERMISSION_DENIED, ApiError

JSON = "application/json"
encode = msgspec.json.encode
FIELD_BIND_FAILED = 1241025

GATEWAY_NAMES = {
    1640001: "INVALID_ARGS",
    1640301: "APP_NO_PERMISSION",
    1640401: "API_NOT_FOUND",
    1641301: "BODY_SIZE_LIMIT_EXCEED",
    1642901: "RATE_LIMIT_RESTRICTION",
    1642902: "RATE_LIMIT_RESTRICTION",
    1642903: "RATE_LIMIT_RESTRICTION",
    1642904: "CONCURRENCY_LIMIT_RESTRICTION",
    1650200: "BAD_GATEWAY",
    1650300: "SERVICE_UNAVAILABLE",
    1650401: "REQUEST_BACKEND_TIMEOUT",
}

# Job's numeric code, as version 4 names it and with its HTTP status.
V4_ERRORS: dict[int, tuple[int, str]] = {
    **dict.fromkeys((1211002, 1215001, 1240002, 1244022), (500, "INTERNAL")),
    **dict.fromkeys(
        (1240003, 1241001, 1241002, 1241007, 1241010, 1241012, 1244001, 1244026, 1264001, 1264004),
        (400, "INVALID_ARGUMENT"),
    ),
    1241003: (400, "FAILED_PRECONDITION"),
    1243042: (409, "ALREADY_EXISTS"),
    **dict.fromkeys((1243001, 1243026, 1243047, 1243051, 1244006, 1244007), (404, "NOT_FOUND")),
    **dict.fromkeys((1244032, 1244033, 1244034), (429, "RESOURCE_EXHAUSTED")),
    1306429: (429, "RATELIMIT_EXCEED"),
    9900403: (403, "NO_PERMISSION"),
}


def success(dialect: str, data: Any, request_id: str) -> HttpResponse:
    """Return data in its dialect's envelope."""
    if dialect == "gateway-v4":
        body: dict[str, Any] = {"data": data}
    elif dialect == "gateway-v3":
        # Version 3 omits null members of the envelope, not those of the data.
        body = {"code": 0, "result": True, **({} if data is None else {"data": data})}
    else:
        body = {"code": 0, "result": True, "message": "", "data": data, "request_id": request_id}
    body["job_request_id"] = request_id
    return HttpResponse(status=200, headers=headers(dialect, request_id), body=encode(body))


def failure(dialect: str, error: ApiError, request_id: str, language: str = "en") -> HttpResponse:
    """Return an error in the envelope of the part that responds, in a language."""
    if error.by == "gateway":
        return gateway_failure(error, request_id)
    if error.by == "esb-path":
        lost = {"result": False, "data": None, "message": error.message}
        return HttpResponse(status=error.status, headers={"content-type": JSON}, body=encode(lost))
    if dialect == "gateway-v4":
        return v4_failure(error, request_id, language)
    body = {"code": error.code, "result": False, "message": error.text(language)}
    body |= (
        {"job_request_id": request_id}
        if dialect == "gateway-v3"
        else {"data": None, "request_id": request_id}
    )
    if error.code == PERMISSION_DENIED:
        body["permission"] = error.details
    status = error.status if dialect == "gateway-v3" else 200
    return HttpResponse(status=status, headers=headers(dialect, request_id), body=encode(body))


def gateway_failure(error: ApiError, request_id: str) -> HttpResponse:
    """Return an error of the gateway itself."""
    name = GATEWAY_NAMES.get(error.code, "ERROR")
    body = {"code": error.code, "code_name": name, "data": None, "message": error.message, "result": False}
    all_headers = {
        **headers("gateway-v3", request_id),
        "x-bkapi-error-code": str(error.code),
        "x-bkapi-error-message": error.message.encode("ascii", "replace").decode(),
    }
    return HttpResponse(status=error.status, headers=all_headers, body=encode(body))


def v4_failure(error: ApiError, request_id: str, language: str) -> HttpResponse:
    """Return an error of version 4; Job's own code is text among its details, and so are the words of a constraint."""
    status, name = V4_ERRORS.get(error.code, (500, "INTERNAL"))
    code, text = error.code, error.text(language)
    described: dict[str, Any] = {"code": name, "message": text}
    if error.violated_field is not None:
        code = FIELD_BIND_FAILED
        described["message"] = MESSAGES[code][language != "en"].format(error.violated_field)
    if error.code == PERMISSION_DENIED:
        described["data"] = error.details
    else:
        described["details"] = [{"code": str(code), "message": text}]
    body = {"error": described, "job_request_id": request_id}
    return HttpResponse(status=status, headers=headers("gateway-v4", request_id), body=encode(body))


def headers(dialect: str, request_id: str) -> dict[str, str]:
    """Return the headers of every response of a dialect."""
    if dialect.startswith("gateway"):
        return {"content-type": JSON, "x-bkapi-request-id": request_id, "x-bk-job-request-id": request_id}
    return {"content-type": JSON}
