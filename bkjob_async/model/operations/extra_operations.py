"""Operations of single dialects: agent tasks, uploads, task contexts, and those for pipelines."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen, validators

from bkjob_async.model.operations.base import GetJobInstanceStatus, Operation
from bkjob_async.model.operations.launches import FastExecuteScript, FastTransferFile
from bkjob_async.model.operations.queries import BatchGetJobInstanceIpLog
from bkjob_async.model.operations.responses import GseTask, LocalFileUpload, TaskContextField
from bkjob_async.model.operations.targets import host_key
from bkjob_async.model.refs import HostKey, Scope, StepRef


def _names(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@frozen(kw_only=True)
class QueryGseTask(Operation[tuple[GseTask, ...]]):
    """Ask for the agent's tasks behind a step. Documents: `query_gse_task`."""

    name = "query_gse_task"

    step_instance_id: int = field(validator=validators.gt(0))


@frozen(kw_only=True)
class QueryJobInstance(Operation[GseTask]):
    """Ask which step an agent's task belongs to. Documents: `query_job_instance`."""

    name = "query_job_instance"

    gse_task_id: str


@frozen(kw_only=True)
class GenerateLocalFileUploadUrl(Operation[tuple[LocalFileUpload, ...]]):
    """Ask where to upload local files before they are sent. Documents: `generate_local_file_upload_url`."""

    name = "generate_local_file_upload_url"

    scope: Scope
    file_names: tuple[str, ...] = field(converter=_names)


@frozen(kw_only=True)
class GetScriptTaskContext(Operation[tuple[TaskContextField, ...]]):
    """Ask what one host was to run, and its error; *content* is a part of its log.

    *host* has a `bk_host_id`, or is a container with its id. Documents: `get_script_task_context`.
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
    """

    name = "get_file_task_context"

    ref: StepRef
    host: HostKey = field(converter=host_key)
    mode: int
    execute_count: int = 0
    batch: int | None = None


@frozen(kw_only=True)
class BkciPluginFastExecuteScript(FastExecuteScript):
    """Run a script on hosts or containers. Documents: `bkci_plugin_fast_execute_script`."""

    name = "bkci_plugin_fast_execute_script"


@frozen(kw_only=True)
class BkciPluginFastTransferFile(FastTransferFile):
    """Send files to hosts or containers. Documents: `bkci_plugin_fast_transfer_file`."""

    name = "bkci_plugin_fast_transfer_file"


@frozen(kw_only=True)
class BkciPluginGetJobInstanceStatus(GetJobInstanceStatus):
    """Ask for a job's status, with containers. Documents: `bkci_plugin_get_job_instance_status`."""

    name = "bkci_plugin_get_job_instance_status"


@frozen(kw_only=True)
class BkciPluginBatchGetJobInstanceExecuteObjectLog(BatchGetJobInstanceIpLog):
    """Ask for many hosts' or containers' logs of a step, all named by id.

    Documents: `bkci_plugin_batch_get_job_instance_execute_object_log`.
    """

    name = "bkci_plugin_batch_get_job_instance_execute_object_log"
