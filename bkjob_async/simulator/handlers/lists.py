"""Handle lists of job instances and variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.handlers.context import RequestContext
from bkjob_async.simulator.protocol.api_errors import api_error, bad_request, missing_parameter
from bkjob_async.simulator.protocol.gateway_v3 import job_fields
from bkjob_async.simulator.protocol.gateway_v4 import without_nulls
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.protocol.times import milliseconds
from bkjob_async.simulator.world.codes import SCRIPT, SQL
from bkjob_async.simulator.world.plans import TEXT
from bkjob_async.simulator.world.records import Job

MAX_RANGE_MS = 30 * 24 * 3600 * 1000
V3_MAX, V3_DEFAULT, V3_LAST_START = 1000, 20, 1000
V4_MAX, V4_DEFAULT, V4_LAST_OFFSET = 200, 10, 10_000


def v3_list(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_job_instance_list` of version 3 and of `jobv3`: newest first, with their total."""
    found = list(matching(context, request))
    start, length = page(request, "start", V3_DEFAULT, V3_MAX, V3_LAST_START)
    return {
        "start": start,
        "length": length,
        "total": len(found),
        "data": [entry(job, context) for job in found[start : start + length]],
    }


def v4_list(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_job_instance_list` of version 4: no total."""
    found = list(matching(context, request))
    start, length = page(request, "offset", V4_DEFAULT, V4_MAX, V4_LAST_OFFSET)
    return {
        "job_instance_list": [without_nulls(entry(job, context)) for job in found[start : start + length]]
    }


def page(request: ParsedRequest, first: str, usual: int, most: int, last: int) -> tuple[int, int]:
    """Return the requested page; raise `ApiError` for one out of bounds."""
    start = request.integer(first) or 0
    given = request.integer("length")
    length = usual if given is None else given
    if not 0 <= start <= last:
        raise bad_request()
    if not 1 <= length <= most:
        raise bad_request()
    return start, length


def matching(context: RequestContext, request: ParsedRequest) -> Iterator[Job]:
    """Yield the jobs that pass the filters, newest first."""
    scope = context.scope(request)
    begin, end = times_of(request)
    number = request.integer("job_instance_id")
    if number is not None:
        job = context.world.job(number, scope)
        yield from () if job is None else (job,)
        return
    for job in reversed(context.world.jobs.values()):
        created = milliseconds(job.created, job.epoch_ms) or 0
        if begin <= created <= end and passes(job, scope, request):
            yield job


def times_of(request: ParsedRequest) -> tuple[int, int]:
    """Return the required range of creation times; raise `ApiError` for one that version 3 rejects.

    Version 4 takes any range (`EsbGetJobInstanceListV4ResourceImpl`).
    """
    if request.dialect == "gateway-v4":
        begin, end = request.integer("create_time_start"), request.integer("create_time_end")
        if begin is None or end is None:
            raise missing_parameter("create_time_start" if begin is None else "create_time_end")
        return begin, end
    begin, end = request.id("create_time_start"), request.id("create_time_end")
    if end <= begin:
        raise missing_parameter("create_time_start|create_time_end")
    if end - begin > MAX_RANGE_MS:
        raise api_error(1241002)
    return begin, end


def passes(job: Job, scope: Scope, request: ParsedRequest) -> bool:
    """Return True for a job in scope that matches every given filter."""
    filters = (
        (request.integer("status"), job.status),
        (request.integer("type"), job.plan.kind),
        (request.integer("launch_mode"), job.plan.launch_mode),
        (request.text("operator"), job.plan.operator),
    )
    name, ip = request.text("name"), request.text("ip")
    return (
        job.ref.scope == scope
        and all(wanted in (None, has) for wanted, has in filters)
        and (not name or name in job.plan.name)
        and (not ip or any(host.ip == ip for host in job.hosts()))
        and request.integer("job_cron_id") is None
    )


def entry(job: Job, context: RequestContext) -> dict[str, Any]:
    """Return one row of the list."""
    plan_id = job.plan.plan_id
    template = None if plan_id is None else context.site.catalog.template_of(plan_id)
    return {
        **job_fields(job),
        "job_template_id": None if template is None else template.id,
        "job_plan_id": plan_id,
        "operator": job.plan.operator,
        "launch_mode": job.plan.launch_mode,
        "type": job.plan.kind,
    }


def variables(
    context: RequestContext,
    request: ParsedRequest,
    *,
    steps: str,
    values: str,
    kind: str,
    nothing: list[Any] | None,
) -> dict[str, Any]:
    """Handle `get_job_instance_global_var_value` with a version's names, and *nothing* for an empty list.

    Script steps have the text variables of their job, with the values of its launch
    (`StepInstanceVariableValueServiceImpl.computeOutputVariableValuesForAllStep`).
    """
    job = context.job(request)
    texts = [
        {"name": each.name, "value": each.value, kind: each.kind}
        for each in job.plan.variables
        if each.kind == TEXT
    ]
    rows = [
        {"step_instance_id": step.id, values: texts or nothing}
        for step in job.steps
        if job.plan.variables and step.plan.kind in (SCRIPT, SQL)
    ]
    return {"job_instance_id": job.id, steps: rows or nothing}
