"""Handle requests that create or change plans, crons, accounts, credentials and file sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import Any

from attrs import evolve

from bkjob_async.simulator.handlers.catalog.listing import Entry, known_cron, template_of, whole_entry
from bkjob_async.simulator.handlers.context import RequestContext
from bkjob_async.simulator.protocol import catalog as render
from bkjob_async.simulator.protocol.api_errors import api_error, missing_parameter, violation
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.world.catalog import (
    SYSTEM_ACCOUNT,
    Cron,
    FileSource,
    SimulatedAccount,
    SimulatedCredential,
)

LINUX, WINDOWS = 1, 2
ARTIFACTORY = "BLUEKING_ARTIFACTORY"
# The parameters that each type of credentials has.
CREDENTIAL_PARTS = {
    "ACCESS_KEY_SECRET_KEY": ("credential_access_key", "credential_secret_key"),
    "PASSWORD": ("credential_password",),
    "USERNAME_PASSWORD": ("credential_username", "credential_password"),
    "SECRET_KEY": ("credential_secret_key",),
}
SOURCE_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")


def save_cron(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `save_cron`: what is absent of a cron that exists stays as it is, and a cron that was saved is off.

    Source: bk-job's EsbCronJobV3ResourceImpl, EsbSaveCronV3Request.
    """
    scope, catalog = context.scope(request), context.site.catalog
    number, plan_id = request.integer("id"), request.integer("job_plan_id")
    if number is not None and number < 1:
        raise violation("InvalidCronId")
    if plan_id is None and number is None:
        raise violation("InvalidCronJobPlanId")
    if number is None and not request.text("name"):
        raise violation("InvalidCronJobName_empty")
    if plan_id is not None and plan_id not in context.site.plans:
        raise api_error(1243009)
    known = max((cron.id for cron in catalog.crons), default=300)
    cron = (
        Cron(id=known + 1, name=request.text("name") or "", plan_id=plan_id or 0, expression=None)
        if number is None
        else known_cron(context, number)
    )
    values = {each.get("name"): each.get("value") for each in request.parameters.get("global_var_list") or ()}
    cron = evolve(
        cron,
        name=request.text("name") or cron.name,
        plan_id=plan_id or cron.plan_id,
        expression=request.text("expression") or cron.expression,
        time_zone=request.text("execute_time_zone") or cron.time_zone,
        values={
            **cron.values,
            **{name: value for name, value in values.items() if name and value is not None},
        },
        is_on=False,
    )
    set_crons(context, [each for each in catalog.crons if each.id != cron.id] + [cron])
    detail = render.cron_detail(cron, context.site.plans.get(cron.plan_id))
    return whole_entry(context, scope, detail, per_second=1)


