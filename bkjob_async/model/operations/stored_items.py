"""Items stored on the platform: templates, plans, accounts, scripts, crons."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from bkjob_async.model.operations.details import FileDetail, ScriptDetail
from bkjob_async.model.operations.targets import Targets
from bkjob_async.model.refs import Scope


@frozen(kw_only=True)
class StoredItem:
    """Who created an item and who changed it last; *raw* is the platform's own data about it.

    *scope* is None for public items. Times carry a zone.
    """

    scope: Scope | None = None
    creator: str = ""
    create_time: datetime | None = None
    last_modify_user: str = ""
    last_modify_time: datetime | None = None
    raw: Mapping[str, Any] = field(factory=dict, repr=False, eq=False)


@frozen(kw_only=True)
class PlanVariable:
    """A global variable of a plan or cron; *type* is a `VariableType`, *server* a variable's hosts.

    *value* may be secret and is not in the repr. *is_used* is None where the platform does not report it.

    *id* is its number, *name* its name, *description* its text. *is_required*: a launch has to give a value.
    """

    id: int | None = None
    name: str = ""
    type: int | None = None
    value: str | None = field(default=None, repr=False)
    server: Targets | None = None
    description: str = ""
    is_required: bool = False
    is_used: bool | None = None


@frozen(kw_only=True)
class PlanStep:
    """A step of a plan and what it does. *type* is a `StepType`.

    *id* is its number, *name* its name. What it does is in *script*, *file*, or *approval_message*; the
    others are None. *raw* is the platform's whole data.
    """

    id: int | None = None
    name: str = ""
    type: int | None = None
    script: ScriptDetail | None = None
    file: FileDetail | None = None
    approval_message: str | None = None
    raw: Mapping[str, Any] = field(factory=dict, repr=False, eq=False)


@frozen(kw_only=True)
class JobTemplate(StoredItem):
    """A job template, from which plans are created.

    *steps* and *global_vars* come with `get_job_template_detail` only.

    *scope* is None for public items. *creator* and *last_modify_user* are users, *create_time* and
    *last_modify_time* carry a zone. *raw* is the platform's whole data. *id* is its number, *name* its name,
    *description* its text.
    """

    id: int
    name: str = ""
    description: str = ""
    steps: tuple[PlanStep, ...] = ()
    global_vars: tuple[PlanVariable, ...] = ()


@frozen(kw_only=True)
class JobPlan(StoredItem):
    """A job plan, which `execute_job_plan` starts; *need_update*: its template has changed since.

    *steps* and *global_vars* come with `get_job_plan_detail` only.

    *scope* is None for public items. *creator* and *last_modify_user* are users, *create_time* and
    *last_modify_time* carry a zone. *raw* is the platform's whole data. *id* is its number, *name* its name,
    *job_template_id* its template.
    """

    id: int
    name: str = ""
    job_template_id: int | None = None
    need_update: bool | None = None
    steps: tuple[PlanStep, ...] = ()
    global_vars: tuple[PlanVariable, ...] = ()


@frozen(kw_only=True)
class StoredAccount(StoredItem):
    """An account that scripts run as, by *id* or *alias*; *category* is an `AccountCategory`.

    *type* is the platform's number: 1 Linux, 2 Windows, 9 MySQL, 10 Oracle, 11 DB2.

    *scope* is None for public items. *creator* and *last_modify_user* are users, *create_time* and
    *last_modify_time* carry a zone. *raw* is the platform's whole data. *account* is the name on the host,
    *os* its system, *description* its text. *db_system_account_id* is the account on the host of a database
    account.
    """

    id: int
    account: str = ""
    alias: str = ""
    category: int | None = None
    type: int | None = None
    os: str = ""
    description: str = ""
    db_system_account_id: int | None = None


@frozen(kw_only=True)
class Script(StoredItem):
    """A script; *online_script_version_id* is None where no version is online.

    *scope* is None for public items. *creator* and *last_modify_user* are users, *create_time* and
    *last_modify_time* carry a zone. *raw* is the platform's whole data. *id* is its id, *name* its name,
    *description* its text. *script_language* is a `ScriptLanguage`.
    """

    id: str
    name: str = ""
    script_language: int | None = None
    online_script_version_id: int | None = None
    description: str = ""


@frozen(kw_only=True)
class ScriptVersion(StoredItem):
    """One version of a script; *status* is a `ScriptStatus`.

    *content* is plain text, None where it was not requested.

    *scope* is None for public items. *creator* and *last_modify_user* are users, *create_time* and
    *last_modify_time* carry a zone. *raw* is the platform's whole data. *id* is the version's number,
    *script_id* and *name* are those of the script. *version* is its label, *version_desc* what changed in it,
    *description* the script's text. *script_language* is a `ScriptLanguage`.
    """

    id: int
    script_id: str = ""
    name: str = ""
    version: str = ""
    content: str | None = field(default=None, repr=False)
    status: int | None = None
    version_desc: str = ""
    script_language: int | None = None
    description: str = ""


@frozen(kw_only=True)
class CronJob(StoredItem):
    """A plan that is started at set times; *status* is 1 while it is on.

    *expression* is crontab text, empty for a plan that runs once, at *execute_time*. *global_vars* come with
    `get_cron_detail` only.

    *scope* is None for public items. *creator* and *last_modify_user* are users, *create_time* and
    *last_modify_time* carry a zone. *raw* is the platform's whole data. *id* is its number, *name* its name,
    *job_plan_id* what it starts. *execute_time_zone* is that of the expression.
    """

    id: int
    name: str = ""
    status: int | None = None
    job_plan_id: int | None = None
    expression: str = ""
    execute_time: datetime | None = None
    execute_time_zone: str = ""
    global_vars: tuple[PlanVariable, ...] = ()
