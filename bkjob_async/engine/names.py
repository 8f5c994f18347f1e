"""The names of hosts: what a row calls its host, and how one host goes by several names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from bkjob_async.engine.packing import packed_address
from bkjob_async.model.look import HostRow
from bkjob_async.model.refs import HostKey


class NamedHosts(Protocol):
    """A table of hosts, as far as names go."""

    def named(self) -> Iterable[tuple[int, int]]:
        """Yield (packed address, place) of every host with an IPv4 address."""
        ...

    def strangers(self) -> Iterable[tuple[int, HostKey]]:
        """Yield (place, names) of the hosts whose names are not plain numbers."""
        ...

    def owner(self, index: int) -> int | None:
        """Return the host id at *index*, None where it is not known."""
        ...

    def key(self, index: int) -> HostKey:
        """Return all the names of the host at *index*."""
        ...

    def join(self, index: int, row: HostRow) -> None:
        """Learn further names of the host at *index* from a row about it."""
        ...


class Aliases:
    """Looks hosts up by names other than their first; made for one look, and only when it is needed."""

    __slots__ = ("_by_address", "_by_text", "_table")

    def __init__(self, table: NamedHosts) -> None:
        self._table = table
        self._by_address: dict[int, int] | None = None
        self._by_text: dict[object, int] = {}

    def place(self, row: HostRow) -> int | None:
        """Return the place of the row's host by any of its names, joining what the row adds; None if unknown."""
        if self._by_address is None:
            self._by_address = dict(self._table.named())
            for index, key in self._table.strangers():
                self._note(index, key)
        address = packed_address(row.bk_cloud_id or 0, row.ip) if row.ip else None
        found = self._by_address.get(address) if address is not None else None
        if found is None:
            names = texts_of(key_of(row))
            found = next((self._by_text[name] for name in names if name in self._by_text), None)
        if found is None:
            return None
        owner = self._table.owner(found)
        # An address joins two rows only if they do not name two different machines.
        if row.bk_host_id is not None and owner is not None and owner != row.bk_host_id:
            return None
        self._table.join(found, row)
        return found

    def add(self, index: int) -> None:
        """Take in a host that was just welcomed."""
        if self._by_address is None:
            return
        key = self._table.key(index)
        address = packed_address(key.bk_cloud_id or 0, key.ip) if key.ip else None
        if address is not None:
            self._by_address.setdefault(address, index)
        self._note(index, key)

    def _note(self, index: int, key: HostKey) -> None:
        for name in texts_of(key):
            self._by_text.setdefault(name, index)


def key_of(row: HostRow) -> HostKey:
    """Return the names that a row gives."""
    return HostKey(
        bk_host_id=row.bk_host_id,
        bk_cloud_id=row.bk_cloud_id,
        ip=row.ip or None,
        ipv6=row.ipv6 or None,
        container_id=row.container_id,
    )


def merged(known: HostKey, more: HostKey) -> HostKey:
    """Return all names of two keys of one host; what is known stays."""
    return HostKey(
        bk_host_id=known.bk_host_id if known.bk_host_id is not None else more.bk_host_id,
        bk_cloud_id=known.bk_cloud_id if known.bk_cloud_id is not None else more.bk_cloud_id,
        ip=known.ip or more.ip,
        ipv6=known.ipv6 or more.ipv6,
        container_id=known.container_id if known.container_id is not None else more.container_id,
        container_name=known.container_name or more.container_name,
    )


def texts_of(key: HostKey) -> Iterator[object]:
    """Yield the names of a host that are no plain numbers."""
    if key.ip:
        yield ("ip", key.bk_cloud_id or 0, key.ip)
    if key.ipv6:
        yield ("ipv6", key.bk_cloud_id or 0, key.ipv6)
    if key.container_id is not None:
        yield ("container", key.container_id)
    if key.bk_host_id is not None:
        yield ("host", key.bk_host_id)
