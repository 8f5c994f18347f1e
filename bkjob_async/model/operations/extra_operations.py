"""Operations that only some dialects have: details of a step, agent tasks, uploads, task contexts, and those for pipelines."""

from __future__ import annotations

from attrs import field, frozen

from bkjob_async.model.base_error import in_range
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.details import GseTask, LocalFileUpload, StepDetail, TaskContextField
from bkjob_async.model.operations.launches import ScriptFields, TransferFields
from bkjob_async.model.operations.responses import JobLaunch, StepLogs
from bkjob_async.model.operations.targets import host_key, host_keys, texts
from bkjob_async.model.refs import HostKey, JobRef, Scope, StepRef
from bkjob_async.model.snapshot import JobSnapshot


def step_id(given: StepRef | int) -> int:
    """Return the number of a step."""
    return given.step_instance_id if isinstance(given, StepRef) else given


@frozen(kw_only=True)
class GetStepInstanceDetail(Operation[StepDetail]):
    """Return what a step does: script or files, account, hosts, timeout in seconds.

    *ref* names the step. In `gateway-v3`. Raises a `CallFailed`, elsewhere `NotSupported`. Document:
    `get_step_instance_detail`.

    >>> detail = await client.get_step_instance_detail(step)
    >>> detail.name, detail.script.timeout
    ('restart', 7200.0)
    """

    name = "get_step_instance_detail"

    ref: StepRef


@frozen(kw_only=True)
class QueryGseTask(Operation[tuple[GseTask, ...]]):
    """Return the agent's tasks behind a step, one for each batch of each execution.

    *step_instance_id* is a `StepRef` or the step's own id. In `gateway-v3` with `system=True`. Raises a `CallFailed`,
    elsewhere `NotSupported`. Document: `query_gse_task`.

    >>> [task.gse_task_id for task in await system.query_gse_task(step)]
    ['GSETASK:30000000001:0:0']
    """

    name = "query_gse_task"

    step_instance_id: int = field(converter=step_id, validator=in_range(1))


@frozen(kw_only=True)
class QueryJobInstance(Operation[GseTask]):
    """Return which step of which job an agent's task belongs to.

    *gse_task_id* is the agent's id of the task. In `gateway-v3` with `system=True`. Raises a `CallFailed`, elsewhere
    `NotSupported`. Document: `query_job_instance`.

    >>> task = await system.query_job_instance("GSETASK:30000000001:0:0")
    >>> print(task.ref)
    2:20000000001/30000000001
    """

    name = "query_job_instance"

    gse_task_id: str


@frozen(kw_only=True)
class GenerateLocalFileUploadUrl(Operation[tuple[LocalFileUpload, ...]]):
    """Return where to PUT local files, and the paths that name them to `fast_transfer_file` afterwards.

    *scope* owns the files, *file_names* has their names. Send them with `FileSource(files=...,
    file_type=FileSourceType.LOCAL)`. The URLs carry credentials and do not show. In `esb-jobv3`, and in `gateway-v3`
    with `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`. Document: `generate_local_file_upload_url`.

    >>> (upload,) = await system.generate_local_file_upload_url("app.tar.gz")
    >>> upload.file_name, upload.path
    ('app.tar.gz', '2/00000000-0000-0000-0000-019b76daa800/admin/app.tar.gz')
    """

    name = "generate_local_file_upload_url"

    scope: Scope
    file_names: tuple[str, ...] = field(converter=texts)


@frozen(kw_only=True)
class GetScriptTaskContext(Operation[tuple[TaskContextField, ...]]):
    """Return what a host was to run and what it logged as its error, as named fields.

    *ref* names the step. *host* has a `bk_host_id`, or is a container with its id; *content* is the part of its log to
    take as the error. *execute_count* is the execution, from 0; *batch* that of a rolling step. In `gateway-v4`, without
    `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`. Document: `get_script_task_context`.

    >>> fields = await v4.get_script_task_context(step, host=2)
    >>> [field.name for field in fields]
    ['scriptType', 'scriptContent', 'secureParam', 'scriptParams', 'errorLog']
    """

    name = "get_script_task_context"

    ref: StepRef
    host: HostKey = field(converter=host_key)
    execute_count: int = 0
    batch: int | None = None
    content: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class GetFileTaskContext(Operation[tuple[TaskContextField, ...]]):
    """Return which files could not be transferred at a host, as named fields.

    *ref* names the step. *host* has a `bk_host_id`, or is a container with its id; *mode* is a `FileMode`, the side of
    the transfer. *execute_count* is the execution, from 0; *batch* that of a rolling step. In `gateway-v4`, without
    `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`. Document: `get_file_task_context`.

    >>> sent = await client.send_file("/etc/hosts", "/tmp/", 1, source=2)
    >>> fields = await v4.get_file_task_context(sent.steps[0].ref, host=1, mode=bkjob.codes.FileMode.DOWNLOAD)
    >>> [field.name for field in fields]
    ['errorSource', 'uploadFileErrorData', 'downloadFileErrorData']
    """

    name = "get_file_task_context"

    ref: StepRef
    host: HostKey = field(converter=host_key)
    mode: int
    execute_count: int = 0
    batch: int | None = None


