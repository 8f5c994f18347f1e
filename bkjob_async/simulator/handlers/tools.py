"""Answers for tools beside the lists: the tasks of the agent system behind a step, and URLs for uploads."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from bkjob_async.simulator.handlers.context import RequestContext, api_error
from bkjob_async.simulator.protocol.gateway_v3 import scope_fields
from bkjob_async.simulator.protocol.requests import ParsedRequest, missing_parameter
from bkjob_async.simulator.world.codes import CONFIRM
from bkjob_async.simulator.world.records import Step

GSE_TASK = re.compile(r"GSETASK:(\d+):(\d+):(\d+)")


def query_gse_task(context: RequestContext, request: ParsedRequest) -> list[dict[str, Any]]:
    """Answer `query_gse_task`: one task for each execution and batch of a step; no scope is asked for."""
    number = request.id("step_instance_id")
    step = step_by_id(context, number)
    if step is None:
        raise api_error(1241010, f"step not found by id: {number}")
    if step.plan.kind == CONFIRM:
        return []
    return [
        task_link(context, step, count, batch)
        for count, execution in sorted(step.executions.items())
        for batch in sorted(set(execution.batches))
    ]


def query_job_instance(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Answer `query_job_instance`: the job and step that a task of the agent system belongs to."""
    name = request.required_text("gse_task_id", code=1241007)
    found = GSE_TASK.fullmatch(name)
    step_id, count, batch = (int(part) for part in found.groups()) if found else (0, 0, 0)
    step = step_by_id(context, step_id)
    execution = None if step is None else step.executions.get(count)
    if step is None or execution is None or batch not in execution.batches:
        raise api_error(1241010, f"gseTask not found by id: {name}")
    return task_link(context, step, count, batch)


def step_by_id(context: RequestContext, number: int) -> Step | None:
    """Return a step by its id alone."""
    return next((step for job in context.world.jobs.values() if (step := job.step(number)) is not None), None)


def task_link(context: RequestContext, step: Step, count: int, batch: int) -> dict[str, Any]:
    """Return the ids of one task, and a link to it in the web console."""
    path = f"api_execute/{step.job.id}?stepInstanceId={step.id}&retryCount={count}&batch={batch}"
    if step.job.plan.plan_id is not None:
        path = f"api_execute_step/{step.job.id}/{step.id}?retryCount={count}&batch={batch}"
    return {
        **scope_fields(step.job.ref.scope),
        "job_instance_id": step.job.id,
        "step_instance_id": step.id,
        "retry_count": count,
        "batch": batch,
        "gse_task_id": f"GSETASK:{step.id}:{count}:{batch}",
        "link": [f"{context.site.web_url}/{path}"],
    }


def upload_urls(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Answer `generate_local_file_upload_url`: where each file goes, and the path that a launch names it by."""
    scope, names = context.scope(request), request.parameters.get("file_name_list")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise missing_parameter("file_name_list")
    folder = UUID(int=context.epoch_ms + round(context.now * 1000))
    urls = {}
    for name in names:
        path = f"{scope.id}/{folder}/{request.user}/{name}"
        urls[name] = {"upload_url": f"{context.site.web_url}/upload/{path}?token={folder.hex}", "path": path}
    return {"url_map": urls}
