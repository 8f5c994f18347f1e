"""Parameters of the ESB's component `job`, version 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from bkjob_async.dialects.common.dialect import ref_parameters
from bkjob_async.dialects.common.fields import field_values
from bkjob_async.dialects.common.hosts import address_parameters, refuse_containers
from bkjob_async.dialects.gateway.v3_launch_requests import config_file_parameters, to_base64, without_none
from bkjob_async.dialects.gateway.v3_requests import scope_parameters_esb
from bkjob_async.errors import NotSupported, UsageError
from bkjob_async.model.operations import launches
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.operations.codes import FileSourceType
from bkjob_async.model.operations.targets import Targets
from bkjob_async.model.refs import HostKey, Scope, ScopeType


def scope_parameters(scope: Scope) -> dict[str, Any]:
    """Return a scope's parameters; only newer servers know other scopes than businesses.

    Older ones know the numbers of some business sets; any other number would be taken for a business.
    """
    return {"bk_biz_id": scope.id} if scope.type is ScopeType.BIZ else scope_parameters_esb(scope)


def step_status_parameters(operation: GetStepInstanceStatus) -> dict[str, Any]:
    """Return what `get_step_instance_status` takes beside the ids: the same ids, nested.

    The documented component reads a nested `params`, the backend that replaced it reads the same keys flat.
    """
    return {"params": ref_parameters(operation.ref)}


# Launches -----------------------------------------------------------------------------------------


def refuse_other_fields(name: str, given: Any, *known: str) -> None:
    """Raise `NotSupported` for a field that is given and not *known* here; *name* is what has it."""
    others = [field for field, value in field_values(given, *known).items() if value not in (None, (), {})]
    if others:
        raise NotSupported(
            f"esb-job's {name} does not take {', '.join(others)}; see esb-jobv3, gateway-v3, gateway-v4"
        )


def renamed_fields(name: str, given: Any, names: Mapping[str, str], *sent: str) -> dict[str, Any]:
    """Return fields under the *names* of this dialect, which it maps to those of fields; refuse all others.

    *sent* are fields that are sent in another form.
    """
    refuse_other_fields(name, given, *names.values(), *sent)
    return {own_name: getattr(given, field) for own_name, field in names.items()}


def ip_list_parameter(hosts: tuple[HostKey, ...]) -> list[dict[str, Any]]:
    """Return hosts by address, with their ids where they are known; raise `UsageError` for a host without an address.

    The current backend takes an id (bk-job: EsbIpDTO.java) and finds hosts by their addresses alone
    (JobExecuteCommonProcessor.java).
    """
    refuse_containers(hosts)
    for host in hosts:
        if not host.ip:
            raise UsageError(
                f"{host} has no IPv4 address here, and esb-job finds hosts by that: name it 'cloud:ip'"
            )
    return [{**address_parameters(host), **without_none(bk_host_id=host.bk_host_id)} for host in hosts]


def target_server(targets: Targets) -> dict[str, Any]:
    """Return targets as `target_server` has them here."""
    refuse_other_fields("target_server", targets, "hosts", "dynamic_groups", "topo_nodes")
    return without_none(
        ip_list=ip_list_parameter(targets.hosts) or None,
        dynamic_group_id_list=list(targets.dynamic_groups) or None,
        topo_node_list=[{"id": node.id, "node_type": node.node_type} for node in targets.topo_nodes] or None,
    )


def execute_job_parameters(operation: launches.ExecuteJobPlan) -> dict[str, Any]:
    """Return what `execute_job` takes."""
    names = {"bk_job_id": "job_plan_id", "bk_callback_url": "callback_url"}
    variables = [global_var_parameters(variable) for variable in operation.global_vars]
    return {
        **renamed_fields("execute_job", operation, names, "global_vars"),
        "global_vars": variables or None,
    }


def global_var_parameters(variable: launches.GlobalVar) -> dict[str, Any]:
    """Return a global variable: its value, or its hosts."""
    server = None if variable.server is None else target_server(variable.server)
    return without_none(**field_values(variable, "server"), target_server=server)


def script_id_parameter(number: str | None) -> int | str | None:
    """Return a script's id, a number in this dialect."""
    return int(number) if number is not None and number.isdecimal() else number


