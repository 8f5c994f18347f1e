"""Parse the targets of a launch, in each dialect's names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from attrs import evolve, frozen

from bkjob_async.simulator.protocol.api_errors import api_error, bad_request, missing_parameter, violation
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.world.hosts import (
    Host,
    containers_of_filter,
    host_by_address,
    host_by_id,
    hosts_of_group,
)

MAX_TARGETS = 50_000
CONTAINERS = "kube_container_filters"


@frozen(kw_only=True)
class TargetNames:
    """The names of targets in one family of operations; all others are ignored, as the server does."""

    parameter: str
    hosts: str = "ip_list"
    ids: str | None = None
    groups: str = "dynamic_group_list"
    nodes: str = "topo_node_list"
    containers: str | None = None
    may_mix: bool = True


V3 = TargetNames(parameter="target_server", ids="host_id_list")
V2 = TargetNames(parameter="target_server", ids="host_id_list", groups="dynamic_group_id_list")
V4 = TargetNames(parameter="execute_target", hosts="host_list", containers=CONTAINERS, may_mix=False)
PLUGIN_SCRIPT = TargetNames(
    parameter="execute_target",
    hosts="host_list",
    groups="host_dynamic_group_list",
    nodes="host_topo_node_list",
    containers=CONTAINERS,
)
PLUGIN_FILE = evolve(PLUGIN_SCRIPT, parameter="execute_object")
OF_DIALECT = {"esb-job": V2, "esb-jobv3": V3, "gateway-v3": V3, "gateway-v4": V4}
OF_PLUGIN = {"bkci_plugin_fast_execute_script": PLUGIN_SCRIPT, "bkci_plugin_fast_transfer_file": PLUGIN_FILE}


def targets(request: ParsedRequest, *, legacy_esb: bool = False) -> tuple[Host, ...]:
    """Return the hosts of a launch, each once; raise `ApiError` for none, and too many.

    The current backend of the ESB's `job` reads only addresses of text files' targets: bk-job's
    EsbPushConfigFileResourceImpl.
    """
    if request.dialect == "esb-job" and request.operation == "push_config_file" and not legacy_esb:
        given = [by_entry(entry, "ip_list") for entry in optional_list(dict(request.parameters), "ip_list")]
        if not given:
            raise missing_parameter("ip_list")
        return tuple(dict.fromkeys(given))
    names = OF_PLUGIN.get(request.operation, OF_DIALECT[request.dialect])
    found: dict[Host, None] = {}
    for server in servers(request, names):
        found.update(dict.fromkeys(hosts_in(server, names)))
    if not found:
        raise violation("ExecuteTarget_empty") if request.dialect == "gateway-v4" else api_error(1244001)
    if len(found) > MAX_TARGETS:
        raise api_error(1244022, MAX_TARGETS)
    return tuple(found)


def servers(request: ParsedRequest, names: TargetNames) -> Iterator[dict[str, Any]]:
    """Yield every object of the request that names hosts."""
    given = request.parameters
    value = given.get(names.parameter)
    if isinstance(value, dict):
        yield value
    elif value is not None:
        raise bad_request()
    if request.dialect == "esb-job":
        yield {"ip_list": given.get("ip_list"), "dynamic_group_id_list": given.get("custom_query_id")}


def hosts_in(server: dict[str, Any], names: TargetNames) -> Iterator[Host]:
    """Yield the hosts of one object that names hosts: one by one, by groups, by nodes, by container filters."""
    if names.ids is not None:
        for number in optional_list(server, names.ids):
            yield by_id(number)
    for entry in optional_list(server, names.hosts):
        yield by_entry(entry, names.hosts)
    for entry in optional_list(server, names.groups):
        yield from hosts_of_group(f"group {identity(entry, names.groups)}")
    for entry in optional_list(server, names.nodes):
        yield from hosts_of_group(f"{node_type(entry)} {identity(entry, names.nodes)}")
    if names.containers is not None:
        for entry in containers_wanted(server, names):
            yield from containers_of_filter(repr(entry))


def containers_wanted(server: dict[str, Any], names: TargetNames) -> list[dict[str, Any]]:
    """Return the container filters; raise `ApiError` for both hosts and filters, or no cluster."""
    filters = list(optional_list(server, CONTAINERS))
    if filters and not all(isinstance(entry, dict) for entry in filters):
        raise bad_request()
    if names.may_mix:
        return filters
    if filters and any(server.get(name) for name in (names.hosts, names.groups, names.nodes)):
        raise violation("ExecuteTarget_MixHostAndContainer")
    for entry in filters:
        check_cluster(entry)
    return filters


def check_cluster(entry: dict[str, Any]) -> None:
    """Raise `ApiError` for a filter without a cluster, or of a whole cluster without the flag for it."""
    cluster = entry.get("kube_cluster_filter")
    if not isinstance(cluster, dict) or not cluster.get("cluster_uid_list"):
        raise violation("ExecuteTarget_ClusterFilterEmpty")
    narrower = (
        "kube_namespace_filter",
        "kube_workload_filter",
        "kube_pod_filter",
        "kube_container_prop_filter",
    )
    if not any(entry.get(name) for name in narrower) and not entry.get("execute_in_whole_cluster"):
        raise violation("ExecuteTarget_AllCluster")


def optional_list(server: dict[str, Any], name: str) -> Iterable[Any]:
    """Return an optional list; raise `ApiError` for anything else."""
    value = server.get(name)
    if value is None:
        return ()
    if isinstance(value, list):
        return value
    raise missing_parameter(name)


def identity(entry: Any, name: str) -> str:
    """Return the id of a group or node; version 2 has it plain, all others in an object."""
    found = entry.get("id") if isinstance(entry, dict) else entry
    is_plain = name == "dynamic_group_id_list"
    if found in (None, "") or isinstance(found, dict | list) or isinstance(entry, dict) == is_plain:
        raise bad_request()
    return str(found)


def node_type(entry: Any) -> str:
    """Return the kind of a topology node."""
    kind = entry.get("node_type") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or not kind:
        raise violation("TopoNodeType_null")
    return kind


def by_id(number: Any) -> Host:
    """Return the host with an id; raise `ApiError` for anything else."""
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise missing_parameter("host_id_list")
    return host_by_id(number)


def by_entry(entry: Any, name: str) -> Host:
    """Return the host of `{bk_host_id}` or `{bk_cloud_id, ip}`; raise `ApiError` for anything else."""
    if isinstance(entry, dict):
        if isinstance(entry.get("bk_host_id"), int):
            return by_id(entry["bk_host_id"])
        cloud, ip = entry.get("bk_cloud_id", 0), entry.get("ip")
        if isinstance(ip, str) and ip and isinstance(cloud, int):
            return host_by_address(cloud, ip)
    raise missing_parameter(name)
