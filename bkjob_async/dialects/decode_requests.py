"""The operation that a recorded response belongs to, and the job, step and scope it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from attrs import NOTHING, fields

from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.common.ref_checks import UNKNOWN_ID, read_scope
from bkjob_async.dialects.registry import operations
from bkjob_async.errors import CallFailed, UsageError
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.queries import RawCall
from bkjob_async.model.refs import HostKey, JobRef, Ref, Scope, StepRef

# The value of a required field that nobody gives, by its type; of several things there are none.
UNKNOWN_VALUES: Mapping[str, Any] = {
    "int": UNKNOWN_ID,
    "int | None": UNKNOWN_ID,
    "tuple[int, ...]": (UNKNOWN_ID,),
    "str": "",
    "HostKey": HostKey(),
    "datetime": datetime(1970, 1, 1, tzinfo=UTC),
}
# Names that single dialects have for the same operations.
ALIASES: Mapping[str, str] = {
    "batch_get_job_instance_execute_object_log": "batch_get_job_instance_ip_log",
    "execute_job": "execute_job_plan",
    "fast_push_file": "fast_transfer_file",
}


def operation_for(
    name: str, envelope: Mapping[str, Any], *, ref: Ref | None, scope: Scope | None
) -> Operation[Any]:
    """Return an operation of this *name* that the response fits; raise `UsageError`."""
    wanted = ALIASES.get(name, name)
    kind = next((each for each in operations() if each.name == wanted), None)
    if kind is not None:
        return operation_about(kind, subject_of(envelope, ref=ref, scope=scope))
    try:
        return RawCall(name=name)
    except ValueError as error:
        raise UsageError(f"no operation is called {name!r}") from error


def operation_about(kind: type[Operation[Any]], it: StepRef) -> Operation[Any]:
    """Return an operation of this *kind* about *it*, all other fields empty."""
    # The status of a cron is one of two.
    known: dict[str, Any] = {"scope": it.scope, "step_instance_id": it.step_instance_id, "status": 1}
    given: dict[str, Any] = {}
    for each in fields(cast("type[Any]", kind)):
        if each.name == "ref":
            given["ref"] = it if "StepRef" in str(each.type) else it.job
        elif each.default is NOTHING or each.name == "id":
            given[each.name] = known.get(each.name, UNKNOWN_VALUES.get(str(each.type), ()))
    return kind(**given)


def subject_of(envelope: Mapping[str, Any], *, ref: Ref | None, scope: Scope | None) -> StepRef:
    """Return the step, job and scope that a response is about: what the caller says, else what its data names."""
    if isinstance(ref, StepRef):
        return ref
    data = envelope.get("data")
    members = data if isinstance(data, dict) else {}
    places = [members, members.get("job_instance"), members.get("step_instance_detail")]
    named = [JsonObject(place) for place in places if isinstance(place, dict)]
    job = ref or JobRef(
        scope or first_found(named, read_scope) or Scope.biz(UNKNOWN_ID),
        first_found(named, lambda place: place.maybe_identity("job_instance_id")) or UNKNOWN_ID,
    )
    step = first_found(named, lambda place: place.maybe_identity("step_instance_id"))
    return job.step(step or UNKNOWN_ID)


def first_found(places: list[JsonObject], read: Callable[[JsonObject], Any]) -> Any:
    """Return the first value that *read* finds in one of *places*, None for none."""
    for place in places:
        try:
            found = read(place)
        except CallFailed:
            continue
        if found is not None:
            return found
    return None
