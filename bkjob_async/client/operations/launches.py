"""Operations that `model/operations/launches.py` describes; written by `python -m tests.generate`: change that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bkjob_async.client.caller import Caller, build
from bkjob_async.model.operations.launches import (
    ExecuteJobPlan,
    FastExecuteScript,
    FastExecuteSql,
    FastTransferFile,
    FileSource,
    GlobalVarsLike,
    PushConfigFile,
    RollingConfig,
)
from bkjob_async.model.operations.responses import JobLaunch
from bkjob_async.model.operations.targets import TargetsLike
from bkjob_async.model.refs import Scope
from bkjob_async.wire.tracebacks import hide_arguments


@hide_arguments
async def execute_job_plan(
    client: Caller,
    job_plan_id: int,
    global_var_list: GlobalVarsLike = (),
    *,
    callback_url: str | None = None,
    start_task: bool | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobLaunch:
    """Start a job plan; it is sent once.

    *scope* owns the plan, *job_plan_id* is its number. *global_var_list* holds `GlobalVar` values, or maps
    names to texts or `Targets`. *callback_url* is called when the job ends. With *start_task* False the job
    waits, pending, for `operate_job_instance`. Raises a `CallFailed`: `NotFound` for an unknown plan,
    `QuotaExceeded` when too many jobs run, `OutcomeUnknown` when there is no clear response. Not in
    `gateway-v4` (`NotSupported`). Documents: `execute_job_plan`, in `esb-job` `execute_job`.

    >>> launch = await client.execute_job_plan(1000)
    >>> print(launch.ref)
    2:20000000002
    """
    return await client._call(
        build(
            ExecuteJobPlan,
            scope=client._needed_scope(scope),
            job_plan_id=job_plan_id,
            global_vars=global_var_list,
            callback_url=client._callback_url(callback_url, ExecuteJobPlan),
            start_task=start_task,
        ),
        request_timeout,
    )


@hide_arguments
async def fast_execute_script(
    client: Caller,
    script_content: str | None,
    target_server: TargetsLike,
    *,
    script_language: int | None = None,
    script_param: str | None = None,
    script_id: str | int | None = None,
    script_version_id: int | None = None,
    account_alias: str | None = None,
    account_id: int | None = None,
    timeout: int | None = None,
    is_param_sensitive: bool = False,
    task_name: str | None = None,
    callback_url: str | None = None,
    rolling_config: RollingConfig | None = None,
    windows_interpreter: str | None = None,
    start_task: bool | None = None,
    host_password_list: Iterable[Mapping[str, object]] = (),
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobLaunch:
    """Run a script on hosts; it is sent once.

    *script_content* and *script_param* are plain text, encoded once on the way; or name a *script_id* or
    *script_version_id*. *script_language* is a `ScriptLanguage`, SHELL unless given. *target_server* is
    `Targets`, or one host or many as `HostKey`, `bk_host_id` or `"cloud:ip"`. The account is named by
    *account_alias* or *account_id*. *timeout* is the script's, in seconds, 1-259200 (`esb-job` 60-86400, the
    platform's default is 7200); a method's *request_timeout* is that of the call.

    *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends.
    *is_param_sensitive* hides the parameters on the platform, *rolling_config* is a `RollingConfig`. With
    *start_task* False the job waits, pending, for `operate_job_instance`. *windows_interpreter* is a path on
    Windows hosts, *host_password_list* has passwords of such hosts, under the platform's names.

    Raises a `CallFailed`: `InvalidRequest` for bad hosts or accounts, `QuotaExceeded`, `OutcomeUnknown` when
    no clear response came back. In every dialect. Document: `fast_execute_script`.

    >>> launch = await client.fast_execute_script("uptime", "0:10.0.0.1", account_alias="root")
    >>> print(launch.ref, launch.step)
    2:20000000002 2:20000000002/30000000002
    """
    return await client._call(
        build(
            FastExecuteScript,
            scope=client._needed_scope(scope),
            targets=target_server,
            script_content=script_content,
            script_language=script_language,
            script_param=script_param,
            script_id=script_id,
            script_version_id=script_version_id,
            account_alias=account_alias,
            account_id=account_id,
            timeout=timeout,
            is_param_sensitive=is_param_sensitive,
            task_name=task_name,
            callback_url=client._callback_url(callback_url, FastExecuteScript),
            rolling_config=rolling_config,
            windows_interpreter=windows_interpreter,
            start_task=start_task,
            host_password_list=host_password_list,
        ),
        request_timeout,
    )


@hide_arguments
async def fast_execute_sql(
    client: Caller,
    script_content: str | None,
    target_server: TargetsLike,
    *,
    db_account_id: int,
    script_id: str | int | None = None,
    script_version_id: int | None = None,
    timeout: int | None = None,
    task_name: str | None = None,
    callback_url: str | None = None,
    start_task: bool | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobLaunch:
    """Run SQL as a database account; it is sent once.

    *script_content* is plain text, encoded once on the way; *script_id* or *script_version_id* names a stored
    script instead. *target_server* names the hosts, *db_account_id* is the database account. *timeout* is the
    script's, in seconds. *scope* owns the job, *task_name* is its name, and *callback_url* is called when it
    ends. With *start_task* False the job waits, pending, for `operate_job_instance`. Raises a `CallFailed`,
    `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`). Document:
    `fast_execute_sql`.

    >>> launch = await client.fast_execute_sql("SELECT 1", 1, db_account_id=3)
    >>> print(launch.ref)
    2:20000000002
    """
    return await client._call(
        build(
            FastExecuteSql,
            scope=client._needed_scope(scope),
            targets=target_server,
            db_account_id=db_account_id,
            script_content=script_content,
            script_id=script_id,
            script_version_id=script_version_id,
            timeout=timeout,
            task_name=task_name,
            callback_url=client._callback_url(callback_url, FastExecuteSql),
            start_task=start_task,
        ),
        request_timeout,
    )


@hide_arguments
async def fast_transfer_file(
    client: Caller,
    file_source_list: FileSource | Iterable[FileSource],
    file_target_path: str,
    target_server: TargetsLike,
    *,
    file_target_name: str | None = None,
    account_alias: str | None = None,
    account_id: int | None = None,
    transfer_mode: int | None = None,
    timeout: int | None = None,
    upload_speed_limit: int | None = None,
    download_speed_limit: int | None = None,
    task_name: str | None = None,
    callback_url: str | None = None,
    rolling_config: RollingConfig | None = None,
    start_task: bool | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobLaunch:
    """Send files from hosts or file sources to hosts; it is sent once.

    *file_source_list* holds `FileSource` values; local files (`FileSourceType.LOCAL`) are uploaded first, to
    the URLs of `generate_local_file_upload_url`. *file_target_path* is a directory on the hosts of
    *target_server*, *file_target_name* renames a single file on its way. The account is named by
    *account_alias* or *account_id*. *transfer_mode* is a `TransferMode`; *timeout* is the transfer's, in
    seconds; *upload_speed_limit* and *download_speed_limit* are megabytes per second, None for no limits.

    *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends. *rolling_config*
    is a `RollingConfig`. With *start_task* False the job waits, pending, for `operate_job_instance`. Raises a
    `CallFailed`, `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`).
    Documents: `fast_transfer_file`, in `esb-job` `fast_push_file`.

    >>> source = bkjob.FileSource(files="/etc/hosts", server=2, account_alias="root")
    >>> launch = await client.fast_transfer_file(source, "/tmp/", [1, 3], account_alias="root")
    >>> print(launch.ref)
    2:20000000002
    """
    return await client._call(
        build(
            FastTransferFile,
            scope=client._needed_scope(scope),
            sources=file_source_list,
            file_target_path=file_target_path,
            file_target_name=file_target_name,
            targets=target_server,
            account_alias=account_alias,
            account_id=account_id,
            transfer_mode=transfer_mode,
            timeout=timeout,
            upload_speed_limit=upload_speed_limit,
            download_speed_limit=download_speed_limit,
            task_name=task_name,
            callback_url=client._callback_url(callback_url, FastTransferFile),
            rolling_config=rolling_config,
            start_task=start_task,
        ),
        request_timeout,
    )


@hide_arguments
async def push_config_file(
    client: Caller,
    file_list: Mapping[str, str | bytes],
    file_target_path: str,
    target_server: TargetsLike,
    *,
    account_alias: str | None = None,
    account_id: int | None = None,
    task_name: str | None = None,
    callback_url: str | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobLaunch:
    """Put small text files onto hosts; it is sent once.

    *file_list* maps file names to contents, text or bytes, encoded once on the way. *file_target_path* is a
    directory on the hosts of *target_server*. *account_alias* or *account_id* names the account. *scope* owns
    the job, *task_name* is its name, and *callback_url*, which `esb-job` does not take, is called when it
    ends. In `esb-job` targets are either hosts or groups and nodes; its current backend reads hosts by
    address only and refuses all others (bk-job's `EsbPushConfigFileResourceImpl`). Raises a `CallFailed`,
    `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`). Document:
    `push_config_file`.

    >>> launch = await client.push_config_file({"motd": b"Hello"}, "/etc/", [1, 2], account_alias="root")
    >>> print(launch.ref)
    2:20000000002
    """
    return await client._call(
        build(
            PushConfigFile,
            scope=client._needed_scope(scope),
            files=file_list,
            file_target_path=file_target_path,
            targets=target_server,
            account_alias=account_alias,
            account_id=account_id,
            task_name=task_name,
            callback_url=client._callback_url(callback_url, PushConfigFile),
        ),
        request_timeout,
    )
