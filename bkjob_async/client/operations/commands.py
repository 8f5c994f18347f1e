"""Operations that start or change something, under the platform's own names; each is sent once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bkjob_async.client.caller import Caller, build
from bkjob_async.errors import UsageError
from bkjob_async.model.operations.base import (
    OperateJobInstance,
    OperateStepInstance,
    OperationAccepted,
    StepOperation,
)
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
from bkjob_async.model.ref_input import JobRefLike, RefLike
from bkjob_async.model.refs import Scope
from bkjob_async.wire.tracebacks import hide_arguments


async def operate_step_instance(
    client: Caller,
    job_instance_id: RefLike,
    step_instance_id: int | StepOperation | None = None,
    operation_code: int | None = None,
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> OperationAccepted:
    """Retry, ignore, confirm, skip a step; *operation_code* is a `StepOperation` or an int.

    Behind what names a step, a `StepOperation` may stand in second place: `operate_step_instance(step, StepOperation.SKIP)`.

    It is sent once. Watches and waits of this client poll the job at once, and do not take its status for
    final until it changes. Raises a `CallFailed`: `WrongState` when the step is not in a state for it,
    `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`). Document:
    `operate_step_instance`.

    >>> accepted = await client.operate_step_instance(step, operation_code=bkjob.StepOperation.RETRY_FAILED_HOSTS)
    >>> print(accepted.ref)
    2:20000000001/30000000001
    """
    if isinstance(step_instance_id, StepOperation):
        if operation_code is not None:
            raise UsageError(f"one operation at a time: {step_instance_id!r} or {operation_code!r}")
        step_instance_id, operation_code = None, step_instance_id
    if operation_code is None:
        raise UsageError(
            "operate_step_instance needs an operation_code, such as operation_code=StepOperation.SKIP;"
            " a plain number in second place is the id of a step"
        )
    ref = client.step(job_instance_id, step_instance_id, scope=scope)
    command = OperateStepInstance(ref=ref, operation_code=operation_code)
    return await client._call(command, request_timeout)


async def operate_job_instance(
    client: Caller,
    job_instance_id: JobRefLike,
    operation_code: int,
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> OperationAccepted:
    """Terminate a job, or start a pending one; *operation_code* is a `JobOperation` or an int.

    It is sent once; watches and waits poll the job at once. Raises a `CallFailed`: `WrongState` when the job
    is not in a state for it, `OutcomeUnknown` when there is no clear response. Not in `gateway-v4`
    (`NotSupported`). Document: `operate_job_instance`.

    >>> launch = await client.execute_job_plan(1000)
    >>> accepted = await client.operate_job_instance(launch, operation_code=bkjob.JobOperation.TERMINATE)
    WrongState: operate_job_instance failed: Unsupported operation (code 1241003, HTTP 200, dialect gateway-v3, X-Bkapi-Request-Id 45849aaadaaa311451ad4d50b3042a96); read the status first: the operation is not possible in the present state
    >>> result = await client.wait(launch)
    >>> print(result.status)
    SUCCESS
    """
    ref = client.job(job_instance_id, scope=scope)
    return await client._call(OperateJobInstance(ref=ref, operation_code=operation_code), request_timeout)


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

    *global_var_list* holds `GlobalVar` values, or maps names to texts or `Targets`. With *start_task* False
    the job waits, pending, for `operate_job_instance`. Raises a `CallFailed`: `NotFound` for an unknown plan,
    `QuotaExceeded` when too many jobs run, `OutcomeUnknown` when there is no clear response. Not in
    `gateway-v4` (`NotSupported`). Documents: `execute_job_plan`, `execute_job`.

    >>> launch = await client.execute_job_plan(1000)
    >>> print(launch.ref)
    2:20000000002
    """
    command = build(
        ExecuteJobPlan,
        scope=client._needed_scope(scope),
        job_plan_id=job_plan_id,
        global_vars=global_var_list,
        callback_url=client._callback_url(callback_url),
        start_task=start_task,
    )
    return await client._call(command, request_timeout)


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
    timeout: int | None = None,  # noqa: ASYNC109 - the platform's word, for the script
    is_param_sensitive: bool = False,
    task_name: str | None = None,
    callback_url: str | None = None,
    rolling_config: RollingConfig | None = None,
    start_task: bool | None = None,
    windows_interpreter: str | None = None,
    host_password_list: Iterable[Mapping[str, object]] = (),
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobLaunch:
    """Run a script on hosts; it is sent once.

    *script_content* and *script_param* are plain text, encoded once on the way; or name a *script_id* or
    *script_version_id*. *script_language* is a `ScriptLanguage`, SHELL unless given. *target_server* is
    `Targets`, or one host or many as `HostKey`, `bk_host_id` or `"cloud:ip"`. The account is named by
    *account_alias* or *account_id*. *timeout* is the script's, in seconds, 1-259200 (`esb-job` 60-86400, the
    platform's default is 7200); *request_timeout* is this call's. Raises a `CallFailed`: `InvalidRequest` for
    bad hosts or accounts, `QuotaExceeded`, `OutcomeUnknown` when no clear response came back. In every dialect.
    Document: `fast_execute_script`.

    >>> launch = await client.fast_execute_script("uptime", "0:10.0.0.1", account_alias="root")
    >>> print(launch.ref, launch.step)
    2:20000000002 2:20000000002/30000000002
    """
    command = build(
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
        callback_url=client._callback_url(callback_url),
        rolling_config=rolling_config,
        start_task=start_task,
        windows_interpreter=windows_interpreter,
        host_password_list=host_password_list,
    )
    return await client._call(command, request_timeout)


