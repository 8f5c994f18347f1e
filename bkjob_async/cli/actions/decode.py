"""Read recorded responses and callbacks."""

from __future__ import annotations

from typing import Any

import msgspec

import bkjob_async as bkjob
from bkjob_async.cli.configuration.targets import read_text
from bkjob_async.cli.dispatch import report_error
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import json_text, write_out

CALLBACK = "callback"
# The keys by which the answers to the usual operations are recognized, the most specific first.
TELLING_KEYS = (
    ("step_result_group_list", "get_step_instance_status"),
    ("step_ip_status", "get_step_instance_status"),
    ("job_instance", "get_job_instance_status"),
    ("script_task_logs", "batch_get_job_instance_ip_log"),
    ("file_task_logs", "batch_get_job_instance_ip_log"),
    ("script_execute_object_logs", "batch_get_job_instance_execute_object_log"),
    ("log_content", "get_job_instance_ip_log"),
    ("step_instance_var_list", "get_job_instance_global_var_value"),
    ("job_instance_id", "fast_execute_script"),
)


async def decode_file(
    *, file: str, operation: str | None, dialect: str, http_status: int, data_only: bool
) -> ExitCode:
    """Write what a recorded response says as JSON."""
    text = read_text(file)
    name = operation or guess_operation(text, data_only=data_only)
    try:
        found = (
            bkjob.decode_callback(text)
            if name == CALLBACK
            else bkjob.decode(
                text, operation=name, dialect=dialect, http_status=http_status, envelope=not data_only
            )
        )
    except bkjob.CallFailed as error:
        report_error(error)
        return ExitCode.SOMETHING_FAILED
    write_out(json_text(json_of(found)))
    return ExitCode.ALL_SUCCEEDED


def guess_operation(text: str, *, data_only: bool = False) -> str:
    """Return the operation whose answer *text* looks like; raise `UsageError` where it is not clear."""
    try:
        body = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise bkjob.UsageError(
            "it is not JSON: give --operation to see how the library reports that"
        ) from None
    data = body if data_only else body.get("data") if isinstance(body, dict) else None
    if isinstance(body, dict) and "data" not in body and "job_instance_id" in body:
        return CALLBACK
    if isinstance(body, dict) and not data_only and data is None:
        # An error: it reads the same whatever was called.
        return "get_job_instance_status"
    if isinstance(data, list):
        return "get_job_instance_log"
    if isinstance(data, dict):
        if isinstance(data.get("data"), list):
            return "get_job_instance_list"
        for key, name in TELLING_KEYS:
            if key in data:
                return name
    raise bkjob.UsageError("what was called? give --operation")


def json_of(found: Any) -> Any:
    """Return what was read as JSON values; some operations return a list of values, or plain ones."""
    if isinstance(found, tuple | list):
        return [json_of(each) for each in found]
    return found if isinstance(found, str | int | float | dict | None) else bkjob.to_json(found)
