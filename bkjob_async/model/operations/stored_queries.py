"""Operations that read stored items: plans, templates, accounts, scripts and crons."""

from __future__ import annotations

from datetime import datetime

from attrs import field, frozen, validators

from bkjob_async.model.operations.base import Operation, has_zone
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

LONGEST_PAGE = 1000


@frozen(kw_only=True)
class ListQuery:
    """A request for one page of a list: *length* items at most, 1 to 1000, from *start* on, which counts from 0."""

    start: int = field(default=0, validator=validators.ge(0))
    length: int = field(default=20, validator=validators.and_(validators.ge(1), validators.le(LONGEST_PAGE)))


@frozen(kw_only=True)
class EditQuery(ListQuery):
    """What each list takes of items that users make and change; `GetJobPlanList` describes it."""

    scope: Scope
    creator: str | None = None
    create_time_start: datetime | None = field(default=None, validator=has_zone)
    create_time_end: datetime | None = field(default=None, validator=has_zone)
    last_modify_user: str | None = None
    last_modify_time_start: datetime | None = field(default=None, validator=has_zone)
    last_modify_time_end: datetime | None = field(default=None, validator=has_zone)


@frozen(kw_only=True)
class VersionQuery:
    """What each request for one version of a script takes; `GetScriptVersionDetail` describes it."""

    id: int | None = None
    script_id: str | None = None
    version: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.id is None and (self.script_id is None or self.version is None):
            raise ValueError("name a script's version by its id, or by script_id and version")


@frozen(kw_only=True)
class GetJobTemplateList(EditQuery, Operation[Page[JobTemplate]]):
    """Ask for job templates, by part of their name (*item_name*). Documents: `get_job_template_list`.

    *scope* owns the templates. *creator* and *last_modify_user* are users; each pair of times, which carry a
    zone, encloses the creation (*create_time_start*, *create_time_end*) or the last change
    (*last_modify_time_start*, *last_modify_time_end*). *start* counts items from 0, and *length* is that of
    the page.
    """

    name = "get_job_template_list"

    item_name: str | None = None


@frozen(kw_only=True)
class GetJobPlanList(EditQuery, Operation[Page[JobPlan]]):
    """Ask for job plans, by part of their name (*item_name*) or template. Documents: `get_job_plan_list`.

    *scope* owns the plans, *job_template_id* names their template. *creator* and *last_modify_user* are
    users; each pair of times, which carry a zone, encloses the creation (*create_time_start*,
    *create_time_end*) or the last change (*last_modify_time_start*, *last_modify_time_end*). *start* counts
    items from 0, and *length* is that of the page.
    """

    name = "get_job_plan_list"

    job_template_id: int | None = None
    item_name: str | None = None


@frozen(kw_only=True)
class GetJobPlanDetail(Operation[JobPlan]):
    """Ask for one job plan with its steps and variables. Documents: `get_job_plan_detail`.

    *scope* owns the plan, *job_plan_id* is its number.
    """

    name = "get_job_plan_detail"

    scope: Scope
    job_plan_id: int


@frozen(kw_only=True)
class GetAccountList(ListQuery, Operation[Page[StoredAccount]]):
    """Ask for accounts; *category* is an `AccountCategory`. Documents: `get_account_list`.

    *scope* owns the accounts. *account* is the name on the host, *alias* the name on the platform. *start*
    counts items from 0, and *length* is that of the page.
    """

    name = "get_account_list"

    scope: Scope
    category: int | None = None
    account: str | None = None
    alias: str | None = None


@frozen(kw_only=True)
class GetPublicScriptList(ListQuery, Operation[Page[Script]]):
    """Ask for public scripts, by part of their name (*item_name*). Documents: `get_public_script_list`.

    *script_language* is a `ScriptLanguage`. *start* counts items from 0, and *length* is that of the page.
    """

    name = "get_public_script_list"

    item_name: str | None = None
    script_language: int | None = None


@frozen(kw_only=True)
class GetScriptList(ListQuery, Operation[Page[Script]]):
    """Ask for the scripts of a scope, by part of their name (*item_name*). Documents: `get_script_list`.

    *scope* owns the scripts. *script_language* is a `ScriptLanguage`. *start* counts items from 0, and
    *length* is that of the page.
    """

    name = "get_script_list"

    scope: Scope
    item_name: str | None = None
    script_language: int | None = None


@frozen(kw_only=True)
class GetPublicScriptVersionList(ListQuery, Operation[Page[ScriptVersion]]):
    """Ask for the versions of a public script. Documents: `get_public_script_version_list`.

    *script_id* names the script; *return_script_content* asks for its texts, too. *start* counts items from
    0, and *length* is that of the page.
    """

    name = "get_public_script_version_list"

    script_id: str = field(converter=str)
    return_script_content: bool = False


@frozen(kw_only=True)
class GetScriptVersionList(ListQuery, Operation[Page[ScriptVersion]]):
    """Ask for the versions of a script. Documents: `get_script_version_list`.

    *scope* owns the script, *script_id* names it; *return_script_content* asks for its texts, too. *start*
    counts items from 0, and *length* is that of the page.
    """

    name = "get_script_version_list"

    scope: Scope
    script_id: str = field(converter=str)
    return_script_content: bool = False


@frozen(kw_only=True)
class GetPublicScriptVersionDetail(VersionQuery, Operation[ScriptVersion]):
    """Ask for one version of a public script, by *id*, or by *script_id* and *version*.

    Documents: `get_public_script_version_detail`, in `esb-job` `get_script_detail`.

    *scope* is any that the user may see: `esb-job` needs one (bk-job's `EsbGetScriptDetailRequest`).
    """

    name = "get_public_script_version_detail"

    scope: Scope | None = None


@frozen(kw_only=True)
class GetScriptVersionDetail(VersionQuery, Operation[ScriptVersion]):
    """Ask for one version of a script, by *id*, or by *script_id* and *version*.

    Documents: `get_script_version_detail`.

    *scope* owns the script.
    """

    name = "get_script_version_detail"

    scope: Scope


@frozen(kw_only=True)
class GetCronList(EditQuery, Operation[Page[CronJob]]):
    """Ask for crons, by name (*item_name*) or status; an *id* makes the platform ignore every other filter.

    Documents: `get_cron_list`.

    *scope* owns the crons; *status* 1 is on, 2 off. *creator* and *last_modify_user* are users; each pair of
    times, which carry a zone, encloses the creation (*create_time_start*, *create_time_end*) or the last
    change (*last_modify_time_start*, *last_modify_time_end*). *start* counts items from 0, and *length* is
    that of the page.
    """

    name = "get_cron_list"

    item_name: str | None = None
    id: int | None = None
    status: int | None = None


@frozen(kw_only=True)
class GetCronDetail(Operation[CronJob]):
    """Ask for one cron with its variables. Documents: `get_cron_detail`.

    *scope* owns the cron, *id* is its number.
    """

    name = "get_cron_detail"

    scope: Scope
    id: int
