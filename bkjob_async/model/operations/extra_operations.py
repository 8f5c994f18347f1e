"""Operations that only some dialects have: agent tasks, uploads, task contexts, and those for pipelines."""

from __future__ import annotations

from attrs import field, frozen, validators

from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.launches import ScriptFields, TransferFields
from bkjob_async.model.operations.responses import (
    GseTask,
    JobLaunch,
    LocalFileUpload,
    StepLogs,
    TaskContextField,
)
from bkjob_async.model.operations.targets import host_key, host_keys, texts
from bkjob_async.model.refs import HostKey, JobRef, Scope, StepRef
from bkjob_async.model.snapshot import JobSnapshot


@frozen(kw_only=True)
class QueryGseTask(Operation[tuple[GseTask, ...]]):
    """Ask for the agent's tasks behind a step. Documents: `query_gse_task`.

    *step_instance_id* is the step's number.
    """

    name = "query_gse_task"

    step_instance_id: int = field(validator=validators.gt(0))


@frozen(kw_only=True)
class QueryJobInstance(Operation[GseTask]):
    """Ask which step an agent's task belongs to. Documents: `query_job_instance`.

    *gse_task_id* is the agent's id of the task.
    """

    name = "query_job_instance"

    gse_task_id: str


@frozen(kw_only=True)
class GenerateLocalFileUploadUrl(Operation[tuple[LocalFileUpload, ...]]):
    """Ask where to upload local files before they are sent. Documents: `generate_local_file_upload_url`.

    *scope* owns the files, *file_names* are their names.
    """

    name = "generate_local_file_upload_url"

    scope: Scope
    file_names: tuple[str, ...] = field(converter=texts)


@frozen(kw_only=True)
class GetScriptTaskContext(Operation[tuple[TaskContextField, ...]]):
    """Ask what one host was to run, and its error; *content* is a part of its log.

    *host* has a `bk_host_id`, or is a container with its id. Documents: `get_script_task_context`.

    *ref* names the step. *execute_count* is the execution, from 0; *batch* that of a rolling step.
    """

    name = "get_script_task_context"

    ref: StepRef
    host: HostKey = field(converter=host_key)
    execute_count: int = 0
    batch: int | None = None
    content: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class GetFileTaskContext(Operation[tuple[TaskContextField, ...]]):
    """Ask which files failed at one host, on the side of the transfer that *mode* (a `FileMode`) names.

    *host* has a `bk_host_id`, or is a container with its id. Documents: `get_file_task_context`.

    *ref* names the step. *execute_count* is the execution, from 0; *batch* that of a rolling step.
    """

    name = "get_file_task_context"

    ref: StepRef
    host: HostKey = field(converter=host_key)
    mode: int
    execute_count: int = 0
    batch: int | None = None


@frozen(kw_only=True)
class BkciPluginFastExecuteScript(ScriptFields, Operation[JobLaunch]):
    """Run a script on hosts or containers. Documents: `bkci_plugin_fast_execute_script`.

    *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends. *targets* are
    hosts or containers. *script_content* and *script_param* are plain text; or *script_id* or
    *script_version_id* names a stored script. *script_language* is a `ScriptLanguage`. *account_alias* or
    *account_id* names the account. *timeout* is seconds. *is_param_sensitive* hides the parameters on the
    platform. *rolling_config* is a `RollingConfig`.
    *windows_interpreter* is a path on Windows hosts.
    """

    name = "bkci_plugin_fast_execute_script"
    repeatable = False


@frozen(kw_only=True)
class BkciPluginFastTransferFile(TransferFields, Operation[JobLaunch]):
    """Send files to hosts or containers. Documents: `bkci_plugin_fast_transfer_file`.

    *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends. *sources* are
    `FileSource` values; *file_target_path* is a directory on the hosts or containers of *targets*,
    *file_target_name* renames a single file. *account_alias* or *account_id* names the account.
    *transfer_mode* is a `TransferMode`, *timeout* is seconds; *upload_speed_limit* and *download_speed_limit*
    are megabytes per second. *rolling_config* is a `RollingConfig`.
    """

    name = "bkci_plugin_fast_transfer_file"
    repeatable = False


@frozen(kw_only=True)
class BkciPluginGetJobInstanceStatus(Operation[JobSnapshot]):
    """Ask for a job's status, with containers. Documents: `bkci_plugin_get_job_instance_status`.

    *ref* names the job; *return_ip_result* asks for its hosts and containers, too.
    """

    name = "bkci_plugin_get_job_instance_status"

    ref: JobRef
    return_ip_result: bool = False


@frozen(kw_only=True)
class BkciPluginBatchGetJobInstanceExecuteObjectLog(Operation[StepLogs]):
    """Ask for many hosts' or containers' logs of a step, all named by id.

    Documents: `bkci_plugin_batch_get_job_instance_execute_object_log`.

    *ref* names the step. *hosts* names at most 500 hosts or containers.
    """

    name = "bkci_plugin_batch_get_job_instance_execute_object_log"

    ref: StepRef
    hosts: tuple[HostKey, ...] = field(converter=host_keys)
