"""Write names of hosts into requests, and read them from responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bkjob_async.dialects.common.json_fields import JsonObject, as_integer
from bkjob_async.errors import NotSupported, UsageError
from bkjob_async.model.refs import HostKey

CONTAINER = 2


def address_parameters(host: HostKey) -> dict[str, Any]:
    """Return a host's address as parameters; raise `UsageError` for a host without an IPv4 address."""
    if not host.ip:
        raise UsageError(f"{host} has no IPv4 address here; name it by its bk_host_id")
    return {"bk_cloud_id": host.bk_cloud_id or 0, "ip": host.ip}


def refuse_containers(hosts: Sequence[HostKey]) -> None:
    """Raise `NotSupported` when one of *hosts* is a container."""
    if any(host.container_id is not None for host in hosts):
        raise NotSupported("only gateway-v4 knows containers")


def host_list_parameters(hosts: Sequence[HostKey]) -> dict[str, Any]:
    """Return `host_id_list` or `ip_list`, never both; raise `UsageError` for a mixture.

    Where both stand in a request the platform ignores `ip_list` silently.
    """
    refuse_containers(hosts)
    if not hosts:
        return {}
    ids = [host.bk_host_id for host in hosts if host.bk_host_id is not None]
    if len(ids) == len(hosts):
        return {"host_id_list": ids}
    if all(host.ip for host in hosts):
        return {"ip_list": [address_parameters(host) for host in hosts]}
    raise UsageError(
        "name all hosts of one call by bk_host_id, or all by address: the platform cannot mix them"
    )


def host_parameters(host: HostKey) -> dict[str, Any]:
    """Return one host by its id or by its address."""
    refuse_containers((host,))
    return {"bk_host_id": host.bk_host_id} if host.bk_host_id is not None else address_parameters(host)


def read_host(row: JsonObject, *, default: HostKey | None = None) -> HostKey:
    """Read the host of a row: flat names, or an execute object of version 4; else *default*."""
    thing = row.maybe_child("execute_object")
    if thing is not None:
        return read_execute_object(thing)
    host = read_host_fields(row)
    return default if default is not None and host == HostKey() else host


def read_host_fields(host: JsonObject) -> HostKey:
    """Read the flat names of a host; some servers and mocks call its id `host_id`."""
    return HostKey(
        bk_host_id=host.maybe_identity("bk_host_id", "host_id"),
        bk_cloud_id=host.maybe_integer("bk_cloud_id"),
        ip=host.maybe_text("ip") or None,
        ipv6=host.maybe_text("ipv6") or None,
    )


def read_execute_object(thing: JsonObject) -> HostKey:
    """Read an execute object: a host, or a container with an id and a name."""
    container = thing.maybe_child("container")
    if container is not None:
        return HostKey(
            container_id=container.maybe_identity("id") or resource_id(thing),
            container_name=container.maybe_text("name") or container.maybe_text("container_id"),
        )
    host = thing.maybe_child("host")
    if host is not None:
        return read_host_fields(host)
    number = resource_id(thing)
    is_container = thing.maybe_integer("type") == CONTAINER
    return HostKey(container_id=number) if is_container else HostKey(bk_host_id=number)


def resource_id(thing: JsonObject) -> int | None:
    """Return the id that an execute object has as text, None for one that is no number."""
    number = as_integer(thing.get("resource_id"))
    return number if number is not None and number > 0 else None
