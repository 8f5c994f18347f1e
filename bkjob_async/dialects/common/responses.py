"""Read responses other than statuses: launches, logs, lists and variables, under all their names."""

from __future__ import annotations

from collections.abc import Iterable
from html import unescape
from typing import TypeVar

from bkjob_async.dialects.common.fields import read_fields
from bkjob_async.dialects.common.hosts import read_execute_object, read_host
from bkjob_async.dialects.common.json_fields import MILLISECONDS, SECONDS, JsonObject, read_times
from bkjob_async.dialects.common.ref_checks import (
    check_host,
    check_ref,
    check_scope,
    is_unnamed,
    read_scope,
)
from bkjob_async.model.operations.base import OperateJobInstance, OperateStepInstance, OperationAccepted
from bkjob_async.model.operations.launches import ExecuteJobPlan, FastExecuteScript
from bkjob_async.model.operations.queries import (
    BatchGetJobInstanceIpLog,
    GetJobInstanceGlobalVarValue,
    GetJobInstanceIpLog,
    GetJobInstanceList,
    GetJobInstanceLog,
    ListQuery,
)
from bkjob_async.model.operations.responses import (
    FileLog,
    HostLog,
    JobInstance,
    JobLaunch,
    Page,
    StepLogs,
    StepVariables,
    Variable,
)
from bkjob_async.model.refs import HostKey, JobRef, Scope
from bkjob_async.model.status import host_status, run_status

T = TypeVar("T")

FILE_LOGS = ("file_logs", "file_atomic_task_logs", "upload_log", "download_log")
SCRIPT_ROWS = (
    "script_task_logs",
    "script_step_execute_object_logs",
    "script_execute_object_task_logs",
    "script_logs",
)
FILE_ROWS = ("file_task_logs", "file_step_execute_object_logs", "file_execute_object_task_logs", "file_logs")
STEP_VARIABLES = ("step_instance_var_list", "job_instance_var_list", "job_instance_var_values")


# Launches and operations --------------------------------------------------------------------------


def read_operation_accepted(
    operation: OperateStepInstance | OperateJobInstance, envelope: JsonObject
) -> OperationAccepted:
    """Read that an operation was accepted; ids in the response must be those of the request."""
    if isinstance(envelope.members.get("data"), dict):
        check_ref(envelope.child("data"), operation.ref)
    return OperationAccepted(ref=operation.ref)


def read_job_launch(operation: ExecuteJobPlan | FastExecuteScript, envelope: JsonObject) -> JobLaunch:
    """Read which job was started."""
    data = envelope.child("data")
    check_scope(data, operation.scope)
    ref = JobRef(operation.scope, data.identity("job_instance_id"))
    step = data.maybe_identity("step_instance_id")
    return JobLaunch(ref=ref, name=data.text("job_instance_name"), step=ref.step(step) if step else None)


# Logs ---------------------------------------------------------------------------------------------


def read_job_logs(operation: GetJobInstanceLog, envelope: JsonObject) -> tuple[StepLogs, ...]:
    """Read all logs of a job, step by step; durations are seconds."""
    return tuple(read_step_log(step, operation.ref) for step in envelope.children("data") or ())


def read_step_log(step: JsonObject, ref: JobRef) -> StepLogs:
    """Read a step's logs, hosts in groups of one status and tag."""
    check_ref(step, ref)
    number = step.maybe_identity("step_instance_id")
    status = step.maybe_integer("status")
    return StepLogs(
        ref=ref.step(number) if number else None,
        name=step.text("name"),
        status=None if status is None else run_status(status),
        is_finished=step.flag("is_finished", "finished"),
        hosts=tuple(
            read_log_row(row, group)
            for group in step.children("step_results") or ()
            for row in group.children("ip_logs") or ()
        ),
    )


def read_log_row(row: JsonObject, group: JsonObject) -> HostLog:
    """Read one host's log in its group.

    The backend that counts by `execute_count` escapes HTML in the text, the one that counts by `retry_count`
    does not.
    """
    code = group.maybe_integer("ip_status", "status")
    text = row.text("log_content")
    return HostLog(
        host=read_host(row),
        text=unescape(text) if row.has("execute_count") else text,
        status=None if code is None else host_status(code),
        tag=group.text("tag"),
        exit_code=row.maybe_integer("exit_code"),
        error_code=row.maybe_integer("error_code"),
        execute_count=row.maybe_integer("execute_count", "retry_count"),
        times=read_times(row, unit=SECONDS),
    )


def read_host_log(operation: GetJobInstanceIpLog, envelope: JsonObject) -> HostLog:
    """Read one host's log; a response that does not name the host is about the requested one."""
    data = envelope.child("data")
    check_ref(data, operation.ref)
    log = host_log(data, data.maybe_integer("log_type"), default=operation.host)
    check_host(log.host, operation.host)
    return log


