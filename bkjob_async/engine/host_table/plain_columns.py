"""The columns of a small host table, one `bytes` each, changed host by host.

Most steps have ten hosts or fewer. For them a loop is faster than the operations on whole columns that `PackedColumns`
uses, and the code says plainly what both do. It takes about 40 bytes a host at ten hosts.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from copy import copy
from sys import byteorder

from msgspec import Struct

from bkjob_async.engine.host_table.byte_columns import ByteColumn

StatusUpdate = tuple[Sequence[int], Sequence[int], bytes, bytes]
"""Of the hosts that changed: their positions in the response, their places, and their bytes before and after."""


class PlainColumns(Struct, eq=False, gc=False):
    """Names, addresses, statuses, statuses before, and batch numbers of hosts in a fixed order.

    A name is a number of 64 bits; an address stands beside it, 0 for none. Statuses are bytes of `encoding`. The batch
    number of a host is the batch that its last change belongs to.
    """

    _names: bytes = b""
    _addresses: bytes = b""
    _statuses: bytes = b""
    _befores: bytes = b""
    _sequences: bytes = b""

    @classmethod
    def of(
        cls,
        names: Sequence[int],
        addresses: Sequence[int],
        sequences: array[int],
        statuses: ByteColumn,
        befores: ByteColumn,
    ) -> PlainColumns:
        """Return columns with these contents."""
        packed = array("Q", addresses).tobytes() if any(addresses) else b""
        return cls(array("Q", names).tobytes(), packed, bytes(statuses), bytes(befores), sequences.tobytes())

    def __len__(self) -> int:
        return len(self._statuses)

    def copy(self) -> PlainColumns:
        """Return the columns as they are now."""
        return copy(self)

    # Names ----------------------------------------------------------------------------------------------------------

    @property
    def has_addresses(self) -> bool:
        """Whether any host has an address beside its name."""
        return bool(self._addresses)

    def names(self) -> array[int]:
        """Return the name of every host."""
        return array("Q", self._names)

    def name(self, place: int) -> int:
        """Return the name of the host at *place*."""
        return int.from_bytes(self._names[8 * place : 8 * place + 8], byteorder)

    def names_at(self, places: Sequence[int]) -> list[int]:
        """Return the names of the hosts at *places*."""
        names = self.names()
        return [names[place] for place in places]

    def addresses(self) -> array[int]:
        """Return the address of every host beside its name, 0 for none."""
        return array("Q", self._addresses or bytes(8 * len(self)))

    def address(self, place: int) -> int:
        """Return the address of the host at *place* beside its name, 0 for none."""
        return int.from_bytes(self._addresses[8 * place : 8 * place + 8], byteorder)

    def addresses_at(self, places: Sequence[int]) -> list[int]:
        """Return the addresses of the hosts at *places* beside their names, 0 for none."""
        addresses = self.addresses()
        return [addresses[place] for place in places]

    def has_packed_names(self, packed: bytes) -> bool:
        """Return whether these are the names of all hosts in this order, eight bytes each."""
        return self._names == packed

    def find(self, name: int) -> int:
        """Return the place of the host with this *name*, -1 where there is none."""
        names = self.names()
        return names.index(name) if name in names else -1

    def set_names(self, names: Sequence[int], addresses: Sequence[int]) -> None:
        """Set every host's name and address; names beyond the known hosts add hosts that were not seen yet."""
        added = len(names) - len(self)
        self._names = array("Q", names).tobytes()
        self._addresses = array("Q", addresses).tobytes() if any(addresses) else b""
        self._statuses += bytes(added)
        self._befores += bytes(added)
        self._sequences += bytes(8 * added)

    # Statuses -------------------------------------------------------------------------------------------------------

    def statuses(self) -> ByteColumn:
        """Return the status of every host."""
        return self._statuses

    def befores(self) -> ByteColumn:
        """Return the status that every host had before its last change."""
        return self._befores

    def sequences(self) -> array[int]:
        """Return the batch number of every host's last change."""
        return array("Q", self._sequences)

    def status(self, place: int) -> int:
        """Return the status of the host at *place*."""
        return self._statuses[place]

    def before(self, place: int) -> int:
        """Return the status that the host at *place* had before."""
        return self._befores[place]

    def has_statuses(self, smalls: bytes) -> bool:
        """Return whether these are the statuses of all hosts in this order."""
        return self._statuses == smalls

    def has_status(self, small: int) -> bool:
        """Return whether any host has this status."""
        return small in self._statuses

    def update(self, places: Sequence[int], smalls: bytes, sequence: int) -> StatusUpdate | None:
        """Set the statuses of the hosts at *places*, each named once, and return which changed; None for none."""
        statuses = self._statuses
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
        if len(places) == len(self) and isinstance(places, range):  # all hosts
            self._befores, self._statuses = self._statuses, smalls
            self._sequences = array("Q", (sequence,)).tobytes() * len(places)
            return
        statuses, befores, sequences = bytearray(self._statuses), bytearray(self._befores), self.sequences()
        for place, small in zip(places, smalls, strict=True):
            befores[place] = statuses[place]
            statuses[place] = small
            sequences[place] = sequence
        self._statuses, self._befores = bytes(statuses), bytes(befores)
        self._sequences = sequences.tobytes()

    def set_marked(self, marks: bytes, small: int, sequence: int) -> Sequence[int]:
        """Set the status of the hosts whose mark is 255, all others having 0; return their places."""
        places = [place for place, mark in enumerate(marks) if mark]
        if places:
            self.set_statuses(places, bytes((small,)) * len(places), sequence)
        return places

    def clear_statuses(self, sequence: int) -> None:
        """Forget all statuses and keep the names; this is a change in batch *sequence*."""
        size = len(self)
        self._statuses = self._befores = bytes(size)
        self._sequences = array("Q", [sequence] * size).tobytes()
