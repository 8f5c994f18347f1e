"""Handle lists and details of plans, accounts, scripts and crons as the ESB component `job` has them: other names, few totals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.handlers.catalog.listing import authorship
from bkjob_async.simulator.handlers.context import RequestContext
from bkjob_async.simulator.protocol.api_errors import api_error
from bkjob_async.simulator.protocol.gateway_v3 import scope_fields
from bkjob_async.simulator.protocol.inputs import host_names, server
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.protocol.times import SHANGHAI, UTC_OFFSET, second_text
from bkjob_async.simulator.world.catalog import SYSTEM_ACCOUNT, SimulatedScript, SimulatedScriptVersion
from bkjob_async.simulator.world.codes import CONFIRM, FILE
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import SimulatedJob, SimulatedVariable, StepPlan, hosts_of

DEFAULT_CRONS = 10


def authorship_texts(context: RequestContext, offset: timedelta = SHANGHAI) -> dict[str, Any]:
    """Return who created an entry and when, in local time or at another *offset* from UTC."""
    fields = authorship(context, 1)
    texts = {name: second_text(fields[name], offset) for name in ("create_time", "last_modify_time")}
    return {**fields, **texts}


def matches_author(context: RequestContext, request: ParsedRequest) -> bool:
    """Return True for an entry by the requested user, of the requested days; a last day ends where it begins."""
    creator = context.site.catalog.creator
    if any(request.text(user) not in (None, "", creator) for user in ("creator", "last_modify_user")):
        return False
    made = authorship_texts(context)
    return all(
        (request.text(f"{field}_start") or "") <= made[field] <= (request.text(f"{field}_end") or "~")
        for field in ("create_time", "last_modify_time")
    )


def job_list(context: RequestContext, request: ParsedRequest) -> list[dict[str, Any]]:
    """Handle `get_job_list`: every plan, newest first; without a length all on one page."""
    scope = context.scope(request)
    found = [
        {**scope_fields(scope), "bk_job_id": number, "name": plan.name, **authorship_texts(context)}
        for number, plan in sorted(context.site.plans.items(), reverse=True)
        if (request.text("name") or "") in plan.name and matches_author(context, request)
    ]
    start, length = max(0, request.integer("start") or 0), request.integer("length") or 0
    return found[start : start + length] if length > 0 else found[start:]


def job_detail(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_job_detail`: the steps and variables of one plan."""
    scope, number = context.scope(request), request.id("bk_job_id")
    plan, template = context.plan(number), context.site.catalog.template_of(number)
    return {
        **scope_fields(scope),
        "bk_job_id": number,
        "template_id": None if template is None else template.id,
        "name": plan.name,
        **authorship_texts(context),
        "steps": [
            step_fields(number, order, step, context) for order, step in enumerate(plan.steps, start=1)
        ],
        "global_vars": [variable_fields(variable, plan) for variable in plan.variables],
    }


def step_fields(number: int, order: int, step: StepPlan, context: RequestContext) -> dict[str, Any]:
    """Return one step of a plan; all kinds have the same members."""
    inputs, is_script = step.inputs, step.kind not in (FILE, CONFIRM)
    return {
        "step_id": number * 100 + order,
        "name": step.name or f"step {order}",
        # The server writes where a script comes from over the type of its step: 1 is a script of the step's own.
        "type": 1 if is_script else step.kind,
        "order": order,
        "account": inputs.account,
        "script_content": step.content if is_script else None,
        "script_param": inputs.parameters if is_script else None,
        "script_timeout": inputs.timeout if is_script else None,
        "script_type": inputs.language if is_script else None,
        "file_target_path": inputs.target_path if step.kind == FILE else None,
        "file_source": [{"files": step.content.split(",")}] if step.kind == FILE else None,
        "ip_list": addresses(hosts_of(step)),
        "confirm_message": inputs.confirm_message if step.kind == CONFIRM else None,
        **authorship_texts(context),
    }


