"""The inputs of steps, as version 3 shows them (`EsbStepV3DTO`), for instances and for plans.

Null members are kept, as the server keeps them. A plan's scripts and their parameters are base64, those of an
instance plain text.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

from bkjob_async.simulator.world.codes import CONFIRM, FILE, SCRIPT, SQL
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import SourceInputs, StepInputs, StepPlan

APPROVAL_KIND = 3
BY_HAND, BY_REFERENCE = 1, 2
HIDDEN = "******"
SOURCE_HOST = (1, 0, "10.0.0.1")

Coding = Callable[[str], str]


def base64_text(text: str) -> str:
    """Return a text as base64."""
    return base64.b64encode(text.encode()).decode()


def step_inputs(
    number: int, name: str, step: StepPlan, hosts: Iterable[Host], *, coding: Coding
) -> dict[str, Any]:
    """Return one step: its id, name and kind, and the one of three objects that its kind has."""
    kinds = {SQL: SCRIPT, CONFIRM: APPROVAL_KIND}
    return {
        "id": number,
        "name": name,
        "type": kinds.get(step.kind, step.kind),
        "script_info": script_info(step, hosts, coding) if step.kind in (SCRIPT, SQL) else None,
        "file_info": file_info(step, hosts) if step.kind == FILE else None,
        "approval_info": approval_info(step) if step.kind == CONFIRM else None,
    }


def script_info(step: StepPlan, hosts: Iterable[Host], coding: Coding) -> dict[str, Any]:
    """Return the inputs of a step that runs a script."""
    inputs = step.inputs
    referred = inputs.script_version_id is not None
    return {
        "script_type": BY_REFERENCE if referred else BY_HAND,
        "script_id": inputs.script_id,
        "script_version_id": inputs.script_version_id,
        "script_content": coding(step.content),
        "script_language": inputs.language,
        "script_param": HIDDEN if inputs.is_param_sensitive else coding(inputs.parameters),
        "windows_interpreter": None,
        "script_timeout": inputs.timeout,
        "account": account(inputs),
        "server": server(host_names(hosts)),
        "is_param_sensitive": int(inputs.is_param_sensitive),
        "is_ignore_error": int(step.ignore_error),
    }


def file_info(step: StepPlan, hosts: Iterable[Host]) -> dict[str, Any]:
    """Return the inputs of a step that sends files; limits are MB per second."""
    inputs = step.inputs
    return {
        "file_source_list": [source(entry) for entry in sources_of(step)],
        "file_destination": {
            "path": inputs.target_path,
            "account": account(inputs),
            "server": server(host_names(hosts)),
        },
        "timeout": inputs.timeout,
        "source_speed_limit": inputs.upload_speed_limit,
        "destination_speed_limit": inputs.download_speed_limit,
        "transfer_mode": inputs.transfer_mode,
        "is_ignore_error": int(step.ignore_error),
    }


def approval_info(step: StepPlan) -> dict[str, Any]:
    """Return the message of a confirmation."""
    return {
        "approval_type": None,
        "approval_user": None,
        "approval_message": step.inputs.confirm_message,
        "notify_channel": None,
    }


def sources_of(step: StepPlan) -> tuple[SourceInputs, ...]:
    """Return the sources of a step's files; one host where only the names of files are given."""
    files = tuple(name for name in step.content.split(",") if name)
    return step.inputs.sources or (SourceInputs(files=files, hosts=(SOURCE_HOST,)),)


def source(entry: SourceInputs) -> dict[str, Any]:
    """Return one source of files."""
    from_hosts = entry.kind == 1
    return {
        "file_list": list(entry.files),
        "account": {"id": 1, "name": entry.account, "alias": None} if from_hosts else None,
        "server": server(entry.hosts) if from_hosts else None,
        "file_type": entry.kind,
        "file_source_id": entry.file_source_id,
        "file_source_code": None,
    }


def account(inputs: StepInputs) -> dict[str, Any]:
    """Return the account that a step runs as, without its alias, as the platform does."""
    return {"id": inputs.account_id, "name": inputs.account, "alias": None}


def host_names(hosts: Iterable[Host]) -> list[tuple[int, int, str | None]]:
    """Return the names of the hosts among the targets."""
    return [(host.bk_host_id, host.bk_cloud_id, host.ip) for host in hosts if host.container_id is None]


def server(hosts: Iterable[tuple[int, int, str | None]]) -> dict[str, Any]:
    """Return targets; groups and nodes are resolved to hosts."""
    return {
        "ip_list": [{"bk_host_id": number, "bk_cloud_id": cloud, "ip": ip} for number, cloud, ip in hosts],
        "dynamic_group_list": None,
        "topo_node_list": None,
    }
