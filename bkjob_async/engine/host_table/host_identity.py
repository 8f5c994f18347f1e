"""The names of hosts: what a row calls its host, and how one host goes by several names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeGuard, cast

from bkjob_async.engine.host_table.encoding import ADDRESS, NON_NUMERIC_ID, packed_address, unpacked_address
from bkjob_async.model.fast_frozen import unfrozen_twin
from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.refs import HostKey

LARGEST_ID = NON_NUMERIC_ID - 1

_draft = unfrozen_twin(HostKey)


class IdentityIndex:
    """The names of a table's hosts, unpacked for one look that brings unknown or reordered ones.

    A host's place is fixed at first sight and shared by all its names. *names* are host ids, packed addresses, or
    marks for `strange` hosts, whose names are no numbers; *addresses* stand beside ids, 0 for none. What changed is
    said by `changed`, and is to be packed again.
    """

    __slots__ = ("_by_address", "_by_text", "_places", "addresses", "changed", "names", "strange")

    def __init__(
        self, names: Sequence[int], addresses: Sequence[int], strange: Mapping[int, HostKey]
    ) -> None:
        self.names = list(names)
        self.addresses = list(addresses)
        self.strange = dict(strange)
        self.changed = False
        self._places: dict[int | None, int] = dict(zip(self.names, range(len(self.names)), strict=True))
        if max(self.names, default=0) >= NON_NUMERIC_ID:
            # What is no id must not be met by a row whose id is that very number.
            self._places = {name: index for index, name in enumerate(self.names) if name < NON_NUMERIC_ID}
        self._by_address: dict[int, int] | None = None
        self._by_text: dict[object, int] = {}

    def places(self, rows: Sequence[HostRow], named: Callable[[HostRow], HostRow]) -> list[int]:
        """Return the place of each row's host, new ones at first sight; -1 for a row without a name.

        *named* returns a row with all its names; it is called only where the id alone does not tell.
        """
        ids = [row.bk_host_id for row in rows]
        if not self.names and len(set(ids)) == len(ids) and all(map(is_id, ids)):
            self._welcome_all(map(named, rows))
            return list(range(len(rows)))
        found = list(map(self._places.get, ids))
        for n, (row, index) in enumerate(zip(rows, found, strict=True)):
            if index is None:
                found[n] = self._place(named(row))
            elif not self.addresses[index] and row.ip:
                self.join(index, row)
        return cast("list[int]", found)

    def _place(self, row: HostRow) -> int:
        host_id = row.bk_host_id
        known = self._places.get(host_id)
        if known is None:
            known = self._by_alias(row)
        return self._welcome(row) if known is None else known

    # Other names ----------------------------------------------------------------------------------------------------

    def _by_alias(self, row: HostRow) -> int | None:
        """Return the place of the row's host by any other name, joining what the row adds; None if unknown."""
        if self._by_address is None:
            self._by_address = {}
            for index in range(len(self.names)):
                self._note(index)
        address = packed_address(row.bk_cloud_id or 0, row.ip) if row.ip else None
        found = self._by_address.get(address) if address is not None else None
        if found is None and self._by_text:
            found = next((self._by_text[n] for n in texts_of(key_of(row)) if n in self._by_text), None)
        if found is None:
            return None
        # An address joins two rows only if they do not name two different machines.
        name = self.names[found]
        if row.bk_host_id is not None and name < NON_NUMERIC_ID and name != row.bk_host_id:
            return None
        self.join(found, row)
        return found

    def _note(self, index: int) -> None:
        assert self._by_address is not None  # noqa: S101 - it was made just before
        name = self.names[index]
        address = name if name & ADDRESS else self.addresses[index]
        if address:
            self._by_address.setdefault(address, index)
        if index in self.strange:
            for text in texts_of(key_from(name, self.addresses[index], self.strange[index])):
                self._by_text.setdefault(text, index)

    def join(self, index: int, row: HostRow) -> None:
        """Learn further names of the host at *index* from a row about it."""
        name, host_id = self.names[index], row.bk_host_id
        address = packed_address(row.bk_cloud_id or 0, row.ip) if row.ip else None
        if name >= NON_NUMERIC_ID and is_id(host_id):
            self._rename(index, host_id)
            if name & ADDRESS:
                self._learn(index, name)
        if address is not None and self.names[index] != address and not self.addresses[index]:
            self._learn(index, address)
        if index in self.strange or (row.ipv6 and not row.ip):
            known = self.strange.get(index) or key_from(self.names[index], self.addresses[index], None)
            more = merged(known, key_of(row))
            if more != self.strange.get(index):
                self.strange[index] = more
                self.changed = True

    def _rename(self, index: int, name: int) -> None:
        self.names[index] = name
        self._places[name] = index
        self.changed = True

    def _learn(self, index: int, address: int) -> None:
        self.addresses[index] = address
        self.changed = True
        if self._by_address is not None:
            self._by_address.setdefault(address, index)

    def _welcome_all(self, rows: Iterable[HostRow]) -> None:
        """Give places to the hosts of rows with an id of its own each, while nobody is known yet."""
        names, addresses = self.names, self.addresses
        for row in rows:
            address = packed_address(row.bk_cloud_id or 0, row.ip) if row.ip else None
            if address is None or row.bk_host_id is None or row.container_id is not None:
                self._welcome(row)
            else:
                names.append(row.bk_host_id)
                addresses.append(address)
        self.changed = True

    def _welcome(self, row: HostRow) -> int:
        """Give the row's host a place; -1 when the row names nobody."""
        address = packed_address(row.bk_cloud_id or 0, row.ip) if row.ip else None
        host_id, index = row.bk_host_id, len(self.names)
        strange = row.container_id is not None
        if is_id(host_id):
            name = host_id
            strange = strange or bool(row.ipv6 and not row.ip) or bool(row.ip and address is None)
        elif address is not None:
            name = address
        elif row.ip or row.ipv6 or row.container_id is not None or host_id is not None:
            name, strange = NON_NUMERIC_ID | index, True
        else:
            return -1
        if strange:
            self.strange[index] = key_of(row)
        self.names.append(name)
        self.addresses.append(0 if address is None or name == address else address)
        if name < NON_NUMERIC_ID:
            self._places[name] = index
        self.changed = True
        if self._by_address is not None:
            self._note(index)
        return index


def is_id(number: int | None) -> TypeGuard[int]:
    """Whether *number* can be kept as a host's id."""
    return number is not None and 0 <= number <= LARGEST_ID


def key_from(name: int, address: int, strange: HostKey | None) -> HostKey:
    """Return all the names of a host from its packed name, the address beside it, and names that are no numbers."""
    packed = name if name & ADDRESS else address
    cloud, ip = unpacked_address(packed) if packed else (None, None)
    plain: HostKey = _draft(name if name < NON_NUMERIC_ID else None, cloud, ip)
    plain.__class__ = HostKey
    return plain if strange is None else merged(plain, strange)


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
