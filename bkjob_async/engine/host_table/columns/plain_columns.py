"""The columns of a small host table, changed host by host.

Most steps have ten hosts or fewer. For them a loop is faster than the operations on whole columns that `PackedColumns`
uses, and the code says plainly what both do. It takes about 30 bytes a host at ten hosts.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import cast

from msgspec import Struct

from bkjob_async.engine.host_table.columns.byte_columns import ByteColumn

StatusUpdate = tuple[Sequence[int], Sequence[int], bytes, bytes]
"""Of the hosts that changed: their positions in the response, their places, and their bytes before and after."""


# How many bytes of each host stand before each column.
STATUSES, BEFORES, SEQUENCES, NAMES, ADDRESSES = 0, 1, 2, 10, 18


class PlainColumns(Struct, eq=False, gc=False):
    """Names, addresses, statuses, statuses before, and batch numbers of hosts in a fixed order.

    A name is a number of 64 bits; an address stands beside it, 0 for none. Statuses are bytes of `encoding`. The batch
    number of a host is the batch that its last change belongs to. The columns stand one after the other in one string of
    bytes, which takes half the memory of one string each for a single host.
    """

    _cells: bytes = b""
    size: int = 0

    @classmethod
    def of(
        cls,
        names: Sequence[int],
        addresses: Sequence[int],
        sequences: array[int],
        statuses: ByteColumn,
        befores: ByteColumn,
    ) -> PlainColumns:
        """Return columns with these contents; names beyond the other columns add hosts that were not seen yet."""
        none = bytes(len(names) - len(statuses))
        columns = (
            *(statuses, none, befores, none),
            array("Q", (*sequences, *none)),
            array("Q", names),
            array("Q", addresses if any(addresses) else ()),
        )
        return cls(b"".join(columns), len(names))

    def copy(self) -> PlainColumns:
        """Return the columns as they are now."""
        return PlainColumns(self._cells, self.size)

    def _column(self, before: int, width: int) -> bytes:
        """Return the column of *width* bytes a host behind columns of *before* bytes a host."""
        return self._cells[before * self.size : (before + width) * self.size]

    # Names ----------------------------------------------------------------------------------------------------------

    @property
    def has_addresses(self) -> bool:
        """Whether any host has an address beside its name."""
        return len(self._cells) > ADDRESSES * self.size

    def names(self) -> array[int]:
        """Return the name of every host."""
        return array("Q", self._column(NAMES, 8))

    def packed_names(self) -> bytes:
        """Return the name of every host in eight bytes."""
        return self._column(NAMES, 8)

    def names_at(self, places: Sequence[int]) -> list[int]:
        """Return the names of the hosts at *places*."""
        names = self.names()
        return [names[place] for place in places]

    def addresses(self) -> array[int]:
        """Return the address of every host beside its name, 0 for none."""
        return array("Q", self._column(ADDRESSES, 8) or bytes(8 * self.size))

    def addresses_at(self, places: Sequence[int]) -> list[int]:
        """Return the addresses of the hosts at *places* beside their names, 0 for none."""
        addresses = self.addresses()
        return [addresses[place] for place in places]

    def has_packed_names(self, packed: bytes) -> bool:
        """Return whether these are the names of all hosts in this order, eight bytes each."""
        return self._column(NAMES, 8) == packed

    # Statuses -------------------------------------------------------------------------------------------------------

    def statuses(self) -> bytes:
        """Return the status of every host."""
        return self._column(STATUSES, 1)

    def befores(self) -> bytes:
        """Return the status that every host had before its last change."""
        return self._column(BEFORES, 1)

    def sequences(self) -> array[int]:
        """Return the batch number of every host's last change."""
        return array("Q", self._column(SEQUENCES, 8))

    def status(self, place: int) -> int:
        """Return the status of the host at *place*."""
        return self._cells[place]

    def are(self, ids: Sequence[int | None], smalls: bytes) -> bool:
        """Return whether these are the names and the statuses of all hosts in this order."""
        cells, size = self._cells, self.size
        if len(smalls) != size or not cells.startswith(smalls):
            return False
        try:
            return cells.startswith(array("Q", cast("Sequence[int]", ids)).tobytes(), NAMES * size)
        except (TypeError, OverflowError):  # one is None, or no number of 64 bits
            return False

    def update(self, places: Sequence[int], smalls: bytes, sequence: int) -> StatusUpdate | None:
        """Set the statuses of the hosts at *places*, each named once, and return which changed; None for none."""
        statuses = self.statuses()
        known = statuses if isinstance(places, range) else bytes([statuses[place] for place in places])
        if known == smalls:
            return None
        positions = [n for n, small in enumerate(smalls) if known[n] != small]
        if len(positions) < len(places):
            places = [places[n] for n in positions]
            known, smalls = bytes([known[n] for n in positions]), bytes([smalls[n] for n in positions])
        self.set_statuses(places, smalls, sequence)
        return positions, places, known, smalls

    def set_statuses(self, places: Sequence[int], smalls: bytes, sequence: int) -> None:
        """Set new statuses in batch *sequence*; what the hosts had becomes their status before."""
        statuses, befores, sequences = bytearray(self.statuses()), bytearray(self.befores()), self.sequences()
        for place, small in zip(places, smalls, strict=True):
            befores[place] = statuses[place]
            statuses[place] = small
            sequences[place] = sequence
        self._set_statuses(statuses, befores, sequences)

    def set_marked(self, marks: bytes, small: int, sequence: int) -> Sequence[int]:
        """Set the status of the hosts whose mark is 255, all others having 0; return their places."""
        places = [place for place, mark in enumerate(marks) if mark]
        if places:
            self.set_statuses(places, bytes((small,)) * len(places), sequence)
        return places

    def clear_statuses(self, sequence: int) -> None:
        """Forget all statuses and keep the names; this is a change in batch *sequence*."""
        none = bytes(self.size)
        self._set_statuses(none, none, array("Q", [sequence] * self.size))

    def _set_statuses(self, statuses: ByteColumn, befores: ByteColumn, sequences: array[int]) -> None:
        names = self._cells[NAMES * self.size :]
        self._cells = b"".join((statuses, befores, sequences.tobytes(), names))
