"""Read the inputs of a step: `get_step_instance_detail`."""

from __future__ import annotations

from bkjob_async.dialects.common.hosts import read_host
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.common.ref_checks import check_ref
from bkjob_async.model.operations.queries import GetStepInstanceDetail
from bkjob_async.model.operations.responses import (
    Account,
    FileDetail,
    FileSourceDetail,
    ScriptDetail,
    StepDetail,
)
from bkjob_async.model.refs import HostKey


def read_step_detail(operation: GetStepInstanceDetail, envelope: JsonObject) -> StepDetail:
    """Read the inputs of a step; unknown members are in `raw` only."""
    data = envelope.child("data")
    check_ref(data, operation.ref)
    script, file = data.maybe_child("script_info"), data.maybe_child("file_info")
    approval = data.maybe_child("approval_info")
    return StepDetail(
        ref=operation.ref,
        name=data.text("name"),
        type=data.maybe_integer("type"),
        script=None if script is None else read_script(script),
        file=None if file is None else read_file(file),
        approval_message=None if approval is None else approval.maybe_text("approval_message"),
        raw=envelope.get("data"),
    )


def read_script(script: JsonObject) -> ScriptDetail:
    """Read the inputs of a script step; the timeout is seconds."""
    return ScriptDetail(
        content=script.text("script_content"),
        language=script.maybe_integer("script_language"),
        parameters=script.text("script_param"),
        timeout=script.number("script_timeout", "timeout"),
        account=read_account(script),
        hosts=read_hosts(script),
        is_param_sensitive=script.flag("is_param_sensitive", "secure_param") or False,
        is_ignore_error=script.flag("is_ignore_error") or False,
    )


def read_file(file: JsonObject) -> FileDetail:
    """Read the inputs of a file step; the limits are megabytes per second."""
    destination = file.maybe_child("file_destination")
    return FileDetail(
        sources=tuple(read_source(source) for source in file.children("file_source_list") or ()),
        path="" if destination is None else destination.text("path"),
        account=None if destination is None else read_account(destination),
        hosts=() if destination is None else read_hosts(destination),
        timeout=file.number("timeout"),
        source_speed_limit=file.maybe_integer("source_speed_limit"),
        destination_speed_limit=file.maybe_integer("destination_speed_limit"),
        transfer_mode=file.maybe_integer("transfer_mode"),
        is_ignore_error=file.flag("is_ignore_error") or False,
    )


def read_source(source: JsonObject) -> FileSourceDetail:
    """Read where files come from."""
    return FileSourceDetail(
        files=source.texts("file_list"),
        account=read_account(source),
        hosts=read_hosts(source),
        file_source_id=source.maybe_identity("file_source_id"),
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
    server = parent.maybe_child("server")
    if server is None:
        return ()
    inner = server.maybe_child("server")
    rows = (inner or server).children("ip_list", "host_list") or ()
    return tuple(read_host(row) for row in rows)
