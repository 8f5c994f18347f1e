"""Operations that `model/operations/stored_queries.py` describes; written by `python -m tests.generate`: change that."""

from __future__ import annotations

from datetime import datetime

from bkjob_async.client.caller import Caller, build
from bkjob_async.client.operations.paged_list import PagedList
from bkjob_async.model.operations.queries import USUAL_PAGE
from bkjob_async.model.operations.stored_items import (
    CronJob,
    JobPlan,
    JobTemplate,
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
)
from bkjob_async.model.refs import Scope


def get_job_template_list(
    client: Caller,
    *,
    creator: str | None = None,
    create_time_start: datetime | None = None,
    create_time_end: datetime | None = None,
    last_modify_user: str | None = None,
    last_modify_time_start: datetime | None = None,
    last_modify_time_end: datetime | None = None,
    name: str | None = None,
    length: int = USUAL_PAGE,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[JobTemplate]:
    """Return the job templates whose name contains *name*, for `async for`.

    *scope* owns the templates. *creator* and *last_modify_user* are users; each pair of times, which carry a
    zone, encloses the creation (*create_time_start*, *create_time_end*) or the last change
    (*last_modify_time_start*, *last_modify_time_end*). *length* is that of the page. Times are given in
    pairs. Raises a `CallFailed` when iterated. Document: `get_job_template_list`.

    >>> [template.name async for template in client.get_job_template_list()]
    ['usual jobs']
    """
    return PagedList(
        client,
        build(
            GetJobTemplateList,
            scope=client._needed_scope(scope),
            creator=creator,
            create_time_start=create_time_start,
            create_time_end=create_time_end,
            last_modify_user=last_modify_user,
            last_modify_time_start=last_modify_time_start,
            last_modify_time_end=last_modify_time_end,
            item_name=name,
            length=length,
        ),
        request_timeout,
    )


def get_job_plan_list(
    client: Caller,
    *,
    creator: str | None = None,
    create_time_start: datetime | None = None,
    create_time_end: datetime | None = None,
    last_modify_user: str | None = None,
    last_modify_time_start: datetime | None = None,
    last_modify_time_end: datetime | None = None,
    job_template_id: int | None = None,
    name: str | None = None,
    length: int = USUAL_PAGE,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[JobPlan]:
    """Return the job plans whose name contains *name*, or those of a template, for `async for`.

    *scope* owns the plans, *job_template_id* names their template. *creator* and *last_modify_user* are
    users; each pair of times, which carry a zone, encloses the creation (*create_time_start*,
    *create_time_end*) or the last change (*last_modify_time_start*, *last_modify_time_end*). *length* is that
    of the page. Times are given in pairs. Raises a `CallFailed` when iterated. Document: `get_job_plan_list`.

    >>> [(plan.id, plan.name) async for plan in client.get_job_plan_list(name="release")]
    [(1001, 'release')]
    """
    return PagedList(
        client,
        build(
            GetJobPlanList,
            scope=client._needed_scope(scope),
            creator=creator,
            create_time_start=create_time_start,
            create_time_end=create_time_end,
            last_modify_user=last_modify_user,
            last_modify_time_start=last_modify_time_start,
            last_modify_time_end=last_modify_time_end,
            job_template_id=job_template_id,
            item_name=name,
            length=length,
        ),
        request_timeout,
    )


async def get_job_plan_detail(
    client: Caller, job_plan_id: int, *, scope: Scope | None = None, request_timeout: float | None = None
) -> JobPlan:
    """Return a job plan with its steps and its global variables.

    *scope* owns the plan, *job_plan_id* is its number. Scripts are plain text. Raises a `CallFailed`:
    `NotFound` or `InvalidRequest` for an unknown plan. Document: `get_job_plan_detail`.

    >>> plan = await client.get_job_plan_detail(1000)
    >>> [step.name for step in plan.steps]
    ['step 1']
    """
    return await client._call(
        build(GetJobPlanDetail, scope=client._needed_scope(scope), job_plan_id=job_plan_id), request_timeout
    )


def get_account_list(
    client: Caller,
    *,
    category: int | None = None,
    account: str | None = None,
    alias: str | None = None,
    length: int = USUAL_PAGE,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[StoredAccount]:
    """Return the accounts that scripts and SQL may run as, for `async for`.

    *scope* owns the accounts. *account* is the name on the host, *alias* the name on the platform. *start*
    counts items from 0, and *length* is that of the page. *category* is an `AccountCategory`. Raises a
    `CallFailed` when iterated. Document: `get_account_list`.

    >>> [account.alias async for account in client.get_account_list()]
    ['root', 'system', 'dba']
    """
    return PagedList(
        client,
        build(
            GetAccountList,
            scope=client._needed_scope(scope),
            category=category,
            account=account,
            alias=alias,
            length=length,
        ),
        request_timeout,
    )


def get_public_script_list(
    client: Caller,
    *,
    name: str | None = None,
    script_language: int | None = None,
    length: int = USUAL_PAGE,
    request_timeout: float | None = None,
) -> PagedList[Script]:
    """Return the public scripts whose name contains *name*, for `async for`.

    *script_language* is a `ScriptLanguage`. *length* is that of the page. *script_language* is a
    `ScriptLanguage`. Raises a `CallFailed` when iterated. Document: `get_public_script_list`.

    >>> [script.name async for script in client.get_public_script_list()]
    ['clean up']
    """
    return PagedList(
        client,
        build(GetPublicScriptList, item_name=name, script_language=script_language, length=length),
        request_timeout,
    )


def get_script_list(
    client: Caller,
    *,
    name: str | None = None,
    script_language: int | None = None,
    length: int = USUAL_PAGE,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[Script]:
    """Return the scripts whose name contains *name*, for `async for`.

    *scope* owns the scripts. *script_language* is a `ScriptLanguage`. *length* is that of the page.
    *script_language* is a `ScriptLanguage`. Raises a `CallFailed` when iterated. Document: `get_script_list`.

    >>> [(script.id, script.name) async for script in client.get_script_list()]
    [('c0ffee00000000000000000000000001', 'show the load')]
    """
    return PagedList(
        client,
        build(
            GetScriptList,
            scope=client._needed_scope(scope),
            item_name=name,
            script_language=script_language,
            length=length,
        ),
        request_timeout,
    )


def get_public_script_version_list(
    client: Caller,
    script_id: str | int,
    *,
    return_script_content: bool = False,
    length: int = USUAL_PAGE,
    request_timeout: float | None = None,
) -> PagedList[ScriptVersion]:
    """Return the versions of a public script, for `async for`.

    *script_id* names the script; *return_script_content* asks for its texts, too. *length* is that of the
    page. Their contents come only with *return_script_content*. Raises a `CallFailed` when iterated.
    Document: `get_public_script_version_list`.

    >>> versions = client.get_public_script_version_list("c0ffee00000000000000000000000002")
    >>> [version.id async for version in versions]
    [510]
    """
    return PagedList(
        client,
        build(
            GetPublicScriptVersionList,
            script_id=script_id,
            return_script_content=return_script_content,
            length=length,
        ),
        request_timeout,
    )


def get_script_version_list(
    client: Caller,
    script_id: str | int,
    *,
    return_script_content: bool = False,
    length: int = USUAL_PAGE,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[ScriptVersion]:
    """Return the versions of a script, for `async for`.

    *scope* owns the script, *script_id* names it; *return_script_content* asks for its texts, too. *start*
    counts items from 0, and *length* is that of the page. Their contents come only with
    *return_script_content*. Raises a `CallFailed` when iterated. Document: `get_script_version_list`.

    >>> versions = client.get_script_version_list("c0ffee00000000000000000000000001")
    >>> [(version.id, version.version) async for version in versions]
    [(501, '2.0'), (500, '1.0')]
    """
    return PagedList(
        client,
        build(
            GetScriptVersionList,
            scope=client._needed_scope(scope),
            script_id=script_id,
            return_script_content=return_script_content,
            length=length,
        ),
        request_timeout,
    )


async def get_public_script_version_detail(
    client: Caller,
    *,
    id: int | None = None,
    script_id: str | None = None,
    version: str | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> ScriptVersion:
    """Return one version of a public script, by *id*, or by *script_id* and *version*.

    Its content is plain text. *scope* is any that the user may see, by default the client's: `esb-job` needs
    one. Raises a `CallFailed`. Document: `get_public_script_version_detail`.

    >>> version = await client.get_public_script_version_detail(id=510)
    >>> version.name
    'clean up'
    """
    return await client._call(
        build(
            GetPublicScriptVersionDetail,
            scope=scope or client.scope,
            id=id,
            script_id=script_id,
            version=version,
        ),
        request_timeout,
    )


async def get_script_version_detail(
    client: Caller,
    *,
    id: int | None = None,
    script_id: str | None = None,
    version: str | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> ScriptVersion:
    """Return one version of a script, by *id*, or by *script_id* and *version*.

    *scope* owns the script. Its content is plain text. Raises a `CallFailed`. Document:
    `get_script_version_detail`.

    >>> version = await client.get_script_version_detail(id=501)
    >>> version.version, version.content
    ('2.0', 'uptime')
    """
    return await client._call(
        build(
            GetScriptVersionDetail,
            scope=client._needed_scope(scope),
            id=id,
            script_id=script_id,
            version=version,
        ),
        request_timeout,
    )


def get_cron_list(
    client: Caller,
    *,
    creator: str | None = None,
    create_time_start: datetime | None = None,
    create_time_end: datetime | None = None,
    last_modify_user: str | None = None,
    last_modify_time_start: datetime | None = None,
    last_modify_time_end: datetime | None = None,
    name: str | None = None,
    id: int | None = None,
    status: int | None = None,
    length: int = USUAL_PAGE,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[CronJob]:
    """Return the crons of a scope, for `async for`; an *id* makes the platform ignore every other filter.

    *name* is a part of their name. *scope* owns the crons; *status* 1 is on, 2 off. *creator* and
    *last_modify_user* are users; each pair of times, which carry a zone, encloses the creation
    (*create_time_start*, *create_time_end*) or the last change (*last_modify_time_start*,
    *last_modify_time_end*). *length* is that of the page. Times are given in pairs. Raises a `CallFailed`
    when iterated. Document: `get_cron_list`.

    >>> [(cron.name, cron.expression) async for cron in client.get_cron_list(id=300)]
    [('every night', '0 4 * * ?')]
    """
    return PagedList(
        client,
        build(
            GetCronList,
            scope=client._needed_scope(scope),
            creator=creator,
            create_time_start=create_time_start,
            create_time_end=create_time_end,
            last_modify_user=last_modify_user,
            last_modify_time_start=last_modify_time_start,
            last_modify_time_end=last_modify_time_end,
            item_name=name,
            id=id,
            status=status,
            length=length,
        ),
        request_timeout,
    )


async def get_cron_detail(
    client: Caller, id: int, *, scope: Scope | None = None, request_timeout: float | None = None
) -> CronJob:
    """Return a cron with its global variables.

    *scope* owns the cron, *id* is its number. Raises a `CallFailed`: `NotFound` or `InvalidRequest` for an
    unknown one. Document: `get_cron_detail`.

    >>> cron = await client.get_cron_detail(300)
    >>> cron.expression, cron.execute_time_zone
    ('0 4 * * ?', 'Asia/Shanghai')
    """
    return await client._call(build(GetCronDetail, scope=client._needed_scope(scope), id=id), request_timeout)
