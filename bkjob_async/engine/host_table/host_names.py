"""Names of many hosts as columns: what a journal keeps of who they are."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence

from msgspec import Struct

from bkjob_async.engine.host_table.host_identity import NON_NUMERIC_ID, is_id, key_from, packed_address
from bkjob_async.engine.host_table.irregular_hosts import NO_KEYS
from bkjob_async.model.refs import HostKey

LARGEST_SHORT = (1 << 32) - 1


class HostNames(Struct, frozen=True, gc=False):
    """The names of hosts in some order, as `packed_numbers`, which the garbage collector does not track.

    A name is a host id or a packed address; an address stands beside an id, 0 for none, no bytes where none has one.
    *keys* has all names of hosts that have others as well, by their number in the order; their name is 0 here.
    """

    size: int
    names: bytes
    addresses: bytes
    keys: Mapping[int, HostKey] = NO_KEYS

    @classmethod
    def of(
        cls, names: Sequence[int], addresses: Sequence[int], keys: Mapping[int, HostKey] = NO_KEYS
    ) -> HostNames:
        """Return these names."""
        beside = packed_numbers(addresses) if any(addresses) else b""
        return cls(len(names), packed_numbers(names), beside, keys)

    def numbers(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return the names and the addresses; raise ValueError where they are not those of so many hosts."""
        return unpacked_numbers(self.names, self.size), unpacked_numbers(self.addresses, self.size)

    def host_keys(self, places: Sequence[int] | None = None) -> list[HostKey]:
        """Return all names of the hosts at *places* in the order, or of each."""
        (names, addresses), keys = self.numbers(), self.keys
        return [
            keys[place] if place in keys else key_from(names[place], addresses[place], None)
            for place in (range(self.size) if places is None else places)
        ]


def names_of(keys: Sequence[HostKey]) -> HostNames:
    """Return the names of hosts as columns."""
    names, addresses, irregular = [0] * len(keys), [0] * len(keys), dict[int, HostKey]()
    for number, key in enumerate(keys):
        name, address = numbers_of(key)
        if name == NON_NUMERIC_ID or key_from(name, address, None) != key:
            irregular[number] = key
        else:
            names[number], addresses[number] = name, address
    return HostNames.of(names, addresses, irregular)


def numbers_of(key: HostKey) -> tuple[int, int]:
    """Return the name of a host as a number, `NON_NUMERIC_ID` where it has none, and the address beside an id or 0."""
    address = packed_address(key.bk_cloud_id or 0, key.ip) if key.ip else None
    if is_id(key.bk_host_id):
        return key.bk_host_id, address or 0
    return (NON_NUMERIC_ID, 0) if address is None else (address, 0)


def packed_numbers(numbers: Sequence[int]) -> bytes:
    """Return numbers in four bytes each, or eight where one of them needs it."""
    if len(numbers) == 1:
        return numbers[0].to_bytes(4 if numbers[0] <= LARGEST_SHORT else 8, "little")
    column = array("I" if max(numbers, default=0) <= LARGEST_SHORT else "Q", numbers)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def unpacked_numbers(packed: bytes, size: int) -> Sequence[int]:
    """Return *size* numbers; no bytes at all are zeros. Raise ValueError for another length."""
    if not packed:
        return array("I", bytes(4 * size))
    width = len(packed) // size if size else 0
    if width not in (4, 8) or len(packed) != width * size:
        raise ValueError("not a column of numbers")
    column = array("I" if width == 4 else "Q", packed)
    if sys.byteorder == "big":
        column.byteswap()
    return column
