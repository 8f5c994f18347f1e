"""Hosts and containers, and how an id, an address, a group or a filter resolves to them."""

from __future__ import annotations

from functools import lru_cache
from zlib import crc32

from attrs import frozen

PER_CLOUD = 10_000_000
PER_GROUP = 3


@frozen(kw_only=True)
class Host:
    """One execute object: a host, or a container when it has a *container_id*."""

    bk_host_id: int
    bk_cloud_id: int = 0
    ip: str | None = None
    ipv6: str | None = None
    bk_agent_id: str | None = None
    container_id: int | None = None
    container_name: str | None = None

    @property
    def label(self) -> str:
        """The name to show: `cloud:ip`, else `cloud:[ipv6]`, the container's name, the id."""
        if self.container_id is not None:
            return self.container_name or f"container#{self.container_id}"
        if self.ip:
            return f"{self.bk_cloud_id}:{self.ip}"
        return f"{self.bk_cloud_id}:[{self.ipv6}]" if self.ipv6 else f"#{self.bk_host_id}"


@lru_cache(maxsize=200_000)
def host(number: int, cloud: int = 0) -> Host:
    """Return simulated host *number*, the same one every time."""
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    bk_host_id = cloud * PER_CLOUD + number
    return Host(bk_host_id=bk_host_id, bk_cloud_id=cloud, ip=address, bk_agent_id=agent_id(bk_host_id))


def agent_id(bk_host_id: int) -> str:
    """Return the id of a simulated host's agent, 32 hexadecimal digits as the platform's newer agents have."""
    return f"0100{bk_host_id:028x}"


def hosts(count: int, *, first: int = 1, cloud: int = 0) -> tuple[Host, ...]:
    """Return *count* simulated hosts, from number *first* on."""
    return tuple(host(number, cloud) for number in range(first, first + count))


def container(number: int) -> Host:
    """Return simulated container *number*, on a node of its own."""
    return Host(bk_host_id=number, container_id=500_000 + number, container_name=f"app-{number}")


def host_by_id(bk_host_id: int) -> Host:
    """Return the host with an id."""
    cloud, number = divmod(bk_host_id, PER_CLOUD)
    return host(number, cloud)


def host_by_address(cloud: int, ip: str) -> Host:
    """Return the host with an address; simulated hosts have their own ids."""
    parts = ip.split(".")
    if len(parts) == 4 and parts[0] == "10" and all(part.isdigit() for part in parts):
        number = int(parts[1]) << 16 | int(parts[2]) << 8 | int(parts[3])
        if number:
            return host(number, cloud)
    number = 900_000_000 + crc32(f"{cloud}:{ip}".encode()) % 90_000_000
    return Host(bk_host_id=number, bk_cloud_id=cloud, ip=ip, bk_agent_id=agent_id(number))


def hosts_of_group(name: str) -> tuple[Host, ...]:
    """Return the hosts of a dynamic group or topology node: a few, always the same."""
    return hosts(PER_GROUP, first=1 + crc32(name.encode()) % 60_000)


def containers_of_filter(name: str) -> tuple[Host, ...]:
    """Return the containers that a filter finds: a few, always the same."""
    first = 1 + crc32(name.encode()) % 60_000
    return tuple(container(number) for number in range(first, first + PER_GROUP))
