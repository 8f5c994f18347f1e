"""Handle requests for lists and details of plans, templates, accounts, scripts and crons."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.handlers.context import RequestContext
from bkjob_async.simulator.protocol import catalog as render
from bkjob_async.simulator.protocol.api_errors import api_error, missing_parameter, violation
from bkjob_async.simulator.protocol.gateway_v3 import scope_fields
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.world.catalog import Cron, Template

DEFAULT_LENGTH, MAX_LENGTH = 20, 1000
DAY_MS = 86_400_000
# The one rule of the check of dangerous scripts, and its level.
DANGEROUS, FATAL = re.compile(r"rm -rf /\S*"), 3
Entry = dict[str, Any]


def paged(
    context: RequestContext,
    request: ParsedRequest,
    scope: Scope | None,
    found: Sequence[Entry],
    *,
    per_second: int = 1000,
) -> Entry:
    """Return the requested page; values out of bounds are corrected, as the server does."""
    start = max(0, request.integer("start") or 0)
    length = request.integer("length") or 0
    length = min(length, MAX_LENGTH) if length > 0 else DEFAULT_LENGTH
    data = [whole_entry(context, scope, item, per_second) for item in found[start : start + length]]
    return {"start": start, "length": length, "total": len(found), "data": data}


def whole_entry(context: RequestContext, scope: Scope | None, entry: Entry, per_second: int = 1000) -> Entry:
    """Return an entry with its scope, null for public ones, and who made it when."""
    return {**scope_fields(scope), **entry, **authorship(context, per_second)}


def authorship(context: RequestContext, per_second: int = 1000) -> Entry:
    """Return who created all entries, and when: a day before the world begins; *per_second* 1 for times in seconds."""
    creator, at = context.site.catalog.creator, (context.epoch_ms - DAY_MS) * per_second // 1000
    return {
        "creator": creator,
        "create_time": at,
        "last_modify_user": creator,
        "last_modify_time": at,
    }


def matches_filters(
    context: RequestContext, request: ParsedRequest, name: str, *, per_second: int = 1000
) -> bool:
    """Return True for an entry that passes the common filters: part of its name, its author, its times."""
    fields = authorship(context, per_second)
    for user in ("creator", "last_modify_user"):
        if request.text(user) not in (None, "", fields[user]):
            return False
    for field in ("create_time", "last_modify_time"):
        begin, end = request.integer(f"{field}_start"), request.integer(f"{field}_end")
        if (begin is not None and fields[field] < begin) or (end is not None and fields[field] > end):
            return False
    return (request.text("name") or "") in name


def plan_list(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `get_job_plan_list`: newest first."""
    scope, template = context.scope(request), request.integer("job_template_id")
    found = [
        render.plan_entry(number, plan, context.site.catalog.template_of(number))
        for number, plan in sorted(context.site.plans.items(), reverse=True)
        if matches_filters(context, request, plan.name)
    ]
    of_template = [entry for entry in found if template in (None, entry["job_template_id"])]
    return paged(context, request, scope, of_template)


