"""Which question a recorded answer answers, and about what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

from bkjob_async.dialects.details import read_scope
from bkjob_async.dialects.reading import INT64, Fields
from bkjob_async.errors import CallFailed, UsageError
from bkjob_async.model.launches import (
    ExecuteJobPlan,
    FastExecuteScript,
    FastExecuteSql,
    FastTransferFile,
    PushConfigFile,
)
from bkjob_async.model.operations import (
    GetJobInstanceStatus,
    GetStepInstanceStatus,
    OperateJobInstance,
    OperateStepInstance,
    Operation,
)
from bkjob_async.model.questions import (
    BatchGetJobInstanceIpLog,
    GetJobInstanceGlobalVarValue,
    GetJobInstanceIpLog,
    GetJobInstanceList,
    GetJobInstanceLog,
    GetStepInstanceDetail,
    RawCall,
)
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


ASK: Mapping[str, Callable[[About], Operation[Any]]] = {
    "get_job_instance_status": lambda it: GetJobInstanceStatus(ref=it.job),
    "get_step_instance_status": lambda it: GetStepInstanceStatus(ref=it.step),
    "get_step_instance_detail": lambda it: GetStepInstanceDetail(ref=it.step),
    "get_job_instance_log": lambda it: GetJobInstanceLog(ref=it.job),
    "get_job_instance_ip_log": lambda it: GetJobInstanceIpLog(ref=it.step, host=HostKey()),
    "batch_get_job_instance_ip_log": lambda it: BatchGetJobInstanceIpLog(ref=it.step, hosts=()),
    "get_job_instance_list": lambda it: GetJobInstanceList(
        scope=it.scope, create_time_start=LONG_AGO, create_time_end=LONG_AGO
    ),
    "get_job_instance_global_var_value": lambda it: GetJobInstanceGlobalVarValue(ref=it.job),
    "operate_step_instance": lambda it: OperateStepInstance(ref=it.step, operation_code=0),
    "operate_job_instance": lambda it: OperateJobInstance(ref=it.job, operation_code=0),
    "execute_job_plan": lambda it: ExecuteJobPlan(scope=it.scope, job_plan_id=NAMELESS),
    "fast_execute_script": lambda it: FastExecuteScript(scope=it.scope, targets=()),
    "fast_execute_sql": lambda it: FastExecuteSql(scope=it.scope, targets=(), db_account_id=NAMELESS),
    "fast_transfer_file": lambda it: FastTransferFile(
        scope=it.scope, targets=(), sources=(), file_target_path=""
    ),
    "push_config_file": lambda it: PushConfigFile(scope=it.scope, targets=(), files={}, file_target_path=""),
}

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
    ask = ASK.get(ALIASES.get(name, name))
    if ask is not None:
        return ask(about(envelope, ref=ref, scope=scope))
    try:
        return RawCall(name=name)
    except ValueError as error:
        raise UsageError(f"no operation is called {name!r}") from error


def about(envelope: Mapping[str, Any], *, ref: Ref | None, scope: Scope | None) -> About:
    """Return what an answer is about: what the caller says, else what its data names."""
    if isinstance(ref, StepRef):
        return About(ref)
    data = envelope.get("data")
    members = data if isinstance(data, dict) else {}
    places = [members, members.get("job_instance"), members.get("step_instance_detail")]
    named = [Fields(place) for place in places if isinstance(place, dict)]
    job = ref or JobRef(
        scope or first(named, read_scope) or Scope.biz(NAMELESS),
        first(named, lambda place: place.maybe_identity("job_instance_id")) or NAMELESS,
    )
    return About(job.step(first(named, lambda place: place.maybe_identity("step_instance_id")) or NAMELESS))


def first(places: list[Fields], read: Callable[[Fields], Any]) -> Any:
    """Return the first thing that can be read in one of *places*, None for nothing."""
    for place in places:
        try:
            found = read(place)
        except CallFailed:
            continue
        if found is not None:
            return found
    return None
