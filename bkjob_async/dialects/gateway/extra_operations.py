"""Operations of single dialects: agent tasks, uploads, task contexts, and those for pipelines."""

from __future__ import annotations

from typing import Any

from bkjob_async.dialects.common.dialect import Call, Calls, job_status_call, refuse_options
from bkjob_async.dialects.common.hosts import CONTAINER
from bkjob_async.dialects.common.json_fields import JsonObject, unexpected_value
from bkjob_async.dialects.common.responses import read_host_logs, read_job_launch, read_scope
from bkjob_async.dialects.gateway.v3_launch_requests import (
    common_script_parameters,
    common_transfer_parameters,
    object_targets,
)
from bkjob_async.dialects.gateway.v3_requests import (
    LOG_HOSTS_V3,
    check_host_count,
    parameters_of,
    ref_parameters,
)
from bkjob_async.dialects.gateway.v4_responses import read_job, read_job_strictly
from bkjob_async.errors import UsageError
from bkjob_async.model.operations.extra_operations import (
    BkciPluginBatchGetJobInstanceExecuteObjectLog,
    BkciPluginFastExecuteScript,
    BkciPluginFastTransferFile,
    BkciPluginGetJobInstanceStatus,
    GenerateLocalFileUploadUrl,
    GetFileTaskContext,
    GetScriptTaskContext,
    QueryGseTask,
    QueryJobInstance,
)
from bkjob_async.model.operations.responses import GseTask, LocalFileUpload, TaskContextField
from bkjob_async.model.operations.targets import Targets
from bkjob_async.model.refs import HostKey, JobRef

HOST = 1


# Agent tasks --------------------------------------------------------------------------------------


def read_gse_tasks(_operation: QueryGseTask, envelope: JsonObject) -> tuple[GseTask, ...]:
    """Read the agent's tasks of a step, one for each batch of each execution."""
    return tuple(read_gse_task(row) for row in envelope.children("data") or ())


def read_one_gse_task(_operation: QueryJobInstance, envelope: JsonObject) -> GseTask:
    """Read which step an agent's task belongs to."""
    return read_gse_task(envelope.child("data"))


def read_gse_task(row: JsonObject) -> GseTask:
    """Read one task of the agent; its scope is in the response."""
    scope = read_scope(row)
    if scope is None:
        raise unexpected_value(f"{row.path}.bk_scope_id", "the scope of the job", None)
    return GseTask(
        ref=JobRef(scope, row.identity("job_instance_id")).step(row.identity("step_instance_id")),
        gse_task_id=row.text("gse_task_id"),
        execute_count=row.maybe_integer("retry_count", "execute_count"),
        batch=row.maybe_integer("batch"),
        links=row.texts("link"),
        raw=row.members,
    )


# Uploads ------------------------------------------------------------------------------------------


def upload_url_parameters(operation: GenerateLocalFileUploadUrl) -> dict[str, Any]:
    """Return what `generate_local_file_upload_url` takes."""
    return {"file_name_list": list(operation.file_names)}


def read_upload_urls(
    operation: GenerateLocalFileUploadUrl, envelope: JsonObject
) -> tuple[LocalFileUpload, ...]:
    """Read where each file is uploaded, in the order in which they were named."""
    urls = envelope.child("data").child("url_map")
    return tuple(
        LocalFileUpload(
            file_name=name, upload_url=urls.child(name).text("upload_url"), path=urls.child(name).text("path")
        )
        for name in operation.file_names or urls.members
        if urls.has(name)
    )


# Contexts -----------------------------------------------------------------------------------------


def host_context_parameters(operation: GetScriptTaskContext | GetFileTaskContext) -> dict[str, Any]:
    """Return what both requests about one host take."""
    kind, number = execute_object_id(operation.host)
    return {
        **ref_parameters(operation.ref),
        "execute_count": operation.execute_count,
        "batch": operation.batch,
        "execute_object_type": kind,
        "execute_object_resource_id": number,
    }


def script_context_parameters(operation: GetScriptTaskContext) -> dict[str, Any]:
    """Return what `get_script_task_context` takes."""
    return {**host_context_parameters(operation), "content": operation.content}


