"""Names of hosts: what a row calls its host, and how several names belong to one host.

A row may name its host by a host id, by cloud area and IPv4 address, by IPv6 address, or by container. The table keeps one
*name* a host, a number: its host id, or else its packed address, or else a mark for a host with other names only.

A machine that is registered anew has another id and the same address. It stays the host that it was, and keeps the first
id: events, records and cursors name it by that. Two machines may have one address, too, where addresses are given
dynamically. So an unknown id joins the host with its address only where a response that lists all hosts does not list
that host's own id; they are two hosts again as soon as both ids are listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeGuard, cast

from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.refs import HostKey

ADDRESS = 1 << 63
NON_NUMERIC_ID = 1 << 62
_CLOUDS = 1 << 30
_OCTETS = {str(number): number for number in range(256)}
_TEXTS = tuple(_OCTETS)

LARGEST_ID = NON_NUMERIC_ID - 1

NO_LATER_IDS: Mapping[int, int] = MappingProxyType({})


class IdentityIndex:
    """All names of a table's hosts, unpacked for one response with unknown hosts or further names.

    *names* are host ids, packed addresses, or marks; *addresses* stand beside ids, 0 for none; *keys* are the names of
    hosts, by place, that are not numbers; *later_ids* are the places of hosts that were registered anew, by their other
    ids. `changed` says whether any of them is to be written back to the table.
    """

    __slots__ = (
        "_by_address",
        "_by_text",
        "_is_complete",
        "_listed",
        "_places",
        "addresses",
        "changed",
        "keys",
        "later_ids",
        "names",
    )

    def __init__(
        self,
        names: Sequence[int],
        addresses: Sequence[int],
        keys: Mapping[int, HostKey],
        later_ids: Mapping[int, int] = NO_LATER_IDS,
    ) -> None:
        self.names = list(names)
        self.addresses = list(addresses)
        self.keys = dict(keys)
        self.later_ids = later_ids
        self.changed = False
        self._listed: set[int | None] = set()
        self._is_complete: bool | None = None
        self._places = places_by_id(self.names)
        self._by_address: dict[int, int] | None = None
        self._by_text: dict[object, int] = {}

    def places(
        self,
        rows: Sequence[HostRow],
        with_names: Callable[[HostRow], HostRow],
        *,
        complete: bool | None = None,
    ) -> list[int]:
        """Return the place of each row's host, and add unknown hosts; -1 for a row that names no host for sure.

        *with_names* returns a row with all its names; it is called only where the id alone is not enough. *complete*:
        the rows are those of all hosts; None where they are no response, and an unknown id is another host.
        """
        ids = [row.bk_host_id for row in rows]
        self._listed, self._is_complete = set(ids), complete
        if not self.names and len(set(ids)) == len(ids) and all(map(is_id, ids)):
            self._add_first_hosts(map(with_names, rows))
            return list(range(len(rows)))
        found = list(map(self._places.get, ids))
        for n, (row, index) in enumerate(zip(rows, found, strict=True)):
            if index is None:
                found[n] = self._place(with_names(row))
            elif not self.addresses[index] and row.ip:
                self.add_names(index, row)
        return cast("list[int]", found)

    def _place(self, row: HostRow) -> int:
        host_id = row.bk_host_id
        known = self._places.get(host_id)
        if known is None and host_id in self.later_ids:
            known = self._by_later_id(cast("int", host_id))
        if known is None:
            known = self._by_alias(row)
        return self._add_host(row) if known is None else known

    # Hosts that were registered anew --------------------------------------------------------------------------------

    def _by_later_id(self, host_id: int) -> int | None:
        """Return the place of a host that has another id now; None where its first id is listed: then it is another."""
        place = self.later_ids[host_id]
        if self.names[place] not in self._listed:
            return place
        self.later_ids = {other: at for other, at in self.later_ids.items() if other != host_id}
        self.changed = True
        return None

    def _by_conflicting_id(self, row: HostRow, place: int) -> int | None:
        """Return *place*, where a host has the row's address and another id, if it was registered anew.

        None if it is another host, -1 if that cannot be told.
        """
        key, host_id = self.keys.get(place), row.bk_host_id
        is_container = row.container_id is not None or (key is not None and key.container_id is not None)
        if self._is_complete is None or is_container or not is_id(host_id):
            return None
        if self.names[place] in self._listed or not self._listed.isdisjoint(self._later_ids_of(place)):
            return None
        if not self._is_complete:
            return -1
        self.later_ids = {**self.later_ids, host_id: place}
        self.changed = True
        return place

    def _later_ids_of(self, place: int) -> list[int]:
        return [host_id for host_id, at in self.later_ids.items() if at == place]

    # Other names ----------------------------------------------------------------------------------------------------

    def _by_alias(self, row: HostRow) -> int | None:
        """Return the place of the row's host by a name other than its id, and add its new names; None if unknown."""
        if self._by_address is None:
            self._by_address = {}
            for index in range(len(self.names)):
                self._index_host(index)
        address = packed_address(row.bk_cloud_id or 0, row.ip) if row.ip else None
        found = self._by_address.get(address) if address is not None else None
        if found is None and self._by_text:
            found = next((self._by_text[n] for n in text_names(key_of_row(row)) if n in self._by_text), None)
        if found is None:
            return None
        # An address makes two rows one host only if their ids do not name two different machines.
        name = self.names[found]
        if row.bk_host_id is not None and name < NON_NUMERIC_ID and name != row.bk_host_id:
            return self._by_conflicting_id(row, found)
        self.add_names(found, row)
        return found

    def _index_host(self, index: int) -> None:
        assert self._by_address is not None  # noqa: S101 - it was made just before
        name = self.names[index]
        address = name if name & ADDRESS else self.addresses[index]
        if address:
            self._by_address.setdefault(address, index)
        if index in self.keys:
            for text in text_names(key_from(name, self.addresses[index], self.keys[index])):
                self._by_text.setdefault(text, index)

    def add_names(self, index: int, row: HostRow) -> None:
        """Add the names that a row has to the host at *index*."""
        name, host_id = self.names[index], row.bk_host_id
        address = packed_address(row.bk_cloud_id or 0, row.ip) if row.ip else None
        if name >= NON_NUMERIC_ID and is_id(host_id):
            self._rename(index, host_id)
            if name & ADDRESS:
                self._set_address(index, name)
        if address is not None and self.names[index] != address and not self.addresses[index]:
            self._set_address(index, address)
        if index in self.keys or (row.ipv6 and not row.ip):
            known = self.keys.get(index) or key_from(self.names[index], self.addresses[index], None)
            more = merged_keys(known, key_of_row(row))
            if more != self.keys.get(index):
                self.keys[index] = more
                self.changed = True

    def _rename(self, index: int, name: int) -> None:
        self.names[index] = name
        self._places[name] = index
        self.changed = True

    def _set_address(self, index: int, address: int) -> None:
        self.addresses[index] = address
        self.changed = True
        if self._by_address is not None:
            self._by_address.setdefault(address, index)

    def _add_first_hosts(self, rows: Iterable[HostRow]) -> None:
        """Add the hosts of rows that have an id each, all different, to an empty index."""
        names, addresses = self.names, self.addresses
        for row in rows:
            address = packed_address(row.bk_cloud_id or 0, row.ip) if row.ip else None
            if address is None or row.bk_host_id is None or row.container_id is not None:
                self._add_host(row)
            else:
                names.append(row.bk_host_id)
                addresses.append(address)
        self.changed = True

    def _add_host(self, row: HostRow) -> int:
        """Add the row's host and return its place; -1 when the row has no name."""
        address = packed_address(row.bk_cloud_id or 0, row.ip) if row.ip else None
        host_id, index = row.bk_host_id, len(self.names)
        has_key = row.container_id is not None
        if is_id(host_id):
            name = host_id
            has_key = has_key or bool(row.ipv6 and not row.ip) or bool(row.ip and address is None)
        elif address is not None:
            name = address
        elif row.ip or row.ipv6 or row.container_id is not None or host_id is not None:
            name, has_key = NON_NUMERIC_ID | index, True
        else:
            return -1
        if has_key:
            self.keys[index] = key_of_row(row)
        self.names.append(name)
        self.addresses.append(0 if address is None or name == address else address)
        if name < NON_NUMERIC_ID:
            self._places[name] = index
        self.changed = True
        if self._by_address is not None:
            self._index_host(index)
        return index