def update_cron_status(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `update_cron_status`: the server returns a cron that has nothing but its id."""
    context.scope(request)
    cron, status = known_cron(context, request.id("id", code=1241002)), request.integer("status")
    if status is None or status < 0:
        raise api_error(1241010, "status", "status must >= 0")
    crons = context.site.catalog.crons
    set_crons(context, [evolve(each, is_on=status == 1) if each is cron else each for each in crons])
    return {**dict.fromkeys(render.cron_entry(cron)), "id": cron.id}


def delete_cron(context: RequestContext, request: ParsedRequest) -> None:
    """Handle `delete_cron`: without data."""
    context.scope(request)
    cron = known_cron(context, request.id("id", code=1241002))
    set_crons(context, [each for each in context.site.catalog.crons if each is not cron])


def set_crons(context: RequestContext, crons: Sequence[Cron]) -> None:
    """Give the site these crons."""
    context.site.catalog = evolve(context.site.catalog, crons=tuple(crons))


def create_plan(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `create_job_plan`: a plan with the template's steps, some or all of them.

    Source: bk-job's OpenApiJobPlanV4ResourceImpl.
    """
    scope, plans = context.scope(request, legacy=False), context.site.plans
    template, source = template_of(context, "job_template_id", request)
    name = (request.text("name") or "").strip()
    if not name:
        raise violation("InvalidJobPlanName_empty")
    steps = dict(zip(count(source * 100 + 1), plans[source].steps, strict=False))
    chosen = request.parameters.get("enable_steps")
    for step in chosen or ():
        if step not in steps:
            raise api_error(1241010, "enable_steps", f"step id {step} is not in template {template.id}")
    values = {each["name"]: each.get("value") for each in request.parameters.get("variables") or ()}
    for unknown in values.keys() - {each.name for each in plans[source].variables}:
        raise api_error(1241010, "variables", f"variable name '{unknown}' not exist in template")
    if any(plans[each].name == name for each in template.plans if each in plans):
        raise api_error(1243042)
    number = max(plans) + 1
    plans[number] = evolve(
        plans[source],
        name=name,
        steps=tuple(plan for step, plan in steps.items() if chosen is None or step in chosen),
        variables=tuple(
            evolve(each, value=values.get(each.name) or each.value) for each in plans[source].variables
        ),
    )
    grown = evolve(template, plans=(*template.plans, number))
    templates = tuple(grown if each is template else each for each in context.site.catalog.templates)
    context.site.catalog = evolve(context.site.catalog, templates=templates)
    whole = whole_entry(context, scope, {"job_plan_id": number, "job_plan_name": name})
    return {**whole, "job_template_id": template.id, "need_update": False}


# Accounts, credentials and file sources -----------------------------------------------------------------------------
#
# The documents of these three say what is returned, and which parameters are needed. They name no error codes; a
# parameter that is missing, of no known value or taken gives the codes for such parameters.


def create_account(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `create_account`: of the system only; the password of an account is not kept."""
    scope, accounts = context.scope(request), context.site.catalog.accounts
    name = request.required_text("account")
    kind = request.integer("type")
    if kind not in (LINUX, WINDOWS):
        raise missing_parameter("type")
    if request.integer("category") != SYSTEM_ACCOUNT:
        raise missing_parameter("category")
    if kind == WINDOWS:
        request.required_text("password")
    alias = request.text("alias") or name
    if any(alias == (each.alias or each.name) for each in accounts):
        raise api_error(1241010, "alias", f"alias {alias} exists")
    number = max((each.id for each in accounts), default=0) + 1
    account = SimulatedAccount(
        id=number, name=name, alias=alias, kind=kind, description=request.text("description")
    )
    context.site.catalog = evolve(context.site.catalog, accounts=(*accounts, account))
    created = render.account_entry(account)
    del created["db_system_account_id"]
    return whole_entry(context, scope, created)


def create_credential(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `create_credential`: what is secret is not kept."""
    context.scope(request)
    known = context.site.catalog.credentials
    name, kind = request.required_text("name"), request.required_text("type")
    if kind not in CREDENTIAL_PARTS:
        raise api_error(1241010, "type", f"no type {kind}")
    for part in CREDENTIAL_PARTS[kind]:
        request.required_text(part)
    if any(each.name == name for each in known):
        raise api_error(1241010, "name", f"name {name} exists")
    credential = SimulatedCredential(id=f"{len(known) + 1:032x}", name=name, kind=kind)
    context.site.catalog = evolve(context.site.catalog, credentials=(*known, credential))
    return {"id": credential.id}


def create_file_source(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `create_file_source`: one of the artifact repository, of this scope alone."""
    context.scope(request)
    known = context.site.catalog.file_sources
    code, alias, kind = map(request.required_text, ("code", "alias", "type"))
    if SOURCE_CODE.fullmatch(code) is None:
        raise api_error(1241010, "code", "a letter, then letters, digits and _, 32 at most")
    if kind != ARTIFACTORY:
        raise api_error(1241010, "type", f"no type {kind}")
    access: Any = request.parameters.get("access_params")
    if not isinstance(access, dict) or not access.get("base_url"):
        raise missing_parameter("access_params")
    if any(each.code == code for each in known):
        raise api_error(1241010, "code", f"code {code} exists")
    source = FileSource(
        id=max((each.id for each in known), default=0) + 1,
        code=code,
        alias=alias,
        credential_id=request.text("credential_id") or "",
    )
    context.site.catalog = evolve(context.site.catalog, file_sources=(*known, source))
    return {"id": source.id}