def file_context_parameters(operation: GetFileTaskContext) -> dict[str, Any]:
    """Return what `get_file_task_context` takes."""
    return {**host_context_parameters(operation), "mode": operation.mode}


def execute_object_id(host: HostKey) -> tuple[int, int]:
    """Return kind and id of a host or container; raise `UsageError` for one without an id."""
    if host.container_id is not None:
        return CONTAINER, host.container_id
    if host.bk_host_id is None:
        raise UsageError(f"{host} is named by its address; here it is named by its bk_host_id")
    return HOST, host.bk_host_id


def read_task_context(
    _operation: GetScriptTaskContext | GetFileTaskContext, envelope: JsonObject
) -> tuple[TaskContextField, ...]:
    """Read the named fields, in their order."""
    return tuple(
        TaskContextField(name=row.text("name"), value=row.text("value"), description=row.text("description"))
        for row in envelope.child("data").children("field_list") or ()
    )


# Pipelines ----------------------------------------------------------------------------------------


def pipeline_target_parameters(targets: Targets) -> dict[str, Any]:
    """Return targets under the names that only these operations have."""
    return object_targets(targets, "host_dynamic_group_list", "host_topo_node_list")


def pipeline_script_parameters(operation: BkciPluginFastExecuteScript) -> dict[str, Any]:
    """Return what `bkci_plugin_fast_execute_script` takes."""
    refuse_options(
        operation.name, start_task=operation.start_task, host_password_list=operation.host_password_list
    )
    url = operation.callback_url
    return {
        **common_script_parameters(operation),
        "callback_url": None,
        "callback": None if url is None else {"url": url},
        "is_param_sensitive": operation.is_param_sensitive,
        "execute_target": pipeline_target_parameters(operation.targets),
    }


def pipeline_file_parameters(operation: BkciPluginFastTransferFile) -> dict[str, Any]:
    """Return what `bkci_plugin_fast_transfer_file` takes."""
    refuse_options(operation.name, start_task=operation.start_task)
    targets = pipeline_target_parameters(operation.targets)
    return {**common_transfer_parameters(operation), "execute_object": targets}


def pipeline_log_parameters(operation: BkciPluginBatchGetJobInstanceExecuteObjectLog) -> dict[str, Any]:
    """Return what `bkci_plugin_batch_get_job_instance_execute_object_log` takes: ids, as text."""
    check_host_count(operation.hosts, LOG_HOSTS_V3)
    named = [execute_object_id(host) for host in operation.hosts]
    objects = [{"type": kind, "resource_id": str(number)} for kind, number in named]
    return {**ref_parameters(operation.ref), "execute_object_list": objects}


UPLOADS: Calls = {GenerateLocalFileUploadUrl: Call("POST", upload_url_parameters, read_upload_urls)}
# What version 3 of the gateway offers below `/system/` alone.
SYSTEM_CALLS: Calls = {
    GenerateLocalFileUploadUrl: Call("POST", upload_url_parameters, read_upload_urls, paths="system"),
    QueryGseTask: Call("GET", parameters_of("step_instance_id"), read_gse_tasks, paths="system"),
    QueryJobInstance: Call("GET", parameters_of("gse_task_id"), read_one_gse_task, paths="system"),
    BkciPluginFastExecuteScript: Call("POST", pipeline_script_parameters, read_job_launch, paths="system"),
    BkciPluginFastTransferFile: Call("POST", pipeline_file_parameters, read_job_launch, paths="system"),
    BkciPluginGetJobInstanceStatus: job_status_call(
        "POST",
        parameters_of(include_execute_object_task_result="return_ip_result"),
        read_job,
        read_job_strictly,
        paths="system",
    ),
    BkciPluginBatchGetJobInstanceExecuteObjectLog: Call(
        "POST", pipeline_log_parameters, read_host_logs, paths="system"
    ),
}
# What version 4 offers to users alone.
CONTEXT_CALLS: Calls = {
    GetScriptTaskContext: Call("POST", script_context_parameters, read_task_context, paths="user"),
    GetFileTaskContext: Call("POST", file_context_parameters, read_task_context, paths="user"),
}