def places_by_id(names: Sequence[int]) -> dict[int | None, int]:
    """Return the place of each host by its id, by the *names* of all hosts in their order."""
    if max(names, default=0) < NON_NUMERIC_ID:
        return dict(zip(names, range(len(names)), strict=True))
    # A host without an id must not be found by a row whose id happens to be the same number.
    return {name: place for place, name in enumerate(names) if name < NON_NUMERIC_ID}


def packed_address(cloud: int, ip: str) -> int | None:
    """Return cloud area and IPv4 address as one number with the `ADDRESS` bit; None where they do not fit."""
    if not 0 <= cloud < _CLOUDS:
        return None
    try:
        # `int` would accept spaces, signs, leading zeros and other scripts' digits; this mapping does not.
        first, second, third, fourth = map(_OCTETS.__getitem__, ip.split("."))
    except (KeyError, ValueError):
        return None
    return ADDRESS | cloud << 32 | first << 24 | second << 16 | third << 8 | fourth


def unpacked_address(number: int) -> tuple[int, str]:
    """Return the cloud area and the IPv4 address that `packed_address` packed."""
    first, second, third, fourth = (number & 0xFFFFFFFF).to_bytes(4, "big")
    ip = f"{_TEXTS[first]}.{_TEXTS[second]}.{_TEXTS[third]}.{_TEXTS[fourth]}"
    return (number & ~ADDRESS) >> 32, ip


