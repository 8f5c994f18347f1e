"""Operations on crons, plans, templates, file sources, agents and scopes.

Each class is the whole description of its operation: `python -m tests.generate` writes the method, and the lists that name it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from attrs import field, frozen, validators

from bkjob_async.model.operations.base import Operation, has_zone
from bkjob_async.model.operations.codes import ScriptLanguage
from bkjob_async.model.operations.launches import GlobalVar, global_vars_of
from bkjob_async.model.operations.queries import ListQuery
from bkjob_async.model.operations.responses import Page
from bkjob_async.model.operations.stored_items import CronJob, JobPlan, JobTemplate, StoredItem
from bkjob_async.model.refs import Scope

# The platform answers for at most so many hosts at once.
MOST_AGENTS = 5000


def numbers(given: int | Iterable[int]) -> tuple[int, ...]:
    """Return one number or many."""
    return (given,) if isinstance(given, int) else tuple(given)


@frozen(kw_only=True)
class ScriptCheckItem:
    """What the platform's check of dangerous scripts has found in one line.

    *line* counts from 1, *line_content* is the line, *match_content* the part that matches. *level* is 1 for a warning, 2 for
    an error, 3 for a fatal one. *description* says what is wrong.
    """

    line: int | None = None
    line_content: str = ""
    match_content: str = ""
    level: int | None = None
    description: str = ""


@frozen(kw_only=True)
class AgentInfo:
    """The agent of a host.

    *bk_host_id* is the number of the host. *status* is 1 for an agent that can run jobs, 0 for another. *version* is the
    agent's.
    """

    bk_host_id: int
    status: int | None = None
    version: str = ""


@frozen(kw_only=True)
class StoredFileSource(StoredItem):
    """A file source, which `FileSource` names by *id* or *code*.

    *scope* is None for public items. *creator* and *last_modify_user* are users, *create_time* and *last_modify_time* carry
    a zone. *raw* is the platform's whole data. *alias* is its name, *file_source_type_code* its kind, *status* 1 where it
    can be reached. *is_public*: other scopes may use it. *credential_id* names its credential, *enable* whether it is on.
    """

    id: int
    code: str = ""
    alias: str = ""
    status: int | None = None
    file_source_type_code: str = ""
    is_public: bool | None = None
    credential_id: str = ""
    enable: bool | None = None


@frozen(kw_only=True)
class AuthorizedScope:
    """A scope that the user may use.

    *scope* is the scope, *name* its name, *time_zone* its zone. *favor*: the user has marked it, at *favor_time*.
    """

    scope: Scope | None = None
    name: str = ""
    favor: bool | None = None
    favor_time: datetime | None = None
    time_zone: str = ""


@frozen(kw_only=True)
class SaveCron(Operation[CronJob]):
    """Create a cron that starts a plan at set times, or change the one with *id*; it is sent once.

    A new cron is off: `update_cron_status` starts it. It needs *job_plan_id*, *item_name*, and *expression* (minute, hour,
    day, month, day of the week: `"0/5 * * * *"`) or *execute_time*, the one time at which it runs, which carries a zone.
    *execute_time_zone* is that of the expression, such as `"Asia/Shanghai"`, by default that of the business. *global_vars*
    are values as `execute_job_plan` takes them. *scope* owns the cron.

    Raises a `CallFailed`: `InvalidRequest` for an expression, a plan or a variable that cannot be, `OutcomeUnknown` when
    there is no clear response. Document: `save_cron`.

    >>> cron = await client.save_cron(job_plan_id=1000, name="every morning", expression="30 6 * * *")
    >>> cron.name, cron.status
    ('every morning', 2)
    """

    name = "save_cron"
    repeatable = False

    scope: Scope
    job_plan_id: int | None = None
    id: int | None = None
    item_name: str | None = None
    expression: str | None = None
    execute_time: datetime | None = field(default=None, validator=has_zone)
    execute_time_zone: str | None = None
    global_vars: tuple[GlobalVar, ...] = field(default=(), converter=global_vars_of)


@frozen(kw_only=True)
class UpdateCronStatus(Operation[None]):
    """Turn a cron on or off; it is sent once.

    *id* is its number, *status* 1 for on, 2 for off, *scope* owns it. Raises a `CallFailed`: `NotFound` for an unknown cron,
    `OutcomeUnknown` when there is no clear response. Document: `update_cron_status`.

    >>> await client.update_cron_status(301, 1)
    >>> (await client.get_cron_detail(301)).status
    1
    """

    name = "update_cron_status"
    repeatable = False

    scope: Scope
    id: int
    status: int = field(validator=validators.in_((1, 2)))


@frozen(kw_only=True)
class DeleteCron(Operation[None]):
    """Delete a cron; it is sent once.

    *id* is its number, *scope* owns it. Raises a `CallFailed`: `NotFound` for an unknown cron, `OutcomeUnknown` when there is
    no clear response. Document: `delete_cron`.

    >>> await client.delete_cron(301)
    >>> [cron.id async for cron in client.get_cron_list()]
    [300]
    """

    name = "delete_cron"
    repeatable = False

    scope: Scope
    id: int


@frozen(kw_only=True)
class CheckScript(Operation[tuple[ScriptCheckItem, ...]]):
    """Return what the platform's rules for dangerous scripts find in a script; nothing is run.

    *content* is plain text, *script_language* a `ScriptLanguage`. Raises a `CallFailed`. Document: `check_script`.

    >>> found = await client.check_script("rm -rf /")
    >>> [(item.line, item.level, item.match_content) for item in found]
    [(1, 3, 'rm -rf /')]
    """

    name = "check_script"

    content: str = field(repr=False)
    script_language: int = ScriptLanguage.SHELL


@frozen(kw_only=True)
class QueryAgentInfo(Operation[tuple[AgentInfo, ...]]):
    """Return state and version of the agents of hosts; a host without one is not among them.

    *host_id_list* has 1 to 5000 numbers of hosts, *scope* owns the hosts. In `gateway-v3` with `system=True`. Raises a
    `CallFailed`. Document: `query_agent_info`.

    >>> [(agent.bk_host_id, agent.status) for agent in await system.query_agent_info([1, 2])]
    [(1, 1), (2, 1)]
    """

    name = "query_agent_info"

    scope: Scope
    host_id_list: tuple[int, ...] = field(
        converter=numbers, validator=[validators.min_len(1), validators.max_len(MOST_AGENTS)]
    )


@frozen(kw_only=True)
class GetFileSourceDetail(Operation[StoredFileSource]):
    """Return a file source.

    *code* names it, *scope* owns it. In `gateway-v3`. Raises a `CallFailed`: `NotFound` for an unknown one. Document:
    `get_file_source_detail`.

    >>> source = await client.get_file_source_detail("releases")
    >>> source.alias, source.file_source_type_code
    ('releases', 'BLUEKING_ARTIFACTORY')
    """

    name = "get_file_source_detail"

    scope: Scope
    code: str


@frozen(kw_only=True)
class CreateJobPlan(Operation[JobPlan]):
    """Create a plan of a template; it is sent once.

    *job_template_id* is the template, *item_name* the name of the plan, which no other plan of the template has.
    *enable_steps* has the numbers of the template's steps that the plan has, by default all. *variables* are values as
    `execute_job_plan` takes them; a `GlobalVar` with a name alone follows the template. *scope* owns both. In `gateway-v4`.
    Raises a `CallFailed`: `NotFound` for an unknown template, `OutcomeUnknown` when there is no clear response. Document:
    `create_job_plan`.

    >>> plan = await v4.create_job_plan(100, "release of tonight", variables={"version": "1.3"})
    >>> plan.name, plan.job_template_id
    ('release of tonight', 100)
    """

    name = "create_job_plan"
    repeatable = False

    scope: Scope
    job_template_id: int
    item_name: str
    enable_steps: tuple[int, ...] = field(default=(), converter=numbers)
    variables: tuple[GlobalVar, ...] = field(default=(), converter=global_vars_of)


@frozen(kw_only=True)
class GetJobTemplateDetail(Operation[JobTemplate]):
    """Return a job template with all of its steps and its global variables.

    Scripts are plain text. *id* is its number, *scope* owns it. In `gateway-v4`. Raises a `CallFailed`: `NotFound` for an
    unknown one. Document: `get_job_template_detail`.

    >>> template = await v4.get_job_template_detail(100)
    >>> template.name, [variable.name for variable in template.global_vars]
    ('usual jobs', ['hosts', 'version'])
    """

    name = "get_job_template_detail"

    scope: Scope
    id: int


@frozen(kw_only=True)
class GetUserAuthorizedScopes(ListQuery, Operation[Page[AuthorizedScope]]):
    """Return the scopes that the user may use, for `async for`; those that the user has marked come first.

    *start* counts scopes from 0, and *length* is that of a page, 200 at most. In `gateway-v4`. Raises a `CallFailed` when
    iterated. Document: `get_user_authorized_scopes`.

    >>> [(str(each.scope), each.favor) async for each in v4.get_user_authorized_scopes()]
    [('2', True), ('biz_set:3', False)]
    """

    name = "get_user_authorized_scopes"
