"""Parameters of the ESB's component `job`, version 2."""

from __future__ import annotations

from typing import Any

from bkjob_async.dialects.common.dialect import refuse_options
from bkjob_async.dialects.common.hosts import address_parameters, refuse_containers
from bkjob_async.dialects.common.ref_checks import BIZ_SETS
from bkjob_async.dialects.gateway.v3_launch_requests import config_file_parameters, to_base64, without_none
from bkjob_async.dialects.gateway.v3_requests import ref_parameters
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.operations.codes import FileSourceType
from bkjob_async.model.operations.launches import (
    ExecuteJobPlan,
    FastExecuteScript,
    FastExecuteSql,
    FastTransferFile,
    FileSource,
    GlobalVar,
    PushConfigFile,
)
from bkjob_async.model.operations.targets import Targets
from bkjob_async.model.refs import HostKey, Scope, ScopeType


def scope_parameters(scope: Scope) -> dict[str, Any]:
    """Return a scope's parameters; only newer servers know other scopes than businesses.

    Older ones know the numbers of some business sets; any other number would be taken for a business.
    """
    if scope.type is ScopeType.BIZ:
        return {"bk_biz_id": scope.id}
    named = {"bk_scope_type": str(scope.type), "bk_scope_id": str(scope.id)}
    is_known = scope.type is ScopeType.BIZ_SET and scope.id in BIZ_SETS
    return {"bk_biz_id": scope.id, **named} if is_known else named


def step_status_parameters(operation: GetStepInstanceStatus) -> dict[str, Any]:
    """Return what `get_step_instance_status` takes, flat and nested.

    The documented component reads a nested `params`, the backend that replaced it reads the same keys flat.
    """
    ids = ref_parameters(operation.ref)
    return {**ids, "params": ids}


# Launches -----------------------------------------------------------------------------------------


def refuse_here(name: str, **options: object) -> None:
    """Raise `NotSupported` for the options of *name* that this dialect does not know."""
    refuse_options(f"esb-job's {name}", "esb-jobv3, gateway-v3, gateway-v4", **options)


def ip_list_parameter(hosts: tuple[HostKey, ...]) -> list[dict[str, Any]]:
    """Return hosts by address, their only name in this dialect."""
    refuse_containers(hosts)
    return [address_parameters(host) for host in hosts]


def target_server(targets: Targets) -> dict[str, Any]:
    """Return targets as `target_server` has them here."""
    refuse_here("target_server", kube_container_filters=targets.kube_container_filters)
    return without_none(
        ip_list=ip_list_parameter(targets.hosts) or None,
        dynamic_group_id_list=list(targets.dynamic_groups) or None,
        topo_node_list=[{"id": node.id, "node_type": node.node_type} for node in targets.topo_nodes] or None,
    )


def execute_job_parameters(operation: ExecuteJobPlan) -> dict[str, Any]:
    """Return what `execute_job` takes."""
    refuse_here("execute_job", start_task=operation.start_task)
    return {
        "bk_job_id": operation.job_plan_id,
        "global_vars": [global_var_parameters(variable) for variable in operation.global_vars] or None,
        "bk_callback_url": operation.callback_url,
    }


def global_var_parameters(variable: GlobalVar) -> dict[str, Any]:
    """Return a global variable: its value, or its hosts."""
    return without_none(
        id=variable.id,
        name=variable.name,
        value=variable.value,
        target_server=None if variable.server is None else target_server(variable.server),
    )


def script_id_parameter(number: str | None) -> int | str | None:
    """Return a script's id, a number in this dialect."""
    return int(number) if number is not None and number.isdecimal() else number


def fast_execute_script_parameters(operation: FastExecuteScript) -> dict[str, Any]:
    """Return what `fast_execute_script` takes."""
    refuse_here(
        operation.name,
        account_id=operation.account_id,
        script_version_id=operation.script_version_id,
        rolling_config=operation.rolling_config,
        start_task=operation.start_task,
        windows_interpreter=operation.windows_interpreter,
        host_password_list=operation.host_password_list,
    )
    return {
        "script_id": script_id_parameter(operation.script_id),
        "script_content": to_base64(operation.script_content),
        "script_type": operation.script_language,
        "script_param": to_base64(operation.script_param),
        "script_timeout": operation.timeout,
        "account": operation.account_alias,
        "is_param_sensitive": int(operation.is_param_sensitive),
        "task_name": operation.task_name,
        "bk_callback_url": operation.callback_url,
        "target_server": target_server(operation.targets),
    }


def fast_execute_sql_parameters(operation: FastExecuteSql) -> dict[str, Any]:
    """Return what `fast_execute_sql` takes."""
    refuse_here(
        operation.name, script_version_id=operation.script_version_id, start_task=operation.start_task
    )
    return {
        "script_id": script_id_parameter(operation.script_id),
        "script_content": to_base64(operation.script_content),
        "script_timeout": operation.timeout,
        "db_account_id": operation.db_account_id,
        "task_name": operation.task_name,
        "bk_callback_url": operation.callback_url,
        "target_server": target_server(operation.targets),
    }


def fast_push_file_parameters(operation: FastTransferFile) -> dict[str, Any]:
    """Return what `fast_push_file` takes."""
    refuse_here(
        "fast_push_file",
        account_id=operation.account_id,
        transfer_mode=operation.transfer_mode,
        file_target_name=operation.file_target_name,
        rolling_config=operation.rolling_config,
        start_task=operation.start_task,
    )
    return {
        "file_source": [file_source_parameters(source) for source in operation.sources],
        "file_target_path": operation.file_target_path,
        "task_name": operation.task_name,
        "account": operation.account_alias,
        "timeout": operation.timeout,
        "upload_speed_limit": operation.upload_speed_limit,
        "download_speed_limit": operation.download_speed_limit,
        "bk_callback_url": operation.callback_url,
        "target_server": target_server(operation.targets),
    }


def file_source_parameters(source: FileSource) -> dict[str, Any]:
    """Return where files come from: hosts only."""
    refuse_here(
        "file_source",
        account_id=source.account_id,
        file_type=None if source.file_type == FileSourceType.SERVER else source.file_type,
        file_source_id=source.file_source_id,
        file_source_code=source.file_source_code,
    )
    return without_none(
        files=list(source.files),
        account=source.account_alias,
        target_server=None if source.server is None else target_server(source.server),
    )


def push_config_file_parameters(operation: PushConfigFile) -> dict[str, Any]:
    """Return what `push_config_file` takes: hosts by address only."""
    targets = operation.targets
    refuse_here(
        operation.name,
        account_id=operation.account_id,
        callback_url=operation.callback_url,
        dynamic_groups=targets.dynamic_groups,
        topo_nodes=targets.topo_nodes,
        kube_container_filters=targets.kube_container_filters,
    )
    return {
        "account": operation.account_alias,
        "task_name": operation.task_name,
        "file_target_path": operation.file_target_path,
        "file_list": config_file_parameters(operation),
        "ip_list": ip_list_parameter(targets.hosts),
    }
