"""Operations that `model/operations/extra_operations.py` describes; written by `python -m tests.generate`: change that."""

from __future__ import annotations

from collections.abc import Iterable

from bkjob_async.client.caller import Caller, build
from bkjob_async.model.operations.details import GseTask, LocalFileUpload, StepDetail, TaskContextField
from bkjob_async.model.operations.extra_operations import (
    BkciPluginBatchGetJobInstanceExecuteObjectLog,
    BkciPluginFastExecuteScript,
    BkciPluginFastTransferFile,
    BkciPluginGetJobInstanceStatus,
    GenerateLocalFileUploadUrl,
    GetFileTaskContext,
    GetScriptTaskContext,
    GetStepInstanceDetail,
    QueryGseTask,
    QueryJobInstance,
)
from bkjob_async.model.operations.launches import FileSource, RollingConfig
from bkjob_async.model.operations.responses import JobLaunch, StepLogs
from bkjob_async.model.operations.targets import HostLike, TargetsLike
from bkjob_async.model.ref_input import JobRefLike, RefLike
from bkjob_async.model.refs import Scope, StepRef
from bkjob_async.model.snapshot import JobSnapshot
from bkjob_async.wire.tracebacks import hide_arguments


async def get_step_instance_detail(
    client: Caller,
    job_instance_id: RefLike,
    step_instance_id: int | None = None,
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> StepDetail:
    """Return what a step does: script or files, account, hosts, timeout in seconds.

    *job_instance_id* names the step, or its job beside a *step_instance_id*. In `gateway-v3`. Raises a
    `CallFailed`, elsewhere `NotSupported`. Document: `get_step_instance_detail`.

    >>> detail = await client.get_step_instance_detail(step)
    >>> detail.name, detail.script.timeout
    ('restart', 7200.0)
    """
    return await client._call(
        build(GetStepInstanceDetail, ref=client.step(job_instance_id, step_instance_id, scope=scope)),
        request_timeout,
    )


async def query_gse_task(
    client: Caller, step_instance_id: StepRef | int, *, request_timeout: float | None = None
) -> tuple[GseTask, ...]:
    """Return the agent's tasks behind a step, one for each batch of each execution.

    *step_instance_id* is a `StepRef` or the step's own id. In `gateway-v3` with `system=True`. Raises a
    `CallFailed`, elsewhere `NotSupported`. Document: `query_gse_task`.

    >>> [task.gse_task_id for task in await system.query_gse_task(step)]
    ['GSETASK:30000000001:0:0']
    """
    return await client._call(build(QueryGseTask, step_instance_id=step_instance_id), request_timeout)


async def query_job_instance(
    client: Caller, gse_task_id: str, *, request_timeout: float | None = None
) -> GseTask:
    """Return which step of which job an agent's task belongs to.

    *gse_task_id* is the agent's id of the task. In `gateway-v3` with `system=True`. Raises a `CallFailed`,
    elsewhere `NotSupported`. Document: `query_job_instance`.

    >>> task = await system.query_job_instance("GSETASK:30000000001:0:0")
    >>> print(task.ref)
    2:20000000001/30000000001
    """
    return await client._call(build(QueryJobInstance, gse_task_id=gse_task_id), request_timeout)


async def generate_local_file_upload_url(
    client: Caller,
    file_name_list: str | Iterable[str],
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> tuple[LocalFileUpload, ...]:
    """Return where to PUT local files, and the paths that name them to `fast_transfer_file` afterwards.

    *scope* owns the files, *file_name_list* has their names. Send them with
    `FileSource(files=..., file_type=FileSourceType.LOCAL)`. The URLs carry credentials and do not show. In
    `esb-jobv3`, and in `gateway-v3` with `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`.
    Document: `generate_local_file_upload_url`.

    >>> (upload,) = await system.generate_local_file_upload_url("app.tar.gz")
    >>> upload.file_name, upload.path
    ('app.tar.gz', '2/00000000-0000-0000-0000-019b76daa800/admin/app.tar.gz')
    """
    return await client._call(
        build(GenerateLocalFileUploadUrl, scope=client._needed_scope(scope), file_names=file_name_list),
        request_timeout,
    )


@hide_arguments
async def get_script_task_context(
    client: Caller,
    job_instance_id: RefLike,
    step_instance_id: int | None = None,
    *,
    host: HostLike,
    execute_count: int = 0,
    batch: int | None = None,
    content: str | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> tuple[TaskContextField, ...]:
    """Return what a host was to run and what it logged as its error, as named fields.

    *job_instance_id* names the step, or its job beside a *step_instance_id*. *host* has a `bk_host_id`, or is
    a container with its id; *content* is the part of its log to take as the error. *execute_count* is the
    execution, from 0; *batch* that of a rolling step. In `gateway-v4`, without `system=True`. Raises a
    `CallFailed`, elsewhere `NotSupported`. Document: `get_script_task_context`.

    >>> fields = await v4.get_script_task_context(step, host=2)
    >>> [field.name for field in fields]
    ['scriptType', 'scriptContent', 'secureParam', 'scriptParams', 'errorLog']
    """
    return await client._call(
        build(
            GetScriptTaskContext,
            ref=client.step(job_instance_id, step_instance_id, scope=scope),
            host=host,
            execute_count=execute_count,
            batch=batch,
            content=content,
        ),
        request_timeout,
    )


async def get_file_task_context(
    client: Caller,
    job_instance_id: RefLike,
    step_instance_id: int | None = None,
    *,
    host: HostLike,
    mode: int,
    execute_count: int = 0,
    batch: int | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> tuple[TaskContextField, ...]:
    """Return which files could not be transferred at a host, as named fields.

    *job_instance_id* names the step, or its job beside a *step_instance_id*. *host* has a `bk_host_id`, or is
    a container with its id; *mode* is a `FileMode`, the side of the transfer. *execute_count* is the
    execution, from 0; *batch* that of a rolling step. In `gateway-v4`, without `system=True`. Raises a
    `CallFailed`, elsewhere `NotSupported`. Document: `get_file_task_context`.

    >>> sent = await client.send_file("/etc/hosts", "/tmp/", 1, source=2)
    >>> fields = await v4.get_file_task_context(sent.steps[0].ref, host=1, mode=bkjob.codes.FileMode.DOWNLOAD)
    >>> [field.name for field in fields]
    ['errorSource', 'uploadFileErrorData', 'downloadFileErrorData']
    """
    return await client._call(
        build(
            GetFileTaskContext,
            ref=client.step(job_instance_id, step_instance_id, scope=scope),
            host=host,
            mode=mode,
            execute_count=execute_count,
            batch=batch,
        ),
        request_timeout,
    )


@hide_arguments
async def bkci_plugin_fast_execute_script(
    client: Caller,
    script_content: str | None,
    execute_target: TargetsLike,
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
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobLaunch:
    """Run a script on hosts or containers; it is sent once. See `fast_execute_script`.

    *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends. *execute_target*
    names hosts or containers. *script_content* and *script_param* are plain text; or *script_id* or
    *script_version_id* names a stored script. *script_language* is a `ScriptLanguage`, SHELL unless given.
    *account_alias* or *account_id* names the account. *timeout* is the script's, in seconds.
    *is_param_sensitive* hides the parameters on the platform, *rolling_config* is a `RollingConfig`,
    *windows_interpreter* a path on Windows hosts.

    In `gateway-v3` with `system=True`. Raises a `CallFailed`: `OutcomeUnknown` when there is no clear
    response; elsewhere `NotSupported`. Document: `bkci_plugin_fast_execute_script`.

    >>> launch = await system.bkci_plugin_fast_execute_script("uptime", [1, 2], account_alias="root")
    >>> print(launch.ref)
    2:20000000002
    """
    return await client._call(
        build(
            BkciPluginFastExecuteScript,
            scope=client._needed_scope(scope),
            targets=execute_target,
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
            callback_url=client._callback_url(callback_url, BkciPluginFastExecuteScript),
            rolling_config=rolling_config,
            windows_interpreter=windows_interpreter,
        ),
        request_timeout,
    )


@hide_arguments
async def bkci_plugin_fast_transfer_file(
    client: Caller,
    file_source_list: FileSource | Iterable[FileSource],
    file_target_path: str,
    execute_object: TargetsLike,
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
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobLaunch:
    """Send files to hosts or containers; it is sent once. See `fast_transfer_file`.

    *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends.
    *file_source_list* holds `FileSource` values; *file_target_path* is a directory on the hosts or containers
    of *execute_object*, *file_target_name* renames a single file. *account_alias* or *account_id* names the
    account. *transfer_mode* is a `TransferMode`, *timeout* is the transfer's, in seconds;
    *upload_speed_limit* and *download_speed_limit* are megabytes per second. *rolling_config* is a
    `RollingConfig`.

    In `gateway-v3` with `system=True`. Raises a `CallFailed`: `OutcomeUnknown` when there is no clear
    response; elsewhere `NotSupported`. Document: `bkci_plugin_fast_transfer_file`.

    >>> source = bkjob.FileSource(files="/etc/hosts", server=2, account_alias="root")
    >>> launch = await system.bkci_plugin_fast_transfer_file(source, "/tmp/", [1, 3], account_alias="root")
    >>> print(launch.ref)
    2:20000000002
    """
    return await client._call(
        build(
            BkciPluginFastTransferFile,
            scope=client._needed_scope(scope),
            sources=file_source_list,
            file_target_path=file_target_path,
            file_target_name=file_target_name,
            targets=execute_object,
            account_alias=account_alias,
            account_id=account_id,
            transfer_mode=transfer_mode,
            timeout=timeout,
            upload_speed_limit=upload_speed_limit,
            download_speed_limit=download_speed_limit,
            task_name=task_name,
            callback_url=client._callback_url(callback_url, BkciPluginFastTransferFile),
            rolling_config=rolling_config,
        ),
        request_timeout,
    )


async def bkci_plugin_get_job_instance_status(
    client: Caller,
    job_instance_id: JobRefLike,
    *,
    include_execute_object_task_result: bool = False,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobSnapshot:
    """Return a job's status and steps; with *include_execute_object_task_result* their hosts and containers.

    *job_instance_id* names the job. In `gateway-v3` with `system=True`. Raises a `CallFailed`, elsewhere
    `NotSupported`. Document: `bkci_plugin_get_job_instance_status`.

    >>> await system.bkci_plugin_get_job_instance_status(job)
    <JobSnapshot 2:20000000001 FAIL 'restart nginx' 1 step: 30000000001 FAIL>
    """
    return await client._call(
        build(
            BkciPluginGetJobInstanceStatus,
            ref=client.job(job_instance_id, scope=scope),
            return_ip_result=include_execute_object_task_result,
        ),
        request_timeout,
    )


async def bkci_plugin_batch_get_job_instance_execute_object_log(
    client: Caller,
    job_instance_id: RefLike,
    step_instance_id: int | None = None,
    *,
    hosts: HostLike | Iterable[HostLike],
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> StepLogs:
    """Return the logs of at most 500 hosts or containers of a step, all named by id.

    *job_instance_id* names the step, or its job beside a *step_instance_id*, *hosts* the hosts or containers.
    In `gateway-v3` with `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`. Document:
    `bkci_plugin_batch_get_job_instance_execute_object_log`.

    >>> logs = await system.bkci_plugin_batch_get_job_instance_execute_object_log(step, hosts=[1, 2])
    >>> [str(log.host) for log in logs.hosts]
    ['0:10.0.0.1', '0:10.0.0.2']
    """
    return await client._call(
        build(
            BkciPluginBatchGetJobInstanceExecuteObjectLog,
            ref=client.step(job_instance_id, step_instance_id, scope=scope),
            hosts=hosts,
        ),
        request_timeout,
    )
