"""Operations that read stored items: plans, templates, accounts, scripts and crons.

Each class is the whole description of its operation: `python -m tests.generate` writes the method, and the lists that name it.
"""

from __future__ import annotations

from datetime import datetime

from attrs import field, frozen

from bkjob_async.model.operations.base import Operation, has_zone
from bkjob_async.model.operations.queries import ListQuery
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


def text_of(given: str | int) -> str:
    """Return the id of a script as text."""
    return str(given)


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
    """Return the job templates whose name contains *item_name*, for `async for`.

    *scope* owns the templates. *creator* and *last_modify_user* are users; each pair of times, which carry a zone,
    encloses the creation (*create_time_start*, *create_time_end*) or the last change (*last_modify_time_start*,
    *last_modify_time_end*). *start* counts items from 0, and *length* is that of the page. Times are given in pairs.
    Raises a `CallFailed` when iterated. Document: `get_job_template_list`.

    >>> [template.name async for template in client.get_job_template_list()]
    ['usual jobs']
    """

    name = "get_job_template_list"

    item_name: str | None = None


@frozen(kw_only=True)
class GetJobPlanList(EditQuery, Operation[Page[JobPlan]]):
    """Return the job plans whose name contains *item_name*, or those of a template, for `async for`.

    *scope* owns the plans, *job_template_id* names their template. *creator* and *last_modify_user* are users; each
    pair of times, which carry a zone, encloses the creation (*create_time_start*, *create_time_end*) or the last
    change (*last_modify_time_start*, *last_modify_time_end*). *start* counts items from 0, and *length* is that of
    the page. Times are given in pairs. Raises a `CallFailed` when iterated. Document:
    `get_job_plan_list`.

    >>> [(plan.id, plan.name) async for plan in client.get_job_plan_list(name="release")]
    [(1001, 'release')]
    """

    name = "get_job_plan_list"

    job_template_id: int | None = None
    item_name: str | None = None


@frozen(kw_only=True)
class GetJobPlanDetail(Operation[JobPlan]):
    """Return a job plan with its steps and its global variables.

    *scope* owns the plan, *job_plan_id* is its number. Scripts are plain text. Raises a `CallFailed`: `NotFound` or
    `InvalidRequest` for an unknown plan. Document: `get_job_plan_detail`.

    >>> plan = await client.get_job_plan_detail(1000)
    >>> [step.name for step in plan.steps]
    ['step 1']
    """

    name = "get_job_plan_detail"

    scope: Scope
    job_plan_id: int


@frozen(kw_only=True)
class GetAccountList(ListQuery, Operation[Page[StoredAccount]]):
    """Return the accounts that scripts and SQL may run as, for `async for`.

    *scope* owns the accounts. *account* is the name on the host, *alias* the name on the platform. *start* counts
    items from 0, and *length* is that of the page. *category* is an `AccountCategory`. Raises a `CallFailed` when
    iterated. Document: `get_account_list`.

    >>> [account.alias async for account in client.get_account_list()]
    ['root', 'system', 'dba']
    """

    name = "get_account_list"

    scope: Scope
    category: int | None = None
    account: str | None = None
    alias: str | None = None


@frozen(kw_only=True)
class GetPublicScriptList(ListQuery, Operation[Page[Script]]):
    """Return the public scripts whose name contains *item_name*, for `async for`.

    *script_language* is a `ScriptLanguage`. *start* counts items from 0, and *length* is that of the page.
    *script_language* is a `ScriptLanguage`. Raises a `CallFailed` when iterated. Document: `get_public_script_list`.

    >>> [script.name async for script in client.get_public_script_list()]
    ['clean up']
    """

    name = "get_public_script_list"

    item_name: str | None = None
    script_language: int | None = None


@frozen(kw_only=True)
class GetScriptList(ListQuery, Operation[Page[Script]]):
    """Return the scripts whose name contains *item_name*, for `async for`.

    *scope* owns the scripts. *script_language* is a `ScriptLanguage`. *start* counts items from 0, and *length* is
    that of the page. *script_language* is a `ScriptLanguage`. Raises a `CallFailed` when iterated. Document:
    `get_script_list`.

    >>> [(script.id, script.name) async for script in client.get_script_list()]
    [('c0ffee00000000000000000000000001', 'show the load')]
    """

    name = "get_script_list"

    scope: Scope
    item_name: str | None = None
    script_language: int | None = None


