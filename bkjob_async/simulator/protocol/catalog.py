"""Plans, templates, accounts, scripts and crons as version 3 lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.protocol.gateway_v3 import scope_fields
from bkjob_async.simulator.protocol.inputs import base64_text, host_names, server, step_inputs
from bkjob_async.simulator.world.catalog import SYSTEM_ACCOUNT, Account, Cron, Script, ScriptVersion, Template
from bkjob_async.simulator.world.codes import CONFIRM
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.launch_outcomes import hosts_of
from bkjob_async.simulator.world.plans import JobPlan, Variable

HOST_VARIABLE, CIPHER_VARIABLE = 3, 4
# Who created an entry, and when; who changed it last, and when.
Authorship = Mapping[str, Any]


def plan_entry(
    number: int, plan: JobPlan, template: Template | None, scope: Scope, made: Authorship
) -> dict[str, Any]:
    """Return one row of the list of plans."""
    return {
        **scope_fields(scope),
        "id": number,
        "job_template_id": None if template is None else template.id,
        "name": plan.name,
        **made,
        "need_update": False,
    }


def plan_detail(
    number: int, plan: JobPlan, template: Template | None, scope: Scope, made: Authorship
) -> dict[str, Any]:
    """Return a plan with its steps and variables."""
    steps = [
        step_inputs(
            number * 100 + order, step.name or f"step {order}", step, hosts_of(step), coding=base64_text
        )
        for order, step in enumerate(plan.steps, start=1)
    ]
    hosts = plan_hosts(plan)
    return {
        **plan_entry(number, plan, template, scope, made),
        "step_list": steps,
        "global_var_list": [variable_fields(variable, hosts) for variable in plan.variables],
    }


def plan_hosts(plan: JobPlan) -> tuple[Host, ...]:
    """Return the hosts of a plan's first step that has some."""
    return next((hosts_of(step) for step in plan.steps if step.kind != CONFIRM), ())


def variable_fields(variable: Variable, hosts: tuple[Host, ...]) -> dict[str, Any]:
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


def template_entry(template: Template, scope: Scope, made: Authorship) -> dict[str, Any]:
    """Return one row of the list of templates; the server omits the description."""
    return {
        **scope_fields(scope),
        "id": template.id,
        "name": template.name,
        **made,
        "description": None,
    }


def account_entry(account: Account, scope: Scope, made: Authorship) -> dict[str, Any]:
    """Return one row of the list of accounts."""
    system = account.category == SYSTEM_ACCOUNT
    return {
        **scope_fields(scope),
        "id": account.id,
        "account": account.name,
        "alias": account.alias or account.name,
        "category": account.category,
        "type": account.kind,
        "db_system_account_id": account.system_account_id,
        "os": ("Windows" if account.kind == 2 else "Linux") if system else None,
        **made,
        "description": None,
    }


def script_entry(script: Script, scope: Scope | None, made: Authorship) -> dict[str, Any]:
    """Return one row of the list of scripts; public ones have no scope."""
    return {
        **scope_fields(scope),
        "id": script.id,
        "name": script.name,
        "script_language": script.language,
        **made,
        "online_script_version_id": None if script.online is None else script.online.id,
        "description": script.description,
    }


def version_entry(
    script: Script, version: ScriptVersion, scope: Scope | None, made: Authorship, *, with_content: bool
) -> dict[str, Any]:
    """Return one version of a script; its content is plain text."""
    return {
        **scope_fields(scope),
        "id": version.id,
        "script_id": script.id,
        "name": script.name,
        "version": version.version,
        "content": version.content if with_content else None,
        "status": version.status,
        "version_desc": version.description,
        **made,
        "script_language": version.language,
        "description": script.description,
    }


def cron_entry(
    cron: Cron, plan: JobPlan | None, scope: Scope, made: Authorship, *, in_full: bool
) -> dict[str, Any]:
    """Return a cron; its times are seconds, and only its details have variables."""
    hosts = () if plan is None else plan_hosts(plan)
    variables = () if plan is None else plan.variables
    return {
        **scope_fields(scope),
        "job_plan_id": cron.plan_id,
        "id": cron.id,
        "name": cron.name,
        "status": 1 if cron.is_on else 2,
        "expression": cron.expression,
        "global_var_list": [variable_fields(entry, hosts) for entry in variables] if in_full else None,
        **made,
        "execute_time_zone": "Asia/Shanghai",
    }
