"""Names of a large table's first hosts beside their ids, read from the first response when they are wanted."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence

from bkjob_async.engine.host_table.columns.encoding import packed_address
from bkjob_async.engine.host_table.host_identity import key_of_row
from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.refs import HostKey


class UnreadNames:
    """What is known of the names of hosts of which a response was read no further than their ids.

    `addresses` stand beside the ids, 0 for none; `keys` are names that are not numbers, by place. Both are right for the
    places that were read.
    """

    __slots__ = ("_is_read", "_left", "_rows", "_with_names", "addresses", "keys")

    def __init__(self, rows: Sequence[HostRow], with_names: Callable[[HostRow], HostRow]) -> None:
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
