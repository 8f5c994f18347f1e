"""Operations that start jobs: plans, scripts, SQL, files. Each is sent once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen, validators

from bkjob_async.model.base_error import WrongType, WrongValue, check_several, in_range
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.codes import ScriptLanguage
from bkjob_async.model.operations.responses import JobLaunch
from bkjob_async.model.operations.targets import (
    Targets,
    TargetsLike,
    check_hosts,
    mappings,
    targets_of,
    texts,
)
from bkjob_async.model.refs import Scope

_seconds = validators.optional(in_range(1, 259_200))


def _optional_targets(value: TargetsLike | None) -> Targets | None:
    return None if value is None else targets_of(value)


def _optional_text(value: str | int | None) -> str | None:
    return None if value is None else str(value)


@frozen(kw_only=True)
class RollingFileSource:
    """How sources of files are divided into batches; None is no limit.

    *max_execute_object_num_in_batch* is the number of source hosts in a batch,
    *max_file_num_of_single_execute_object* that of the files of each.
    """

    max_execute_object_num_in_batch: int | None = None
    max_file_num_of_single_execute_object: int | None = None


@frozen(kw_only=True)
class RollingConfig:
    """How a step runs on its hosts in batches.

    *mode* is a `RollingMode`, *type* a `RollingType`, *execution_mode* a `RollingExecution`. *expression*
    divides the targets: `"1 10% +10 100%"`, parts `N`, `N%`, `+N`, `*N`; *file_source* divides the sources
    instead. Batches of a parallel execution, which has no *mode*, start one after the other:
    *batch_start_wait_fixed_ms* later each, and a random time between the other two; all three are 0-3600000
    milliseconds. *extra* holds further parameters under the platform's names.

    The random time is between *batch_start_wait_random_min_ms* and *batch_start_wait_random_max_ms*.
    """

    mode: int | None = None
    expression: str | None = None
    type: int | None = None
    execution_mode: int | None = None
    file_source: RollingFileSource | None = None
    batch_start_wait_fixed_ms: int | None = None
    batch_start_wait_random_min_ms: int | None = None
    batch_start_wait_random_max_ms: int | None = None
    extra: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class GlobalVar:
    """A value for a plan's global variable, named by *id* or *name*: a text, or *server* for hosts.

    *value* is the text.
    """

    id: int | None = None
    name: str | None = None
    value: str | None = field(default=None, repr=False)
    server: Targets | None = field(default=None, converter=_optional_targets)


GlobalVarsLike = Mapping[str, Any] | Iterable[GlobalVar]


def global_vars_of(given: GlobalVarsLike) -> tuple[GlobalVar, ...]:
    """Return variables given as such, or as a mapping of names to texts or targets."""
    if isinstance(given, Mapping):
        return tuple(_global_var(str(name), value) for name, value in given.items())
    return check_several("the variables", given, GlobalVar, "{'version': '1.3'}")


def _global_var(name: str, value: str | Targets) -> GlobalVar:
    if value is None:
        raise WrongType(f"the variable {name} is text or Targets, not NoneType: leave it out")
    if isinstance(value, str):
        return GlobalVar(name=name, value=value)
    return GlobalVar(name=name, server=value)


@frozen(kw_only=True)
class ExecuteJobPlan(Operation[JobLaunch]):
    """Start a job plan; it is sent once.

    *scope* owns the plan, *job_plan_id* is its number. *global_vars* holds `GlobalVar` values, or maps names to texts or
    `Targets`. *callback_url* is called when the job ends. With *start_task* False the job waits, pending, for
    `operate_job_instance`. Raises a `CallFailed`: `NotFound` for an unknown plan, `QuotaExceeded` when too many jobs run,
    `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`). Documents: `execute_job_plan`,
    in `esb-job` `execute_job`.

    >>> launch = await client.execute_job_plan(1000)
    >>> print(launch.ref)
    2:20000000002
    """

    name = "execute_job_plan"
    repeatable = False

    scope: Scope
    job_plan_id: int
    global_vars: tuple[GlobalVar, ...] = field(default=(), converter=global_vars_of)
    callback_url: str | None = field(default=None, repr=False)
    start_task: bool | None = None


@frozen(kw_only=True)
class ScriptFields:
    """What each operation takes that runs a script; `FastExecuteScript` describes it."""

    scope: Scope
    targets: Targets = field(converter=targets_of)
    script_content: str | None = field(default=None, repr=False)
    script_language: int | None = None
    script_param: str | None = field(default=None, repr=False)
    script_id: str | None = field(default=None, converter=_optional_text)
    script_version_id: int | None = None
    account_alias: str | None = None
    account_id: int | None = None
    timeout: int | None = field(default=None, validator=_seconds)
    is_param_sensitive: bool = False
    task_name: str | None = None
    callback_url: str | None = field(default=None, repr=False)
    rolling_config: RollingConfig | None = None
    windows_interpreter: str | None = None

    @property
    def language(self) -> int | None:
        """The language that is sent: SHELL for a text that comes without one."""
        is_shell = self.script_language is None and self.script_content is not None
        return ScriptLanguage.SHELL if is_shell else self.script_language


@frozen(kw_only=True)
class FastExecuteScript(ScriptFields, Operation[JobLaunch]):
    """Run a script on hosts; it is sent once.

    *script_content* and *script_param* are plain text, encoded once on the way; or name a *script_id* or
    *script_version_id*. *script_language* is a `ScriptLanguage`, SHELL unless given. *targets* is `Targets`, or one host
    or many as `HostKey`, `bk_host_id` or `"cloud:ip"`. The account is named by *account_alias* or *account_id*. *timeout*
    is the script's, in seconds, 1-259200 (`esb-job` 60-86400, the platform's default is 7200); a method's
    *request_timeout* is that of the call.

    *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends. *is_param_sensitive* hides
    the parameters on the platform, *rolling_config* is a `RollingConfig`. With *start_task* False the job waits, pending,
    for `operate_job_instance`. *windows_interpreter* is a path on Windows hosts, *host_password_list* has passwords of
    such hosts, under the platform's names.

    Raises a `CallFailed`: `InvalidRequest` for bad hosts or accounts, `QuotaExceeded`, `OutcomeUnknown` when no clear
    response came back. In every dialect. Document: `fast_execute_script`.

    >>> launch = await client.fast_execute_script("uptime", "0:10.0.0.1", account_alias="root")
    >>> print(launch.ref, launch.step)
    2:20000000002 2:20000000002/30000000002
    """

    name = "fast_execute_script"
    repeatable = False

    start_task: bool | None = None
    host_password_list: tuple[Mapping[str, Any], ...] = field(default=(), converter=mappings, repr=False)


@frozen(kw_only=True)
class FastExecuteSql(Operation[JobLaunch]):
    """Run SQL as a database account; it is sent once.

    *script_content* is plain text, encoded once on the way; *script_id* or *script_version_id* names a stored script
    instead. *targets* names the hosts, *db_account_id* is the database account. *timeout* is the script's, in seconds.
    *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends. With *start_task* False the
    job waits, pending, for `operate_job_instance`. Raises a `CallFailed`, `OutcomeUnknown` when there is no clear
    response. Not in `gateway-v4` (`NotSupported`). Document: `fast_execute_sql`.

    >>> launch = await client.fast_execute_sql("SELECT 1", 1, db_account_id=3)
    >>> print(launch.ref)
    2:20000000002
    """

    name = "fast_execute_sql"
    repeatable = False

    scope: Scope
    targets: Targets = field(converter=targets_of)
    db_account_id: int
    script_content: str | None = field(default=None, repr=False)
    script_id: str | None = field(default=None, converter=_optional_text)
    script_version_id: int | None = None
    timeout: int | None = field(default=None, validator=_seconds)
    task_name: str | None = None
    callback_url: str | None = field(default=None, repr=False)
    start_task: bool | None = None


def _has_files(_source: object, _attribute: object, files: tuple[str, ...]) -> None:
    """Raise `WrongValue` where no file is named."""
    if not files:
        raise WrongValue("files has no file: give one path or many, such as '/etc/hosts'")


def _names_hosts(_source: object, _attribute: object, server: Targets | None) -> None:
    """Raise `WrongValue` for a server that is given without hosts."""
    if server is not None:
        check_hosts("FileSource: server", server)


@frozen(kw_only=True)
class FileSource:
    """Files to send: paths on *server*'s hosts, in a third-party source by id or code, or files uploaded before.

    *file_type* is a `FileSourceType`, derived from the other arguments unless given. `LOCAL` files were
    uploaded to the URLs of `generate_local_file_upload_url`; *files* are the paths that it returned.

    *account_alias* or *account_id* names the account on the source hosts; *account_name* is sent beside it, and the
    platform of 2026 finds no account by it (bk-job's `EsbAccountV3BasicDTO`). *file_source_id* or *file_source_code*
    names the third-party source.
    """

    files: tuple[str, ...] = field(converter=texts, validator=_has_files)
    file_type: int | None = None
    server: Targets | None = field(default=None, converter=_optional_targets, validator=_names_hosts)
    account_alias: str | None = None
    account_id: int | None = None
    file_source_id: int | None = None
    file_source_code: str | None = None
    account_name: str | None = None

    @property
    def is_third_party(self) -> bool:
        """Whether the files are in a source that is not a host."""
        return self.file_source_id is not None or self.file_source_code is not None


def _sources(given: FileSource | Iterable[FileSource]) -> tuple[FileSource, ...]:
    if isinstance(given, FileSource):
        return (given,)
    return check_several("file_source_list", given, FileSource, "FileSource(files='/a', server='0:10.0.0.1')")


@frozen(kw_only=True)
class TransferFields:
    """What each operation takes that sends files; `FastTransferFile` describes it."""

    scope: Scope
    sources: tuple[FileSource, ...] = field(converter=_sources)
    file_target_path: str
    file_target_name: str | None = None
    targets: Targets = field(converter=targets_of)
    account_alias: str | None = None
    account_id: int | None = None
    transfer_mode: int | None = None
    timeout: int | None = field(default=None, validator=_seconds)
    upload_speed_limit: int | None = None
    download_speed_limit: int | None = None
    task_name: str | None = None
    callback_url: str | None = field(default=None, repr=False)
    rolling_config: RollingConfig | None = None


@frozen(kw_only=True)
class FastTransferFile(TransferFields, Operation[JobLaunch]):
    """Send files from hosts or file sources to hosts; it is sent once.

    *sources* holds `FileSource` values; local files (`FileSourceType.LOCAL`) are uploaded first, to the URLs of
    `generate_local_file_upload_url`. *file_target_path* is a directory on the hosts of *targets*, *file_target_name*
    renames a single file on its way. The account is named by *account_alias* or *account_id*. *transfer_mode* is a
    `TransferMode`; *timeout* is the transfer's, in seconds; *upload_speed_limit* and *download_speed_limit* are megabytes
    per second, None for no limits.

    *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends. *rolling_config* is a
    `RollingConfig`. With *start_task* False the job waits, pending, for `operate_job_instance`. Raises a `CallFailed`,
    `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`). Documents:
    `fast_transfer_file`, in `esb-job` `fast_push_file`.

    >>> source = bkjob.FileSource(files="/etc/hosts", server=2, account_alias="root")
    >>> launch = await client.fast_transfer_file(source, "/tmp/", [1, 3], account_alias="root")
    >>> print(launch.ref)
    2:20000000002
    """

    name = "fast_transfer_file"
    repeatable = False

    start_task: bool | None = None


@frozen(kw_only=True)
class PushConfigFile(Operation[JobLaunch]):
    """Put small text files onto hosts; it is sent once.

    *files* maps file names to contents, text or bytes, encoded once on the way. *file_target_path* is a directory on
    the hosts of *targets*. *account_alias* or *account_id* names the account. *scope* owns the job, *task_name* is its
    name, and *callback_url*, which `esb-job` does not take, is called when it ends. In `esb-job` targets are either
    hosts or groups and nodes; its current backend reads hosts by address only and refuses all others (bk-job's
    `EsbPushConfigFileResourceImpl`). Raises a `CallFailed`, `OutcomeUnknown` when there is no clear response. Not in
    `gateway-v4` (`NotSupported`). Document: `push_config_file`.

    >>> launch = await client.push_config_file({"motd": b"Hello"}, "/etc/", [1, 2], account_alias="root")
    >>> print(launch.ref)
    2:20000000002
    """

    name = "push_config_file"
    repeatable = False

    scope: Scope
    files: Mapping[str, str | bytes] = field(repr=False)
    file_target_path: str
    targets: Targets = field(converter=targets_of)
    account_alias: str | None = None
    account_id: int | None = None
    task_name: str | None = None
    callback_url: str | None = field(default=None, repr=False)
