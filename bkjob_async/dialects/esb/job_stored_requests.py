"""Parameters of the lists and details that the ESB's component `job` has of stored items."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from bkjob_async.dialects.esb.job_requests import refuse_here
from bkjob_async.errors import NotSupported
from bkjob_async.model.operations.codes import AccountCategory
from bkjob_async.model.operations.stored_queries import (
    GetAccountList,
    GetCronList,
    GetJobPlanDetail,
    GetJobPlanList,
    GetPublicScriptList,
    GetPublicScriptVersionDetail,
    GetScriptList,
    GetScriptVersionDetail,
    ListQuery,
)

# bk-job: EsbGetOSAccountResourceImpl.java, EsbGetDBAccountListResourceImpl.java
ACCOUNT_LISTS: dict[int | None, str] = {
    AccountCategory.SYSTEM: "get_os_account",
    AccountCategory.DATABASE: "get_own_db_account_list",
}


def day(name: str, value: datetime | None) -> str | None:
    """Return a time as the day that it begins; raise `NotSupported` for a time within a day."""
    if value is None:
        return None
    if value.time() != time.min:
        raise NotSupported(f"esb-job compares days, not times: {name} must be the beginning of a day")
    return value.date().isoformat()


def author_parameters(operation: GetJobPlanList | GetCronList) -> dict[str, Any]:
    """Return the filters by user and day, and the page."""
    days = ("create_time_start", "create_time_end", "last_modify_time_start", "last_modify_time_end")
    return {
        "creator": operation.creator,
        "last_modify_user": operation.last_modify_user,
        **{name: day(name, getattr(operation, name)) for name in days},
        **page_parameters(operation),
    }


def page_parameters(operation: ListQuery) -> dict[str, Any]:
    """Return the page."""
    return {"start": operation.start, "length": operation.length}


def plan_list_parameters(operation: GetJobPlanList) -> dict[str, Any]:
    """Return what `get_job_list` takes."""
    refuse_here("get_job_list", job_template_id=operation.job_template_id)
    return {"name": operation.item_name, **author_parameters(operation)}


def plan_parameters(operation: GetJobPlanDetail) -> dict[str, Any]:
    """Return what `get_job_detail` takes."""
    return {"bk_job_id": operation.job_plan_id}


def cron_list_parameters(operation: GetCronList) -> dict[str, Any]:
    """Return what `get_cron_list` takes."""
    return {
        "cron_name": operation.item_name,
        "cron_id": operation.id,
        "cron_status": operation.status,
        **author_parameters(operation),
    }


def script_list_parameters(operation: GetScriptList | GetPublicScriptList) -> dict[str, Any]:
    """Return what `get_script_list` and `get_public_script_list` take."""
    return {
        "script_name": operation.item_name,
        "script_type": operation.script_language,
        **page_parameters(operation),
    }


def script_parameters(operation: GetScriptVersionDetail | GetPublicScriptVersionDetail) -> dict[str, Any]:
    """Return what `get_script_detail` takes: the number of a version."""
    refuse_here("get_script_detail", script_id=operation.script_id, version=operation.version)
    return {"id": operation.id}


def account_list_name(operation: GetAccountList) -> str:
    """Return the list that has accounts of this category; raise `NotSupported` for all of them."""
    name = ACCOUNT_LISTS.get(operation.category)
    if name is None:
        raise NotSupported("esb-job lists the accounts of one category: category=1 (system) or 2 (database)")
    return name


def account_list_parameters(operation: GetAccountList) -> dict[str, Any]:
    """Return what the lists of accounts take; neither has pages."""
    refuse_here(account_list_name(operation), account=operation.account, alias=operation.alias)
    return {}