SCRIPT_NAMES = {
    "script_timeout": "timeout",
    "account": "account_alias",
    "task_name": "task_name",
    "bk_callback_url": "callback_url",
}
SCRIPT_FIELDS = (
    "script_language",
    "script_id",
    "script_content",
    "script_param",
    "is_param_sensitive",
    "targets",
)


def fast_execute_script_parameters(operation: launches.FastExecuteScript) -> dict[str, Any]:
    """Return what `fast_execute_script` takes."""
    return {
        **renamed_fields(operation.name, operation, SCRIPT_NAMES, *SCRIPT_FIELDS),
        "script_type": operation.language,
        "script_id": script_id_parameter(operation.script_id),
        "script_content": to_base64(operation.script_content),
        "script_param": to_base64(operation.script_param),
        "is_param_sensitive": int(operation.is_param_sensitive),
        "target_server": target_server(operation.targets),
    }


SQL_NAMES = {
    "script_timeout": "timeout",
    "db_account_id": "db_account_id",
    "task_name": "task_name",
    "bk_callback_url": "callback_url",
}


def fast_execute_sql_parameters(operation: launches.FastExecuteSql) -> dict[str, Any]:
    """Return what `fast_execute_sql` takes."""
    return {
        **renamed_fields(operation.name, operation, SQL_NAMES, "script_id", "script_content", "targets"),
        "script_id": script_id_parameter(operation.script_id),
        "script_content": to_base64(operation.script_content),
        "target_server": target_server(operation.targets),
    }


PUSH_NAMES = {
    "file_target_path": "file_target_path",
    "task_name": "task_name",
    "account": "account_alias",
    "timeout": "timeout",
    "upload_speed_limit": "upload_speed_limit",
    "download_speed_limit": "download_speed_limit",
    "bk_callback_url": "callback_url",
}


def fast_push_file_parameters(operation: launches.FastTransferFile) -> dict[str, Any]:
    """Return what `fast_push_file` takes."""
    return {
        **renamed_fields("fast_push_file", operation, PUSH_NAMES, "sources", "targets"),
        "file_source": [file_source_parameters(source) for source in operation.sources],
        "target_server": target_server(operation.targets),
    }


def file_source_parameters(source: launches.FileSource) -> dict[str, Any]:
    """Return where files come from: hosts only, which need not be said."""
    only_hosts = evolve(source, file_type=None) if source.file_type == FileSourceType.SERVER else source
    return without_none(
        **renamed_fields("file_source", only_hosts, {"account": "account_alias"}, "files", "server"),
        files=list(source.files),
        target_server=None if source.server is None else target_server(source.server),
    )


CONFIG_FILE_NAMES = {
    "account": "account_alias",
    "task_name": "task_name",
    "file_target_path": "file_target_path",
}


def push_config_file_parameters(operation: launches.PushConfigFile) -> dict[str, Any]:
    """Return what `push_config_file` takes: hosts by address, or groups and nodes.

    The current backend reads only the hosts (bk-job: EsbPushConfigFileResourceImpl.java): groups alone are refused there,
    but beside hosts they would be left out in silence.
    """
    targets = operation.targets
    named = target_server(targets)
    if targets.hosts and len(named) > 1:
        raise NotSupported(
            "esb-job's push_config_file takes hosts, or groups and nodes: start two, or use esb-jobv3, gateway-v3"
        )
    return {
        **renamed_fields(operation.name, operation, CONFIG_FILE_NAMES, "files", "targets"),
        "file_list": config_file_parameters(operation),
        **({"ip_list": named["ip_list"]} if targets.hosts else {"target_server": named}),
    }
