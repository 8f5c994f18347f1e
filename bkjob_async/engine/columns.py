"""The columns of a host table, packed one behind the other into one buffer.

A host takes 14 bytes: its name (8), the batch that told its last change (4), its status and the one before (1 each).
Addresses take 8 more in a table that has any beside names, and batch numbers 4 more once they outgrow four bytes. One
buffer for all columns is what keeps steps of a few hosts small: every object of Python's own costs as much as four hosts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import compress
from sys import byteorder
from typing import Literal, cast

# Up to one in so many hosts is looked for by itself, where all others stand together.
FEW_ELSEWHERE = 16
LARGEST_SHORT = (1 << 32) - 1


class Columns:
    """Names, addresses, batch numbers, statuses and those before, of *n* hosts in a fixed order."""

    __slots__ = ("_cells", "_has_addresses", "_sequence_code", "_size")

    def __init__(self) -> None:
        self._cells = bytearray()
        self._size = 0
        self._has_addresses = False
        self._sequence_code: Literal["I", "Q"] = "I"

    def __len__(self) -> int:
        return self._size

    # Where columns begin --------------------------------------------------------------------------------------------

    @property
    def _sequences_at(self) -> int:
        return 16 * self._size if self._has_addresses else 8 * self._size

    @property
    def _statuses_at(self) -> int:
        return self._sequences_at + (4 if self._sequence_code == "I" else 8) * self._size

    # Reading --------------------------------------------------------------------------------------------------------

    def names(self) -> array[int]:
        """Return every host's name; a copy."""
        return array("Q", bytes(self._cells[: 8 * self._size]))

    def name(self, index: int) -> int:
        """Return the name of the host at *index*."""
        return int.from_bytes(self._cells[8 * index : 8 * index + 8], byteorder)

    def has_names(self, names: Sequence[int | None]) -> bool:
        """Whether these are exactly the hosts, in this order."""
        size = self._size
        if len(names) != size or (size and (names[0], names[-1]) != (self.name(0), self.name(size - 1))):
            return False
        try:
            return self._cells.startswith(array("Q", cast("Sequence[int]", names)).tobytes())
        except (TypeError, OverflowError):
            return False  # not every one of them is a number

    def has_statuses(self, smalls: bytes) -> bool:
        """Whether these are the hosts' small statuses, in this order."""
        begin = self._statuses_at
        return self._cells[begin : begin + self._size] == smalls

    def find(self, name: int) -> int:
        """Return the place of the host with this *name*, -1 where there is none."""
        cells, packed, end = self._cells, name.to_bytes(8, byteorder), 8 * self._size
        found = cells.find(packed, 0, end)
        while found % 8 > 0:
            found = cells.find(packed, found + 1, end)
        return found // 8 if found >= 0 else -1

    def places_in_order(self, names: Sequence[int | None], sizes: Sequence[int]) -> Sequence[int] | None:
        """Return the place of each of *names* where they are all hosts, each once, and nearly all together in this order.

        They were listed in lists of these *sizes*, each in the order of the hosts; None where it is not as simple.
        """
        size, largest = self._size, max(sizes, default=0)
        if len(names) != size or (size - largest) * FEW_ELSEWHERE > size:
            return None
        try:
            packed = array("Q", cast("Sequence[int]", names)).tobytes()
        except (TypeError, OverflowError):
            return None  # not every one of them is a number
        begin = sum(sizes[: sizes.index(largest)])
        elsewhere = self._find_in_order(packed, sizes)
        if elsewhere is None:
            return None
        cells, pieces, at = self._cells, list[bytes | bytearray](), 0
        for place in sorted(elsewhere):
            pieces.append(cells[8 * at : 8 * place])
            at = place + 1
        pieces.append(cells[8 * at : 8 * size])
        if b"".join(pieces) != packed[8 * begin : 8 * (begin + largest)]:
            return None
        together = bytearray(b"\1") * size
        for place in elsewhere:
            together[place] = 0
        return [*elsewhere[:begin], *compress(range(size), together), *elsewhere[begin:]]

    def _find_in_order(self, packed: bytes, sizes: Sequence[int]) -> list[int] | None:
        """Return the places of the names in all lists but the largest, None where a list is in another order."""
        cells, end, begin, largest = self._cells, 8 * self._size, 0, sizes.index(max(sizes))
        places: list[int] = []
        for number, size in enumerate(sizes):
            at = 0
            for n in range(begin, begin + size) if number != largest else ():
                name = packed[8 * n : 8 * n + 8]
                at = cells.find(name, at, end)
                while at % 8 > 0:
                    at = cells.find(name, at + 1, end)
                if at < 0:
                    return None
                places.append(at // 8)
                at += 8
            begin += size
        return places

    def addresses(self) -> array[int]:
        """Return every host's address beside its name, 0 for none; a copy."""
        if not self._has_addresses:
            return array("Q", bytes(8 * self._size))
        return array("Q", bytes(self._cells[8 * self._size : 16 * self._size]))

    def address(self, index: int) -> int:
        """Return the address beside the name of the host at *index*, 0 for none."""
        if not self._has_addresses:
            return 0
        begin = 8 * (self._size + index)
        return int.from_bytes(self._cells[begin : begin + 8], byteorder)

    def sequences(self) -> array[int]:
        """Return the batch that told each host's last change; a copy."""
        return array(self._sequence_code, bytes(self._cells[self._sequences_at : self._statuses_at]))

    def statuses(self) -> bytearray:
        """Return every host's small status; a copy."""
        begin = self._statuses_at
        return self._cells[begin : begin + self._size]

    def befores(self) -> bytearray:
        """Return the small status that every host had before; a copy."""
        begin = self._statuses_at + self._size
        return self._cells[begin:]

    def status(self, index: int) -> int:
        """Return the small status of the host at *index*."""
        return self._cells[self._statuses_at + index]

    def before(self, index: int) -> int:
        """Return the small status that the host at *index* had before."""
        return self._cells[self._statuses_at + self._size + index]

    # Writing --------------------------------------------------------------------------------------------------------

    def move(self, places: Iterable[int], smalls: Iterable[int], sequence: int) -> None:
        """Give hosts new statuses, told by batch *sequence*; what they had becomes what was before."""
        if sequence > LARGEST_SHORT and self._sequence_code == "I":
            self._lay_out(sequence_code="Q")
        cells, statuses = self._cells, self._statuses_at
        before = statuses + self._size
        with memoryview(cells)[self._sequences_at : statuses] as raw, raw.cast(self._sequence_code) as column:
            for index, small in zip(places, smalls, strict=True):
                cells[before + index] = cells[statuses + index]
                cells[statuses + index] = small
                column[index] = sequence

    def move_marked(self, marks: bytes, smalls: bytes, sequence: int) -> None:
        """Do the same where *marks* are 255 (elsewhere 0), *smalls* being the new status of every host."""
        if sequence > LARGEST_SHORT and self._sequence_code == "I":
            self._lay_out(sequence_code="Q")
        begin, statuses, size = self._sequences_at, self._statuses_at, self._size
        befores = statuses + size
        known, told = self._cells[statuses:befores], array(self._sequence_code, (sequence,)).tobytes()
        if 0 not in marks:
            self._cells[begin:] = b"".join((told * size, smalls, known))
            return
        wide = bytearray(len(told) * size)
        for n in range(len(told)):
            wide[n :: len(told)] = marks
        self._cells[befores:] = blended(self._cells[befores:], known, marks)
        self._cells[statuses:befores] = blended(known, smalls, marks)
        self._cells[begin:statuses] = blended(self._cells[begin:statuses], told * size, wide)

    def clear_statuses(self) -> None:
        """Forget every status, keep every name."""
        self._cells[self._statuses_at :] = bytes(2 * self._size)

    def name_anew(self, names: Sequence[int], addresses: Sequence[int]) -> None:
        """Give every host this name and address; what is beyond those known are further hosts."""
        new = len(names) - self._size
        sequences, statuses = self.sequences(), self.statuses()
        before = self.befores()
        sequences.frombytes(bytes(new * sequences.itemsize))
        self._has_addresses = any(addresses)
        self._size = len(names)
        columns = [array("Q", names)] + ([array("Q", addresses)] if self._has_addresses else [])
        self._cells = bytearray(b"".join((*columns, sequences, statuses, bytes(new), before, bytes(new))))

    def _lay_out(self, *, sequence_code: Literal["I", "Q"]) -> None:
        """Make room for longer batch numbers."""
        sequences = array(sequence_code, self.sequences())
        head, tail = self._cells[: self._sequences_at], self._cells[self._statuses_at :]
        self._sequence_code = sequence_code
        self._cells = bytearray(b"".join((head, sequences, tail)))


def blended(old: bytes | bytearray, new: bytes | bytearray, marks: bytes | bytearray) -> bytes:
    """Return *new* where *marks* are 255, *old* where they are 0."""
    was, mask = int.from_bytes(old, "little"), int.from_bytes(marks, "little")
    return (was ^ ((was ^ int.from_bytes(new, "little")) & mask)).to_bytes(len(old), "little")
