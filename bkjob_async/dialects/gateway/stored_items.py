"""Encode and read lists and details of plans, templates, accounts, scripts and crons, for all v3 interfaces."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from attrs import evolve

from bkjob_async.dialects.common.dialect import Call, Calls
from bkjob_async.dialects.common.fields import field_values, read_fields
from bkjob_async.dialects.common.hosts import read_host
from bkjob_async.dialects.common.json_fields import MILLISECONDS, SECONDS, JsonObject, unexpected_value
from bkjob_async.dialects.common.ref_checks import UNKNOWN_ID, check_scope
from bkjob_async.dialects.common.responses import read_page
from bkjob_async.dialects.gateway.step_detail import read_actions
from bkjob_async.model.operations import stored_items as items
from bkjob_async.model.operations import stored_queries as queries
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.details import ScriptDetail
from bkjob_async.model.operations.queries import ListQuery
from bkjob_async.model.operations.responses import Page
from bkjob_async.model.operations.targets import Targets, TopoNode
from bkjob_async.model.refs import HostKey

T = TypeVar("T")


def page_reader(read: Callable[[JsonObject], T]) -> Callable[[ListQuery, JsonObject], Page[T]]:
    """Return a reader of a page; *read* reads one row."""

    def read_rows(operation: ListQuery, envelope: JsonObject) -> Page[T]:
        data = envelope.child("data")
        rows = data.children("data") or ()
        for row in rows:
            check_requested_scope(operation, row)
        return read_page(operation, data, map(read, rows))

    return read_rows


def items_reader(
    read: Callable[[JsonObject], T], name: str | None = None
) -> Callable[[object, JsonObject], tuple[T, ...]]:
    """Return a reader of a list, which is the data or the member *name* of it; *read* reads one row."""

    def read_rows(_operation: object, envelope: JsonObject) -> tuple[T, ...]:
        rows = envelope.children("data") if name is None else envelope.child("data").children(name)
        return tuple(map(read, rows or ()))

    return read_rows


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


def read_plan(row: JsonObject) -> items.JobPlan:
    """Read a job plan; documents and servers name its id differently in details."""
    return read_fields(
        items.JobPlan,
        row,
        {"id": ("id", "job_plan_id"), "name": ("name", "job_plan_name")},
        steps=tuple(map(read_plan_step, row.children("step_list") or ())),
        global_vars=read_plan_variables(row),
    )


def read_template(row: JsonObject) -> items.JobTemplate:
    """Read a job template; lists have none of its steps and variables."""
    return read_fields(
        items.JobTemplate,
        row,
        steps=tuple(map(read_plan_step, row.children("step_list") or ())),
        global_vars=read_plan_variables(row),
    )


def read_plan_step(step: JsonObject) -> items.PlanStep:
    """Read a step of a plan; what a script runs is base64 there, unlike in step instances."""
    actions = read_actions(step)
    if actions["script"] is not None:
        actions["script"] = decode_script(actions["script"])
    return read_fields(items.PlanStep, step, **actions)


def decode_script(script: ScriptDetail) -> ScriptDetail:
    """Return a script whose texts are base64 as plain text."""
    return evolve(script, content=decode_base64(script.content), parameters=decode_base64(script.parameters))


def decode_base64(text: str) -> str:
    """Return a decoded base64 text; any other text unchanged."""
    try:
        return b64decode(text, validate=True).decode()
    except (NotBase64, ValueError):
        return text


def read_plan_variables(row: JsonObject) -> tuple[items.PlanVariable, ...]:
    """Read the global variables of a plan or a cron."""
    return tuple(map(read_variable, row.children("global_var_list") or ()))


def read_variable(variable: JsonObject) -> items.PlanVariable:
    """Read a global variable."""
    server = variable.maybe_child("server", "execute_target")
    return read_fields(
        items.PlanVariable,
        variable,
        {"is_required": "required", "is_used": "used"},
        server=None if server is None else read_target_server(server),
    )


def read_target_server(server: JsonObject) -> Targets:
    """Read hosts named one by one, groups and nodes."""
    ids = server.get("host_id_list")
    named = [HostKey(bk_host_id=number) for number in ids or () if type(number) is int and number > 0]
    rows = server.children("ip_list", "host_list") or ()
    return Targets(
        hosts=[*map(read_host, rows), *(() if rows else named)],
        dynamic_groups=[group.text("id") for group in server.children("dynamic_group_list") or ()],
        topo_nodes=[
            TopoNode(node.text("node_type"), node.identity("id"))
            for node in server.children("topo_node_list") or ()
        ],
    )


def read_cron(row: JsonObject) -> items.CronJob:
    """Read a cron."""
    return read_fields(items.CronJob, row, global_vars=read_plan_variables(row))


def list_call(read: Callable[[JsonObject], Any], unit: float = MILLISECONDS, **renamed: str) -> Call:
    """Return the call of a list whose rows *read* reads; *unit* and *renamed* are those of `field_values`."""
    return Call("GET", partial(field_values, unit=unit, **renamed), page_reader(read))


def detail_call(read: Callable[[JsonObject], Any], field_name: str, *names: str) -> Call:
    """Return the call of one item that *read* reads; see `item_reader`."""
    return Call("GET", field_values, item_reader(read, field_name, *names))


SCRIPT_LIST = list_call(partial(read_fields, items.Script), name="item_name")
VERSION_LIST = list_call(partial(read_fields, items.ScriptVersion))
VERSION_DETAIL = detail_call(partial(read_fields, items.ScriptVersion), "id", "id")
CALLS: Calls = {
    queries.GetJobTemplateList: list_call(partial(read_fields, items.JobTemplate), name="item_name"),
    queries.GetJobPlanList: list_call(read_plan, name="item_name"),
    queries.GetJobPlanDetail: detail_call(read_plan, "job_plan_id", "id", "job_plan_id"),
    queries.GetAccountList: list_call(partial(read_fields, items.StoredAccount)),
    queries.GetScriptList: SCRIPT_LIST,
    queries.GetScriptVersionList: VERSION_LIST,
    queries.GetScriptVersionDetail: VERSION_DETAIL,
    queries.GetPublicScriptList: SCRIPT_LIST,
    queries.GetPublicScriptVersionList: VERSION_LIST,
    queries.GetPublicScriptVersionDetail: VERSION_DETAIL,
    # The times of crons are counted in seconds.
    queries.GetCronList: list_call(read_cron, SECONDS, name="item_name"),
    queries.GetCronDetail: detail_call(read_cron, "id", "id"),
}
