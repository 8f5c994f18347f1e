"""Read the inputs of a step: `get_step_instance_detail`."""

from __future__ import annotations

from typing import Any

from bkjob_async.dialects.common.fields import Names, read_fields
from bkjob_async.dialects.common.hosts import read_host
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.common.ref_checks import check_ref
from bkjob_async.model.operations.details import (
    Account,
    FileDetail,
    FileSourceDetail,
    ScriptDetail,
    StepDetail,
)
from bkjob_async.model.operations.extra_operations import GetStepInstanceDetail
from bkjob_async.model.refs import HostKey


def read_step_detail(operation: GetStepInstanceDetail, envelope: JsonObject) -> StepDetail:
    """Read the inputs of a step; unknown members are in `raw` only."""
    data = envelope.child("data")
    check_ref(data, operation.ref)
    return read_fields(StepDetail, data, ref=operation.ref, **read_actions(data))


def read_actions(step: JsonObject) -> dict[str, Any]:
    """Read what a step of a job or a plan does: the one of three objects that its kind has."""
    script, file, approval = map(step.maybe_child, ("script_info", "file_info", "approval_info"))
    return {
        "script": None if script is None else read_script(script),
        "file": None if file is None else read_file(file),
        "approval_message": None if approval is None else approval.maybe_text("approval_message"),
    }


SCRIPT_NAMES: Names = {
    "content": "script_content",
    "language": "script_language",
    "parameters": "script_param",
    "timeout": ("script_timeout", "timeout"),
    "is_param_sensitive": ("is_param_sensitive", "secure_param"),
}


def read_script(script: JsonObject) -> ScriptDetail:
    """Read the inputs of a script step; the timeout is seconds."""
    return read_fields(
        ScriptDetail, script, SCRIPT_NAMES, account=read_account(script), hosts=read_hosts(script)
    )


def read_file(file: JsonObject) -> FileDetail:
    """Read the inputs of a file step; the limits are megabytes per second."""
    destination = file.maybe_child("file_destination") or JsonObject({})
    return read_fields(
        FileDetail,
        file,
        sources=tuple(map(read_source, file.children("file_source_list") or ())),
        path=destination.text("path"),
        account=read_account(destination),
        hosts=read_hosts(destination),
    )


def read_source(source: JsonObject) -> FileSourceDetail:
    """Read where files come from."""
    return read_fields(
        FileSourceDetail,
        source,
        {"files": "file_list"},
        account=read_account(source),
        hosts=read_hosts(source),
    )


def read_account(parent: JsonObject) -> Account | None:
    """Read the account of *parent*: an object with a `name` (documents) or `alias` (servers), or a name."""
    if isinstance(parent.get("account"), str):
        return Account(name=parent.text("account"))
    account = parent.maybe_child("account")
    if account is None:
        return None
    return Account(id=account.maybe_identity("id"), name=account.text("name", "alias"))


def read_hosts(parent: JsonObject) -> tuple[HostKey, ...]:
    """Read the hosts of *parent* named one by one; one document has a `server` within a `server`."""
    server = parent.maybe_child("server", "execute_target")
    if server is None:
        return ()
    inner = server.maybe_child("server")
    rows = (inner or server).children("ip_list", "host_list") or ()
    return tuple(map(read_host, rows))
