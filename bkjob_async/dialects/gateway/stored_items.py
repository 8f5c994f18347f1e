"""Encode and read lists and details of plans, templates, accounts, scripts and crons, for all v3 interfaces."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from attrs import evolve, fields

from bkjob_async.dialects.common.dialect import Call, Calls
from bkjob_async.dialects.common.hosts import read_host
from bkjob_async.dialects.common.json_fields import MILLISECONDS, SECONDS, JsonObject, unexpected_value
from bkjob_async.dialects.common.ref_checks import UNKNOWN_ID, check_scope
from bkjob_async.dialects.common.responses import read_scope
from bkjob_async.dialects.gateway.step_detail import read_file, read_script
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.responses import Page, ScriptDetail
from bkjob_async.model.operations.stored_items import (
    CronJob,
    JobPlan,
    JobTemplate,
    PlanStep,
    PlanVariable,
    Script,
    ScriptVersion,
    StoredAccount,
)
from bkjob_async.model.operations.stored_queries import (
    GetAccountList,
    GetCronDetail,
    GetCronList,
    GetJobPlanDetail,
    GetJobPlanList,
    GetJobTemplateList,
    GetPublicScriptList,
    GetPublicScriptVersionDetail,
    GetPublicScriptVersionList,
    GetScriptList,
    GetScriptVersionDetail,
    GetScriptVersionList,
    ListQuery,
)
from bkjob_async.model.operations.targets import Targets, TopoNode
from bkjob_async.model.refs import HostKey

T = TypeVar("T")

# Fields of operations whose platform name means something else in the model.
WIRE_NAMES = {"item_name": "name"}


# Parameters ---------------------------------------------------------------------------------------


def field_parameters(unit: float = MILLISECONDS) -> Callable[[Operation[Any]], dict[str, Any]]:
    """Return an encoder that sends an operation's fields by name, times in *unit*."""

    def parameters(operation: Any) -> dict[str, Any]:
        names = [str(each.name) for each in fields(type(operation)) if each.name != "scope"]
        return {WIRE_NAMES.get(name, name): encode_value(getattr(operation, name), unit) for name in names}

    return parameters


def encode_value(value: object, unit: float) -> object:
    """Return *value* as it is sent: times as numbers."""
    return round(value.timestamp() * unit) if isinstance(value, datetime) else value


# Responses ----------------------------------------------------------------------------------------


def page_reader(read: Callable[[JsonObject], T]) -> Callable[[ListQuery, JsonObject], Page[T]]:
    """Return a reader of a page; *read* reads one row."""

    def read_page(operation: ListQuery, envelope: JsonObject) -> Page[T]:
        data = envelope.child("data")
        rows = data.children("data") or []
        for row in rows:
            check_requested_scope(operation, row)
        start, length = data.maybe_integer("start"), data.maybe_integer("length")
        return Page(
            items=tuple(read(row) for row in rows),
            start=operation.start if start is None else start,
            length=operation.length if length is None else length,
            total=data.maybe_integer("total"),
        )

    return read_page


def item_reader(
    read: Callable[[JsonObject], T], field_name: str, *names: str
) -> Callable[[Operation[T], JsonObject], T]:
    """Return a reader of one item; *read* reads its data.

    The item's id, under one of *names*, must be the value of the operation's field *field_name*.
    """

    def read_one(operation: Operation[T], envelope: JsonObject) -> T:
        data = envelope.child("data")
        check_requested_scope(operation, data)
        wanted, found = getattr(operation, field_name), data.maybe_identity(*names)
        if found is not None and wanted not in {None, UNKNOWN_ID, found}:
            raise unexpected_value(f"$.data.{names[0]}", f"{wanted}", found)
        return read(data)

    return read_one


def check_requested_scope(operation: object, row: JsonObject) -> None:
    """Raise `InvalidResponse` for a row of another scope than the requested one."""
    scope = getattr(operation, "scope", None)
    if scope is not None:
        check_scope(row, scope)


def read_edit_fields(row: JsonObject) -> dict[str, Any]:
    """Read who made something and who changed it last."""
    return {
        "scope": read_scope(row),
        "creator": row.text("creator"),
        "create_time": row.time("create_time"),
        "last_modify_user": row.text("last_modify_user"),
        "last_modify_time": row.time("last_modify_time"),
        "raw": row.members,
    }


def read_template(row: JsonObject) -> JobTemplate:
    """Read a job template."""
    return JobTemplate(
        id=row.identity("id"),
        name=row.text("name"),
        description=row.text("description"),
        **read_edit_fields(row),
    )


def read_plan(row: JsonObject) -> JobPlan:
    """Read a job plan; documents and servers name its id differently in details."""
    return JobPlan(
        id=row.identity("id", "job_plan_id"),
        name=row.text("name"),
        job_template_id=row.maybe_identity("job_template_id"),
        need_update=row.flag("need_update"),
        steps=tuple(read_plan_step(step) for step in row.children("step_list") or ()),
        global_vars=read_variables(row),
        **read_edit_fields(row),
    )


