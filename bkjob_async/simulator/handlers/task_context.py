"""Answers about what surrounded a task of one execute object (version 4): its script, its errors."""

from __future__ import annotations

from typing import Any

from bkjob_async.simulator.handlers.context import RequestContext, api_error
from bkjob_async.simulator.handlers.plugin import find_object
from bkjob_async.simulator.protocol import logs as render_logs
from bkjob_async.simulator.protocol.gateway_v4 import CONTAINER_OBJECT, HOST_OBJECT
from bkjob_async.simulator.protocol.inputs import HIDDEN
from bkjob_async.simulator.protocol.requests import ParsedRequest, missing_parameter
from bkjob_async.simulator.world.codes import FILE, SCRIPT, SQL
from bkjob_async.simulator.world.plans import Host
from bkjob_async.simulator.world.records import Step

LANGUAGES = {1: "shell", 2: "bat", 3: "perl", 4: "python", 5: "powershell"}
LONGEST_LOG = 50_000
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
    """Answer `get_script_task_context`: the script and the end of what it printed, or of the text that is given."""
    step, host = task_of(context, request, SCRIPT, SQL)
    inputs = step.plan.inputs
    said = request.text("content") or render_logs.host_log(step, host, context.now) or ""
    return fields(
        scriptType=LANGUAGES[inputs.language],
        scriptContent=step.plan.content,
        secureParam=str(inputs.is_param_sensitive).lower(),
        scriptParams=HIDDEN if inputs.is_param_sensitive else inputs.parameters,
        errorLog=said[-LONGEST_LOG:],
    )


def file_context(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Answer `get_file_task_context`: which transfers failed, and on which way."""
    if request.integer("mode") is None:
        raise missing_parameter("mode")
    step, host = task_of(context, request, FILE)
    failed = [
        entry
        for entry in render_logs.file_logs(step, host, context.now)
        if entry["status"] == render_logs.FILE_FAILED
    ]
    lines = {
        mode: "\n".join(
            f"{entry['src_path']}: {entry['log_content']}" for entry in failed if entry["mode"] == mode
        )
        for mode in (render_logs.UPLOAD, render_logs.DOWNLOAD)
    }
    source = "download" if lines[render_logs.DOWNLOAD] else "upload" if lines[render_logs.UPLOAD] else "none"
    return fields(
        errorSource=source,
        uploadFileErrorData=lines[render_logs.UPLOAD],
        downloadFileErrorData=lines[render_logs.DOWNLOAD],
    )


def task_of(context: RequestContext, request: ParsedRequest, *kinds: int) -> tuple[Step, Host]:
    """Return the step and the execute object asked for; refuse steps of other kinds, and objects that have none."""
    step = context.step(request)
    count, kind = request.integer("execute_count"), request.integer("execute_object_type")
    number = request.id("execute_object_resource_id")
    if count is None or count < 0:
        raise missing_parameter("execute_count")
    if kind not in (HOST_OBJECT, CONTAINER_OBJECT):
        raise missing_parameter("execute_object_type")
    if step.plan.kind not in kinds:
        raise api_error(1264001)
    host = find_object(step, kind, number)
    execution = step.executions.get(count)
    if host is None or execution is None or host not in execution.hosts:
        raise api_error(1264004)
    return step, host


def fields(**named: str) -> dict[str, Any]:
    """Return named values as the list that this API has."""
    listed = [
        {"name": name, "value": value, "description": DESCRIPTIONS[name]} for name, value in named.items()
    ]
    return {"field_list": listed}
