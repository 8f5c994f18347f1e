"""Answers that list plans, templates, accounts, scripts and crons, or tell one of them in full."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bkjob_async.simulator.handlers.context import RequestContext, refusal
from bkjob_async.simulator.protocol import catalog as render
from bkjob_async.simulator.protocol.catalog import DAY_MS, Authorship
from bkjob_async.simulator.protocol.requests import Asked, missing
from bkjob_async.simulator.world.catalog import Script

USUAL_LENGTH, MOST = 20, 1000


def paged(asked: Asked, found: Sequence[Any], entry: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Return the page asked for; what is out of bounds is put right rather than refused, as the server does."""
    start = max(0, asked.integer("start") or 0)
    length = asked.integer("length") or 0
    length = min(length, MOST) if length > 0 else USUAL_LENGTH
    data = [entry(item) for item in found[start : start + length]]
    return {"start": start, "length": length, "total": len(found), "data": data}


def made(desk: RequestContext) -> Authorship:
    """Return who made everything, and when."""
    return Authorship(creator=desk.site.catalog.creator, created_ms=desk.epoch_ms - DAY_MS)


def is_wanted(desk: RequestContext, asked: Asked, name: str, *, per_second: int = 1000) -> bool:
    """Whether the common filters let an entry pass: part of its name, its author, its times."""
    authorship = made(desk).fields(per_second=per_second)
    for user in ("creator", "last_modify_user"):
        if asked.text(user) not in (None, "", authorship[user]):
            return False
    for moment in ("create_time", "last_modify_time"):
        begin, end = asked.integer(f"{moment}_start"), asked.integer(f"{moment}_end")
        if (begin is not None and authorship[moment] < begin) or (
            end is not None and authorship[moment] > end
        ):
            return False
    return (asked.text("name") or "") in name


def plan_list(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_job_plan_list`: newest first."""
    scope, catalog, template = desk.scope(asked), desk.site.catalog, asked.integer("job_template_id")
    found = [
        (number, plan, catalog.template_of(number))
        for number, plan in sorted(desk.site.plans.items(), reverse=True)
        if is_wanted(desk, asked, plan.name)
    ]
    if template is not None:
        found = [entry for entry in found if entry[2] is not None and entry[2].id == template]
    return paged(
        asked, found, lambda entry: render.plan_entry(entry[0], entry[1], entry[2], scope, made(desk))
    )


def plan_detail(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_job_plan_detail`: the steps and variables of one plan."""
    scope, number = desk.scope(asked), asked.id("job_plan_id")
    plan = desk.site.plans.get(number)
    if plan is None:
        raise refusal(1243009)
    template = desk.site.catalog.template_of(number)
    return render.plan_detail(number, plan, template, scope, made(desk))


def template_list(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_job_template_list`."""
    scope = desk.scope(asked)
    found = [entry for entry in desk.site.catalog.templates if is_wanted(desk, asked, entry.name)]
    return paged(asked, found, lambda entry: render.template_entry(entry, scope, made(desk)))


def account_list(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_account_list`; an account's name and alias are compared whole."""
    scope, category = desk.scope(asked), asked.integer("category")
    if category not in (None, 1, 2):
        raise missing("category")
    found = [
        account
        for account in desk.site.catalog.accounts
        if category in (None, account.category)
        and asked.text("account") in (None, "", account.name)
        and asked.text("alias") in (None, "", account.alias or account.name)
    ]
    return paged(asked, found, lambda entry: render.account_entry(entry, scope, made(desk)))


def script_list(*, public: bool) -> Callable[[RequestContext, Asked], dict[str, Any]]:
    """Return what answers `get_script_list`, or its public twin, which has no scope: scripts with an online version."""

    def answer(desk: RequestContext, asked: Asked) -> dict[str, Any]:
        scope = None if public else desk.scope(asked)
        language = asked.integer("script_language") or 0
        if language not in range(6):
            raise refusal(1241005, "type")
        found = [
            script
            for script in scripts(desk, public=public)
            if script.online is not None
            and language in (0, script.language)
            and (asked.text("name") or "") in script.name
        ]
        return paged(asked, found, lambda entry: render.script_entry(entry, scope, made(desk)))

    return answer


def version_list(*, public: bool) -> Callable[[RequestContext, Asked], dict[str, Any]]:
    """Return what answers `get_script_version_list`, or its public twin."""

    def answer(desk: RequestContext, asked: Asked) -> dict[str, Any]:
        scope = None if public else desk.scope(asked)
        script_id = asked.required_text("script_id", code=1241005)
        script = desk.site.catalog.script(script_id, public=public)
        with_content = asked.flag("return_script_content")
        found = [] if script is None else [(script, version) for version in script.versions]
        return paged(
            asked,
            found,
            lambda entry: render.version_entry(
                entry[0], entry[1], scope, made(desk), with_content=with_content
            ),
        )

    return answer


def version_detail(*, public: bool) -> Callable[[RequestContext, Asked], dict[str, Any]]:
    """Return what answers `get_script_version_detail`, which knows public scripts, too, or its public twin."""

    def answer(desk: RequestContext, asked: Asked) -> dict[str, Any]:
        scope = None if public else desk.scope(asked)
        number, script_id, name = asked.integer("id") or 0, asked.text("script_id"), asked.text("version")
        if number <= 0 and not (script_id and name):
            raise refusal(1241005, "script_id" if not script_id else "version")
        for script in desk.site.catalog.scripts if not public else scripts(desk, public=True):
            for version in script.versions:
                named = (script.id, version.version) == (script_id, name)
                if version.id == number if number > 0 else named:
                    owner = None if script.is_public else scope
                    return render.version_entry(script, version, owner, made(desk), with_content=True)
        raise refusal(1243001)

    return answer


def scripts(desk: RequestContext, *, public: bool) -> Iterable[Script]:
    """Return the scripts of a scope, or those of everybody."""
    return [script for script in desk.site.catalog.scripts if script.is_public == public]


def cron_list(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_cron_list`; with an id all other filters are ignored, and so is every status but 0 and 1."""
    scope, number, status = desk.scope(asked), asked.integer("id"), asked.integer("status")
    crons = desk.site.catalog.crons
    if number:
        found = [cron for cron in crons if cron.id == number]
        if not found:
            raise refusal(1245001)
    else:
        found = [
            cron
            for cron in crons
            if is_wanted(desk, asked, cron.name, per_second=1)
            and (status not in (0, 1) or cron.is_on == (status == 1))
        ]
    return paged(asked, found, lambda cron: render.cron_entry(cron, None, scope, made(desk), in_full=False))


def cron_detail(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Answer `get_cron_detail`: with its variables."""
    scope, number = desk.scope(asked), asked.id("id", code=1241002)
    cron = next((cron for cron in desk.site.catalog.crons if cron.id == number), None)
    if cron is None:
        raise refusal(1245001)
    plan = desk.site.plans.get(cron.plan_id)
    return render.cron_entry(cron, plan, scope, made(desk), in_full=True)
