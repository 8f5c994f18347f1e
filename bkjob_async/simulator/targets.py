"""The hosts that a launch names, in each dialect's spelling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bkjob_async.simulator.asking import Asked, missing
from bkjob_async.simulator.desk import refusal
from bkjob_async.simulator.world_fleet import (
    containers_of_filter,
    host_by_address,
    host_by_id,
    hosts_of_group,
)
from bkjob_async.simulator.world_plans import Host

MOST_TARGETS = 50_000


def targets(asked: Asked) -> tuple[Host, ...]:
    """Return the hosts that a launch is for; refuse none, and too many."""
    found: dict[Host, None] = {}
    for server in servers(asked):
        found.update(dict.fromkeys(named(server)))
    if not found:
        raise refusal(1244001)
    if len(found) > MOST_TARGETS:
        raise refusal(1244022)
    return tuple(found)


def servers(asked: Asked) -> Iterator[dict[str, Any]]:
    """Yield every object of the request that names hosts."""
    given = asked.parameters
    for name in ("target_server", "execute_target"):
        value = given.get(name)
        if isinstance(value, dict):
            yield value
    if asked.dialect == "esb-job":
        yield {"ip_list": given.get("ip_list"), "dynamic_group_list": given.get("custom_query_id")}


def named(server: dict[str, Any]) -> Iterator[Host]:
    """Yield the hosts of one `target_server` or `execute_target`."""
    for number in listed(server, "host_id_list"):
        yield by_id(number)
    for name in ("ip_list", "host_list"):
        for entry in listed(server, name):
            yield by_entry(entry, name)
    groups = (
        "dynamic_group_list",
        "dynamic_group_id_list",
        "topo_node_list",
        "host_dynamic_group_list",
        "host_topo_node_list",
    )
    for name in groups:
        for entry in listed(server, name):
            yield from hosts_of_group(str(entry))
    for entry in listed(server, "kube_container_filters"):
        yield from containers_of_filter(str(entry))


def listed(server: dict[str, Any], name: str) -> Iterable[Any]:
    """Return an optional list; refuse what is none."""
    value = server.get(name)
    if value is None:
        return ()
    if isinstance(value, list):
        return value
    raise missing(name)


def by_id(number: Any) -> Host:
    """Return the host of an id; refuse what is none."""
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise missing("host_id_list")
    return host_by_id(number)


def by_entry(entry: Any, name: str) -> Host:
    """Return the host of `{bk_host_id}` or `{bk_cloud_id, ip}`; refuse what is neither."""
    if isinstance(entry, dict):
        if isinstance(entry.get("bk_host_id"), int):
            return by_id(entry["bk_host_id"])
        cloud, ip = entry.get("bk_cloud_id", 0), entry.get("ip")
        if isinstance(ip, str) and ip and isinstance(cloud, int):
            return host_by_address(cloud, ip)
    raise missing(name)
