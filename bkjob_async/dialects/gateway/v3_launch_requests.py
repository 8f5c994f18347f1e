"""Parameters that start jobs in the v3 interfaces; version 4 changes a few."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from bkjob_async.dialects.common.fields import field_values
from bkjob_async.dialects.common.hosts import host_list_parameters, host_parameters
from bkjob_async.errors import NotSupported, UsageError
from bkjob_async.model.base_error import check_type
from bkjob_async.model.operations import launches
from bkjob_async.model.operations.codes import FileSourceType, RollingExecution, RollingType
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
        **without_none(variable=targets.variable),
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
    if targets.variable is not None:
        raise NotSupported("only gateway-v3 and esb-jobv3 take a host variable as a target")
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


def rolling_parameters(config: launches.RollingConfig | None) -> dict[str, Any] | None:
    """Return a rolling configuration, None for none; raise `UsageError` for what the platform refuses."""
    if config is None:
        return None
    source = config.file_source
    found = {
        **without_none(**field_values(config, "file_source", "extra")),
        **without_none(file_source=source and without_none(**field_values(source))),
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


def execute_job_plan_parameters(operation: launches.ExecuteJobPlan) -> dict[str, Any]:
    """Return what `execute_job_plan` takes."""
    variables = [global_var_parameters(variable) for variable in operation.global_vars]
    return {**field_values(operation, "global_vars"), "global_var_list": variables or None}


def global_var_parameters(variable: launches.GlobalVar) -> dict[str, Any]:
    """Return a global variable: its value, or its hosts."""
    server = None if variable.server is None else target_server(variable.server)
    return without_none(**field_values(variable, "server"), server=server)


def common_script_parameters(operation: launches.ScriptFields) -> dict[str, Any]:
    """Return what operations that run scripts take, without their targets."""
    return {
        **field_values(operation, "targets", "is_param_sensitive"),
        "script_language": operation.language,
        "script_content": to_base64(operation.script_content),
        "script_param": to_base64(operation.script_param),
        "rolling_config": rolling_parameters(operation.rolling_config),
    }


def fast_script_parameters(operation: launches.FastExecuteScript) -> dict[str, Any]:
    """Return what `fast_execute_script` takes in every version."""
    passwords = [dict(item) for item in operation.host_password_list]
    return {**common_script_parameters(operation), "host_password_list": passwords or None}


def fast_execute_script_parameters(operation: launches.FastExecuteScript) -> dict[str, Any]:
    """Return what `fast_execute_script` takes."""
    return {
        **fast_script_parameters(operation),
        "is_param_sensitive": int(operation.is_param_sensitive),
        "target_server": target_server(operation.targets),
    }


def fast_execute_script_v4_parameters(operation: launches.FastExecuteScript) -> dict[str, Any]:
    """Return what `fast_execute_script` takes in version 4."""
    return {
        **fast_script_parameters(operation),
        "param_sensitive": operation.is_param_sensitive,
        "execute_target": execute_target(operation.targets),
    }


def fast_execute_sql_parameters(operation: launches.FastExecuteSql) -> dict[str, Any]:
    """Return what `fast_execute_sql` takes."""
    return {
        **field_values(operation, "targets"),
        "script_content": to_base64(operation.script_content),
        "target_server": target_server(operation.targets),
    }


def fast_transfer_file_parameters(operation: launches.FastTransferFile) -> dict[str, Any]:
    """Return what `fast_transfer_file` takes."""
    return {**common_transfer_parameters(operation), "target_server": target_server(operation.targets)}


def common_transfer_parameters(operation: launches.TransferFields) -> dict[str, Any]:
    """Return what operations that transfer files take, without their targets."""
    return {
        **field_values(operation, "targets", "sources"),
        "file_source_list": [file_source_parameters(source) for source in operation.sources],
        "rolling_config": rolling_parameters(operation.rolling_config),
    }


def file_source_parameters(source: launches.FileSource) -> dict[str, Any]:
    """Return where files come from; raise `UsageError` for local files that are said to lie on hosts."""
    kind = file_type(source)
    if kind == FileSourceType.LOCAL and source.server is not None:
        raise UsageError("local files lie on no host: leave out the server, or send files of that host")
    account = without_none(id=source.account_id, alias=source.account_alias, name=source.account_name)
    return without_none(
        file_list=list(source.files),
        file_type=kind,
        server=None if source.server is None else target_server(source.server),
        account=account or None,
        file_source_id=source.file_source_id,
        file_source_code=source.file_source_code,
    )


def file_type(source: launches.FileSource) -> int:
    """Return what kind of place files come from."""
    if source.file_type is not None:
        return source.file_type
    return FileSourceType.THIRD_PARTY if source.is_third_party else FileSourceType.SERVER


def push_config_file_parameters(operation: launches.PushConfigFile) -> dict[str, Any]:
    """Return what `push_config_file` takes."""
    return {
        **field_values(operation, "targets", "files"),
        "file_list": config_file_parameters(operation),
        "target_server": target_server(operation.targets),
    }


def config_file_parameters(operation: launches.PushConfigFile) -> list[dict[str, Any]]:
    """Return small files by name, their contents encoded; raise `UsageError` for what is none."""
    check_type("file_list", operation.files, Mapping, "{'motd': 'Hello'}")
    for name, content in operation.files.items():
        check_type("each name in file_list", name, str)
        check_type(f"file_list: the content of {name}", content, str | bytes)
    return [{"file_name": name, "content": to_base64(text)} for name, text in operation.files.items()]
