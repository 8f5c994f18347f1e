"""The targets of a launch: hosts, groups of hosts, containers, in all forms that callers may pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen
from msgspec import Struct

from bkjob_async.model.refs import HostKey

HostLike = HostKey | int | str


def host_key(host: HostLike) -> HostKey:
    """Return the key of a host given as key, `bk_host_id` or `"cloud:ip"`; raise ValueError."""
    if isinstance(host, HostKey):
        return host
    if isinstance(host, bool) or not isinstance(host, int | str):
        raise ValueError(f"a host is a HostKey, a host id or 'cloud:ip', not {type(host).__name__}")  # noqa: TRY004 - one error for all that is no host
    if isinstance(host, str):
        return HostKey.parse(host.strip())
    if host <= 0:
        raise ValueError("a host id is positive")
    return HostKey(bk_host_id=host)


def host_keys(hosts: HostLike | Iterable[HostLike]) -> tuple[HostKey, ...]:
    """Return the keys of one host or many, each once, in their order; raise ValueError."""
    several = (hosts,) if isinstance(hosts, HostKey | int | str) else hosts
    return tuple(dict.fromkeys(host_key(host) for host in several))


class TopoNode(Struct, frozen=True):
    """A node of the business topology: `module`, `set`, … with its `bk_inst_id`.

    *node_type* is the type of the node, *id* its number.
    """

    node_type: str
    id: int


def texts(given: str | Iterable[str]) -> tuple[str, ...]:
    """Return one text or many."""
    return (given,) if isinstance(given, str) else tuple(given)


def mappings(given: Iterable[Mapping[str, object]]) -> tuple[Mapping[str, Any], ...]:
    """Return mappings under the platform's names."""
    return tuple(given)


def _nodes(nodes: Iterable[TopoNode | tuple[str, int]]) -> tuple[TopoNode, ...]:
    return tuple(node if isinstance(node, TopoNode) else TopoNode(*node) for node in nodes)


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


def targets_of(value: TargetsLike) -> Targets:
    """Return targets given as such, or as one host or many; raise ValueError."""
    return value if isinstance(value, Targets) else Targets(hosts=value)
