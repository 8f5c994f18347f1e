"""The ESB's component `job`, version 2: `{paas}/api/c/compapi/v2/job/<operation>/`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Literal

import msgspec
from attrs import evolve, field, frozen

from bkjob_async.dialects.base import Call, TableDialect, keys_of, request_of
from bkjob_async.dialects.envelopes import opened
from bkjob_async.dialects.instances import (
    Row,
    SeenGroup,
    SeenJob,
    SeenStep,
    grouped,
    job_snapshot,
    listed,
    look_at_job,
    look_at_step,
    step_snapshot,
)
from bkjob_async.dialects.reading import Fields
from bkjob_async.errors import UsageError
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.capabilities import Capabilities
from bkjob_async.model.credentials import AccessToken, Credentials
from bkjob_async.model.look import JobLook, StepLook
from bkjob_async.model.operations import (
    GetJobInstanceStatus,
    GetStepInstanceStatus,
    Operated,
    OperateStepInstance,
    Operation,
)
from bkjob_async.model.refs import JobRef, Scope, ScopeType, StepRef
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot, Times

ROOT = "api/c/compapi/v2/job/"


def scope_parameters(scope: Scope) -> dict[str, Any]:
    """Return a scope's parameters; a business set is known to newer servers only."""
    if scope.type is ScopeType.BIZ:
        return {"bk_biz_id": scope.id}
    return {"bk_biz_id": scope.id, "bk_scope_type": scope.type.value, "bk_scope_id": str(scope.id)}


def job_parameters(ref: JobRef) -> dict[str, Any]:
    """Return the parameters that name a job."""
    return {**scope_parameters(ref.scope), "job_instance_id": ref.job_instance_id}


def job_status_parameters(operation: GetJobInstanceStatus) -> dict[str, Any]:
    """Return what `get_job_instance_status` takes; host rows come unasked."""
    return job_parameters(operation.ref)


def step_status_parameters(operation: GetStepInstanceStatus) -> dict[str, Any]:
    """Return what `get_step_instance_status` takes, twice.

    The documented component reads a nested `params`, the backend that replaced it reads the same keys flat.
    """
    ids = {
        "job_instance_id": operation.ref.job_instance_id,
        "step_instance_id": operation.ref.step_instance_id,
    }
    return {**scope_parameters(operation.ref.scope), **ids, "params": ids}


def operate_step_parameters(operation: OperateStepInstance) -> dict[str, Any]:
    """Return what `operate_step_instance` takes."""
    ref: StepRef = operation.ref
    return {
        **job_parameters(ref.job),
        "step_instance_id": ref.step_instance_id,
        "operation_code": operation.operation_code,
    }


# Reading ------------------------------------------------------------------------------------------------------------


def read_job_status(operation: GetJobInstanceStatus, answer: Fields) -> JobSnapshot:
    """Read a job with its steps and their hosts."""
    return job_snapshot(read_job(answer), operation.ref)


def read_step_status(operation: GetStepInstanceStatus, answer: Fields) -> StepSnapshot:
    """Read a step with the hosts of the groups that the server filled."""
    return step_snapshot(read_step(answer), operation.ref)


def read_operated(operation: OperateStepInstance, _answer: Fields) -> Operated:
    """Read that an operation was taken on; the ids that come back say nothing new."""
    return Operated(ref=operation.ref)


def look_job(_operation: GetJobInstanceStatus, response: HttpResponse, zone: tzinfo) -> JobLook:
    """Read a job's answer as the engine needs it."""
    return look_at_job(read_job(Fields(opened(response), zone=zone)))


def look_step(_operation: GetStepInstanceStatus, response: HttpResponse, zone: tzinfo) -> StepLook:
    """Read a step's answer as the engine needs it."""
    return look_at_step(read_step(Fields(opened(response), zone=zone)))


def read_job(answer: Fields) -> SeenJob:
    """Read a job's answer: steps stand in blocks, hosts always come."""
    data = answer.child("data")
    job = data.child("job_instance")
    steps = [
        step for block in data.children("blocks") or () for step in block.children("step_instances") or ()
    ]
    return SeenJob(
        status=job.integer("status"),
        finished=data.flag("is_finished", "finished"),
        name=job.text("name"),
        operator=job.maybe_text("operator"),
        launch_mode=job.maybe_integer("start_way"),
        times=read_times(job),
        steps=tuple(read_step_line(step, listed(read_rows(step, "step_ip_status"))) for step in steps),
    )


