"""Plans, templates, accounts, scripts and crons as version 3 lists them, without scope and authorship."""

from __future__ import annotations

from typing import Any

from bkjob_async.simulator.protocol.gateway_v4 import without_nulls
from bkjob_async.simulator.protocol.inputs import base64_text, host_names, server, step_inputs
from bkjob_async.simulator.world.catalog import (
    SYSTEM_ACCOUNT,
    Cron,
    FileSource,
    SimulatedAccount,
    SimulatedScript,
    SimulatedScriptVersion,
    Template,
)
from bkjob_async.simulator.world.codes import CONFIRM
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import SimulatedJob, SimulatedVariable, hosts_of

HOST_VARIABLE, CIPHER_VARIABLE = 3, 4


def plan_entry(number: int, plan: SimulatedJob, template: Template | None) -> dict[str, Any]:
    """Return one row of the list of plans."""
    return {
        "id": number,
        "job_template_id": None if template is None else template.id,
        "name": plan.name,
        "need_update": False,
    }


def plan_detail(number: int, plan: SimulatedJob, template: Template | None) -> dict[str, Any]:
    """Return a plan with its steps and variables."""
    steps = [
        step_inputs(
            number * 100 + order, step.name or f"step {order}", step, hosts_of(step), coding=base64_text
        )
        for order, step in enumerate(plan.steps, start=1)
    ]
    return {
        **plan_entry(number, plan, template),
        "step_list": steps,
        "global_var_list": variables_of_plan(plan),
    }


def variables_of_plan(plan: SimulatedJob | None) -> list[dict[str, Any]]:
    """Return the variables of a plan, none of none; hosts are those of its first step that has some."""
    if plan is None:
        return []
    hosts = next((hosts_of(step) for step in plan.steps if step.kind != CONFIRM), ())
    return [variable_fields(variable, hosts) for variable in plan.variables]


def variable_fields(variable: SimulatedVariable, hosts: tuple[Host, ...]) -> dict[str, Any]:
    """Return one global variable; the value of a cipher is hidden."""
    is_hosts = variable.kind == HOST_VARIABLE
    hidden = variable.kind == CIPHER_VARIABLE
    return {
        "id": variable.id,
        "name": variable.name,
        "value": None if is_hosts else "******" if hidden else variable.value,
        "server": server(host_names(hosts)) if is_hosts else None,
        "description": variable.description,
        "type": variable.kind,
        "required": int(variable.is_required),
    }


def template_entry(template: Template) -> dict[str, Any]:
    """Return one row of the list of templates; the server omits the description."""
    return {"id": template.id, "name": template.name, "description": None}


def account_entry(account: SimulatedAccount) -> dict[str, Any]:
    """Return one row of the list of accounts."""
    system = account.category == SYSTEM_ACCOUNT
    return {
        "id": account.id,
        "account": account.name,
        "alias": account.alias or account.name,
        "category": account.category,
        "type": account.kind,
        "db_system_account_id": account.system_account_id,
        "os": ("Windows" if account.kind == 2 else "Linux") if system else None,
        "description": account.description,
    }


def script_entry(script: SimulatedScript) -> dict[str, Any]:
    """Return one row of the list of scripts."""
    return {
        "id": script.id,
        "name": script.name,
        "script_language": script.language,
        "online_script_version_id": None if script.online is None else script.online.id,
        "description": script.description,
    }


def version_entry(script: SimulatedScript, version: SimulatedScriptVersion) -> dict[str, Any]:
    """Return one version of a script; its content is plain text."""
    return {
        "id": version.id,
        "script_id": script.id,
        "name": script.name,
        "version": version.version,
        "content": version.content,
        "status": version.status,
        "version_desc": version.description,
        "script_language": version.language,
        "description": script.description,
    }


def cron_entry(cron: Cron) -> dict[str, Any]:
    """Return a cron as lists have it, without its variables; its times are seconds."""
    return {
        "job_plan_id": cron.plan_id,
        "id": cron.id,
        "name": cron.name,
        "status": 1 if cron.is_on else 2,
        "expression": cron.expression,
        "global_var_list": None,
        "execute_time_zone": cron.time_zone,
    }


def cron_detail(cron: Cron, plan: SimulatedJob | None) -> dict[str, Any]:
    """Return a cron with its variables, which have the values of the cron where it has some."""
    variables = variables_of_plan(plan)
    for variable in variables:
        if variable["name"] in cron.values and variable["type"] != HOST_VARIABLE:
            hidden = variable["type"] == CIPHER_VARIABLE
            variable["value"] = "******" if hidden else cron.values[variable["name"]]
    return {**cron_entry(cron), "global_var_list": variables}


def file_source(source: FileSource) -> dict[str, Any]:
    """Return a file source."""
    return {
        "id": source.id,
        "code": source.code,
        "alias": source.alias,
        "status": 1,
        "file_source_type_code": "BLUEKING_ARTIFACTORY",
        "is_public": source.is_public,
        "credential_id": source.credential_id,
        "enable": source.is_on,
    }


def template_detail(template: Template, number: int, plan: SimulatedJob) -> dict[str, Any]:
    """Return a template as version 4 shows it, with the steps and variables of its plan *number*."""
    detail = plan_detail(number, plan, template)
    variables = [with_targets_v4({**variable, "id": None}) for variable in detail["global_var_list"]]
    steps = [
        {name: with_targets_v4(value) for name, value in without_nulls(step).items()}
        for step in detail["step_list"]
    ]
    return {
        **template_entry(template),
        "description": template.description,
        "global_var_list": variables,
        "step_list": steps,
    }


def with_targets_v4(value: Any) -> Any:
    """Return what a step or a variable does with its `server` as version 4 names it, without nulls."""
    if not isinstance(value, dict) or "server" not in value:
        return value
    rest, targets = without_nulls({**value, "server": None}), value["server"]
    return rest if targets is None else {**rest, "execute_target": {"host_list": targets["ip_list"]}}
