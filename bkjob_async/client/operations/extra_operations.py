"""Methods for operations that only some dialects have: agent tasks, uploads, task contexts, pipelines."""

from __future__ import annotations

from collections.abc import Iterable

from bkjob_async.client.caller import Caller, build
from bkjob_async.model.operations.extra_operations import (
    BkciPluginBatchGetJobInstanceExecuteObjectLog,
    BkciPluginFastExecuteScript,
    BkciPluginFastTransferFile,
    BkciPluginGetJobInstanceStatus,
    GenerateLocalFileUploadUrl,
    GetFileTaskContext,
    GetScriptTaskContext,
    QueryGseTask,
    QueryJobInstance,
)
from bkjob_async.model.operations.launches import FileSource, RollingConfig
from bkjob_async.model.operations.responses import (
    GseTask,
    JobLaunch,
    LocalFileUpload,
    StepLogs,
    TaskContextField,
)
from bkjob_async.model.operations.targets import HostLike, TargetsLike
from bkjob_async.model.ref_input import JobRefLike, RefLike
from bkjob_async.model.refs import Scope, StepRef
from bkjob_async.model.snapshot import JobSnapshot


async def query_gse_task(
    client: Caller, step_instance_id: StepRef | int, *, request_timeout: float | None = None
) -> tuple[GseTask, ...]:
    """Return the agent's tasks behind a step, one for each batch of each execution.

    *step_instance_id* is a `StepRef` or the step's own id. In `gateway-v3` with `system=True`. Raises a
    `CallFailed`, elsewhere `NotSupported`. Document: `query_gse_task`.

    >>> [task.gse_task_id for task in await system.query_gse_task(step)]
    ['GSETASK:30000000001:0:0']
    """
    number = step_instance_id.step_instance_id if isinstance(step_instance_id, StepRef) else step_instance_id
    return await client._call(build(QueryGseTask, step_instance_id=number), request_timeout)


async def query_job_instance(
    client: Caller, gse_task_id: str, *, request_timeout: float | None = None
) -> GseTask:
    """Return which step of which job an agent's task belongs to.

    In `gateway-v3` with `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`. Document:
    `query_job_instance`.

    >>> task = await system.query_job_instance("GSETASK:30000000001:0:0")
    >>> print(task.ref)
    2:20000000001/30000000001
    """
    return await client._call(QueryJobInstance(gse_task_id=gse_task_id), request_timeout)