def plan_detail(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `get_job_plan_detail`: the steps and variables of one plan."""
    scope, number = context.scope(request), request.id("job_plan_id")
    detail = render.plan_detail(number, context.plan(number), context.site.catalog.template_of(number))
    return whole_entry(context, scope, detail)


def template_list(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `get_job_template_list`."""
    scope, templates = context.scope(request), context.site.catalog.templates
    found = [
        render.template_entry(each) for each in templates if matches_filters(context, request, each.name)
    ]
    return paged(context, request, scope, found)


def account_list(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `get_account_list`; an account's name and alias are compared whole."""
    scope, category = context.scope(request), request.integer("category")
    if category not in (None, 1, 2):
        raise missing_parameter("category")
    found = [
        render.account_entry(account)
        for account in context.site.catalog.accounts
        if category in (None, account.category)
        and request.text("account") in (None, "", account.name)
        and request.text("alias") in (None, "", account.alias or account.name)
    ]
    return paged(context, request, scope, found)


def script_list(context: RequestContext, request: ParsedRequest, *, public: bool) -> Entry:
    """Handle `get_script_list`, or `get_public_script_list`, which has no scope."""
    scope = None if public else context.scope(request)
    language = request.integer("script_language") or 0
    if language not in range(6):
        raise api_error(1241005, "type")
    found = [
        render.script_entry(script)
        for script in context.site.catalog.scripts
        if script.is_public == public
        and script.online is not None
        and language in (0, script.language)
        and (request.text("name") or "") in script.name
    ]
    return paged(context, request, scope, found)


def version_list(context: RequestContext, request: ParsedRequest, *, public: bool) -> Entry:
    """Handle `get_script_version_list`, or `get_public_script_version_list`."""
    scope = None if public else context.scope(request)
    script_id = request.required_text("script_id", code=1241005)
    script = context.site.catalog.script(script_id, public=public)
    with_content = request.flag("return_script_content")
    found = [] if script is None else [render.version_entry(script, each) for each in script.versions]
    return paged(
        context, request, scope, found if with_content else [{**entry, "content": None} for entry in found]
    )


def version_detail(context: RequestContext, request: ParsedRequest, *, public: bool) -> Entry:
    """Handle `get_script_version_detail`, which finds public scripts, too, or its public twin."""
    scope = None if public else context.scope(request)
    number, script_id, name = request.integer("id") or 0, request.text("script_id"), request.text("version")
    if number <= 0 and not (script_id and name):
        raise api_error(1241005, "script_id" if not script_id else "version")
    for script in context.site.catalog.scripts:
        for version in script.versions if script.is_public or not public else ():
            is_named = (script.id, version.version) == (script_id, name)
            if version.id == number if number > 0 else is_named:
                owner = None if script.is_public else scope
                return whole_entry(context, owner, render.version_entry(script, version))
    raise api_error(1243001)


def cron_list(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `get_cron_list`; an id makes it ignore all other filters, and it ignores every status but 0 and 1."""
    scope, number, status = context.scope(request), request.integer("id"), request.integer("status")
    crons = context.site.catalog.crons
    if number:
        found = [cron for cron in crons if cron.id == number]
        if not found:
            raise api_error(1245001)
    else:
        found = [
            cron
            for cron in crons
            if matches_filters(context, request, cron.name, per_second=1)
            and (status not in (0, 1) or cron.is_on == (status == 1))
        ]
    return paged(context, request, scope, list(map(render.cron_entry, found)), per_second=1)


def cron_detail(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `get_cron_detail`: with its variables."""
    scope, cron = context.scope(request), known_cron(context, request.id("id", code=1241002))
    detail = render.cron_detail(cron, context.site.plans.get(cron.plan_id))
    return whole_entry(context, scope, detail, per_second=1)


def known_cron(context: RequestContext, number: int) -> Cron:
    """Return a cron; raise `ApiError` for an unknown one."""
    cron = context.site.catalog.cron(number)
    if cron is None:
        raise api_error(1245001)
    return cron


def check_script(_context: RequestContext, request: ParsedRequest) -> list[Entry]:
    """Handle `check_script`: one rule, against the removal of everything."""
    if request.integer("script_language") not in range(1, 7):
        raise violation("ScriptType_illegal")
    content = b64decode(request.text("content") or "").decode(errors="replace")
    if not content:
        raise violation("ScriptContent_empty")
    return [
        {
            "line": number,
            "line_content": line,
            "match_content": found[0],
            "level": FATAL,
            "description": "it removes everything",
        }
        for number, line in enumerate(content.splitlines(), start=1)
        if (found := DANGEROUS.search(line))
    ]


def agent_info(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `query_agent_info`: every host has an agent that is well."""
    context.scope(request)
    ids = request.parameters.get("host_id_list") or ()
    return {"agent_info_list": [{"bk_host_id": each, "status": 1, "version": "2.1.6"} for each in ids]}


def file_source_detail(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `get_file_source_detail`."""
    scope, code = context.scope(request), request.text("code") or ""
    source = next((each for each in context.site.catalog.file_sources if each.code == code), None)
    if source is None:
        raise api_error(1260012, code)
    return whole_entry(context, scope, render.file_source(source))


# Version 4 ----------------------------------------------------------------------------------------------------------


def template_of(context: RequestContext, name: str, request: ParsedRequest) -> tuple[Template, int]:
    """Return the requested template, and the plan whose steps it has here."""
    number = request.integer(name)
    if number is None or number < 1:
        raise violation("InvalidJobTemplateId")
    template = context.site.catalog.template(number)
    if template is None:
        raise api_error(1243026)
    return template, max(number for number in template.plans if number in context.site.plans)


def template_detail(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `get_job_template_detail`."""
    scope = context.scope(request, legacy=False)
    template, number = template_of(context, "id", request)
    detail = render.template_detail(template, number, context.site.plans[number])
    return whole_entry(context, scope, detail)


def authorized_scopes(context: RequestContext, request: ParsedRequest) -> Entry:
    """Handle `get_user_authorized_scopes`: those of the site, the first of them marked by the user."""
    offset, length = request.integer("offset") or 0, request.integer("length") or 10
    known = context.site.scopes or (Scope.biz(2), Scope.biz_set(3))
    scopes = sorted({*known} - context.site.forbidden, key=str)
    rows = [
        {
            **scope_fields(scope),
            "name": f"made-up {scope.type} {scope.id}",
            "favor": not index,
            **({} if index else {"favor_time": "2024-03-10 00:00:00.000"}),
            "time_zone": "Asia/Shanghai",
        }
        for index, scope in enumerate(scopes)
    ]
    return {
        "total": len(rows),
        "offset": offset,
        "length": length,
        "scope_list": rows[offset : offset + length],
    }
