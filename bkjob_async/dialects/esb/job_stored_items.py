"""Plans, accounts, scripts and crons as the ESB's component `job` lists them: other names, days, few totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC
from functools import partial
from typing import TypeVar

from bkjob_async.dialects.common.dialect import Call, Calls
from bkjob_async.dialects.common.fields import Names, field_values, read_fields
from bkjob_async.dialects.common.hosts import read_host
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.esb import job_stored_requests as requests
from bkjob_async.dialects.gateway.stored_items import check_requested_scope, item_reader
from bkjob_async.model.operations import stored_items as items
from bkjob_async.model.operations import stored_queries as queries
from bkjob_async.model.operations.codes import StepType, VariableType
from bkjob_async.model.operations.details import Account, FileDetail, FileSourceDetail, ScriptDetail
from bkjob_async.model.operations.queries import ListQuery
from bkjob_async.model.operations.responses import Page
from bkjob_async.model.operations.targets import Targets
from bkjob_async.model.refs import HostKey

T = TypeVar("T")

SCRIPT_NAMES: Names = {
    "content": "script_content",
    "language": "script_type",
    "parameters": "script_param",
    "timeout": "script_timeout",
}
CRON_NAMES: Names = {
    "id": "cron_id",
    "name": "cron_name",
    "status": "cron_status",
    "job_plan_id": "bk_job_id",
    "expression": "cron_expression",
}


def rows_of(operation: object, envelope: JsonObject) -> list[JsonObject]:
    """Return the rows of a list; the server lists an unknown cron as a null."""
    rows = envelope.get("data")
    if isinstance(rows, list):
        envelope = JsonObject(
            {"data": [row for row in rows if row is not None]}, envelope.path, envelope.zone
        )
    found = envelope.children("data") or []
    for row in found:
        check_requested_scope(operation, row)
    return found


def requested_page(operation: ListQuery, items: Iterable[T], total: int | None = None) -> Page[T]:
    """Return the requested page, which has these *items*."""
    return Page(items=tuple(items), start=operation.start, length=operation.length, total=total)


def list_reader(read: Callable[[JsonObject], T]) -> Callable[[ListQuery, JsonObject], Page[T]]:
    """Return a reader of one page of a list that has no total; *read* reads one row."""
    return lambda operation, envelope: requested_page(operation, map(read, rows_of(operation, envelope)))


def read_script_page(operation: ListQuery, envelope: JsonObject) -> Page[items.Script]:
    """Read a page of scripts; a script without versions is not listed."""
    data = envelope.child("data")
    scripts = map(read_script, rows_of(operation, data))
    return requested_page(operation, scripts, data.maybe_integer("total_record_size"))


def read_accounts(operation: queries.GetAccountList, envelope: JsonObject) -> Page[items.StoredAccount]:
    """Read the requested page of all accounts, which the server lists at once."""
    rows = rows_of(operation, envelope)
    page = rows[operation.start : operation.start + operation.length]
    return requested_page(operation, (read_account(row, operation.category) for row in page), len(rows))


def in_utc(row: JsonObject) -> JsonObject:
    """Return *row* with its times read as UTC: servers write those of scripts and accounts so, without saying it.

    bk-job: EsbGetScriptListResourceImpl.java, EsbGetOSAccountResourceImpl.java
    """
    return JsonObject(row.members, row.path, UTC)


def read_plan(row: JsonObject) -> items.JobPlan:
    """Read a plan, in a list or in full."""
    return read_fields(
        items.JobPlan,
        row,
        {"id": "bk_job_id", "job_template_id": "template_id"},
        steps=tuple(map(read_plan_step, row.children("steps") or ())),
        global_vars=tuple(map(read_variable, row.children("global_vars") or ())),
    )


def read_plan_step(step: JsonObject) -> items.PlanStep:
    """Read a step of a plan; all kinds have the same members.

    What it does shows its kind: the server writes where a script comes from over the type of its step.
    bk-job: EsbGetJobDetailResourceImpl.java, buildScriptStep
    """
    is_file, is_approval = step.get("file_source") is not None, step.get("confirm_message") is not None
    is_script = not (is_file or is_approval)
    kind = StepType.FILE if is_file else StepType.CONFIRM if is_approval else StepType.SCRIPT
    is_sql = is_script and step.maybe_integer("type") == StepType.SQL
    return read_fields(
        items.PlanStep,
        step,
        {"id": "step_id"},
        type=StepType.SQL if is_sql else kind,
        script=read_script_step(step) if is_script else None,
        file=read_file_step(step) if is_file else None,
        approval_message=step.maybe_text("confirm_message") if is_approval else None,
    )


def read_script_step(step: JsonObject) -> ScriptDetail:
    """Read what a script step runs; it is plain text here."""
    return read_fields(
        ScriptDetail, step, SCRIPT_NAMES, account=read_step_account(step), hosts=read_hosts(step)
    )


def read_file_step(step: JsonObject) -> FileDetail:
    """Read what a file step sends."""
    return FileDetail(
        sources=tuple(map(read_source, step.children("file_source") or ())),
        path=step.text("file_target_path"),
        account=read_step_account(step),
        hosts=read_hosts(step),
    )


def read_source(source: JsonObject) -> FileSourceDetail:
    """Read where files come from."""
    return read_fields(FileSourceDetail, source, account=read_step_account(source), hosts=read_hosts(source))


def read_step_account(step: JsonObject) -> Account | None:
    """Read what a step runs as."""
    number, name = step.maybe_identity("account_id", "db_account_id"), step.text("account")
    return Account(id=number, name=name) if number or name else None


def read_hosts(parent: JsonObject) -> tuple[HostKey, ...]:
    """Read hosts named one by one."""
    return tuple(map(read_host, parent.children("ip_list") or ()))


def read_variable(variable: JsonObject) -> items.PlanVariable:
    """Read a global variable; *category* is its type in other interfaces."""
    is_hosts = variable.maybe_integer("category") == VariableType.HOSTS
    groups = variable.texts("custom_query_id")
    return read_fields(
        items.PlanVariable,
        variable,
        {"type": "category"},
        value=None if is_hosts else variable.maybe_text("value"),
        server=Targets(hosts=read_hosts(variable), dynamic_groups=groups) if is_hosts else None,
    )


def read_account(row: JsonObject, category: int | None) -> items.StoredAccount:
    """Read an account of the listed *category*."""
    names: Names = {"id": ("id", "db_account_id"), "alias": ("alias", "db_alias")}
    return read_fields(items.StoredAccount, in_utc(row), names, category=category)


def read_script(row: JsonObject) -> items.Script:
    """Read a script of a list; the number of its online version is the only id that it has here."""
    number = row.identity("id")
    return read_fields(
        items.Script,
        in_utc(row),
        {"script_language": "type"},
        id=str(number),
        online_script_version_id=number,
    )


def read_script_version(row: JsonObject) -> items.ScriptVersion:
    """Read one version of a script; current servers leave its content out."""
    return read_fields(items.ScriptVersion, in_utc(row), {"version_desc": "tag", "script_language": "type"})


def read_cron(row: JsonObject) -> items.CronJob:
    """Read a cron."""
    return read_fields(items.CronJob, row, CRON_NAMES)


SCRIPT_DETAIL = Call(
    "GET",
    requests.script_parameters,
    item_reader(read_script_version, "id", "id"),
    platform_name="get_script_detail",
)
CALLS: Calls = {
    queries.GetJobPlanList: Call(
        "GET", requests.plan_list_parameters, list_reader(read_plan), platform_name="get_job_list"
    ),
    queries.GetJobPlanDetail: Call(
        "GET",
        partial(field_values, bk_job_id="job_plan_id"),
        item_reader(read_plan, "job_plan_id", "bk_job_id"),
        platform_name="get_job_detail",
    ),
    queries.GetAccountList: Call(
        "GET",
        requests.account_list_parameters,
        read_accounts,
        platform_name="get_os_account",
        choose_name=requests.account_list_name,
    ),
    queries.GetScriptList: Call("GET", requests.script_list_parameters, read_script_page),
    queries.GetPublicScriptList: Call("GET", requests.script_list_parameters, read_script_page),
    queries.GetScriptVersionDetail: SCRIPT_DETAIL,
    queries.GetPublicScriptVersionDetail: SCRIPT_DETAIL,
    queries.GetCronList: Call("GET", requests.cron_list_parameters, list_reader(read_cron)),
}