@hide_arguments
async def fast_execute_sql(
    client: Caller,
    script_content: str | None,
    target_server: TargetsLike,
    *,
    db_account_id: int,
    script_id: str | int | None = None,
    script_version_id: int | None = None,
    timeout: int | None = None,  # noqa: ASYNC109 - the platform's word, for the script
    task_name: str | None = None,
    callback_url: str | None = None,
    start_task: bool | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobLaunch:
    """Run SQL as a database account; it is sent once.

    *script_content* is plain text, encoded once on the way; *timeout* is the script's, in seconds. Raises a
    `CallFailed`, `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`).
    Document: `fast_execute_sql`.

    >>> launch = await client.fast_execute_sql("SELECT 1", 1, db_account_id=3)
    >>> print(launch.ref)
    2:20000000002
    """
    command = build(
        FastExecuteSql,
        scope=client._needed_scope(scope),
        targets=target_server,
        db_account_id=db_account_id,
        script_content=script_content,
        script_id=script_id,
        script_version_id=script_version_id,
        timeout=timeout,
        task_name=task_name,
        callback_url=client._callback_url(callback_url),
        start_task=start_task,
    )
    return await client._call(command, request_timeout)


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
    timeout: int | None = None,  # noqa: ASYNC109 - the platform's word, for the transfer
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

    *file_target_name* renames a single file on its way. Local files (`FileSourceType.LOCAL`) are uploaded
    first, to the URLs of `generate_local_file_upload_url`. *transfer_mode* is a `TransferMode`; *timeout* is
    the transfer's, in seconds, the limits are megabytes per second. Raises a `CallFailed`, `OutcomeUnknown`
    when there is no clear response. Not in `gateway-v4` (`NotSupported`). Documents: `fast_transfer_file`,
    `fast_push_file`.

    >>> source = bkjob.FileSource(files="/etc/hosts", server=2, account_alias="root")
    >>> launch = await client.fast_transfer_file(source, "/tmp/", [1, 3], account_alias="root")
    >>> print(launch.ref)
    2:20000000002
    """
    command = build(
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
        callback_url=client._callback_url(callback_url),
        rolling_config=rolling_config,
        start_task=start_task,
    )
    return await client._call(command, request_timeout)


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

    *file_list* maps file names to contents, text or bytes, encoded once on the way. Raises a `CallFailed`,
    `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`). Document:
    `push_config_file`.

    >>> launch = await client.push_config_file({"motd": b"Hello"}, "/etc/", [1, 2], account_alias="root")
    >>> print(launch.ref)
    2:20000000002
    """
    # The oldest dialect cannot call back about these; a callback receiver of the client is no reason to
    # refuse them.
    can_call_back = client._session.dialect.capabilities.config_file_callback
    command = build(
        PushConfigFile,
        scope=client._needed_scope(scope),
        files=file_list,
        file_target_path=file_target_path,
        targets=target_server,
        account_alias=account_alias,
        account_id=account_id,
        task_name=task_name,
        callback_url=client._callback_url(callback_url) if callback_url or can_call_back else None,
    )
    return await client._call(command, request_timeout)
