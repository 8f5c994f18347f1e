"""Which question a recorded answer answers, and about what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from attrs import NOTHING, fields, frozen

from bkjob_async.dialects.common.json_fields import INT64, JsonObject
from bkjob_async.dialects.common.responses import read_scope
from bkjob_async.dialects.registry import OPERATIONS
from bkjob_async.errors import CallFailed, UsageError
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.queries import RawCall
from bkjob_async.model.refs import HostKey, JobRef, Ref, Scope, StepRef

# What neither the answer nor the caller names reads as this id, which no platform ever gives.
NAMELESS = INT64 - 1
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@frozen
class About:
    """What an answer is about, as far as anybody says."""

    step: StepRef

    @property
    def job(self) -> JobRef:
        """The job."""
        return self.step.job

    @property
    def scope(self) -> Scope:
        """The scope."""
        return self.step.scope


# What fills the fields of a question that has to be asked about something.
FILLED: Mapping[str, Callable[[About], Any]] = {
    "scope": lambda it: it.scope,
    "step_instance_id": lambda it: it.step.step_instance_id,
    "host": lambda _: HostKey(),
    "files": lambda _: {},
    "create_time_start": lambda _: LONG_AGO,
    "create_time_end": lambda _: LONG_AGO,
    **dict.fromkeys(("id", "job_plan_id", "db_account_id"), lambda _: NAMELESS),
    **dict.fromkeys(("operation_code", "mode"), lambda _: 0),
    **dict.fromkeys(("hosts", "targets", "sources", "file_names"), lambda _: ()),
    **dict.fromkeys(("file_target_path", "script_id", "gse_task_id"), lambda _: ""),
}
KINDS: Mapping[str, type[Operation[Any]]] = {kind.name: kind for kind in OPERATIONS}

# What single dialects call the same operations.
ALIASES: Mapping[str, str] = {
    "batch_get_job_instance_execute_object_log": "batch_get_job_instance_ip_log",
    "execute_job": "execute_job_plan",
    "fast_push_file": "fast_transfer_file",
}


def question(
    name: str, envelope: Mapping[str, Any], *, ref: Ref | None, scope: Scope | None
) -> Operation[Any]:
    """Return the question that an answer to the operation of this *name* answers; raise `UsageError`."""
    kind = KINDS.get(ALIASES.get(name, name))
    if kind is not None:
        return blank(kind, about(envelope, ref=ref, scope=scope))
    try:
        return RawCall(name=name)
    except ValueError as error:
        raise UsageError(f"no operation is called {name!r}") from error


def blank(kind: type[Operation[Any]], it: About) -> Operation[Any]:
    """Return a question of this *kind* that asks about *it*, and says nothing else."""
    given: dict[str, Any] = {}
    for each in fields(cast("type[Any]", kind)):
        if each.name == "ref":
            given["ref"] = it.step if "StepRef" in str(each.type) else it.job
        elif each.default is NOTHING or each.name == "id":
            given[each.name] = FILLED[each.name](it)
    return kind(**given)


def about(envelope: Mapping[str, Any], *, ref: Ref | None, scope: Scope | None) -> About:
    """Return what an answer is about: what the caller says, else what its data names."""
    if isinstance(ref, StepRef):
        return About(ref)
    data = envelope.get("data")
    members = data if isinstance(data, dict) else {}
    places = [members, members.get("job_instance"), members.get("step_instance_detail")]
    named = [JsonObject(place) for place in places if isinstance(place, dict)]
    job = ref or JobRef(
        scope or first(named, read_scope) or Scope.biz(NAMELESS),
        first(named, lambda place: place.maybe_identity("job_instance_id")) or NAMELESS,
    )
    return About(job.step(first(named, lambda place: place.maybe_identity("step_instance_id")) or NAMELESS))


def first(places: list[JsonObject], read: Callable[[JsonObject], Any]) -> Any:
    """Return the first thing that can be read in one of *places*, None for nothing."""
    for place in places:
        try:
            found = read(place)
        except CallFailed:
            continue
        if found is not None:
            return found
    return None
