"""The API gateway, version 3: `{gateway}/{stage}/api/v3/<operation>`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from bkjob_async.dialects.base import Call, TableDialect
from bkjob_async.dialects.instances import job_snapshot, step_snapshot
from bkjob_async.dialects.reading import Fields
from bkjob_async.dialects.v3_answers import look_job, look_step, read_job, read_step
from bkjob_async.model.capabilities import Capabilities
from bkjob_async.model.operations import (
    GetJobInstanceStatus,
    GetStepInstanceStatus,
    Operated,
    OperateStepInstance,
    Operation,
)
from bkjob_async.model.refs import JobRef, Scope, StepRef
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot


def scope_parameters(scope: Scope) -> dict[str, Any]:
    """Return a scope's parameters; its id travels as text."""
    return {"bk_scope_type": scope.type.value, "bk_scope_id": str(scope.id)}


def job_parameters(ref: JobRef) -> dict[str, Any]:
    """Return the parameters that name a job."""
    return {**scope_parameters(ref.scope), "job_instance_id": ref.job_instance_id}


def step_parameters(ref: StepRef) -> dict[str, Any]:
    """Return the parameters that name a step."""
    return {**job_parameters(ref.job), "step_instance_id": ref.step_instance_id}


def job_status_parameters(operation: GetJobInstanceStatus) -> dict[str, Any]:
    """Return what `get_job_instance_status` takes."""
    return {**job_parameters(operation.ref), "return_ip_result": operation.return_ip_result}


def step_status_parameters(operation: GetStepInstanceStatus) -> dict[str, Any]:
    """Return what `get_step_instance_status` takes."""
    return {
        **step_parameters(operation.ref),
        "execute_count": operation.execute_count,
        "batch": operation.batch,
        "max_host_num_per_group": operation.max_host_num_per_group,
        "keyword": operation.keyword,
        "search_ip": operation.search_ip,
        "status": operation.status,
        "tag": operation.tag,
    }


def operate_step_parameters(operation: OperateStepInstance) -> dict[str, Any]:
    """Return what `operate_step_instance` takes."""
    return {**step_parameters(operation.ref), "operation_code": operation.operation_code}


def read_job_status(operation: GetJobInstanceStatus, answer: Fields) -> JobSnapshot:
    """Read a job with its steps."""
    return job_snapshot(read_job(answer), operation.ref)


def read_step_status(operation: GetStepInstanceStatus, answer: Fields) -> StepSnapshot:
    """Read a step with its groups of hosts."""
    return step_snapshot(read_step(answer), operation.ref)


def read_operated(operation: OperateStepInstance, _answer: Fields) -> Operated:
    """Read that an operation was taken on; the ids that come back say nothing new."""
    return Operated(ref=operation.ref)


CAPABILITIES = Capabilities(step_status=True, job_rows_on_request=True, groups=True)

CALLS: Mapping[type[Operation[Any]], Call] = {
    GetJobInstanceStatus: Call(
        method="GET",
        path="api/v3/get_job_instance_status",
        parameters=job_status_parameters,
        read=read_job_status,
        look=look_job,
    ),
    GetStepInstanceStatus: Call(
        method="GET",
        path="api/v3/get_step_instance_status",
        parameters=step_status_parameters,
        read=read_step_status,
        look=look_step,
    ),
    OperateStepInstance: Call(
        method="POST",
        path="api/v3/operate_step_instance",
        parameters=operate_step_parameters,
        read=read_operated,
    ),
}


@frozen(kw_only=True)
class GatewayV3(TableDialect):
    """The API gateway, version 3."""

    name: str = "gateway-v3"
    capabilities: Capabilities = CAPABILITIES
    calls: Mapping[type[Operation[Any]], Call] = field(default=CALLS, repr=False)
