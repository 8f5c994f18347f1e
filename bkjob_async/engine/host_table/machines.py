"""The machines that a client has seen: hosts of many steps that are the same machine have one `HostKey`."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from sys import getrefcount
from typing import Any, TypeVar

from bkjob_async.engine.host_table.id_lookups import IdLookups
from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.refs import HostKey

# Machines that no table has any more are dropped when there are twice as many as after the last time, and so many at least.
FEWEST_SWEPT = 4096
# Of short lists of hosts each is kept once: so many lists, of so many hosts at most.
MAX_LISTS, MAX_LISTED = 512, 16

K = TypeVar("K", bound=Hashable)


class Machines:
    """The keys of the machines whose hosts are watched, each once; a key takes about 150 bytes.

    Jobs run on the same machines again and again, and so do the steps of one. Keys that nothing else refers to are dropped
    from time to time, so there are at most twice as many as are in use. `lookups` are those of the tables.
    """

    __slots__ = ("_by_id", "_lists", "_others", "_sweep_at", "lookups")

    def __init__(self) -> None:
        self.lookups = IdLookups()
        self._by_id: dict[int, HostKey] = {}
        self._others: dict[HostKey, HostKey] = {}
        self._lists: dict[tuple[HostKey, ...], tuple[HostKey, ...]] = {}
        self._sweep_at = FEWEST_SWEPT

    def __len__(self) -> int:
        return len(self._by_id) + len(self._others)

    def keys(self, rows: Sequence[HostRow]) -> list[HostKey]:
        """Return the names that each of *rows* has, as one object for equal ones.

        An IPv6 address is a name only where there is no other address.
        """
        if len(self) + len(rows) > self._sweep_at:
            self._sweep()
        by_id, others, found = self._by_id, self._others, list[HostKey]()
        for row in rows:
            host_id, ip = row.bk_host_id, row.ip
            if host_id is None or not ip or row.container_id is not None:
                key = key_of_row(row)
                found.append(others.setdefault(key, key))
                continue
            cloud, known = row.bk_cloud_id or 0, by_id.get(host_id)
            if known is None or known.ip != ip or known.bk_cloud_id != cloud:
                known = by_id[host_id] = HostKey(bk_host_id=host_id, bk_cloud_id=cloud, ip=ip)
            found.append(known)
        return found

    def key(self, row: HostRow) -> HostKey:
        """Return the names that a *row* has, as `keys` does."""
        return self.keys((row,))[0]

    def list_of(self, keys: Sequence[HostKey]) -> tuple[HostKey, ...]:
        """Return *keys* as a tuple, a short one as one object for equal ones."""
        made = tuple(keys)
        if len(made) > MAX_LISTED:
            return made
        if len(self._lists) >= MAX_LISTS:
            self._lists.clear()
        return self._lists.setdefault(made, made)

    def _sweep(self) -> None:
        """Drop the keys that nothing else refers to."""
        self._lists.clear()
        self.lookups.clear()
        self._by_id = used(self._by_id, {0: HostKey()})
        self._others = used(self._others, twice(HostKey()))
        self._sweep_at = max(FEWEST_SWEPT, 2 * len(self))


def used(keys: dict[K, HostKey], unused: dict[Any, HostKey]) -> dict[K, HostKey]:
    """Return those of *keys* that more refers to than to the key in *unused*, a dictionary of the same kind."""
    ((_, least),) = references_in(unused)
    return {name: keys[name] for name, references in references_in(keys) if references > least}


def references_in(keys: dict[K, HostKey]) -> Iterator[tuple[K, int]]:
    """Yield how many references each key has."""
    for name in keys:  # noqa: PLC0206 - items would be one more reference
        yield name, getrefcount(keys[name])


def twice(key: HostKey) -> dict[HostKey, HostKey]:
    """Return a dictionary from a key to itself."""
    return {key: key}


def key_of_row(row: HostRow) -> HostKey:
    """Return the names that a row has; an IPv6 address is one only where there is no other address."""
    ip, ipv6, container_id = row.ip or None, row.ipv6 or None, row.container_id
    cloud = row.bk_cloud_id
    if ip is not None and container_id is None:
        cloud, ipv6 = cloud or 0, None
    elif ipv6 is None and container_id is None:
        cloud = None
    return HostKey(
        bk_host_id=row.bk_host_id,
        bk_cloud_id=cloud,
        ip=ip,
        ipv6=ipv6,
        container_id=container_id,
        container_name=row.container_name if container_id is not None else None,
    )


def merged_keys(known: HostKey, more: HostKey) -> HostKey:
    """Return all names of two keys of one host; where both have one, *known* wins."""
    return HostKey(
        bk_host_id=known.bk_host_id if known.bk_host_id is not None else more.bk_host_id,
        bk_cloud_id=known.bk_cloud_id if known.bk_cloud_id is not None else more.bk_cloud_id,
        ip=known.ip or more.ip,
        ipv6=known.ipv6 or more.ipv6,
        container_id=known.container_id if known.container_id is not None else more.container_id,
        container_name=known.container_name or more.container_name,
    )