def variable_fields(variable: SimulatedVariable, plan: SimulatedJob) -> dict[str, Any]:
    """Return one global variable; one of hosts has addresses in place of a value."""
    is_hosts = variable.kind == 3
    return {
        "id": variable.id,
        "name": variable.name,
        "category": variable.kind,
        "value": None if is_hosts else variable.value,
        "description": variable.description,
        "ip_list": addresses(hosts_of(plan.steps[0])) if is_hosts and plan.steps else None,
    }


def addresses(hosts: tuple[Host, ...]) -> list[dict[str, Any]]:
    """Return hosts as version 2 names them."""
    names: list[dict[str, Any]] = server(host_names(hosts))["ip_list"]
    return names


def cron_list(context: RequestContext, request: ParsedRequest) -> list[dict[str, Any]]:
    """Handle `get_cron_list` of version 2: other names, no total."""
    scope, number = context.scope(request), request.integer("cron_id")
    status, name = request.integer("cron_status"), request.text("cron_name") or ""
    found = [
        cron
        for cron in context.site.catalog.crons
        if (cron.id == number if number else name in cron.name and matches_author(context, request))
        and (number or status not in (1, 2) or cron.is_on == (status == 1))
    ]
    start, length = max(0, request.integer("start") or 0), request.integer("length") or DEFAULT_CRONS
    return [
        {
            **scope_fields(scope),
            "bk_job_id": cron.plan_id,
            "cron_id": cron.id,
            "cron_name": cron.name,
            "cron_status": 1 if cron.is_on else 2,
            "cron_expression": cron.expression,
            **authorship_texts(context),
        }
        for cron in found[start : start + length]
    ]


def script_list(
    context: RequestContext, request: ParsedRequest, *, public: bool | None = None
) -> dict[str, Any]:
    """Handle `get_public_script_list`, or `get_script_list`, where a parameter says which are listed."""
    is_public = request.flag("is_public") if public is None else public
    scope = None if is_public else context.scope(request)
    found = [
        (script, version)
        for script in context.site.catalog.scripts
        if script.is_public == is_public and (request.text("script_name") or "") in script.name
        for version in (script.online,)
        if version is not None and (request.integer("script_type") or 0) in (0, version.language)
    ]
    start, length = max(0, request.integer("start") or 0), request.integer("length") or len(found)
    with_content = request.flag("return_script_content")
    rows = [
        script_fields(script, version, scope, context, with_content=with_content)
        for script, version in found[start : start + length]
    ]
    return {"start": start, "page_size": length, "total_record_size": len(found), "data": rows}


def script_fields(
    script: SimulatedScript,
    version: SimulatedScriptVersion,
    scope: Scope | None,
    context: RequestContext,
    *,
    with_content: bool = False,
) -> dict[str, Any]:
    """Return one version of a script, with a number as its id; its times are UTC."""
    return {
        **scope_fields(scope),
        "id": version.id,
        "name": script.name,
        "public": script.is_public,
        "version": version.version,
        "tag": None,
        "type": version.language,
        **authorship_texts(context, UTC_OFFSET),
        "content": version.content if with_content else None,
    }


def script_detail(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_script_detail`: one version, without its content; a scope is needed for public ones, too."""
    own = context.scope(request)
    number = request.id("id")
    for script in context.site.catalog.scripts:
        for version in script.versions:
            if version.id == number:
                return script_fields(script, version, None if script.is_public else own, context)
    raise api_error(1243047)


def account_list(context: RequestContext, request: ParsedRequest, *, category: int) -> list[dict[str, Any]]:
    """Handle `get_os_account` or `get_own_db_account_list`: all accounts of a category; their times are UTC."""
    scope, made = context.scope(request), authorship_texts(context, UTC_OFFSET)
    is_system = category == SYSTEM_ACCOUNT
    return [
        {
            **scope_fields(scope),
            "id" if is_system else "db_account_id": account.id,
            "account": account.name,
            **({"os": "Windows" if account.kind == 2 else "Linux"} if is_system else {}),
            "alias" if is_system else "db_alias": account.alias or account.name,
            "creator": made["creator"],
            "create_time": made["create_time"],
        }
        for account in context.site.catalog.accounts
        if account.category == category
    ]
