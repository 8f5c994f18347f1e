"""Answers that list: job instances, variables, a step's inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.handlers.context import RequestContext, refusal
from bkjob_async.simulator.protocol.gateway_v3 import scope_fields
from bkjob_async.simulator.protocol.gateway_v4 import present
from bkjob_async.simulator.protocol.requests import Asked, bad_request, missing
from bkjob_async.simulator.protocol.times import duration_ms, milliseconds
from bkjob_async.simulator.world.records import Job

LONGEST_RANGE_MS = 30 * 24 * 3600 * 1000
V3_MOST, V3_USUAL, V3_LAST_START = 1000, 20, 1000
V4_MOST, V4_USUAL, V4_LAST_OFFSET = 200, 10, 10_000


def v3_list(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_job_instance_list` of version 3 and of `jobv3`: newest first, with their total."""
    found = list(matching(desk, asked))
    start, length = page(asked, "start", V3_USUAL, V3_MOST, V3_LAST_START)
    return {
        "start": start,
        "length": length,
        "total": len(found),
        "data": [entry(job, desk) for job in found[start : start + length]],
    }


def v4_list(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_job_instance_list` of version 4: no total."""
    found = list(matching(desk, asked))
    start, length = page(asked, "offset", V4_USUAL, V4_MOST, V4_LAST_OFFSET)
    return {"job_instance_list": [present(entry(job, desk)) for job in found[start : start + length]]}


def page(asked: Asked, first: str, usual: int, most: int, last: int) -> tuple[int, int]:
    """Return the page asked for; refuse one out of bounds."""
    start = asked.integer(first) or 0
    given = asked.integer("length")
    length = usual if given is None else given
    if not 0 <= start <= last:
        raise bad_request(first)
    if not 1 <= length <= most:
        raise bad_request("length")
    return start, length


def matching(desk: RequestContext, asked: Asked) -> Iterator[Job]:
    """Yield the jobs that the filters let pass, newest first."""
    scope = desk.scope(asked)
    number = asked.integer("job_instance_id")
    if number is not None:
        job = desk.world.job(number, scope)
        yield from () if job is None else (job,)
        return
    begin, end = asked.integer("create_time_start"), asked.integer("create_time_end")
    if begin is None or end is None:
        raise missing("create_time_start" if begin is None else "create_time_end")
    if end - begin > LONGEST_RANGE_MS:
        raise refusal(1244020)
    for job in reversed(desk.world.jobs.values()):
        created = milliseconds(job.created, desk.epoch_ms) or 0
        if begin <= created <= end and passes(job, scope, asked):
            yield job


def passes(job: Job, scope: Scope, asked: Asked) -> bool:
    """Tell whether a job is in scope and matches every filter given."""
    filters = (
        (asked.integer("status"), job.status),
        (asked.integer("type"), job.plan.kind),
        (asked.integer("launch_mode"), job.plan.launch_mode),
        (asked.text("operator"), job.plan.operator),
    )
    name, ip = asked.text("name"), asked.text("ip")
    return (
        job.ref.scope == scope
        and all(wanted in (None, has) for wanted, has in filters)
        and (not name or name in job.plan.name)
        and (not ip or any(host.ip == ip for host in job.hosts()))
        and asked.integer("job_cron_id") is None
    )


def entry(job: Job, desk: RequestContext) -> dict[str, Any]:
    """Return one line of the history."""
    plan_id, epoch_ms = job.plan.plan_id, desk.epoch_ms
    template = None if plan_id is None else desk.site.catalog.template_of(plan_id)
    return {
        **scope_fields(job.ref.scope),
        "job_instance_id": job.id,
        "job_template_id": None if template is None else template.id,
        "job_plan_id": plan_id,
        "name": job.plan.name,
        "operator": job.plan.operator,
        "create_time": milliseconds(job.created, epoch_ms),
        "start_time": milliseconds(job.started, epoch_ms),
        "end_time": milliseconds(job.ended, epoch_ms),
        "total_time": duration_ms(job.total),
        "launch_mode": job.plan.launch_mode,
        "status": job.status,
        "type": job.plan.kind,
    }


def v3_variables(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_job_instance_global_var_value`: one string variable per step."""
    job = desk.job(asked)
    return {
        "job_instance_id": job.id,
        "step_instance_var_list": [
            {
                "step_instance_id": step.id,
                "global_var_list": [{"name": "step", "value": step.name, "type": 1}],
            }
            for step in job.steps
        ],
    }


def v2_variables(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer the same in version 2's names."""
    job = desk.job(asked)
    return {
        "job_instance_id": job.id,
        "job_instance_var_values": [
            {
                "step_instance_id": step.id,
                "step_instance_var_values": [{"name": "step", "value": step.name, "category": 1}],
            }
            for step in job.steps
        ],
    }
