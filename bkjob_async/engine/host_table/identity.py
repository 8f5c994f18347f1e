"""Which rows are one host: the hosts of a table by all their names, for one response with unknown hosts or further names.

A row may name its host by a host id, by cloud area and IPv4 address, by IPv6 address, or by container.

A machine that is registered anew has another id and the same address. It stays the host that it was, and keeps the first
id: events, records and cursors name it by that. Two machines may have one address, too, where addresses are given
dynamically. So an unknown id joins the host with its address only where a response that lists all hosts does not list
that host's own id; they are two hosts again as soon as both ids are listed.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import cast

from bkjob_async.engine.host_table.id_lookups import places_by_id
from bkjob_async.engine.host_table.machines import Machines, merged_keys
from bkjob_async.model.poll_view import HostRow, Named
from bkjob_async.model.refs import HostKey

NO_LATER_IDS: Mapping[int, int] = MappingProxyType({})


class IdentityIndex:
    """The hosts of a table by all their names.

    *keys* are the hosts in the order of their places; *later_ids* are the places of hosts that were registered anew, by
    their other ids. `changed` says whether any of them is to be written back to the table.
    """

    __slots__ = ("_by_id", "_by_name", "_is_complete", "_listed", "_machines", "changed", "keys", "later_ids")

    def __init__(
        self,
        keys: Sequence[HostKey],
        later_ids: Mapping[int, int] = NO_LATER_IDS,
        machines: Machines | None = None,
    ) -> None:
        self.keys = list(keys)
        self.later_ids = later_ids
        self.changed = False
        self._machines = Machines() if machines is None else machines
        self._listed: set[int | None] = set()
        self._is_complete: bool | None = None
        self._by_id = places_by_id(self.keys)
        self._by_name: dict[Hashable, int] | None = None

    def places(self, rows: Sequence[HostRow], named: Named, *, complete: bool | None = None) -> Sequence[int]:
        """Return the place of each row's host, and add unknown hosts; -1 for a row that names no host for sure.

        *named* returns rows with all their names; it is called for those whose id alone is not enough. *complete*: the
        rows are those of all hosts; None where they are no response, and an unknown id is another host.
        """
        ids = [row.bk_host_id for row in rows]
        self._listed, self._is_complete = set(ids), complete
        if not self.keys and len(self._listed) == len(ids) and None not in self._listed:
            self.keys, self.changed = self._machines.keys(named(rows)), True
            return range(len(rows))
        found = list(map(self._by_id.get, ids))
        unknown = [n for n, place in enumerate(found) if place is None]
        for n, full_row in zip(unknown, named([rows[n] for n in unknown]), strict=True):
            found[n] = self._place(full_row)
        for n, row in enumerate(rows):
            place = found[n]
            if row.ip and place is not None and place >= 0 and self.keys[place].ip is None:
                self._add_names(place, row)
        return cast("Sequence[int]", found)

    def _place(self, row: HostRow) -> int:
        host_id = row.bk_host_id
        known = self._by_id.get(host_id) if host_id is not None else None
        if known is None and host_id is not None and host_id in self.later_ids:
            known = self._by_later_id(host_id)
        if known is None:
            known = self._by_other_name(row)
        return self._add_host(row) if known is None else known

    # Hosts that were registered anew --------------------------------------------------------------------------------

    def _by_later_id(self, host_id: int) -> int | None:
        """Return the place of a host that has another id now; None where its first id is listed: then it is another."""
        place = self.later_ids[host_id]
        if self.keys[place].bk_host_id not in self._listed:
            return place
        self.later_ids = {other: at for other, at in self.later_ids.items() if other != host_id}
        self.changed = True
        return None

    def _by_conflicting_id(self, row: HostRow, place: int) -> int | None:
        """Return *place*, where a host has the row's address and another id, if it was registered anew.

        None if it is another host, -1 if that cannot be told.
        """
        key, host_id = self.keys[place], row.bk_host_id
        is_container = row.container_id is not None or key.container_id is not None
        if self._is_complete is None or is_container or host_id is None:
            return None
        if key.bk_host_id in self._listed or not self._listed.isdisjoint(self._later_ids_of(place)):
            return None
        if not self._is_complete:
            return -1
        self.later_ids = {**self.later_ids, host_id: place}
        self.changed = True
        return place

    def _later_ids_of(self, place: int) -> list[int]:
        return [host_id for host_id, at in self.later_ids.items() if at == place]

    # Other names ----------------------------------------------------------------------------------------------------

    def _by_other_name(self, row: HostRow) -> int | None:
        """Return the place of the row's host by a name other than its id, and add its new names; None if unknown."""
        if self._by_name is None:
            self._by_name = {}
            for place, key in enumerate(self.keys):
                for name in names_of(key):
                    self._by_name.setdefault(name, place)
        found = next((self._by_name[name] for name in names_of(row) if name in self._by_name), None)
        if found is None:
            return None
        # An address makes two rows one host only if their ids do not name two different machines.
        known_id = self.keys[found].bk_host_id
        if row.bk_host_id is not None and known_id is not None and known_id != row.bk_host_id:
            return self._by_conflicting_id(row, found)
        self._add_names(found, row)
        return found

    def _add_names(self, place: int, row: HostRow) -> None:
        """Add the names that a row has to the host at *place*."""
        known = self.keys[place]
        key = merged_keys(known, self._machines.key(row))
        if key != known:
            self._set(place, key)

    def _add_host(self, row: HostRow) -> int:
        """Add the row's host and return its place; -1 when the row has no name."""
        if row.bk_host_id is None and not row.ip and not row.ipv6 and row.container_id is None:
            return -1
        place = len(self.keys)
        key = self._machines.key(row)
        self.keys.append(key)
        self._set(place, key)
        return place

    def _set(self, place: int, key: HostKey) -> None:
        self.keys[place] = key
        self.changed = True
        if key.bk_host_id is not None:
            self._by_id.setdefault(key.bk_host_id, place)
        if self._by_name is not None:
            for name in names_of(key):
                self._by_name.setdefault(name, place)


def names_of(host: HostRow | HostKey) -> Iterator[Hashable]:
    """Yield the names of a host beside its id: addresses, of which an IPv4 one wins, and the container."""
    if host.ip:
        yield host.bk_cloud_id or 0, host.ip
    if host.ipv6:
        yield host.bk_cloud_id or 0, host.ipv6
    if host.container_id is not None:
        yield host.container_id
