"""Data of the hosts that do not fit in a table's columns; few tables have any."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from attrs import evolve, frozen

from bkjob_async.engine.host_table.changes import StatusChange
from bkjob_async.engine.host_table.columns.encoding import UNENCODABLE, small_code
from bkjob_async.engine.host_table.host_identity import NO_LATER_IDS, key_of_row, packed_address
from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.refs import HostKey

WithNames = Callable[[HostRow], HostRow]

NO_KEYS: Mapping[int, HostKey] = MappingProxyType({})
NO_CODES: Mapping[tuple[int, bool], int] = MappingProxyType({})
NO_COUNTS: Mapping[int, int] = MappingProxyType({})


class UnreadNames:
    """What is known of the names of a large table's first hosts, of which a response was read no further than their ids.

    `addresses` stand beside the ids, 0 for none; `keys` are names that are not numbers, by place. Both are right for the
    places that were read.
    """

    __slots__ = ("_is_read", "_left", "_rows", "_with_names", "addresses", "keys")

    def __init__(self, rows: Sequence[HostRow], with_names: WithNames) -> None:
        """Hold the *rows* of all hosts in the order of places; *with_names* returns one with all its names."""
        self.addresses = array("Q", bytes(8 * len(rows)))
        self.keys: dict[int, HostKey] = {}
        self._rows = rows
        self._with_names = with_names
        self._is_read = bytearray(len(rows))
        self._left = len(rows)

    @property
    def is_complete(self) -> bool:
        """Whether the names of all hosts were read."""
        return not self._left

    def read(self, places: Iterable[int]) -> None:
        """Read the names of the hosts at *places*."""
        rows, with_names, is_read, addresses = self._rows, self._with_names, self._is_read, self.addresses
        for place in places:
            if is_read[place]:
                continue
            is_read[place] = True
            self._left -= 1
            row = with_names(rows[place])
            ip = row.ip
            address = packed_address(row.bk_cloud_id or 0, ip) if ip else None
            if address is not None:
                addresses[place] = address
                if row.container_id is None:
                    continue
            if ip or row.ipv6 or row.container_id is not None:
                self.keys[place] = key_of_row(row)


@frozen(eq=False)
class IrregularHosts:
    """Facts about single hosts, by place.

    *keys* are host names that are not numbers: IPv6 addresses, containers. *codes* are status codes that no byte is
    left for: (place, False) the current one, (place, True) the one before. *repeated* is the number of rows of hosts
    that stand several times. *later_ids* are the places of hosts that were registered anew, by their other ids.
    *unread* are the names other than ids of hosts that the first response listed.
    """

    keys: Mapping[int, HostKey] = NO_KEYS
    codes: Mapping[tuple[int, bool], int] = NO_CODES
    repeated: Mapping[int, int] = NO_COUNTS
    later_ids: Mapping[int, int] = NO_LATER_IDS
    unread: UnreadNames | None = None

    def or_shared(self) -> IrregularHosts:
        """Return the facts, or one shared object where there are none."""
        facts = self.keys, self.codes, self.repeated, self.later_ids, self.unread
        return self if any(facts) else NO_IRREGULAR_HOSTS

    def with_changes(self, changes: Iterable[StatusChange]) -> IrregularHosts:
        """Return the facts with the codes of *changes* that are not encodable."""
        codes = dict(self.codes)
        for change in changes:
            for code, is_before in ((change.before, True), (change.after, False)):
                codes.pop((change.place, is_before), None)
                if code is not None and small_code(code) == UNENCODABLE:
                    codes[change.place, is_before] = code
        return evolve(self, codes=codes).or_shared()


NO_IRREGULAR_HOSTS = IrregularHosts()