@frozen(kw_only=True)
class BkciPluginFastExecuteScript(ScriptFields, Operation[JobLaunch]):
    """Run a script on hosts or containers; it is sent once. See `fast_execute_script`.

    *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends. *targets* names hosts or
    containers. *script_content* and *script_param* are plain text; or *script_id* or *script_version_id* names a stored
    script. *script_language* is a `ScriptLanguage`, SHELL unless given. *account_alias* or *account_id* names the account.
    *timeout* is the script's, in seconds. *is_param_sensitive* hides the parameters on the platform, *rolling_config* is
    a `RollingConfig`, *windows_interpreter* a path on Windows hosts.

    In `gateway-v3` with `system=True`. Raises a `CallFailed`: `OutcomeUnknown` when there is no clear response; elsewhere
    `NotSupported`. Document: `bkci_plugin_fast_execute_script`.

    >>> launch = await system.bkci_plugin_fast_execute_script("uptime", [1, 2], account_alias="root")
    >>> print(launch.ref)
    2:20000000002
    """

    name = "bkci_plugin_fast_execute_script"
    repeatable = False


@frozen(kw_only=True)
class BkciPluginFastTransferFile(TransferFields, Operation[JobLaunch]):
    """Send files to hosts or containers; it is sent once. See `fast_transfer_file`.

    *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends. *sources* holds `FileSource`
    values; *file_target_path* is a directory on the hosts or containers of *targets*, *file_target_name* renames a single
    file. *account_alias* or *account_id* names the account. *transfer_mode* is a `TransferMode`, *timeout* is the
    transfer's, in seconds; *upload_speed_limit* and *download_speed_limit* are megabytes per second. *rolling_config* is a
    `RollingConfig`.

    In `gateway-v3` with `system=True`. Raises a `CallFailed`: `OutcomeUnknown` when there is no clear response; elsewhere
    `NotSupported`. Document: `bkci_plugin_fast_transfer_file`.

    >>> source = bkjob.FileSource(files="/etc/hosts", server=2, account_alias="root")
    >>> launch = await system.bkci_plugin_fast_transfer_file(source, "/tmp/", [1, 3], account_alias="root")
    >>> print(launch.ref)
    2:20000000002
    """

    name = "bkci_plugin_fast_transfer_file"
    repeatable = False


@frozen(kw_only=True)
class BkciPluginGetJobInstanceStatus(Operation[JobSnapshot]):
    """Return a job's status and steps; with *return_ip_result* their hosts and containers.

    *ref* names the job. In `gateway-v3` with `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`. Document:
    `bkci_plugin_get_job_instance_status`.

    >>> await system.bkci_plugin_get_job_instance_status(job)
    <JobSnapshot 2:20000000001 FAIL 'restart nginx' 1 step: 30000000001 FAIL>
    """

    name = "bkci_plugin_get_job_instance_status"

    ref: JobRef
    return_ip_result: bool = False


@frozen(kw_only=True)
class BkciPluginBatchGetJobInstanceExecuteObjectLog(Operation[StepLogs]):
    """Return the logs of at most 500 hosts or containers of a step, all named by id.

    *ref* names the step, *hosts* the hosts or containers. In `gateway-v3` with `system=True`. Raises a `CallFailed`,
    elsewhere `NotSupported`. Document: `bkci_plugin_batch_get_job_instance_execute_object_log`.

    >>> logs = await system.bkci_plugin_batch_get_job_instance_execute_object_log(step, hosts=[1, 2])
    >>> [str(log.host) for log in logs.hosts]
    ['0:10.0.0.1', '0:10.0.0.2']
    """

    name = "bkci_plugin_batch_get_job_instance_execute_object_log"

    ref: StepRef
    hosts: tuple[HostKey, ...] = field(converter=host_keys)
