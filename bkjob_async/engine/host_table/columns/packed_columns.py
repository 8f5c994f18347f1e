"""The columns of a large host table, packed one after the other into one string of bytes.

An example, with fewer hosts than such a table has. A step has the hosts 11, 12, 13 and 14, all running (small code 7 here):

    cells     | 11 12 13 14 | 1 1 1 1 | 7 7 7 7 | 0 0 0 0 |    names, batch numbers, statuses, statuses before
    response  9: [13]   7: [11, 12, 14]                        poll 2, in groups by status
    ids       13, 11, 12, 14                                   11, 12, 14 are in the table's order: one comparison
    returned  ListedOrder: place 2 first, then 0, 1, 3         no place of the other hosts is written down
    compared  9 7 7 7 with the statuses in this order          one XOR of two numbers of four bytes
    returned  position 0, place 2, before 7, after 9           only the changed host is looked at by itself
    cells     | 11 12 13 14 | 1 1 2 1 | 7 7 9 7 | 0 0 7 0 |

A host takes 14 bytes: its name (8), the batch of its last change (4), its status and the one before (1 each). Addresses
take 8 more in a table where any host has one beside its name, and batch numbers 4 more once they outgrow four bytes. The
loops over hosts run inside CPython: comparing, searching and slicing strings, and arithmetic on one number for a column.
`PlainColumns` says the same host by host, and a test holds both equal.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from sys import byteorder
from typing import Literal

from msgspec import Struct

from bkjob_async.engine.host_table.columns.byte_columns import (
    CHANGED,
    SPARSE,
    ByteColumn,
    blended,
    differing,
    marked,
    picked,
)
from bkjob_async.engine.host_table.columns.listed_order import ListedOrder, column_at, places_if_sorted
from bkjob_async.engine.host_table.columns.plain_columns import StatusUpdate

LARGEST_SHORT = (1 << 32) - 1

# Layouts: whether there are addresses, whether batch numbers are long. For each: how many bytes of a host come before its
# batch number and before its status.
ADDRESSES, LONG = 1, 2
BEFORE_SEQUENCES = (8, 16, 8, 16)
BEFORE_STATUSES = (12, 20, 16, 24)


class PackedColumns(Struct, eq=False, gc=False):
    """Names, addresses, batch numbers, statuses and statuses before of hosts in a fixed order.

    A name is a number of 64 bits; an address stands beside it, 0 for none. Statuses are bytes of `encoding`.
    """

    _cells: bytearray
    size: int
    _layout: int

    @classmethod
    def of(
        cls,
        names: Sequence[int],
        addresses: Sequence[int],
        sequences: array[int],
        statuses: ByteColumn,
        befores: ByteColumn,
    ) -> PackedColumns:
        """Return columns with these contents; names beyond the other columns add hosts that were not seen yet."""
        has_addresses, added = any(addresses), len(names) - len(statuses)
        is_long = max(sequences, default=0) > LARGEST_SHORT
        columns = (
            array("Q", names),
            array("Q", addresses if has_addresses else ()),
            array("Q" if is_long else "I", (*sequences, *bytes(added))),
            statuses,
            bytes(added),
            befores,
            bytes(added),
        )
        layout = (ADDRESSES if has_addresses else 0) | (LONG if is_long else 0)
        return cls(bytearray(b"".join(columns)), len(names), layout)

    def copy(self) -> PackedColumns:
        """Return the columns as they are now."""
        return PackedColumns(bytearray(self._cells), self.size, self._layout)

    # Where columns begin --------------------------------------------------------------------------------------------

    @property
    def has_addresses(self) -> bool:
        """Whether any host has an address beside its name."""
        return bool(self._layout & ADDRESSES)

    @property
    def _sequence_code(self) -> Literal["I", "Q"]:
        return "Q" if self._layout & LONG else "I"

    @property
    def _sequences_at(self) -> int:
        return BEFORE_SEQUENCES[self._layout] * self.size

    @property
    def _statuses_at(self) -> int:
        return BEFORE_STATUSES[self._layout] * self.size

    # Names ----------------------------------------------------------------------------------------------------------

    def names(self) -> array[int]:
        """Return the name of every host; a copy."""
        return array("Q", bytes(self._cells[: 8 * self.size]))

    def packed_names(self) -> bytes:
        """Return the name of every host in eight bytes."""
        return bytes(self._cells[: 8 * self.size])

    def names_at(self, places: Sequence[int]) -> list[int]:
        """Return the names of the hosts at *places*."""
        return self._numbers_at(places, 0)

    def addresses(self) -> array[int]:
        """Return the address of every host beside its name, 0 for none; a copy."""
        if not self.has_addresses:
            return array("Q", bytes(8 * self.size))
        return array("Q", bytes(self._cells[8 * self.size : 16 * self.size]))

    def addresses_at(self, places: Sequence[int]) -> list[int]:
        """Return the addresses of the hosts at *places* beside their names, 0 for none."""
        return self._numbers_at(places, 8 * self.size) if self.has_addresses else [0] * len(places)

    def _numbers_at(self, places: Sequence[int], begin: int) -> list[int]:
        """Return numbers of the column of eight bytes a host at *begin*, without copying the column."""
        with memoryview(self._cells)[begin : begin + 8 * self.size] as raw, raw.cast("Q") as column:
            return [column[place] for place in places]

    def has_packed_names(self, packed: bytes) -> bool:
        """Return whether these are the names of all hosts in this order, eight bytes each."""
        return len(packed) == 8 * self.size and self._cells.startswith(packed)

    def find(self, name: int) -> int:
        """Return the place of the host with this *name*, -1 where there is none."""
        return self.find_packed(name.to_bytes(8, byteorder), 0)

    def find_packed(self, packed: bytes, first: int) -> int:
        """Return the place of a name in eight bytes, searched from place *first* on; -1 where there is none."""
        cells, end = self._cells, 8 * self.size
        found = cells.find(packed, 8 * first, end)
        while found >= 0 and found % 8:  # these bytes may also begin in the middle of a name
            found = cells.find(packed, found + 1, end)
        return found // 8

    def listed_order(self, packed: bytes, ids: Sequence[int], sizes: Sequence[int]) -> ListedOrder | None:
        """Return the places of *ids* where all but a few are in the table's order; None where it is not as simple.

        The response must list every host once, in lists of these *sizes*, each in the table's order; the largest list
        has nearly all hosts. *packed* are the ids in eight bytes each.
        """
        size, largest = self.size, max(sizes, default=0)
        if len(ids) != size or (size - largest) * SPARSE > size:
            return None
        begin = sum(sizes[: sizes.index(largest)])
        end = begin + largest
        elsewhere, in_order = [*ids[:begin], *ids[end:]], packed[8 * begin : 8 * end]
        guessed = places_if_sorted(ids, elsewhere, begin, end)
        if self.names_at(guessed) == elsewhere:
            order = ListedOrder(size, guessed, begin)
            if order.in_order(self._cells, 8) == in_order:
                return order
        found = self._search_in_order(packed, sizes)
        if found is None:
            return None
        order = ListedOrder(size, found, begin)
        return order if order.in_order(self._cells, 8) == in_order else None

    def _search_in_order(self, packed: bytes, sizes: Sequence[int]) -> list[int] | None:
        """Return the places of the ids in all lists but the largest, None where a list is in another order."""
        begin, largest = 0, sizes.index(max(sizes))
        places: list[int] = []
        for number, size in enumerate(sizes):
            place = -1
            for n in range(begin, begin + size) if number != largest else ():
                place = self.find_packed(packed[8 * n : 8 * n + 8], place + 1)
                if place < 0:
                    return None
                places.append(place)
            begin += size
        return places

    # Statuses -------------------------------------------------------------------------------------------------------

    def statuses(self) -> ByteColumn:
        """Return the status of every host; a copy."""
        begin = self._statuses_at
        return self._cells[begin : begin + self.size]

    def befores(self) -> ByteColumn:
        """Return the status that every host had before its last change; a copy."""
        return self._cells[self._statuses_at + self.size :]

    def sequences(self) -> array[int]:
        """Return the batch number of every host's last change; a copy."""
        return array(self._sequence_code, bytes(self._cells[self._sequences_at : self._statuses_at]))

    def status(self, place: int) -> int:
        """Return the status of the host at *place*."""
        return self._cells[self._statuses_at + place]

    def update(self, places: Sequence[int], smalls: bytes, sequence: int) -> StatusUpdate | None:
        """Set the statuses of the hosts at *places*, each named once, and return which changed; None for none."""
        known = column_at(self.statuses(), places)
        if known == smalls:
            return None
        positions = marked(differing(known, smalls))
        if len(positions) < len(places):
            places = places.at(positions) if type(places) is ListedOrder else picked(places, positions)
            known, smalls = bytes(picked(known, positions)), bytes(picked(smalls, positions))
        self.set_statuses(places, smalls, sequence)
        return positions, places, known, smalls

    def set_statuses(self, places: Sequence[int], smalls: bytes, sequence: int) -> None:
        """Set new statuses in batch *sequence*; what the hosts had becomes their status before."""
        size = self.size
        if isinstance(places, range):  # all hosts
            self._set_column(bytes((CHANGED,)) * size, smalls, sequence)
        elif len(places) * SPARSE <= size:
            self._set_one_by_one(places, smalls, sequence)
        else:
            marks, column = bytearray(size), bytearray(size)
            for place, small in zip(places, smalls, strict=True):
                marks[place], column[place] = CHANGED, small
            self._set_column(marks, column, sequence)

    def set_marked(self, marks: bytes, small: int, sequence: int) -> Sequence[int]:
        """Set the status of the hosts whose mark is 255, all others having 0; return their places."""
        places = marked(marks)
        if len(places) * SPARSE > self.size:
            self._set_column(marks, bytes((small,)) * self.size, sequence)
        elif places:
            self._set_one_by_one(places, bytes((small,)) * len(places), sequence)
        return places

    def clear_statuses(self, sequence: int) -> None:
        """Forget all statuses and keep the names; this is a change in batch *sequence*."""
        self._set_column(bytes((CHANGED,)) * self.size, bytes(self.size), sequence)
        self._cells[self._statuses_at :] = bytes(2 * self.size)

    def _set_one_by_one(self, places: Iterable[int], smalls: bytes, sequence: int) -> None:
        self._fit(sequence)
        cells, size, sequences, statuses = self._cells, self.size, self._sequences_at, self._statuses_at
        befores, width = statuses + size, (statuses - sequences) // size
        packed = sequence.to_bytes(width, byteorder)
        for place, small in zip(places, smalls, strict=True):
            cells[befores + place] = cells[statuses + place]
            cells[statuses + place] = small
            begin = sequences + width * place
            cells[begin : begin + width] = packed

    def _set_column(self, marks: ByteColumn, smalls: ByteColumn, sequence: int) -> None:
        """Set the statuses of the hosts whose mark is 255, all others having 0; *smalls* has a status for every host."""
        self._fit(sequence)
        begin, statuses, size = self._sequences_at, self._statuses_at, self.size
        befores, cells = statuses + size, self._cells
        known, packed = cells[statuses:befores], array(self._sequence_code, (sequence,)).tobytes()
        if 0 not in marks:
            cells[begin:] = b"".join((packed * size, smalls, known))
            return
        wide_marks = bytearray(len(packed) * size)
        for n in range(len(packed)):
            wide_marks[n :: len(packed)] = marks
        cells[befores:] = blended(cells[befores:], known, marks)
        cells[statuses:befores] = blended(known, smalls, marks)
        cells[begin:statuses] = blended(cells[begin:statuses], packed * size, wide_marks)

    def _fit(self, sequence: int) -> None:
        """Change the layout once a batch number needs eight bytes."""
        if sequence > LARGEST_SHORT and not self._layout & LONG:
            sequences = array("Q", self.sequences())
            self._cells[self._sequences_at : self._statuses_at] = sequences.tobytes()
            self._layout |= LONG
