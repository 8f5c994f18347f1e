"""Encode and read operations that only some dialects have: details of a step, agent tasks, uploads, task contexts, pipelines."""

from __future__ import annotations

from functools import partial
from typing import Any

from msgspec.structs import replace

from bkjob_async.dialects.common.dialect import Call, Calls
from bkjob_async.dialects.common.fields import field_values, read_fields
from bkjob_async.dialects.common.hosts import CONTAINER
from bkjob_async.dialects.common.json_fields import JsonObject, unexpected_value
from bkjob_async.dialects.common.ref_checks import read_scope
from bkjob_async.dialects.common.responses import read_host_logs, read_job_launch
from bkjob_async.dialects.common.status_calls import status_call
from bkjob_async.dialects.gateway.step_detail import read_step_detail
from bkjob_async.dialects.gateway.stored_items import items_reader
from bkjob_async.dialects.gateway.v3_launch_requests import (
    common_script_parameters,
    common_transfer_parameters,
    object_targets,
)
from bkjob_async.dialects.gateway.v3_requests import LOG_HOSTS_V3, check_host_count
from bkjob_async.dialects.gateway.v4_responses import read_job, read_job_strictly
from bkjob_async.errors import UsageError
from bkjob_async.model.operations import extra_operations as operations
from bkjob_async.model.operations.details import GseTask, LocalFileUpload, TaskContextField
from bkjob_async.model.operations.targets import Targets
from bkjob_async.model.refs import HostKey, JobRef

HOST = 1


# Agent tasks --------------------------------------------------------------------------------------


def read_one_gse_task(_operation: operations.QueryJobInstance, envelope: JsonObject) -> GseTask:
    """Read which step an agent's task belongs to."""
    return read_gse_task(envelope.child("data"))


def read_gse_task(row: JsonObject) -> GseTask:
    """Read one task of the agent; its scope is in the response."""
    scope = read_scope(row)
    if scope is None:
        raise unexpected_value(f"{row.path}.bk_scope_id", "the scope of the job", None)
    return read_fields(
        GseTask,
        row,
        {"execute_count": ("retry_count", "execute_count"), "links": "link"},
        ref=JobRef(scope, row.identity("job_instance_id")).step(row.identity("step_instance_id")),
    )


# Uploads ------------------------------------------------------------------------------------------


def read_upload_urls(
    operation: operations.GenerateLocalFileUploadUrl, envelope: JsonObject
) -> tuple[LocalFileUpload, ...]:
    """Read where each file is uploaded, in the order in which they were named."""
    urls = envelope.child("data").child("url_map")
    names = operation.file_names or urls.members
    return tuple(
        read_fields(LocalFileUpload, urls.child(name), file_name=name) for name in names if urls.has(name)
    )


# Contexts -----------------------------------------------------------------------------------------


def task_context_parameters(
    operation: operations.GetScriptTaskContext | operations.GetFileTaskContext,
) -> dict[str, Any]:
    """Return what `get_script_task_context` and `get_file_task_context` take."""
    kind, number = execute_object_id(operation.host)
    return {
        **field_values(operation, "host"),
        "execute_object_type": kind,
        "execute_object_resource_id": number,
    }


def execute_object_id(host: HostKey) -> tuple[int, int]:
    """Return kind and id of a host or container; raise `UsageError` for one without an id."""
    if host.container_id is not None:
        return CONTAINER, host.container_id
    if host.bk_host_id is None:
        raise UsageError(f"{host} is named by its address; here it is named by its bk_host_id")
    return HOST, host.bk_host_id


# Pipelines ----------------------------------------------------------------------------------------


def pipeline_target_parameters(targets: Targets) -> dict[str, Any]:
    """Return targets under the names that only these operations have."""
    return object_targets(targets, "host_dynamic_group_list", "host_topo_node_list")


def pipeline_script_parameters(operation: operations.BkciPluginFastExecuteScript) -> dict[str, Any]:
    """Return what `bkci_plugin_fast_execute_script` takes."""
    url = operation.callback_url
    return {
        **common_script_parameters(operation),
        "callback_url": None,
        "callback": None if url is None else {"url": url},
        "is_param_sensitive": operation.is_param_sensitive,
        "execute_target": pipeline_target_parameters(operation.targets),
    }


def pipeline_file_parameters(operation: operations.BkciPluginFastTransferFile) -> dict[str, Any]:
    """Return what `bkci_plugin_fast_transfer_file` takes."""
    targets = pipeline_target_parameters(operation.targets)
    return {**common_transfer_parameters(operation), "execute_object": targets}


def pipeline_log_parameters(
    operation: operations.BkciPluginBatchGetJobInstanceExecuteObjectLog,
) -> dict[str, Any]:
    """Return what `bkci_plugin_batch_get_job_instance_execute_object_log` takes: ids, as text."""
    check_host_count(operation.hosts, LOG_HOSTS_V3)
    named = [execute_object_id(host) for host in operation.hosts]
    objects = [{"type": kind, "resource_id": str(number)} for kind, number in named]
    return {"execute_object_list": objects}


UPLOAD = Call("POST", partial(field_values, file_name_list="file_names"), read_upload_urls)
# What the ESB has not.
GATEWAY_CALLS: Calls = {
    operations.GetStepInstanceDetail: Call("GET", field_values, read_step_detail),
}
UPLOADS: Calls = {operations.GenerateLocalFileUploadUrl: UPLOAD}
# What version 3 of the gateway offers below `/system/` alone.
SYSTEM_CALLS: Calls = {
    operations.GenerateLocalFileUploadUrl: replace(UPLOAD, paths="system"),
    operations.QueryGseTask: Call("GET", field_values, items_reader(read_gse_task), paths="system"),
    operations.QueryJobInstance: Call("GET", field_values, read_one_gse_task, paths="system"),
    operations.BkciPluginFastExecuteScript: Call(
        "POST", pipeline_script_parameters, read_job_launch, paths="system"
    ),
    operations.BkciPluginFastTransferFile: Call(
        "POST", pipeline_file_parameters, read_job_launch, paths="system"
    ),
    operations.BkciPluginGetJobInstanceStatus: status_call(
        "POST",
        partial(field_values, include_execute_object_task_result="return_ip_result"),
        read_job,
        read_job_strictly,
        paths="system",
    ),
    operations.BkciPluginBatchGetJobInstanceExecuteObjectLog: Call(
        "POST", pipeline_log_parameters, read_host_logs, paths="system"
    ),
}
# What version 4 offers to users alone.
TASK_CONTEXT = Call(
    "POST",
    task_context_parameters,
    items_reader(partial(read_fields, TaskContextField), "field_list"),
    paths="user",
)
CONTEXT_CALLS: Calls = {
    operations.GetScriptTaskContext: TASK_CONTEXT,
    operations.GetFileTaskContext: TASK_CONTEXT,
}
