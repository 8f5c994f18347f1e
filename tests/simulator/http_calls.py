"""Requests to a simulated platform, as any HTTP client would send them."""

from __future__ import annotations

from typing import Any

import msgspec
from yarl import URL

from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.simulator import Simulator

AUTHORIZATION = '{"bk_app_code":"tests","bk_app_secret":"made-up","bk_username":"admin"}'
PREFIXES = {
    "gateway-v3": "http://sim/api/bk-job/prod/api/v3/",
    "gateway-v4": "http://sim/api/bk-job/prod/api/v4/",
    "esb-job": "http://sim/api/c/compapi/v2/job/",
    "esb-jobv3": "http://sim/api/c/compapi/v2/jobv3/",
}


def request(
    dialect: str, operation: str, parameters: dict[str, Any], *, method: str = "GET", language: str = "en"
) -> HttpRequest:
    """Build a request of one dialect, with credentials in the header."""
    url = URL(PREFIXES[dialect] + operation)
    headers = {"X-Bkapi-Authorization": AUTHORIZATION, "Blueking-Language": language}
    if method == "GET":
        texts = {name: spelled(value) for name, value in parameters.items()}
        return HttpRequest(method=method, url=url.with_query(texts), headers=headers)
    return HttpRequest(method=method, url=url, headers=headers, body=msgspec.json.encode(parameters))


def spelled(value: Any) -> str:
    """Spell a value for a query."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def of(ref: JobRef | StepRef, dialect: str = "gateway-v3") -> dict[str, Any]:
    """Return the parameters that name a job or step."""
    names: dict[str, Any] = {"job_instance_id": ref.job_instance_id}
    if isinstance(ref, StepRef):
        names["step_instance_id"] = ref.step_instance_id
    if dialect == "esb-job":
        return {"bk_biz_id": ref.scope.id, **names}
    return {"bk_scope_type": str(ref.scope.type), "bk_scope_id": str(ref.scope.id), **names}


def ask(
    platform: Platform | Simulator,
    operation: str,
    parameters: dict[str, Any],
    *,
    dialect: str = "gateway-v3",
    method: str = "GET",
    now: float | None = None,
) -> HttpResponse:
    """Send one request at a time of the world, by default its present."""
    door = platform.platform if isinstance(platform, Simulator) else platform
    moment = door.world.now if now is None else now
    return door.respond(request(dialect, operation, parameters, method=method), moment)


def body(response: HttpResponse) -> dict[str, Any]:
    """Return a response's JSON object."""
    value: dict[str, Any] = msgspec.json.decode(response.body)
    return value


def data(response: HttpResponse) -> Any:
    """Return a success's data."""
    envelope = body(response)
    assert envelope.get("result") is True or "error" not in envelope, envelope
    assert response.status == 200
    return envelope["data"]