def read_host_logs(operation: BatchGetJobInstanceIpLog, envelope: JsonObject) -> StepLogs:
    """Read many hosts' logs, of a script or of a transfer."""
    data = envelope.child("data")
    check_ref(data, operation.ref)
    log_type = data.maybe_integer("log_type")
    rows = [*(data.children(*SCRIPT_ROWS) or ()), *(data.children(*FILE_ROWS) or ())]
    return StepLogs(
        ref=operation.ref, log_type=log_type, hosts=tuple(host_log(row, log_type) for row in rows)
    )


def host_log(row: JsonObject, log_type: int | None, *, default: HostKey | None = None) -> HostLog:
    """Read a host's log: text of a script, files of a transfer, under the names of all versions."""
    content = row.get("log_content")
    files = [file for name in FILE_LOGS for file in row.children(name) or ()]
    if isinstance(content, list):
        files += row.children("log_content") or ()
    return HostLog(
        host=read_host(row, default=default),
        text="" if isinstance(content, list) else row.text("log_content"),
        files=tuple(read_file_log(file) for file in files),
        log_type=log_type,
    )


def read_file_log(file: JsonObject) -> FileLog:
    """Read what was logged of one file."""
    return FileLog(
        mode=file.maybe_integer("mode"),
        status=file.maybe_integer("status"),
        source=read_transfer_host(file, "src"),
        source_path=file.text("src_path"),
        destination=read_transfer_host(file, "dest"),
        destination_path=file.text("dest_path"),
        text=file.text("log_content"),
        size=file.text("size"),
        speed=file.text("speed"),
        progress=file.text("process"),
    )


def read_transfer_host(file: JsonObject, end: str) -> HostKey | None:
    """Read the host at one end of a transfer: an object, a bare address, or none."""
    thing = file.get(f"{end}_execute_object")
    if thing is not None:
        return read_execute_object(file.child(f"{end}_execute_object"))
    named = file.get(f"{end}_ip", f"{end}_host")
    if isinstance(named, str):
        return HostKey(ip=named) if named else None
    host = file.maybe_child(f"{end}_ip", f"{end}_host")
    return None if host is None else read_host(host)


# Lists and variables ------------------------------------------------------------------------------


def read_job_list(operation: GetJobInstanceList, envelope: JsonObject) -> Page[JobInstance]:
    """Read a page of job instances; version 4 neither counts nor says where the page starts."""
    data = envelope.child("data")
    rows = data.children("data", "job_instance_list") or ()
    return read_page(operation, data, [read_job_instance(row, operation.scope) for row in rows])


def read_page(query: ListQuery, data: JsonObject, items: Iterable[T]) -> Page[T]:
    """Return the page of *items* in *data*, the one of the *query* where the data does not say which it is."""
    start, length = data.maybe_integer("start", "offset"), data.maybe_integer("length")
    return Page(
        items=tuple(items),
        start=query.start if start is None else start,
        length=query.length if length is None else length,
        total=data.maybe_integer("total"),
    )


def read_job_instance(row: JsonObject, scope: Scope) -> JobInstance:
    """Read one job of a list; documents and servers name its id, status and type differently."""
    check_scope(row, scope)
    own = read_scope(row) if is_unnamed(scope) else None
    return JobInstance(
        ref=JobRef(own or scope, row.identity("job_instance_id", "id")),
        status=run_status(row.integer("status", "task_status")),
        name=row.text("name"),
        operator=row.maybe_text("operator"),
        launch_mode=row.maybe_integer("launch_mode"),
        type=row.maybe_integer("type", "task_type"),
        job_plan_id=row.maybe_identity("job_plan_id"),
        job_template_id=row.maybe_identity("job_template_id"),
        times=read_times(row, unit=MILLISECONDS),
    )


def read_variables(
    operation: GetJobInstanceGlobalVarValue, envelope: JsonObject
) -> tuple[StepVariables, ...]:
    """Read the values of global variables, step by step."""
    data = envelope.child("data")
    check_ref(data, operation.ref)
    steps = data.children(*STEP_VARIABLES) or ()
    return tuple(read_step_variables(step, operation.ref) for step in steps)


def read_step_variables(step: JsonObject, ref: JobRef) -> StepVariables:
    """Read the values in one step."""
    number = step.maybe_identity("step_instance_id")
    variables = step.children("global_var_list", "step_instance_var_values") or ()
    return StepVariables(
        ref=ref.step(number) if number else None,
        variables=tuple(read_fields(Variable, each, {"type": ("type", "category")}) for each in variables),
    )
