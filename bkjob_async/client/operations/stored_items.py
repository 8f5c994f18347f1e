"""Read items stored on the platform: plans, templates, accounts and crons."""

from __future__ import annotations

from datetime import datetime

from bkjob_async.client.caller import Caller, build
from bkjob_async.client.operations.paged_list import USUAL_PAGE, PagedList, list_items
from bkjob_async.model.operations.stored_items import CronJob, JobPlan, JobTemplate, StoredAccount
from bkjob_async.model.operations.stored_queries import (
    GetAccountList,
    GetCronDetail,
    GetCronList,
    GetJobPlanDetail,
    GetJobPlanList,
    GetJobTemplateList,
)
from bkjob_async.model.refs import Scope


def get_job_template_list(
    client: Caller,
    *,
    name: str | None = None,
    creator: str | None = None,
    create_time_start: datetime | None = None,
    create_time_end: datetime | None = None,
    last_modify_user: str | None = None,
    last_modify_time_start: datetime | None = None,
    last_modify_time_end: datetime | None = None,
    length: int = USUAL_PAGE,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[JobTemplate]:
    """Return the job templates whose name contains *name*, for `async for`.

    Times carry a zone and are given in pairs. Raises a `CallFailed` when iterated. Document:
    `get_job_template_list`.

    >>> [template.name async for template in client.get_job_template_list()]
    ['usual jobs']
    """
    query = build(
        GetJobTemplateList,
        scope=client._needed_scope(scope),
        item_name=name,
        creator=creator,
        create_time_start=create_time_start,
        create_time_end=create_time_end,
        last_modify_user=last_modify_user,
        last_modify_time_start=last_modify_time_start,
        last_modify_time_end=last_modify_time_end,
        length=length,
    )
    return list_items(client, query, request_timeout)


def get_job_plan_list(
    client: Caller,
    *,
    job_template_id: int | None = None,
    name: str | None = None,
    creator: str | None = None,
    create_time_start: datetime | None = None,
    create_time_end: datetime | None = None,
    last_modify_user: str | None = None,
    last_modify_time_start: datetime | None = None,
    last_modify_time_end: datetime | None = None,
    length: int = USUAL_PAGE,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[JobPlan]:
    """Return the job plans whose name contains *name*, or those of a template, for `async for`.

    Times carry a zone and are given in pairs. Raises a `CallFailed` when iterated. Document:
    `get_job_plan_list`.

    >>> [(plan.id, plan.name) async for plan in client.get_job_plan_list(name="release")]
    [(1001, 'release')]
    """
    query = build(
        GetJobPlanList,
        scope=client._needed_scope(scope),
        job_template_id=job_template_id,
        item_name=name,
        creator=creator,
        create_time_start=create_time_start,
        create_time_end=create_time_end,
        last_modify_user=last_modify_user,
        last_modify_time_start=last_modify_time_start,
        last_modify_time_end=last_modify_time_end,
        length=length,
    )
    return list_items(client, query, request_timeout)


async def get_job_plan_detail(
    client: Caller, job_plan_id: int, *, scope: Scope | None = None, request_timeout: float | None = None
) -> JobPlan:
    """Return a job plan with its steps and its global variables.

    Scripts are plain text. Raises a `CallFailed`: `NotFound` or `InvalidRequest` for an unknown plan.
    Document: `get_job_plan_detail`.

    >>> plan = await client.get_job_plan_detail(1000)
    >>> [step.name for step in plan.steps]
    ['step 1']
    """
    query = build(GetJobPlanDetail, scope=client._needed_scope(scope), job_plan_id=job_plan_id)
    return await client._call(query, request_timeout)


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

    *category* is an `AccountCategory`. Raises a `CallFailed` when iterated. Document: `get_account_list`.

    >>> [account.alias async for account in client.get_account_list()]
    ['root', 'system', 'dba']
    """
    query = build(
        GetAccountList,
        scope=client._needed_scope(scope),
        category=category,
        account=account,
        alias=alias,
        length=length,
    )
    return list_items(client, query, request_timeout)


def get_cron_list(
    client: Caller,
    *,
    name: str | None = None,
    id: int | None = None,  # noqa: A002 - the platform's word
    status: int | None = None,
    creator: str | None = None,
    create_time_start: datetime | None = None,
    create_time_end: datetime | None = None,
    last_modify_user: str | None = None,
    last_modify_time_start: datetime | None = None,
    last_modify_time_end: datetime | None = None,
    length: int = USUAL_PAGE,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[CronJob]:
    """Return the crons of a scope, for `async for`; an *id* makes the platform ignore every other filter.

    *status* 1 is on. Times carry a zone and are given in pairs. Raises a `CallFailed` when iterated.
    Document: `get_cron_list`.

    >>> [(cron.name, cron.expression) async for cron in client.get_cron_list(id=300)]
    [('every night', '0 4 * * ?')]
    """
    query = build(
        GetCronList,
        scope=client._needed_scope(scope),
        item_name=name,
        id=id,
        status=status,
        creator=creator,
        create_time_start=create_time_start,
        create_time_end=create_time_end,
        last_modify_user=last_modify_user,
        last_modify_time_start=last_modify_time_start,
        last_modify_time_end=last_modify_time_end,
        length=length,
    )
    return list_items(client, query, request_timeout)


async def get_cron_detail(
    client: Caller,
    id: int,  # noqa: A002 - the platform's word
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> CronJob:
    """Return a cron with its global variables.

    Raises a `CallFailed`: `NotFound` or `InvalidRequest` for an unknown one. Document: `get_cron_detail`.

    >>> cron = await client.get_cron_detail(300)
    >>> cron.expression, cron.execute_time_zone
    ('0 4 * * ?', 'Asia/Shanghai')
    """
    query = build(GetCronDetail, scope=client._needed_scope(scope), id=id)
    return await client._call(query, request_timeout)