def read_plan_step(step: JsonObject) -> PlanStep:
    """Read a step of a plan."""
    script, file = step.maybe_child("script_info"), step.maybe_child("file_info")
    approval = step.maybe_child("approval_info")
    return PlanStep(
        id=step.maybe_identity("id"),
        name=step.text("name"),
        type=step.maybe_integer("type"),
        script=None if script is None else decode_script(read_script(script)),
        file=None if file is None else read_file(file),
        approval_message=None if approval is None else approval.maybe_text("approval_message"),
        raw=step.members,
    )


def decode_script(script: ScriptDetail) -> ScriptDetail:
    """Return a script of a plan as plain text: in plans it is base64, unlike in step instances."""
    return evolve(script, content=decode_base64(script.content), parameters=decode_base64(script.parameters))


def decode_base64(text: str) -> str:
    """Return a decoded base64 text; any other text unchanged."""
    try:
        return b64decode(text, validate=True).decode()
    except (NotBase64, ValueError):
        return text


def read_variables(row: JsonObject) -> tuple[PlanVariable, ...]:
    """Read the global variables of a plan or a cron."""
    return tuple(read_variable(variable) for variable in row.children("global_var_list") or ())


def read_variable(variable: JsonObject) -> PlanVariable:
    """Read a global variable."""
    server = variable.maybe_child("server")
    return PlanVariable(
        id=variable.maybe_identity("id"),
        name=variable.text("name"),
        type=variable.maybe_integer("type"),
        value=variable.maybe_text("value"),
        server=None if server is None else read_targets(server),
        description=variable.text("description"),
        is_required=variable.flag("required") or False,
        is_used=variable.flag("used"),
    )


def read_targets(server: JsonObject) -> Targets:
    """Read hosts named one by one, groups and nodes."""
    ids = server.get("host_id_list")
    named = [HostKey(bk_host_id=number) for number in ids or () if type(number) is int and number > 0]
    rows = server.children("ip_list", "host_list") or ()
    return Targets(
        hosts=[*(read_host(row) for row in rows), *(() if rows else named)],
        dynamic_groups=[group.text("id") for group in server.children("dynamic_group_list") or ()],
        topo_nodes=[
            TopoNode(node.text("node_type"), node.identity("id"))
            for node in server.children("topo_node_list") or ()
        ],
    )


def read_account(row: JsonObject) -> StoredAccount:
    """Read an account."""
    return StoredAccount(
        id=row.identity("id"),
        account=row.text("account"),
        alias=row.text("alias"),
        category=row.maybe_integer("category"),
        type=row.maybe_integer("type"),
        os=row.text("os"),
        description=row.text("description"),
        db_system_account_id=row.maybe_identity("db_system_account_id"),
        **read_edit_fields(row),
    )


def read_script_item(row: JsonObject) -> Script:
    """Read a script of a list."""
    return Script(
        id=row.text("id"),
        name=row.text("name"),
        script_language=row.maybe_integer("script_language"),
        online_script_version_id=row.maybe_identity("online_script_version_id"),
        description=row.text("description"),
        **read_edit_fields(row),
    )


def read_script_version(row: JsonObject) -> ScriptVersion:
    """Read one version of a script."""
    return ScriptVersion(
        id=row.identity("id"),
        script_id=row.text("script_id"),
        name=row.text("name"),
        version=row.text("version"),
        content=row.maybe_text("content"),
        status=row.maybe_integer("status"),
        version_desc=row.text("version_desc"),
        script_language=row.maybe_integer("script_language"),
        description=row.text("description"),
        **read_edit_fields(row),
    )


def read_cron(row: JsonObject) -> CronJob:
    """Read a cron."""
    return CronJob(
        id=row.identity("id"),
        name=row.text("name"),
        status=row.maybe_integer("status"),
        job_plan_id=row.maybe_identity("job_plan_id"),
        expression=row.text("expression"),
        execute_time=row.time("execute_time"),
        execute_time_zone=row.text("execute_time_zone"),
        global_vars=read_variables(row),
        **read_edit_fields(row),
    )


def list_call(read: Callable[[JsonObject], Any], unit: float = MILLISECONDS) -> Call:
    """Return the call of a list whose rows *read* reads."""
    return Call("GET", field_parameters(unit), page_reader(read))


def detail_call(read: Callable[[JsonObject], Any], field_name: str, *names: str) -> Call:
    """Return the call of one item that *read* reads; see `item_reader`."""
    return Call("GET", field_parameters(), item_reader(read, field_name, *names))


CALLS: Calls = {
    GetJobTemplateList: list_call(read_template),
    GetJobPlanList: list_call(read_plan),
    GetJobPlanDetail: detail_call(read_plan, "job_plan_id", "id", "job_plan_id"),
    GetAccountList: list_call(read_account),
    GetScriptList: list_call(read_script_item),
    GetScriptVersionList: list_call(read_script_version),
    GetScriptVersionDetail: detail_call(read_script_version, "id", "id"),
    GetPublicScriptList: list_call(read_script_item),
    GetPublicScriptVersionList: list_call(read_script_version),
    GetPublicScriptVersionDetail: detail_call(read_script_version, "id", "id"),
    # The times of crons are counted in seconds.
    GetCronList: list_call(read_cron, SECONDS),
    GetCronDetail: detail_call(read_cron, "id", "id"),
}
