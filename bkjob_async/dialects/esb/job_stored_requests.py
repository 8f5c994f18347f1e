"""Parameters of the lists and details that the ESB's component `job` has of stored items."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from bkjob_async.dialects.esb.job_requests import renamed_fields
from bkjob_async.errors import NotSupported, UsageError
from bkjob_async.model.operations import stored_queries as queries
from bkjob_async.model.operations.codes import AccountCategory

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


PAGE_NAMES = {"start": "start", "length": "length"}
AUTHOR_NAMES = {"creator": "creator", "last_modify_user": "last_modify_user", **PAGE_NAMES}
CRON_NAMES = {"cron_name": "item_name", "cron_id": "id", "cron_status": "status", **AUTHOR_NAMES}
SCRIPT_NAMES = {"script_name": "item_name", "script_type": "script_language", **PAGE_NAMES}
DAYS = ("create_time_start", "create_time_end", "last_modify_time_start", "last_modify_time_end")


def plan_list_parameters(operation: queries.GetJobPlanList) -> dict[str, Any]:
    """Return what `get_job_list` takes."""
    named = renamed_fields("get_job_list", operation, {"name": "item_name", **AUTHOR_NAMES}, *DAYS)
    return {**named, **days(operation)}


def days(operation: queries.GetJobPlanList | queries.GetCronList) -> dict[str, Any]:
    """Return the filters by day."""
    return {name: day(name, getattr(operation, name)) for name in DAYS}


def cron_list_parameters(operation: queries.GetCronList) -> dict[str, Any]:
    """Return what `get_cron_list` takes."""
    return {**renamed_fields(operation.name, operation, CRON_NAMES, *DAYS), **days(operation)}


def script_list_parameters(operation: queries.GetScriptList | queries.GetPublicScriptList) -> dict[str, Any]:
    """Return what `get_script_list` and `get_public_script_list` take."""
    return renamed_fields(operation.name, operation, SCRIPT_NAMES)


def script_parameters(
    operation: queries.GetScriptVersionDetail | queries.GetPublicScriptVersionDetail,
) -> dict[str, Any]:
    """Return what `get_script_detail` takes: the number of a version, and a scope for public scripts as well.

    bk-job: EsbGetScriptDetailRequest.java, EsbAppScopeReq.java
    """
    if operation.scope is None:
        raise UsageError("esb-job's get_script_detail needs a scope, for a public script any: pass scope=")
    return renamed_fields("get_script_detail", operation, {"id": "id"})


def account_list_name(operation: queries.GetAccountList) -> str:
    """Return the list that has accounts of this category; raise `NotSupported` for all of them."""
    name = ACCOUNT_LISTS.get(operation.category)
    if name is None:
        raise NotSupported("esb-job lists the accounts of one category: category=1 (system) or 2 (database)")
    return name


def account_list_parameters(operation: queries.GetAccountList) -> dict[str, Any]:
    """Return what the lists of accounts take: no category, as each has one, and no page."""
    return renamed_fields(account_list_name(operation), operation, {}, "category", *PAGE_NAMES)
