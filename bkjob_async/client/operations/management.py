"""Operations that `model/operations/management.py` describes; written by `python -m tests.generate`: change that."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bkjob_async.client.caller import Caller, build
from bkjob_async.client.operations.paged_list import PagedList
from bkjob_async.model.operations.codes import ScriptLanguage
from bkjob_async.model.operations.launches import GlobalVarsLike
from bkjob_async.model.operations.management import (
    AgentInfo,
    AuthorizedScope,
    CheckScript,
    CreateJobPlan,
    DeleteCron,
    GetFileSourceDetail,
    GetJobTemplateDetail,
    GetUserAuthorizedScopes,
    QueryAgentInfo,
    SaveCron,
    ScriptCheckItem,
    StoredFileSource,
    UpdateCronStatus,
)
from bkjob_async.model.operations.queries import USUAL_PAGE
from bkjob_async.model.operations.stored_items import CronJob, JobPlan, JobTemplate
from bkjob_async.model.refs import Scope
from bkjob_async.wire.tracebacks import hide_arguments


@hide_arguments
async def save_cron(
    client: Caller,
    *,
    job_plan_id: int | None = None,
    id: int | None = None,
    name: str | None = None,
    expression: str | None = None,
    execute_time: datetime | None = None,
    execute_time_zone: str | None = None,
    global_var_list: GlobalVarsLike = (),
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> CronJob:
    """Create a cron that starts a plan at set times, or change the one with *id*; it is sent once.

    A new cron is off: `update_cron_status` starts it. It needs *job_plan_id*, *name*, and *expression*
    (minute, hour, day, month, day of the week: `"0/5 * * * *"`) or *execute_time*, the one time at which it
    runs, which carries a zone. *execute_time_zone* is that of the expression, such as `"Asia/Shanghai"`, by
    default that of the business. *global_var_list* are values as `execute_job_plan` takes them. *scope* owns
    the cron.

    Raises a `CallFailed`: `InvalidRequest` for an expression, a plan or a variable that cannot be,
    `OutcomeUnknown` when there is no clear response. Document: `save_cron`.

    >>> cron = await client.save_cron(job_plan_id=1000, name="every morning", expression="30 6 * * *")
    >>> cron.name, cron.status
    ('every morning', 2)
    """
    return await client._call(
        build(
            SaveCron,
            scope=client._needed_scope(scope),
            job_plan_id=job_plan_id,
            id=id,
            item_name=name,
            expression=expression,
            execute_time=execute_time,
            execute_time_zone=execute_time_zone,
            global_vars=global_var_list,
        ),
        request_timeout,
    )


async def update_cron_status(
    client: Caller, id: int, status: int, *, scope: Scope | None = None, request_timeout: float | None = None
) -> None:
    """Turn a cron on or off; it is sent once.

    *id* is its number, *status* 1 for on, 2 for off, *scope* owns it. Raises a `CallFailed`: `NotFound` for
    an unknown cron, `OutcomeUnknown` when there is no clear response. Document: `update_cron_status`.

    >>> await client.update_cron_status(301, 1)
    >>> (await client.get_cron_detail(301)).status
    1
    """
    await client._call(
        build(UpdateCronStatus, scope=client._needed_scope(scope), id=id, status=status), request_timeout
    )


async def delete_cron(
    client: Caller, id: int, *, scope: Scope | None = None, request_timeout: float | None = None
) -> None:
    """Delete a cron; it is sent once.

    *id* is its number, *scope* owns it. Raises a `CallFailed`: `NotFound` for an unknown cron,
    `OutcomeUnknown` when there is no clear response. Document: `delete_cron`.

    >>> await client.delete_cron(301)
    >>> [cron.id async for cron in client.get_cron_list()]
    [300]
    """
    await client._call(build(DeleteCron, scope=client._needed_scope(scope), id=id), request_timeout)


@hide_arguments
async def check_script(
    client: Caller,
    content: str,
    *,
    script_language: int = ScriptLanguage.SHELL,
    request_timeout: float | None = None,
) -> tuple[ScriptCheckItem, ...]:
    """Return what the platform's rules for dangerous scripts find in a script; nothing is run.

    *content* is plain text, *script_language* a `ScriptLanguage`. Raises a `CallFailed`. Document:
    `check_script`.

    >>> found = await client.check_script("rm -rf /")
    >>> [(item.line, item.level, item.match_content) for item in found]
    [(1, 3, 'rm -rf /')]
    """
    return await client._call(
        build(CheckScript, content=content, script_language=script_language), request_timeout
    )


async def query_agent_info(
    client: Caller,
    host_id_list: int | Iterable[int],
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> tuple[AgentInfo, ...]:
    """Return state and version of the agents of hosts; a host without one is not among them.

    *host_id_list* has 1 to 5000 numbers of hosts, *scope* owns the hosts. In `gateway-v3` with `system=True`.
    Raises a `CallFailed`. Document: `query_agent_info`.

    >>> [(agent.bk_host_id, agent.status) for agent in await system.query_agent_info([1, 2])]
    [(1, 1), (2, 1)]
    """
    return await client._call(
        build(QueryAgentInfo, scope=client._needed_scope(scope), host_id_list=host_id_list), request_timeout
    )


async def get_file_source_detail(
    client: Caller, code: str, *, scope: Scope | None = None, request_timeout: float | None = None
) -> StoredFileSource:
    """Return a file source.

    *code* names it, *scope* owns it. In `gateway-v3`. Raises a `CallFailed`: `NotFound` for an unknown one.
    Document: `get_file_source_detail`.

    >>> source = await client.get_file_source_detail("releases")
    >>> source.alias, source.file_source_type_code
    ('releases', 'BLUEKING_ARTIFACTORY')
    """
    return await client._call(
        build(GetFileSourceDetail, scope=client._needed_scope(scope), code=code), request_timeout
    )


@hide_arguments
async def create_job_plan(
    client: Caller,
    job_template_id: int,
    name: str,
    *,
    enable_steps: int | Iterable[int] = (),
    variables: GlobalVarsLike = (),
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobPlan:
    """Create a plan of a template; it is sent once.

    *job_template_id* is the template, *name* the name of the plan, which no other plan of the template has.
    *enable_steps* has the numbers of the template's steps that the plan has, by default all. *variables* are
    values as `execute_job_plan` takes them; a `GlobalVar` with a name alone follows the template. *scope*
    owns both. In `gateway-v4`. Raises a `CallFailed`: `NotFound` for an unknown template, `OutcomeUnknown`
    when there is no clear response. Document: `create_job_plan`.

    >>> plan = await v4.create_job_plan(100, "release of tonight", variables={"version": "1.3"})
    >>> plan.name, plan.job_template_id
    ('release of tonight', 100)
    """
    return await client._call(
        build(
            CreateJobPlan,
            scope=client._needed_scope(scope),
            job_template_id=job_template_id,
            item_name=name,
            enable_steps=enable_steps,
            variables=variables,
        ),
        request_timeout,
    )


async def get_job_template_detail(
    client: Caller, id: int, *, scope: Scope | None = None, request_timeout: float | None = None
) -> JobTemplate:
    """Return a job template with all of its steps and its global variables.

    Scripts are plain text. *id* is its number, *scope* owns it. In `gateway-v4`. Raises a `CallFailed`:
    `NotFound` for an unknown one. Document: `get_job_template_detail`.

    >>> template = await v4.get_job_template_detail(100)
    >>> template.name, [variable.name for variable in template.global_vars]
    ('usual jobs', ['hosts', 'version'])
    """
    return await client._call(
        build(GetJobTemplateDetail, scope=client._needed_scope(scope), id=id), request_timeout
    )


def get_user_authorized_scopes(
    client: Caller, *, length: int = USUAL_PAGE, request_timeout: float | None = None
) -> PagedList[AuthorizedScope]:
    """Return the scopes that the user may use, for `async for`; those that the user has marked come first.

    *length* is that of a page, 200 at most. In `gateway-v4`. Raises a `CallFailed` when iterated. Document:
    `get_user_authorized_scopes`.

    >>> [(str(each.scope), each.favor) async for each in v4.get_user_authorized_scopes()]
    [('2', True), ('biz_set:3', False)]
    """
    return PagedList(client, build(GetUserAuthorizedScopes, length=length), request_timeout)
