"""Parameters that start jobs in the v3 interfaces; version 4 changes a few."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from bkjob_async.dialects.common.hosts import host_list_parameters, host_parameters
from bkjob_async.errors import NotSupported, UsageError
from bkjob_async.model.operations.codes import FileSourceType, RollingExecution, RollingType
from bkjob_async.model.operations.launches import (
    ExecuteJobPlan,
    FastExecuteScript,
    FastExecuteSql,
    FastTransferFile,
    FileSource,
    GlobalVar,
    PushConfigFile,
    RollingConfig,
    ScriptFields,
    TransferFields,
)
from bkjob_async.model.operations.targets import Targets

# Milliseconds; all three are needed where batches run in parallel.
LONGEST_BATCH_WAIT = 3_600_000
BATCH_WAITS = (
    "batch_start_wait_fixed_ms",
    "batch_start_wait_random_min_ms",
    "batch_start_wait_random_max_ms",
)
# What narrows a container filter down within its clusters.
WITHIN_CLUSTER = (
    "kube_namespace_filter",
    "kube_workload_filter",
    "kube_pod_filter",
    "kube_container_prop_filter",
)


def to_base64(text: str | bytes | None) -> str | None:
    """Return *text* in base64, whole and once; None for None."""
    if text is None:
        return None
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def without_none(**parameters: Any) -> dict[str, Any]:
    """Return the parameters that are not None: nested ones are left out here."""
    return {name: value for name, value in parameters.items() if value is not None}


def target_server(targets: Targets) -> dict[str, Any]:
    """Return targets as `target_server` has them; raise `NotSupported` for containers."""
    if targets.kube_container_filters:
        raise NotSupported("only gateway-v4 starts jobs on containers")
    return {
        **host_list_parameters(targets.hosts),
        **dynamic_targets(targets, "dynamic_group_list", "topo_node_list"),
    }


def dynamic_targets(targets: Targets, groups: str, nodes: str) -> dict[str, Any]:
    """Return the targets that the platform resolves itself, under the names *groups* and *nodes*."""
    named: dict[str, Any] = {
        groups: [{"id": group} for group in targets.dynamic_groups],
        nodes: [{"id": node.id, "node_type": node.node_type} for node in targets.topo_nodes],
    }
    return {name: value for name, value in named.items() if value}


def execute_target(targets: Targets) -> dict[str, Any]:
    """Return targets as version 4 has them; hosts may be named in different ways.

    Raises `UsageError` for what the platform refuses: no targets at all, hosts beside containers, containers of no
    certain cluster.
    """
    for filter_ in targets.kube_container_filters:
        check_cluster(filter_)
    return object_targets(targets, "dynamic_group_list", "topo_node_list")


def check_cluster(filter_: Mapping[str, Any]) -> None:
    """Raise `UsageError` for a container filter without a cluster, or of a whole cluster that does not say so."""
    cluster = filter_.get("kube_cluster_filter")
    if not isinstance(cluster, Mapping) or not cluster.get("cluster_uid_list"):
        raise UsageError(
            'a container filter needs its clusters: add "kube_cluster_filter": {"cluster_uid_list": [...]}'
        )
    if not filter_.get("execute_in_whole_cluster") and not any(map(filter_.get, WITHIN_CLUSTER)):
        raise UsageError(
            "a container filter names only clusters: narrow it down, or add"
            ' "execute_in_whole_cluster": True for all their containers'
        )


def object_targets(targets: Targets, groups: str, nodes: str) -> dict[str, Any]:
    """Return targets that may be containers; *groups* and *nodes* name the dynamic ones."""
    if not targets:
        raise UsageError("name the targets: hosts, dynamic groups, topology nodes or containers")
    if targets.kube_container_filters and (targets.hosts or targets.dynamic_groups or targets.topo_nodes):
        raise UsageError("hosts and containers cannot be mixed in one launch: start two")
    found = dynamic_targets(targets, groups, nodes)
    if targets.hosts:
        found["host_list"] = [host_parameters(host) for host in targets.hosts]
    if targets.kube_container_filters:
        found["kube_container_filters"] = [dict(filter_) for filter_ in targets.kube_container_filters]
    return found


def rolling_parameters(config: RollingConfig | None) -> dict[str, Any] | None:
    """Return a rolling configuration, None for none; raise `UsageError` for what the platform refuses."""
    if config is None:
        return None
    source = config.file_source
    found = {
        **without_none(
            type=config.type,
            mode=config.mode,
            expression=config.expression,
            execution_mode=config.execution_mode,
            batch_start_wait_fixed_ms=config.batch_start_wait_fixed_ms,
            batch_start_wait_random_min_ms=config.batch_start_wait_random_min_ms,
            batch_start_wait_random_max_ms=config.batch_start_wait_random_max_ms,
            file_source=source
            and without_none(
                max_execute_object_num_in_batch=source.max_execute_object_num_in_batch,
                max_file_num_of_single_execute_object=source.max_file_num_of_single_execute_object,
            ),
        ),
        **config.extra,
    }
    if found.get("execution_mode") == RollingExecution.PARALLEL:
        check_parallel(found)
    return found


def check_parallel(config: Mapping[str, Any]) -> None:
    """Raise `UsageError` for a parallel execution that the platform refuses."""
    if config.get("type") == RollingType.FILE_SOURCE:
        raise UsageError("batches of file sources cannot run in parallel: roll over the targets")
    waits = [config.get(name) for name in BATCH_WAITS]
    if not all(isinstance(wait, int) and 0 <= wait <= LONGEST_BATCH_WAIT for wait in waits):
        raise UsageError(
            f"batches that run in parallel need {', '.join(BATCH_WAITS)}: 0 to {LONGEST_BATCH_WAIT} milliseconds"
        )
    if config[BATCH_WAITS[2]] < config[BATCH_WAITS[1]]:
        raise UsageError(f"{BATCH_WAITS[2]} must not be less than {BATCH_WAITS[1]}")


def execute_job_plan_parameters(operation: ExecuteJobPlan) -> dict[str, Any]:
    """Return what `execute_job_plan` takes."""
    return {
        "job_plan_id": operation.job_plan_id,
        "global_var_list": [global_var_parameters(variable) for variable in operation.global_vars] or None,
        "callback_url": operation.callback_url,
        "start_task": operation.start_task,
    }


def global_var_parameters(variable: GlobalVar) -> dict[str, Any]:
    """Return a global variable: its value, or its hosts."""
    return without_none(
        id=variable.id,
        name=variable.name,
        value=variable.value,
        server=None if variable.server is None else target_server(variable.server),
    )


def common_script_parameters(operation: ScriptFields) -> dict[str, Any]:
    """Return what `fast_execute_script` takes in every version."""
    return {
        "script_version_id": operation.script_version_id,
        "script_id": operation.script_id,
        "script_content": to_base64(operation.script_content),
        "script_language": operation.script_language,
        "script_param": to_base64(operation.script_param),
        "timeout": operation.timeout,
        "account_id": operation.account_id,
        "account_alias": operation.account_alias,
        "task_name": operation.task_name,
        "callback_url": operation.callback_url,
        "rolling_config": rolling_parameters(operation.rolling_config),
        "start_task": operation.start_task,
        "windows_interpreter": operation.windows_interpreter,
        "host_password_list": [dict(item) for item in operation.host_password_list] or None,
    }


def fast_execute_script_parameters(operation: FastExecuteScript) -> dict[str, Any]:
    """Return what `fast_execute_script` takes."""
    return {
        **common_script_parameters(operation),
        "is_param_sensitive": int(operation.is_param_sensitive),
        "target_server": target_server(operation.targets),
    }


def fast_execute_script_v4_parameters(operation: FastExecuteScript) -> dict[str, Any]:
    """Return what `fast_execute_script` takes in version 4."""
    return {
        **common_script_parameters(operation),
        "param_sensitive": operation.is_param_sensitive,
        "execute_target": execute_target(operation.targets),
    }


def fast_execute_sql_parameters(operation: FastExecuteSql) -> dict[str, Any]:
    """Return what `fast_execute_sql` takes."""
    return {
        "script_version_id": operation.script_version_id,
        "script_id": operation.script_id,
        "script_content": to_base64(operation.script_content),
        "timeout": operation.timeout,
        "db_account_id": operation.db_account_id,
        "task_name": operation.task_name,
        "callback_url": operation.callback_url,
        "start_task": operation.start_task,
        "target_server": target_server(operation.targets),
    }


def fast_transfer_file_parameters(operation: FastTransferFile) -> dict[str, Any]:
    """Return what `fast_transfer_file` takes."""
    return {**common_transfer_parameters(operation), "target_server": target_server(operation.targets)}


def common_transfer_parameters(operation: TransferFields) -> dict[str, Any]:
    """Return what operations that transfer files take, without their targets."""
    return {
        "file_source_list": [file_source_parameters(source) for source in operation.sources],
        "file_target_path": operation.file_target_path,
        "file_target_name": operation.file_target_name,
        "account_id": operation.account_id,
        "account_alias": operation.account_alias,
        "transfer_mode": operation.transfer_mode,
        "timeout": operation.timeout,
        "upload_speed_limit": operation.upload_speed_limit,
        "download_speed_limit": operation.download_speed_limit,
        "task_name": operation.task_name,
        "callback_url": operation.callback_url,
        "rolling_config": rolling_parameters(operation.rolling_config),
        "start_task": operation.start_task,
    }


def file_source_parameters(source: FileSource) -> dict[str, Any]:
    """Return where files come from; raise `UsageError` for local files that are said to lie on hosts."""
    kind = file_type(source)
    if kind == FileSourceType.LOCAL and source.server is not None:
        raise UsageError("local files lie on no host: leave out the server, or send files of that host")
    account = without_none(id=source.account_id, alias=source.account_alias)
    return without_none(
        file_list=list(source.files),
        file_type=kind,
        server=None if source.server is None else target_server(source.server),
        account=account or None,
        file_source_id=source.file_source_id,
        file_source_code=source.file_source_code,
    )


def file_type(source: FileSource) -> int:
    """Return what kind of place files come from."""
    if source.file_type is not None:
        return source.file_type
    return FileSourceType.THIRD_PARTY if source.is_third_party else FileSourceType.SERVER


def push_config_file_parameters(operation: PushConfigFile) -> dict[str, Any]:
    """Return what `push_config_file` takes."""
    return {
        "account_id": operation.account_id,
        "account_alias": operation.account_alias,
        "task_name": operation.task_name,
        "callback_url": operation.callback_url,
        "file_target_path": operation.file_target_path,
        "file_list": config_file_parameters(operation),
        "target_server": target_server(operation.targets),
    }


def config_file_parameters(operation: PushConfigFile) -> list[dict[str, Any]]:
    """Return small files by name, their contents encoded."""
    return [{"file_name": name, "content": to_base64(text)} for name, text in operation.files.items()]
