"""Answers about the status of jobs and steps, and to operations on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bkjob_async.simulator.handlers.context import RequestContext, refusal, taken_on
from bkjob_async.simulator.protocol import esb as render_esb
from bkjob_async.simulator.protocol import gateway_v3 as render_gateway
from bkjob_async.simulator.protocol import gateway_v4 as render_gateway_v4
from bkjob_async.simulator.protocol.groups import Filter
from bkjob_async.simulator.protocol.requests import Asked
from bkjob_async.simulator.world.records import Job, Step


def v3_job_status(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_job_instance_status` of version 3 and of `jobv3`."""
    job = desk.job(asked)
    with_hosts = asked.flag("return_ip_result")
    if with_hosts:
        refuse_containers(job)
    shown(desk, job.steps)
    return render_gateway.job_status(job, with_hosts=with_hosts, epoch_ms=desk.epoch_ms)


def v3_step_status(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_step_instance_status` of version 3."""
    step = desk.step(asked, legacy=False, code=1240003)
    refuse_unreadable(step)
    wanted = Filter(
        execute_count=asked.integer("execute_count"),
        batch=asked.integer("batch"),
        most=asked.integer("max_host_num_per_group"),
        status=asked.integer("status"),
        tag=asked.text("tag"),
        keyword=asked.text("keyword") if step.plan.kind == 1 else None,
        search_ip=asked.text("search_ip"),
    )
    answer = render_gateway.step_status(
        step,
        wanted,
        now=desk.now,
        pace=desk.site.group_pace,
        language=asked.language,
        epoch_ms=desk.epoch_ms,
    )
    shown(desk, (step,))
    return answer


def v4_job_status(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_job_instance_status` of version 4, containers included."""
    with_hosts = asked.flag("return_execute_object_result")
    shown(desk, desk.job(asked).steps)
    return render_gateway_v4.job_status(desk.job(asked), with_hosts=with_hosts, epoch_ms=desk.epoch_ms)


def v2_job_status(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_job_instance_status` of the ESB's `job`."""
    job = desk.job(asked)
    refuse_containers(job)
    shown(desk, job.steps)
    return render_esb.job_status(job, epoch_ms=desk.epoch_ms, classic=desk.site.classic)


def v2_step_status(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_step_instance_status` of the ESB's `job`."""
    step = desk.step(asked)
    refuse_unreadable(step)
    return render_esb.step_status(
        step,
        now=desk.now,
        pace=desk.site.group_pace,
        language=asked.language,
        epoch_ms=desk.epoch_ms,
        classic=desk.site.classic,
    )


def shown(desk: RequestContext, steps: Iterable[Step]) -> None:
    """Take note that somebody is shown how steps stand now."""
    for step in steps:
        step.shown_at = desk.now


def operate_step(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Take an operation on a step on."""
    step = desk.step(asked)
    operation = asked.integer("operation_code")
    if operation is None:
        raise refusal(1241002)
    taken_on(lambda: desk.world.operate_step(step, operation, asked.user))
    return {"job_instance_id": step.job.id, "step_instance_id": step.id, "job_instance_name": None}


def operate_job(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Terminate or start a job."""
    job = desk.job(asked)
    operation = asked.integer("operation_code")
    if operation is None:
        raise refusal(1241002)
    taken_on(lambda: desk.world.operate_job(job, operation))
    return {"job_instance_id": job.id, "step_instance_id": None, "job_instance_name": None}


def refuse_unreadable(step: Step) -> None:
    """Refuse steps that cannot be asked for themselves: confirmations, containers."""
    code = render_gateway.unreadable(step)
    if code is not None:
        raise refusal(code)


def refuse_containers(job: Job) -> None:
    """Fail over container hosts, as versions 2 and 3 do."""
    if any(step.has_containers for step in job.steps):
        raise refusal(1240002)