def is_id(number: int | None) -> TypeGuard[int]:
    """Return whether *number* can be kept as a host id."""
    return number is not None and 0 <= number <= LARGEST_ID


def key_from(name: int, address: int, key: HostKey | None) -> HostKey:
    """Return all names of a host from its name, the address beside it, and the names that are not numbers."""
    packed = name if name & ADDRESS else address
    cloud, ip = unpacked_address(packed) if packed else (None, None)
    plain = HostKey(bk_host_id=plain_id(name), bk_cloud_id=cloud, ip=ip)
    return plain if key is None else merged_keys(plain, key)


def plain_label(name: int, address: int) -> str:
    """Return the label of `key_from` for a host that has no other names, without making the key."""
    packed = name if name & ADDRESS else address
    if not packed:
        return f"#{plain_id(name)}"
    cloud, ip = unpacked_address(packed)
    return f"{cloud}:{ip}"


def plain_id(name: int) -> int | None:
    """Return the host id of a host by its name, None where it has none; 0 is none, which damaged records may have."""
    return name if 0 < name < NON_NUMERIC_ID else None


def key_of_row(row: HostRow) -> HostKey:
    """Return the names that a row has."""
    return HostKey(
        bk_host_id=row.bk_host_id,
        bk_cloud_id=row.bk_cloud_id,
        ip=row.ip or None,
        ipv6=row.ipv6 or None,
        container_id=row.container_id,
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


def text_names(key: HostKey) -> Iterator[object]:
    """Yield the names of a host as hashable values, each marked with its kind."""
    if key.ip:
        yield ("ip", key.bk_cloud_id or 0, key.ip)
    if key.ipv6:
        yield ("ipv6", key.bk_cloud_id or 0, key.ipv6)
    if key.container_id is not None:
        yield ("container", key.container_id)
    if key.bk_host_id is not None:
        yield ("host", key.bk_host_id)