@frozen(kw_only=True)
class GetPublicScriptVersionList(ListQuery, Operation[Page[ScriptVersion]]):
    """Return the versions of a public script, for `async for`.

    *script_id* names the script; *return_script_content* asks for its texts, too. *start* counts items from 0, and
    *length* is that of the page. Their contents come only with *return_script_content*. Raises a `CallFailed` when
    iterated. Document: `get_public_script_version_list`.

    >>> versions = client.get_public_script_version_list("c0ffee00000000000000000000000002")
    >>> [version.id async for version in versions]
    [510]
    """

    name = "get_public_script_version_list"

    script_id: str = field(converter=text_of)
    return_script_content: bool = False


@frozen(kw_only=True)
class GetScriptVersionList(ListQuery, Operation[Page[ScriptVersion]]):
    """Return the versions of a script, for `async for`.

    *scope* owns the script, *script_id* names it; *return_script_content* asks for its texts, too. *start* counts
    items from 0, and *length* is that of the page. Their contents come only with *return_script_content*. Raises a
    `CallFailed` when iterated. Document: `get_script_version_list`.

    >>> versions = client.get_script_version_list("c0ffee00000000000000000000000001")
    >>> [(version.id, version.version) async for version in versions]
    [(501, '2.0'), (500, '1.0')]
    """

    name = "get_script_version_list"

    scope: Scope
    script_id: str = field(converter=text_of)
    return_script_content: bool = False


@frozen(kw_only=True)
class GetPublicScriptVersionDetail(VersionQuery, Operation[ScriptVersion]):
    """Return one version of a public script, by *id*, or by *script_id* and *version*.

    Its content is plain text. *scope* is any that the user may see, by default the client's: `esb-job` needs one.
    Raises a `CallFailed`. Document: `get_public_script_version_detail`.

    >>> version = await client.get_public_script_version_detail(id=510)
    >>> version.name
    'clean up'
    """

    name = "get_public_script_version_detail"

    scope: Scope | None = None


@frozen(kw_only=True)
class GetScriptVersionDetail(VersionQuery, Operation[ScriptVersion]):
    """Return one version of a script, by *id*, or by *script_id* and *version*.

    *scope* owns the script. Its content is plain text. Raises a `CallFailed`. Document: `get_script_version_detail`.

    >>> version = await client.get_script_version_detail(id=501)
    >>> version.version, version.content
    ('2.0', 'uptime')
    """

    name = "get_script_version_detail"

    scope: Scope


@frozen(kw_only=True)
class GetCronList(EditQuery, Operation[Page[CronJob]]):
    """Return the crons of a scope, for `async for`; an *id* makes the platform ignore every other filter.

    *item_name* is a part of their name. *scope* owns the crons; *status* 1 is on, 2 off. *creator* and
    *last_modify_user* are users; each pair of times, which carry a zone, encloses the creation (*create_time_start*,
    *create_time_end*) or the last change (*last_modify_time_start*, *last_modify_time_end*). *start* counts items
    from 0, and *length* is that of the page. Times are given in pairs. Raises a `CallFailed` when iterated. Document:
    `get_cron_list`.

    >>> [(cron.name, cron.expression) async for cron in client.get_cron_list(id=300)]
    [('every night', '0 4 * * ?')]
    """

    name = "get_cron_list"

    item_name: str | None = None
    id: int | None = None
    status: int | None = None


@frozen(kw_only=True)
class GetCronDetail(Operation[CronJob]):
    """Return a cron with its global variables.

    *scope* owns the cron, *id* is its number. Raises a `CallFailed`: `NotFound` or `InvalidRequest` for an unknown
    one. Document: `get_cron_detail`.

    >>> cron = await client.get_cron_detail(300)
    >>> cron.expression, cron.execute_time_zone
    ('0 4 * * ?', 'Asia/Shanghai')
    """

    name = "get_cron_detail"

    scope: Scope
    id: int
