"""Encode and read operations on crons, plans, templates, file sources, agents and scopes."""

from __future__ import annotations

from functools import partial
from typing import Any

from bkjob_async.dialects.common.dialect import Call, Calls
from bkjob_async.dialects.common.fields import field_values, read_fields
from bkjob_async.dialects.common.json_fields import SECONDS, JsonObject, unexpected_value
from bkjob_async.dialects.common.ref_checks import UNKNOWN_ID, read_scope
from bkjob_async.dialects.common.responses import read_page
from bkjob_async.dialects.gateway.stored_items import (
    check_requested_scope,
    item_reader,
    items_reader,
    read_cron,
    read_plan,
    read_template,
)
from bkjob_async.dialects.gateway.v3_launch_requests import (
    global_var_parameters,
    object_targets,
    to_base64,
    without_none,
)
from bkjob_async.dialects.gateway.v3_requests import LIST_LENGTH_V4, check_page_length
from bkjob_async.model.operations import management as operations
from bkjob_async.model.operations.launches import GlobalVar
from bkjob_async.model.operations.responses import Page


def cron_parameters(operation: operations.SaveCron) -> dict[str, Any]:
    """Return what `save_cron` takes; its time is counted in seconds."""
    variables = [global_var_parameters(variable) for variable in operation.global_vars]
    fields = field_values(operation, "global_vars", unit=SECONDS, name="item_name")
    return {**fields, "global_var_list": variables or None}


def script_parameters(operation: operations.CheckScript) -> dict[str, Any]:
    """Return what `check_script` takes."""
    return {**field_values(operation), "content": to_base64(operation.content)}


def plan_parameters(operation: operations.CreateJobPlan) -> dict[str, Any]:
    """Return what `create_job_plan` takes."""
    return {
        **field_values(operation, name="item_name"),
        "enable_steps": operation.enable_steps or None,
        "variables": [plan_variable(each) for each in operation.variables] or None,
    }


def plan_variable(variable: GlobalVar) -> dict[str, Any]:
    """Return a variable of a new plan: a value, targets, or neither where it follows the template."""
    server = variable.server
    target = None if server is None else object_targets(server, "dynamic_group_list", "topo_node_list")
    follows = variable.value is None and server is None
    return without_none(
        name=variable.name, value=variable.value, execute_target=target, follow_template=follows
    )


def scopes_parameters(operation: operations.GetUserAuthorizedScopes) -> dict[str, Any]:
    """Return what `get_user_authorized_scopes` takes."""
    check_page_length(operation.length, LIST_LENGTH_V4)
    return {"offset": operation.start, "length": operation.length}


def read_nothing(operation: Any, envelope: JsonObject) -> None:
    """Read the response to a change of a cron: its id, alone or in an object, or nothing."""
    data = envelope.get("data")
    found = envelope.child("data").maybe_identity("id") if isinstance(data, dict) else data
    if found is not None and operation.id not in (UNKNOWN_ID, found):
        raise unexpected_value("$.data.id", f"{operation.id}", found)


def read_file_source(
    operation: operations.GetFileSourceDetail, envelope: JsonObject
) -> operations.StoredFileSource:
    """Read a file source; it must be the requested one."""
    data = envelope.child("data")
    check_requested_scope(operation, data)
    source = read_fields(operations.StoredFileSource, data)
    if operation.code and source.code not in ("", operation.code):
        raise unexpected_value("$.data.code", operation.code, source.code)
    return source


def read_scopes(
    operation: operations.GetUserAuthorizedScopes, envelope: JsonObject
) -> Page[operations.AuthorizedScope]:
    """Read a page of scopes."""
    data = envelope.child("data")
    rows = data.children("scope_list") or ()
    scopes = [read_fields(operations.AuthorizedScope, row, scope=read_scope(row)) for row in rows]
    return read_page(operation, data, scopes)


CHECK_ITEMS = items_reader(partial(read_fields, operations.ScriptCheckItem))
AGENTS = items_reader(partial(read_fields, operations.AgentInfo), "agent_info_list")
CALLS: Calls = {
    operations.SaveCron: Call("POST", cron_parameters, item_reader(read_cron, "id", "id")),
    operations.UpdateCronStatus: Call("POST", field_values, read_nothing),
    operations.DeleteCron: Call("POST", field_values, read_nothing),
    operations.CheckScript: Call("POST", script_parameters, CHECK_ITEMS),
}
# What the ESB has no document of.
GATEWAY_CALLS: Calls = {
    operations.GetFileSourceDetail: Call("GET", field_values, read_file_source),
}
# What version 3 of the gateway offers below `/system/` alone.
SYSTEM_CALLS: Calls = {
    operations.QueryAgentInfo: Call("POST", field_values, AGENTS, paths="system"),
}
# What version 4 offers to users alone.
V4_CALLS: Calls = {
    operations.CreateJobPlan: Call(
        "POST", plan_parameters, item_reader(read_plan, "job_template_id", "job_template_id"), paths="user"
    ),
    operations.GetJobTemplateDetail: Call(
        "GET", field_values, item_reader(read_template, "id", "id"), paths="user"
    ),
    operations.GetUserAuthorizedScopes: Call("GET", scopes_parameters, read_scopes, paths="user"),
}
