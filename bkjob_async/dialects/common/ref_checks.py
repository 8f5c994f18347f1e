"""Checks that a response is about the requested job, step, scope and host.

A connection whose responses are shifted by one delivers the response to another request: a well-formed body
about another job. What a response does not name is not compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bkjob_async.dialects.common.json_fields import INT64, JsonObject, as_integer
from bkjob_async.errors import ErrorDetails, InvalidResponse
from bkjob_async.model.refs import HostKey, JobRef, Scope, ScopeType, StepRef

# How the platform reads a bare `bk_biz_id`.
# bk-job: EsbAppScopeReq.java, ResourceScopeTypeEnum.java
BIZ_SETS = range(8_000_000, 10_000_000)
TENANT_SET, TENANT_SET_BIZ_ID = "tenant_set", INT64 - 1
# The id in place of one that a recorded response does not name; no platform uses it.
UNKNOWN_ID = INT64 - 1

SCOPE_MEMBERS = frozenset({"bk_scope_type", "bk_scope_id", "bk_biz_id"})
# Where a response holds what it is about, if not at its top.
PARTS = ("job_instance", "step_instance", "step_instance_detail")

ScopeName = tuple[str, int | None]


def check_ref(fields: JsonObject, ref: JobRef | StepRef) -> None:
    """Raise `InvalidResponse` when *fields* name another job, step or scope than *ref*."""
    number = fields.maybe_identity("job_instance_id")
    if number is not None and number != ref.job_instance_id:
        raise mismatch("job", ref.job, f"{ref.scope}:{number}")
    check_scope(fields, ref.scope)
    if isinstance(ref, StepRef):
        number = fields.maybe_identity("step_instance_id")
        if number is not None and number != ref.step_instance_id:
            raise mismatch("step", ref, f"{ref.job}/{number}")


def check_scope(fields: JsonObject, scope: Scope) -> None:
    """Raise `InvalidResponse` when *fields* name another scope than the requested one."""
    found = read_scope_name(fields)
    if found is None or is_unnamed(scope):
        return
    requested = normalize_scope(scope.type, scope.id)
    if not is_same_scope(requested, found):
        raise mismatch_of_scopes(requested, found)


def check_raw(parameters: Mapping[str, Any], data: object) -> None:
    """Raise `InvalidResponse` when *data* names another job, step or scope than the *parameters* of its request.

    Only names that can be read as such are compared, in the data itself and in the object about the job or step in it.
    """
    requested_scope = readable_scope_name(parameters)
    outer = data if isinstance(data, dict) else {}
    for named in (outer, *(outer.get(name) for name in PARTS)):
        if not isinstance(named, dict):
            continue
        for name in ("job_instance_id", "step_instance_id"):
            requested, found = as_integer(parameters.get(name)), as_integer(named.get(name))
            if requested is not None and found is not None and requested != found:
                raise mismatch(name.partition("_")[0], requested, found)
        scope = readable_scope_name(named)
        if requested_scope and scope and not is_same_scope(requested_scope, scope):
            raise mismatch_of_scopes(requested_scope, scope)


def check_host(found: HostKey, requested: HostKey) -> None:
    """Raise `InvalidResponse` when *found* is certainly another host than *requested*.

    Names of different kinds are not compared.
    """
    if requested.bk_host_id is not None:
        differ = found.bk_host_id not in (None, requested.bk_host_id)
    else:
        here, there = (found.bk_cloud_id or 0, found.ip), (requested.bk_cloud_id or 0, requested.ip)
        differ = bool(found.ip and requested.ip) and here != there
    if differ:
        raise mismatch("host", requested, found)


def read_scope_name(fields: JsonObject) -> ScopeName | None:
    """Return kind and id of the scope that *fields* name, None where they do not; an id may be unknown.

    `bk_scope_type` and `bk_scope_id` take precedence over `bk_biz_id`.
    """
    if SCOPE_MEMBERS.isdisjoint(fields.members):  # as in most responses
        return None
    kind, number = fields.maybe_text("bk_scope_type"), fields.maybe_identity("bk_scope_id")
    if kind and number is not None:
        return normalize_scope(kind, number)
    business = fields.maybe_identity("bk_biz_id")
    return None if business is None else normalize_scope(ScopeType.BIZ, business)


def read_scope(row: JsonObject) -> Scope | None:
    """Read the scope of an object, None for none; an unknown kind stays a text."""
    kind, number = read_scope_name(row) or ("", None)
    try:
        return Scope(kind, number) if number is not None else None
    except ValueError:
        return None


def readable_scope_name(fields: Mapping[str, Any]) -> ScopeName | None:
    """Return the scope that *fields* name, None where they name none that can be read."""
    try:
        return read_scope_name(JsonObject(fields))
    except InvalidResponse:
        return None


def normalize_scope(kind: str, number: int) -> ScopeName:
    """Return a scope as the platform reads it: some numbers of businesses stand for other kinds of scope."""
    if kind != ScopeType.BIZ:
        return str(kind), number
    if number == TENANT_SET_BIZ_ID:
        return TENANT_SET, None
    return (ScopeType.BIZ_SET if number in BIZ_SETS else ScopeType.BIZ).value, number


def is_same_scope(requested: ScopeName, found: ScopeName) -> bool:
    """Return True when two scopes are the same, as far as *found* names it."""
    return found[0] == requested[0] and found[1] in (None, requested[1])


def is_unnamed(scope: Scope) -> bool:
    """Return True for the scope of a recorded response that names none."""
    return scope.id == UNKNOWN_ID


def mismatch(thing: str, requested: object, got: object) -> InvalidResponse:
    """Return the error for a response about another thing than the *requested* one."""
    return InvalidResponse(
        ErrorDetails(message=f"the response is about another {thing}: asked for {requested}, got {got}")
    )


def mismatch_of_scopes(requested: ScopeName, found: ScopeName) -> InvalidResponse:
    """Return the error for a response about another scope."""
    return mismatch("scope", *(f"{kind}:{number or '?'}" for kind, number in (requested, found)))