def read_step(answer: Fields) -> SeenStep:
    """Read a step's answer; its flag stands beside it, its hosts in groups."""
    data = answer.child("data")
    groups = data.children("step_instance_analyse_result")
    return read_step_line(
        data.child("step_instance_detail"),
        None if groups is None else tuple(read_group(group) for group in groups),
        finished=data.flag("is_finished", "finished"),
    )


def read_step_line(
    step: Fields, groups: tuple[SeenGroup, ...] | None, *, finished: bool | None = None
) -> SeenStep:
    """Read what is said of a step itself."""
    return SeenStep(
        step_instance_id=step.identity("step_instance_id"),
        status=step.integer("status"),
        finished=finished,
        name=step.text("name"),
        type=step.maybe_integer("type"),
        execute_count=step.maybe_integer("execute_count", "retry_count") or 0,
        times=read_times(step),
        operator=step.maybe_text("operator"),
        groups=groups,
    )


def read_group(group: Fields) -> SeenGroup:
    """Read a group; current servers fill the first one only, and count 0 in the others."""
    status = group.integer("result_type")
    rows = read_rows(group, "ip_list", group_status=status)
    count = group.maybe_integer("count")
    return grouped(status, group.maybe_text("tag"), count, rows, told=rows is not None)


def read_rows(parent: Fields, name: str, *, group_status: int | None = None) -> list[Row] | None:
    """Read a list of hosts, None where there is none."""
    rows = parent.children(name)
    return None if rows is None else [read_row(row, group_status) for row in rows]


def read_row(row: Fields, group_status: int | None) -> Row:
    """Read a host: its address, and its code unless its group has one."""
    return Row(
        status=row.integer("status") if group_status is None else group_status,
        bk_host_id=row.maybe_identity("bk_host_id"),
        bk_cloud_id=row.maybe_integer("bk_cloud_id"),
        ip=row.maybe_text("ip"),
        ipv6=row.maybe_text("ipv6"),
    )


def read_times(fields: Fields) -> Times:
    """Read times of an object whose duration is in seconds."""
    return Times(
        create_time=fields.time("create_time"),
        start_time=fields.time("start_time"),
        end_time=fields.time("end_time"),
        total_time=fields.number("total_time"),
    )


CAPABILITIES = Capabilities(step_status=False, job_rows_on_request=False, groups=False)

CALLS: Mapping[type[Operation[Any]], Call] = {
    GetJobInstanceStatus: Call(
        method="GET",
        path=ROOT + "get_job_instance_status/",
        parameters=job_status_parameters,
        read=read_job_status,
        look=look_job,
    ),
    GetStepInstanceStatus: Call(
        method="POST",
        path=ROOT + "get_step_instance_status/",
        parameters=step_status_parameters,
        read=read_step_status,
        look=look_step,
    ),
    OperateStepInstance: Call(
        method="POST",
        path=ROOT + "operate_step_instance/",
        parameters=operate_step_parameters,
        read=read_operated,
    ),
}


@frozen(kw_only=True)
class EsbJob(TableDialect):
    """The ESB's component `job`.

    *credentials_in*: `header`, or `body` for ESBs that know no header; every read is then a POST, so that no secret
    stands in a URL.
    """

    name: str = "esb-job"
    capabilities: Capabilities = CAPABILITIES
    calls: Mapping[type[Operation[Any]], Call] = field(default=CALLS, repr=False)
    credentials_in: Literal["header", "body"] = "header"

    def encode(self, operation: Operation[Any]) -> HttpRequest:
        """Put *operation* into a relative, unsigned request; raise `NotSupported`."""
        call = self.call_for(operation)
        method = "POST" if self.credentials_in == "body" else call.method
        return request_of(method, call.path, call.parameters(operation))

    def sign(self, request: HttpRequest, credentials: Credentials) -> HttpRequest:
        """Put *credentials* into the header, or into the body beside the parameters."""
        if self.credentials_in == "header":
            return super().sign(request, credentials)
        if isinstance(credentials, AccessToken):
            raise UsageError("an access token travels in the header only: use credentials_in='header'")
        body = {**msgspec.json.decode(request.body or b"{}"), **keys_of(credentials)}
        return evolve(request, body=msgspec.json.encode(body))