async def generate_local_file_upload_url(
    client: Caller,
    file_name_list: str | Iterable[str],
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> tuple[LocalFileUpload, ...]:
    """Return where to PUT local files, and the paths that name them to `fast_transfer_file` afterwards.

    Send them with `FileSource(files=..., file_type=FileSourceType.LOCAL)`. The URLs carry credentials and do
    not show. In `esb-jobv3`, and in `gateway-v3` with `system=True`. Raises a `CallFailed`, elsewhere
    `NotSupported`. Document: `generate_local_file_upload_url`.

    >>> (upload,) = await system.generate_local_file_upload_url("app.tar.gz")
    >>> upload.file_name, upload.path
    ('app.tar.gz', '2/00000000-0000-0000-0000-019b76daa800/admin/app.tar.gz')
    """
    query = build(GenerateLocalFileUploadUrl, scope=client._needed_scope(scope), file_names=file_name_list)
    return await client._call(query, request_timeout)


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

    *host* has a `bk_host_id`, or is a container with its id; *content* is the part of its log to take as the
    error. In `gateway-v4`, without `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`. Document:
    `get_script_task_context`.

    >>> fields = await v4.get_script_task_context(step, host=2)
    >>> [field.name for field in fields]
    ['scriptType', 'scriptContent', 'secureParam', 'scriptParams', 'errorLog']
    """
    query = build(
        GetScriptTaskContext,
        ref=client.step(job_instance_id, step_instance_id, scope=scope),
        host=host,
        execute_count=execute_count,
        batch=batch,
        content=content,
    )
    return await client._call(query, request_timeout)


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

    *host* has a `bk_host_id`, or is a container with its id; *mode* is a `FileMode`, the side of the
    transfer. In `gateway-v4`, without `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`.
    Document: `get_file_task_context`.

    >>> sent = await client.send_file("/etc/hosts", "/tmp/", 1, source=2)
    >>> fields = await v4.get_file_task_context(sent.steps[0].ref, host=1, mode=bkjob.codes.FileMode.DOWNLOAD)
    >>> [field.name for field in fields]
    ['errorSource', 'uploadFileErrorData', 'downloadFileErrorData']
    """
    query = build(
        GetFileTaskContext,
        ref=client.step(job_instance_id, step_instance_id, scope=scope),
        host=host,
        mode=mode,
        execute_count=execute_count,
        batch=batch,
    )
    return await client._call(query, request_timeout)


async def bkci_plugin_get_job_instance_status(
    client: Caller,
    job_instance_id: JobRefLike,
    *,
    include_execute_object_task_result: bool = False,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobSnapshot:
    """Return a job's status and steps; with *include_execute_object_task_result* their hosts and containers.

    In `gateway-v3` with `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`. Document:
    `bkci_plugin_get_job_instance_status`.

    >>> await system.bkci_plugin_get_job_instance_status(job)
    <JobSnapshot 2:20000000001 FAIL 'restart nginx' 1 step: 30000000001 FAIL>
    """
    ref = client.job(job_instance_id, scope=scope)
    query = BkciPluginGetJobInstanceStatus(ref=ref, return_ip_result=include_execute_object_task_result)
    return await client._call(query, request_timeout)


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

    In `gateway-v3` with `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`. Document:
    `bkci_plugin_batch_get_job_instance_execute_object_log`.

    >>> logs = await system.bkci_plugin_batch_get_job_instance_execute_object_log(step, hosts=[1, 2])
    >>> [str(log.host) for log in logs.hosts]
    ['0:10.0.0.1', '0:10.0.0.2']
    """
    query = build(
        BkciPluginBatchGetJobInstanceExecuteObjectLog,
        ref=client.step(job_instance_id, step_instance_id, scope=scope),
        hosts=hosts,
    )
    return await client._call(query, request_timeout)


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
    timeout: int | None = None,  # noqa: ASYNC109 - the platform's word, for the script
    is_param_sensitive: bool = False,
    task_name: str | None = None,
    callback_url: str | None = None,
    rolling_config: RollingConfig | None = None,
    windows_interpreter: str | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobLaunch:
    """Run a script on hosts or containers; it is sent once. See `fast_execute_script`.

    In `gateway-v3` with `system=True`. Raises a `CallFailed`: `OutcomeUnknown` when there is no clear
    response; elsewhere `NotSupported`. Document: `bkci_plugin_fast_execute_script`.

    >>> launch = await system.bkci_plugin_fast_execute_script("uptime", [1, 2], account_alias="root")
    >>> print(launch.ref)
    2:20000000002
    """
    command = build(
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
        callback_url=client._callback_url(callback_url),
        rolling_config=rolling_config,
        windows_interpreter=windows_interpreter,
    )
    return await client._call(command, request_timeout)


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
    timeout: int | None = None,  # noqa: ASYNC109 - the platform's word, for the transfer
    upload_speed_limit: int | None = None,
    download_speed_limit: int | None = None,
    task_name: str | None = None,
    callback_url: str | None = None,
    rolling_config: RollingConfig | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobLaunch:
    """Send files to hosts or containers; it is sent once. See `fast_transfer_file`.

    In `gateway-v3` with `system=True`. Raises a `CallFailed`: `OutcomeUnknown` when there is no clear
    response; elsewhere `NotSupported`. Document: `bkci_plugin_fast_transfer_file`.

    >>> source = bkjob.FileSource(files="/etc/hosts", server=2, account_alias="root")
    >>> launch = await system.bkci_plugin_fast_transfer_file(source, "/tmp/", [1, 3], account_alias="root")
    >>> print(launch.ref)
    2:20000000002
    """
    command = build(
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
        callback_url=client._callback_url(callback_url),
        rolling_config=rolling_config,
    )
    return await client._call(command, request_timeout)
