"""Questions about what people keep on the platform: lists and details."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

from attrs import field, frozen, validators

from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.responses import Page
from bkjob_async.model.operations.stored_items import (
    CronJob,
    JobPlan,
    JobTemplate,
    Script,
    ScriptVersion,
    StoredAccount,
)
from bkjob_async.model.refs import Scope

T = TypeVar("T")

LONGEST_PAGE = 1000


def _has_zone(_operation: object, _attribute: object, value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise ValueError("a time needs a zone")


@frozen(kw_only=True)
class ListQuery(Operation[Page[T]], Generic[T]):
    """One page of a list, at most 1000 items."""

    start: int = field(default=0, validator=validators.ge(0))
    length: int = field(default=20, validator=validators.and_(validators.ge(1), validators.le(LONGEST_PAGE)))


@frozen(kw_only=True)
class EditedListQuery(ListQuery[T], Generic[T]):
    """A list that is filtered by who made something and who changed it last, and when; times carry a zone.

    The two ends of a span of time are given together.
    """

    scope: Scope
    creator: str | None = None
    create_time_start: datetime | None = field(default=None, validator=_has_zone)
    create_time_end: datetime | None = field(default=None, validator=_has_zone)
    last_modify_user: str | None = None
    last_modify_time_start: datetime | None = field(default=None, validator=_has_zone)
    last_modify_time_end: datetime | None = field(default=None, validator=_has_zone)


@frozen(kw_only=True)
class GetJobTemplateList(EditedListQuery[JobTemplate]):
    """Ask for job templates, by part of their name (*item_name*). Documents: `get_job_template_list`."""

    name = "get_job_template_list"

    item_name: str | None = None


@frozen(kw_only=True)
class GetJobPlanList(EditedListQuery[JobPlan]):
    """Ask for job plans, by part of their name (*item_name*) or template. Documents: `get_job_plan_list`."""

    name = "get_job_plan_list"

    job_template_id: int | None = None
    item_name: str | None = None


@frozen(kw_only=True)
class GetJobPlanDetail(Operation[JobPlan]):
    """Ask for one job plan with its steps and variables. Documents: `get_job_plan_detail`."""

    name = "get_job_plan_detail"

    scope: Scope
    job_plan_id: int


@frozen(kw_only=True)
class GetAccountList(ListQuery[StoredAccount]):
    """Ask for accounts; *category* is an `AccountCategory`. Documents: `get_account_list`."""

    name = "get_account_list"

    scope: Scope
    category: int | None = None
    account: str | None = None
    alias: str | None = None


@frozen(kw_only=True)
class GetPublicScriptList(ListQuery[Script]):
    """Ask for public scripts, by part of their name (*item_name*). Documents: `get_public_script_list`."""

    name = "get_public_script_list"

    item_name: str | None = None
    script_language: int | None = None


@frozen(kw_only=True)
class GetScriptList(GetPublicScriptList):
    """Ask for the scripts of a scope, by part of their name (*item_name*). Documents: `get_script_list`."""

    name = "get_script_list"

    scope: Scope


@frozen(kw_only=True)
class GetPublicScriptVersionList(ListQuery[ScriptVersion]):
    """Ask for the versions of a public script. Documents: `get_public_script_version_list`."""

    name = "get_public_script_version_list"

    script_id: str = field(converter=str)
    return_script_content: bool = False


@frozen(kw_only=True)
class GetScriptVersionList(GetPublicScriptVersionList):
    """Ask for the versions of a script. Documents: `get_script_version_list`."""

    name = "get_script_version_list"

    scope: Scope


@frozen(kw_only=True)
class GetPublicScriptVersionDetail(Operation[ScriptVersion]):
    """Ask for one version of a public script, by *id*, or by *script_id* and *version*.

    Documents: `get_public_script_version_detail`.
    """

    name = "get_public_script_version_detail"

    id: int | None = None
    script_id: str | None = None
    version: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.id is None and (self.script_id is None or self.version is None):
            raise ValueError("name a script's version by its id, or by script_id and version")


@frozen(kw_only=True)
class GetScriptVersionDetail(GetPublicScriptVersionDetail):
    """Ask for one version of a script, by *id*, or by *script_id* and *version*.

    Documents: `get_script_version_detail`.
    """

    name = "get_script_version_detail"

    scope: Scope


@frozen(kw_only=True)
class GetCronList(EditedListQuery[CronJob]):
    """Ask for crons, by name (*item_name*) or status; an *id* makes the platform ignore every other filter.

    Documents: `get_cron_list`.
    """

    name = "get_cron_list"

    item_name: str | None = None
    id: int | None = None
    status: int | None = None


@frozen(kw_only=True)
class GetCronDetail(Operation[CronJob]):
    """Ask for one cron with its variables. Documents: `get_cron_detail`."""

    name = "get_cron_detail"

    scope: Scope
    id: int
