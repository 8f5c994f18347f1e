"""Handle requests for agent tasks, task contexts and upload URLs."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from bkjob_async.simulator.handlers.context import RequestContext
from bkjob_async.simulator.handlers.logs import find_object
from bkjob_async.simulator.protocol import logs as render_logs
from bkjob_async.simulator.protocol.api_errors import api_error, missing_parameter, violation
from bkjob_async.simulator.protocol.gateway_v3 import scope_fields
from bkjob_async.simulator.protocol.gateway_v4 import CONTAINER_OBJECT, HOST_OBJECT
from bkjob_async.simulator.protocol.inputs import HIDDEN
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.world.codes import FILE, SCRIPT, SQL
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.records import Step

GSE_TASK = re.compile(r"GSETASK:(\d+):(\d+):(\d+)")


def query_gse_task(context: RequestContext, request: ParsedRequest) -> list[dict[str, Any]]:
    """Handle `query_gse_task`: one task for each execution and batch of a step; there is no scope."""
    number = request.id("step_instance_id")
    step = step_by_id(context, number)
    if step is None:
        raise api_error(1241010, "step_instance_id", f"step not found by id: {number}")
    return [
        task_link(context, step, count, batch)
        for count, execution in sorted(step.executions.items())
        for batch in sorted({row.batch for row in execution.rows})
    ]


def query_job_instance(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `query_job_instance`: the job and step of an agent task."""
    name = request.required_text("gse_task_id")
    found = GSE_TASK.fullmatch(name)
    step_id, count, batch = (int(part) for part in found.groups()) if found else (0, 0, 0)
    step = step_by_id(context, step_id)
    execution = None if step is None else step.executions.get(count)
    if step is None or execution is None or batch not in {row.batch for row in execution.rows}:
        raise api_error(1241010, "gse_task_id", f"gseTask not found by id: {name}")
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
    """Handle `generate_local_file_upload_url`: the upload URL of each file, and its path for a launch."""
    scope, names = context.scope(request), request.parameters.get("file_name_list")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise missing_parameter("file_name_list")
    folder = UUID(int=context.epoch_ms + round(context.now * 1000))
    urls = {}
    for name in names:
        path = f"{scope.id}/{folder}/{request.user}/{name}"
        urls[name] = {"upload_url": f"{context.site.web_url}/upload/{path}?token={folder.hex}", "path": path}
    return {"url_map": urls}


LANGUAGES = {1: "shell", 2: "bat", 3: "perl", 4: "python", 5: "powershell"}
MAX_LOG_CHARACTERS = 50_000
DESCRIPTIONS = {
    "scriptType": "Script type",
    "scriptContent": "Script content",
    "secureParam": "Whether the parameters are sensitive",
    "scriptParams": "Script parameters",
    "errorLog": "Error log",
    "errorSource": "Where the error came from",
    "uploadFileErrorData": "Errors of uploads",
    "downloadFileErrorData": "Errors of downloads",
}


def script_context(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_script_task_context`: the script and the end of its output, or of the given text."""
    step, host = task_of(context, request, SCRIPT, SQL)
    inputs = step.plan.inputs
    said = request.text("content") or render_logs.host_log(step, host, context.now) or ""
    return fields(
        scriptType=LANGUAGES[inputs.language],
        scriptContent=step.plan.content,
        secureParam=str(inputs.is_param_sensitive).lower(),
        scriptParams=HIDDEN if inputs.is_param_sensitive else inputs.parameters,
        errorLog=said[-MAX_LOG_CHARACTERS:],
    )


def file_context(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_file_task_context`: which transfers failed, and on which side."""
    if request.integer("mode") is None:
        raise violation("InvalidFileTaskMode")
    step, host = task_of(context, request, FILE)
    found = render_logs.transfers(step, host, context.now)
    failed = [transfer for transfer in found if transfer.status == render_logs.FILE_FAILED]
    uploads, downloads = (
        "\n".join(f"{transfer.path}: {transfer.text}" for transfer in failed if transfer.mode == mode)
        for mode in (render_logs.UPLOAD, render_logs.DOWNLOAD)
    )
    return fields(
        errorSource="download" if downloads else "upload" if uploads else "none",
        uploadFileErrorData=uploads,
        downloadFileErrorData=downloads,
    )


def task_of(context: RequestContext, request: ParsedRequest, *kinds: int) -> tuple[Step, Host]:
    """Return the requested step and execute object; raise `ApiError` for other kinds of steps and unknown objects."""
    step = context.step(request)
    count, kind = request.integer("execute_count"), request.integer("execute_object_type")
    number = request.id("execute_object_resource_id")
    if count is None or count < 0:
        raise violation("InvalidExecuteCount")
    if kind not in (HOST_OBJECT, CONTAINER_OBJECT):
        raise violation("InvalidExecuteObjectType")
    if step.plan.kind not in kinds:
        raise api_error(1264001)
    host = find_object(step, kind, number)
    execution = step.executions.get(count)
    if host is None or execution is None or host not in [row.host for row in execution.rows]:
        raise api_error(1264004)
    return step, host


def fields(**values: str) -> dict[str, Any]:
    """Return named values as a list, as this API does."""
    listed = [
        {"name": name, "value": value, "description": DESCRIPTIONS[name]} for name, value in values.items()
    ]
    return {"field_list": listed}
