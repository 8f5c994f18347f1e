"""The columns of a host table, packed one behind the other into one string of bytes.

A host takes 14 bytes: its name (8), the batch that told its last change (4), its status and the one before (1 each).
Addresses take 8 more in a table that has any beside names, and batch numbers 4 more once they outgrow four bytes. One
string for all columns is what keeps steps of a few hosts small: every object of Python's own costs as much as four hosts.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from sys import byteorder
from typing import Literal, cast

from msgspec import Struct

from bkjob_async.engine.host_table.reordering import Cells, Reordering

# Up to one in so many hosts is looked for by itself, where all others stand together.
FEW_ELSEWHERE = 16
LARGEST_SHORT = (1 << 32) - 1

# Layouts: whether there are addresses, whether batch numbers are long; what a host takes, and how much of it comes before
# its batch number and before its statuses.
ADDRESSES, LONG = 1, 2
WIDTHS = (14, 22, 18, 26)
BEFORE_SEQUENCES = (8, 16, 8, 16)
BEFORE_STATUSES = (12, 20, 16, 24)

# Columns of up to so many bytes are written anew rather than in place: as `bytes` they take half the room.
SMALL = 1024


class PackedColumns(Struct, eq=False, gc=False):
    """Names, addresses, batch numbers, statuses and those before, of *n* hosts in a fixed order."""

    _cells: Cells = b""
    _layout: int = 0

    def __len__(self) -> int:
        return len(self._cells) // WIDTHS[self._layout]

    # Where columns begin --------------------------------------------------------------------------------------------

    @property
    def _has_addresses(self) -> bool:
        return bool(self._layout & ADDRESSES)

    @property
    def _sequence_code(self) -> Literal["I", "Q"]:
        return "Q" if self._layout & LONG else "I"

    @property
    def _sequences_at(self) -> int:
        return BEFORE_SEQUENCES[self._layout] * len(self)

    @property
    def _statuses_at(self) -> int:
        return BEFORE_STATUSES[self._layout] * len(self)

    # Reading --------------------------------------------------------------------------------------------------------

    def names(self) -> array[int]:
        """Return every host's name; a copy."""
        return array("Q", bytes(self._cells[: 8 * len(self)]))

    def name(self, index: int) -> int:
        """Return the name of the host at *index*."""
        return int.from_bytes(self._cells[8 * index : 8 * index + 8], byteorder)

    def names_at(self, places: Sequence[int]) -> list[int]:
        """Return the name of the host at each of *places*."""
        return self._numbers_at(places, 0)

    def addresses_at(self, places: Sequence[int]) -> list[int]:
        """Return the address beside the name of the host at each of *places*, 0 for none."""
        return self._numbers_at(places, 8 * len(self)) if self._has_addresses else [0] * len(places)

    def _numbers_at(self, places: Sequence[int], begin: int) -> list[int]:
        """Return numbers of the column of eight bytes a host that begins there, without a copy of it."""
        with memoryview(self._cells)[begin : begin + 8 * len(self)] as raw, raw.cast("Q") as column:
            return [column[place] for place in places]

    def has_names(self, names: Sequence[int | None]) -> bool:
        """Whether these are exactly the hosts, in this order."""
        size = len(self)
        if len(names) != size or (size and (names[0], names[-1]) != (self.name(0), self.name(size - 1))):
            return False
        column = column_of(names)
        return column is not None and self._cells.startswith(column.tobytes())

    def has_statuses(self, smalls: bytes) -> bool:
        """Whether these are the hosts' small statuses, in this order."""
        begin = self._statuses_at
        return self._cells[begin : begin + len(self)] == smalls

    def has_status(self, small: int) -> bool:
        """Whether any host has this small status."""
        begin = self._statuses_at
        return self._cells.find(small, begin, begin + len(self)) >= 0

    def find(self, name: int) -> int:
        """Return the place of the host with this *name*, -1 where there is none."""
        return self._find(name.to_bytes(8, byteorder), 0)

    def _find(self, packed: bytes, first: int) -> int:
        """Return the place of a *packed* name, from place *first* on; -1 where there is none."""
        cells, end = self._cells, 8 * len(self)
        found = cells.find(packed, 8 * first, end)
        while found >= 0 and found % 8:  # a name may begin in the middle of another
            found = cells.find(packed, found + 1, end)
        return found // 8

    def places_in_order(self, names: Sequence[int | None], sizes: Sequence[int]) -> Reordering | None:
        """Return the place of each of *names* where they are all hosts, each once, and nearly all together in this order.

        They were listed in lists of these *sizes*, each in the order of the hosts; None where it is not as simple.
        """
        size, largest = len(self), max(sizes, default=0)
        if len(names) != size or (size - largest) * FEW_ELSEWHERE > size:
            return None
        column, begin = column_of(names), sum(sizes[: sizes.index(largest)])
        if column is None:
            return None
        packed, end = column.tobytes(), begin + largest
        apart, together = [*names[:begin], *names[end:]], packed[8 * begin : 8 * end]
        guessed = elsewhere_by_size(cast("Sequence[int]", names), begin, end)
        if self.names_at(guessed) == apart:
            order = Reordering(size, guessed, begin)
            if order.together(self._cells, 8) == together:
                return order
        elsewhere = self._find_in_order(packed, sizes)
        if elsewhere is None:
            return None
        order = Reordering(size, elsewhere, begin)
        return order if order.together(self._cells, 8) == together else None

    def _find_in_order(self, packed: bytes, sizes: Sequence[int]) -> list[int] | None:
        """Return the places of the names in all lists but the largest, None where a list is in another order."""
        begin, largest = 0, sizes.index(max(sizes))
        places: list[int] = []
        for number, size in enumerate(sizes):
            place = -1
            for n in range(begin, begin + size) if number != largest else ():
                place = self._find(packed[8 * n : 8 * n + 8], place + 1)
                if place < 0:
                    return None
                places.append(place)
            begin += size
        return places

    def addresses(self) -> array[int]:
        """Return every host's address beside its name, 0 for none; a copy."""
        if not self._has_addresses:
            return array("Q", bytes(8 * len(self)))
        return array("Q", bytes(self._cells[8 * len(self) : 16 * len(self)]))

    def address(self, index: int) -> int:
        """Return the address beside the name of the host at *index*, 0 for none."""
        if not self._has_addresses:
            return 0
        begin = 8 * (len(self) + index)
        return int.from_bytes(self._cells[begin : begin + 8], byteorder)

    def sequences(self) -> array[int]:
        """Return the batch that told each host's last change; a copy."""
        return array(self._sequence_code, bytes(self._cells[self._sequences_at : self._statuses_at]))

    def statuses(self) -> Cells:
        """Return every host's small status; a copy."""
        begin = self._statuses_at
        return self._cells[begin : begin + len(self)]

    def befores(self) -> Cells:
        """Return the small status that every host had before; a copy."""
        begin = self._statuses_at + len(self)
        return self._cells[begin:]

    def status(self, index: int) -> int:
        """Return the small status of the host at *index*."""
        return self._cells[self._statuses_at + index]

    def before(self, index: int) -> int:
        """Return the small status that the host at *index* had before."""
        return self._cells[self._statuses_at + len(self) + index]

    # Writing --------------------------------------------------------------------------------------------------------

    def _keep(self, cells: Cells) -> None:
        """Keep what was written."""
        self._cells = cells if len(cells) > SMALL else bytes(cells)

    def _written(self) -> bytearray:
        """Return the columns to be written to, and to be kept then."""
        return self._cells if isinstance(self._cells, bytearray) else bytearray(self._cells)

    def move(self, places: Iterable[int], smalls: Iterable[int], sequence: int) -> None:
        """Give hosts new statuses, told by batch *sequence*; what they had becomes what was before."""
        if sequence > LARGEST_SHORT and not self._layout & LONG:
            self._lengthen_sequences()
        cells, statuses, before = self._written(), self._statuses_at, self._statuses_at + len(self)
        with memoryview(cells)[self._sequences_at : statuses] as raw, raw.cast(self._sequence_code) as column:
            for index, small in zip(places, smalls, strict=True):
                cells[before + index] = cells[statuses + index]
                cells[statuses + index] = small
                column[index] = sequence
        self._keep(cells)

    def move_marked(self, marks: bytes, smalls: Cells, sequence: int) -> None:
        """Do the same where *marks* are 255 (elsewhere 0), *smalls* being the new status of every host."""
        if sequence > LARGEST_SHORT and not self._layout & LONG:
            self._lengthen_sequences()
        begin, statuses, size = self._sequences_at, self._statuses_at, len(self)
        befores, cells = statuses + size, self._written()
        known, told = cells[statuses:befores], array(self._sequence_code, (sequence,)).tobytes()
        if 0 not in marks:
            cells[begin:] = b"".join((told * size, smalls, known))
        else:
            wide = bytearray(len(told) * size)
            for n in range(len(told)):
                wide[n :: len(told)] = marks
            cells[befores:] = blended(cells[befores:], known, marks)
            cells[statuses:befores] = blended(known, smalls, marks)
            cells[begin:statuses] = blended(cells[begin:statuses], told * size, wide)
        self._keep(cells)

    def clear_statuses(self, sequence: int) -> None:
        """Forget every status, keep every name; batch *sequence* tells it."""
        self.move_marked(bytes((255,)) * len(self), bytes(len(self)), sequence)
        self._keep(self._cells[: self._statuses_at] + bytes(2 * len(self)))

    def name_anew(self, names: Sequence[int], addresses: Sequence[int]) -> None:
        """Give every host this name and address; what is beyond those known are further hosts."""
        new = bytes(len(names) - len(self))
        sequences, statuses, before = self.sequences(), self.statuses(), self.befores()
        columns = [array("Q", names)] + ([array("Q", addresses)] if any(addresses) else [])
        self._layout = (self._layout & LONG) | (ADDRESSES if len(columns) > 1 else 0)
        cells = b"".join((*columns, sequences, new * sequences.itemsize, statuses, new, before, new))
        self._keep(bytearray(cells) if len(cells) > SMALL else cells)

    def _lengthen_sequences(self) -> None:
        """Make room for longer batch numbers."""
        sequences = array("Q", self.sequences())
        cells = b"".join((self._cells[: self._sequences_at], sequences, self._cells[self._statuses_at :]))
        self._layout |= LONG
        self._keep(bytearray(cells) if len(cells) > SMALL else cells)


def column_of(names: Sequence[int | None]) -> array[int] | None:
    """Return *names* as a column; None where not every one of them is a number."""
    try:
        return array("Q", cast("Sequence[int]", names))
    except (TypeError, OverflowError):
        return None


def elsewhere_by_size(names: Sequence[int], begin: int, end: int) -> list[int]:
    """Return where the *names* before *begin* and from *end* on must stand, were all hosts in the order of their names."""
    apart = [*names[:begin], *names[end:]]
    places = [0] * len(apart)
    for rank, n in enumerate(sorted(range(len(apart)), key=apart.__getitem__)):
        places[n] = rank + bisect_left(names, apart[n], begin, end) - begin
    return places


def blended(old: Cells, new: Cells, marks: Cells) -> bytes:
    """Return *new* where *marks* are 255, *old* where they are 0."""
    was, mask = int.from_bytes(old, "little"), int.from_bytes(marks, "little")
    return (was ^ ((was ^ int.from_bytes(new, "little")) & mask)).to_bytes(len(old), "little")
