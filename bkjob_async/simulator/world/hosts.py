"""Which host is meant: by its id, its address, a group or a place in the topology."""

from __future__ import annotations

from zlib import crc32

from bkjob_async.simulator.world.plans import Host, container, host, hosts

PER_CLOUD = 10_000_000
PER_GROUP = 3


def host_by_id(bk_host_id: int) -> Host:
    """Return the host of an id."""
    cloud, number = divmod(bk_host_id, PER_CLOUD)
    return host(number, cloud)


def host_by_address(cloud: int, ip: str) -> Host:
    """Return the host of an address; those of the fleet have the fleet's ids."""
    parts = ip.split(".")
    if len(parts) == 4 and parts[0] == "10" and all(part.isdigit() for part in parts):
        number = int(parts[1]) << 16 | int(parts[2]) << 8 | int(parts[3])
        if number:
            return host(number, cloud)
    return Host(
        bk_host_id=900_000_000 + crc32(f"{cloud}:{ip}".encode()) % 90_000_000, bk_cloud_id=cloud, ip=ip
    )


def hosts_of_group(name: str) -> tuple[Host, ...]:
    """Return the hosts of a dynamic group or topology node: a few, always the same."""
    return hosts(PER_GROUP, first=1 + crc32(name.encode()) % 60_000)


def containers_of_filter(name: str) -> tuple[Host, ...]:
    """Return the containers that a filter finds: a few, always the same."""
    first = 1 + crc32(name.encode()) % 60_000
    return tuple(container(number) for number in range(first, first + PER_GROUP))


def rolling_sizes(expression: str, total: int) -> tuple[int, ...]:
    """Return batch sizes of a rolling expression; ValueError for one that is none.

    Its parts are `N`, `N%`, `+N` (more than before) and `*N` (times as many); the last one repeats.
    Source: bk-job's engine/rolling.
    """
    parts = expression.split()
    if not parts:
        raise ValueError("a rolling expression has parts")
    sizes: list[int] = []
    left, place = total, 0
    while left > 0:
        part = parts[min(place, len(parts) - 1)]
        size = min(left, batch_size(part, total, sizes[-1] if sizes else 0))
        sizes.append(size)
        left -= size
        place += 1
    return tuple(sizes)


def batch_size(part: str, total: int, before: int) -> int:
    """Return the size that one part of an expression asks for, at least 1."""
    if part.startswith("+"):
        size = before + int(part[1:])
    elif part.startswith("*"):
        size = before * int(part[1:])
    elif part.endswith("%"):
        size = -(-total * int(part[:-1]) // 100)
    else:
        size = int(part)
    if size < 1:
        raise ValueError(f"a batch of {size} hosts")
    return size
