"""The targets of a launch: hosts, groups of hosts, containers, in all forms that callers may pass."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen
from msgspec import Struct

from bkjob_async.model.base_error import WrongType, WrongValue, check_several, kind_of
from bkjob_async.model.refs import HostKey

HostLike = HostKey | int | str
HOST_FORMS = "a HostKey, a host id (bk_host_id) or 'cloud:ip'"
_IPV4 = re.compile(r"\d{1,3}(\.\d{1,3}){3}")


def host_key(host: HostLike) -> HostKey:
    """Return the key of a host given as key, `bk_host_id` or `"cloud:ip"`; raise `UsageError`."""
    if isinstance(host, HostKey):
        return host
    if isinstance(host, bool) or not isinstance(host, int | str):
        raise WrongValue(f"a host is {HOST_FORMS}, not {kind_of(host)}")
    if isinstance(host, str):
        return HostKey.parse(host.strip())
    if host <= 0:
        raise WrongValue(f"a host id is positive, not {host}")
    return HostKey(bk_host_id=host)


def host_keys(hosts: HostLike | Iterable[HostLike], name: str = "hosts") -> tuple[HostKey, ...]:
    """Return the keys of one host or many, each once, in their order; raise `UsageError`."""
    # The bytes of an address are numbers, which would be taken for ids.
    if isinstance(hosts, bytes | bytearray | Mapping) or not isinstance(
        hosts, HostKey | int | str | Iterable
    ):
        raise WrongType(f"{name} must be one or many, each {HOST_FORMS}, not {kind_of(hosts)}")
    several = (hosts,) if isinstance(hosts, HostKey | int | str) else hosts
    return tuple(dict.fromkeys(host_key(host) for host in several))


class TopoNode(Struct, frozen=True):
    """A node of the business topology: `module`, `set`, … with its `bk_inst_id`.

    *node_type* is the type of the node, *id* its number.
    """

    node_type: str
    id: int


def texts(given: str | Iterable[str]) -> tuple[str, ...]:
    """Return one text or many; raise `UsageError`."""
    return (given,) if isinstance(given, str) else check_several("files or names", given, str, "['a', 'b']")


def mappings(given: Iterable[Mapping[str, object]]) -> tuple[Mapping[str, Any], ...]:
    """Return mappings under the platform's names; raise `UsageError`."""
    return check_several("filters or passwords", given, Mapping, "[{...}]")


def _nodes(nodes: Iterable[TopoNode | tuple[str, int]]) -> tuple[TopoNode, ...]:
    if isinstance(nodes, Iterable):
        nodes = [TopoNode(*node) if isinstance(node, tuple) else node for node in nodes]
    return check_several("topo_nodes", nodes, TopoNode, "TopoNode(node_type='module', id=5)")


@frozen(kw_only=True)
class Targets:
    """The hosts to act on: named one by one, by dynamic groups, by topology nodes.

    *kube_container_filters* select containers instead, as plain mappings with the platform's names; only
    `gateway-v4` accepts them, and not together with hosts.

    *hosts* are hosts named one by one, *dynamic_groups* the ids of groups, *topo_nodes* `TopoNode` values. *variable*
    is the name of a host variable (bk-job's `EsbServerV3DTO`), in `gateway-v3` and `esb-jobv3`; the platform resolves it
    in steps of plans only, and refuses the launch of a single step that has nothing else.
    """

    hosts: tuple[HostKey, ...] = field(default=(), converter=host_keys)
    dynamic_groups: tuple[str, ...] = field(default=(), converter=texts)
    topo_nodes: tuple[TopoNode, ...] = field(default=(), converter=_nodes)
    kube_container_filters: tuple[Mapping[str, Any], ...] = field(default=(), converter=mappings)
    variable: str | None = None

    def __bool__(self) -> bool:
        """Whether any target is named."""
        named = self.hosts or self.dynamic_groups or self.topo_nodes or self.kube_container_filters
        return bool(named or self.variable)


TargetsLike = Targets | HostLike | Iterable[HostLike]


def targets_of(value: TargetsLike, name: str = "hosts") -> Targets:
    """Return targets given as such, or as one host or many; raise `UsageError`."""
    return value if isinstance(value, Targets) else Targets(hosts=host_keys(value, name))


def check_hosts(name: str, targets: Targets) -> None:
    """Raise `WrongValue` for targets that name no host, or one by no address."""
    if not targets:
        raise WrongValue(f"{name} has no host: give one or many, such as '0:10.0.0.1'")
    for host in targets.hosts:
        if host.ip is not None and _IPV4.fullmatch(host.ip) is None:
            raise WrongValue(f"{name}: the ip of hosts is an IPv4 address, not {host.ip!r:.60}: '0:10.0.0.1'")
