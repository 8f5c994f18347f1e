"""Handle requests for the status of jobs and steps, and operations on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bkjob_async.simulator.handlers.context import RequestContext
from bkjob_async.simulator.protocol import esb as render_esb
from bkjob_async.simulator.protocol import gateway_v3 as render_gateway
from bkjob_async.simulator.protocol import gateway_v4 as render_gateway_v4
from bkjob_async.simulator.protocol import plugin as render_plugin
from bkjob_async.simulator.protocol.api_errors import api_error, missing_parameter
from bkjob_async.simulator.protocol.groups import GroupQuery
from bkjob_async.simulator.protocol.inputs import step_inputs
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.world.codes import CONFIRM
from bkjob_async.simulator.world.operations import OperationNotAllowed
from bkjob_async.simulator.world.records import Job, Step


def v3_job_status(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_job_instance_status` of version 3 and of `jobv3`."""
    job = context.job(request)
    with_hosts = request.flag("return_ip_result")
    if with_hosts:
        require_no_containers(job)
    mark_shown(context, job.steps)
    return render_gateway.job_status(job, with_hosts=with_hosts)


def v3_step_status(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_step_instance_status` of version 3."""
    step = context.step(request, legacy=False, code=1240003)
    require_readable_step(step)
    wanted = GroupQuery(
        now=context.now,
        group_read_seconds=context.site.group_read_seconds,
        execute_count=request.integer("execute_count"),
        batch=request.integer("batch"),
        most=request.integer("max_host_num_per_group"),
        status=request.integer("status"),
        tag=request.text("tag"),
        keyword=request.text("keyword") if step.plan.kind == 1 else None,
        search_ip=request.text("search_ip"),
    )
    answer = render_gateway.step_status(step, wanted, request.language)
    mark_shown(context, (step,))
    return answer


def v4_job_status(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_job_instance_status` of version 4, containers included."""
    with_hosts = request.flag("return_execute_object_result")
    job = context.job(request)
    mark_shown(context, job.steps)
    return render_gateway_v4.job_status(job, with_hosts=with_hosts)


def plugin_job_status(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `bkci_plugin_get_job_instance_status`, containers included."""
    with_objects = request.flag("include_execute_object_task_result")
    return render_plugin.job_status(context.job(request), with_objects=with_objects)


def v2_job_status(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_job_instance_status` of the ESB's `job`."""
    job = context.job(request)
    require_no_containers(job)
    mark_shown(context, job.steps)
    return render_esb.job_status(job, legacy_esb=context.site.legacy_esb)


def v2_step_status(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_step_instance_status` of the ESB's `job`; the current backend reads nothing that is nested."""
    if "job_instance_id" in request.nested and not context.site.legacy_esb:
        raise missing_parameter("job_instance_id")
    step = context.step(request)
    require_readable_step(step)
    query = GroupQuery(batch=0, now=context.now, group_read_seconds=context.site.group_read_seconds)
    return render_esb.step_status(step, query, request.language, legacy_esb=context.site.legacy_esb)


def step_detail(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_step_instance_detail`: the inputs of a step."""
    step = context.step(request, legacy=False, code=1240003)
    return step_inputs(step.id, step.name, step.plan, step.hosts, coding=str)


def mark_shown(context: RequestContext, steps: Iterable[Step]) -> None:
    """Record that the present status of steps was shown."""
    for step in steps:
        step.shown_at = context.now


def operate_step(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `operate_step_instance`."""
    step = context.step(request)
    operate(step.job, request, lambda code: context.world.operate_step(step, code, request.user))
    return {"job_instance_id": step.job.id, "step_instance_id": step.id, "job_instance_name": None}


def operate_job(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Terminate or start a job."""
    job = context.job(request)
    operate(job, request, lambda code: context.world.operate_job(job, code))
    return {"job_instance_id": job.id, "step_instance_id": None, "job_instance_name": None}


def operate(job: Job, request: ParsedRequest, apply: Callable[[int], None]) -> None:
    """Apply the requested operation to the world; raise `ApiError` for none, and where it is not allowed."""
    operation = request.integer("operation_code")
    if operation is None:
        raise api_error(1241002)
    try:
        apply(operation)
    except OperationNotAllowed as error:
        raise api_error(error.code, job.id) from error


def require_readable_step(step: Step) -> None:
    """Raise `ApiError` for steps whose status cannot be requested: confirmations, containers."""
    if step.plan.kind == CONFIRM:
        raise api_error(1241003)
    if step.has_containers:
        raise api_error(1240002)


def require_no_containers(job: Job) -> None:
    """Raise `ApiError` for container hosts, as versions 2 and 3 do."""
    if any(step.has_containers for step in job.steps):
        raise api_error(1240002)
