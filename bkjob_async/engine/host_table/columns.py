"""Columns of status codes: one byte for each host of a table, so that a million hosts fit in little memory.

The loops over hosts run inside CPython: columns are compared as one large number each, and searched as a string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from operator import itemgetter
from typing import Any, TypeVar, overload

from bkjob_async.model.poll_view import GroupPollView
from bkjob_async.model.status import HOST_CODES, UNFINISHED_HOST_CODES

K = TypeVar("K")
V = TypeVar("V")

ByteColumn = bytes | bytearray
"""A byte for each host of a table."""

# Fewer than one in so many hosts are handled one by one instead of all at once.
SPARSE = 16

CHANGED = 255

# A status code takes one byte: 0 is "not seen in this execution", then come the known codes, then unknown ones in the
# order of their arrival. More unknown codes than fit are `UNENCODABLE`; a table keeps those beside its columns.
NOT_SEEN = 0
CODES: list[int | None] = [None, *HOST_CODES]
_SMALL: dict[int | None, int] = {code: small for small, code in enumerate(CODES)}
UNENCODABLE = 255

OPEN = frozenset(_SMALL[code] for code in UNFINISHED_HOST_CODES)
FINAL = frozenset(_SMALL[code] for code in HOST_CODES) - OPEN


# Codes as bytes -----------------------------------------------------------------------------------


def small_code(code: int | None) -> int:
    """Return the byte of a host code, `NOT_SEEN` for None, `UNENCODABLE` where all bytes are taken."""
    small = _SMALL.get(code)
    if small is None:
        if len(CODES) >= UNENCODABLE:
            return UNENCODABLE
        small = _SMALL[code] = len(CODES)
        CODES.append(code)
    return small


def code_of(small: int) -> int | None:
    """Return the host code of a byte, None for `NOT_SEEN`."""
    return CODES[small]


def small_codes(codes: Sequence[int | None]) -> bytes:
    """Return the bytes of host codes."""
    if not codes:
        return b""
    if codes.count(codes[0]) == len(codes):
        return bytes((small_code(codes[0]),)) * len(codes)
    return bytes(itemgetter(*codes)({code: small_code(code) for code in set(codes)}))


def codes_in(groups: Sequence[GroupPollView]) -> list[int]:
    """Return the status code of each row of a response, that of its group where it has one."""
    return [
        row.status if group.status is None else group.status for group in groups for row in group.rows or ()
    ]


def small_codes_in(groups: Sequence[GroupPollView]) -> bytes:
    """Return the bytes of `codes_in`."""
    return b"".join(
        [
            small_codes([row.status for row in group.rows])
            if group.status is None
            else bytes((small_code(group.status),)) * len(group.rows)
            for group in groups
            if group.rows
        ]
    )


def codes_of(smalls: Sequence[int]) -> Sequence[int | None]:
    """Return the host codes of bytes, none of which is `UNENCODABLE`."""
    if not smalls:
        return []
    if smalls.count(smalls[0]) == len(smalls):
        return [CODES[smalls[0]]] * len(smalls)
    codes: tuple[int | None, ...] = itemgetter(*smalls)(CODES)
    return codes


# Whole columns ------------------------------------------------------------------------------------


def marking_all_but(*smalls: int) -> bytes:
    """Return a translation table that turns *smalls* to 0 and all other bytes to 255."""
    table = bytearray((CHANGED,)) * 256
    for small in smalls:
        table[small] = 0
    return bytes(table)


_MARK_NONZERO = marking_all_but(0)


def differing(one: ByteColumn, other: ByteColumn) -> Sequence[int]:
    """Return the positions at which two columns differ; a range where they differ at each."""
    difference = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return marked(difference.to_bytes(len(one), "little").translate(_MARK_NONZERO))


def changed(
    before: bytes, after: bytes, places: Sequence[int], rows: Sequence[V]
) -> tuple[Sequence[int], Sequence[V], bytes, Sequence[int | None], Sequence[int | None]]:
    """Return what two columns differ in: the *places* and *rows* of it, the bytes after, and the codes before and after."""
    positions = differing(before, after)
    if len(positions) < len(after):
        places, rows, *columns = each_picked(positions, places, rows, before, after)
        before, after = map(bytes, columns)
    return places, rows, after, codes_of(before), codes_of(after)


def marked(marks: bytes) -> Sequence[int]:
    """Return the positions that are 255; a range where all are."""
    if marks and 0 not in marks:
        return range(len(marks))
    positions: list[int] = []
    position = marks.find(CHANGED)
    while position >= 0:
        positions.append(position)
        if len(positions) * SPARSE > len(marks):
            return list(compress(range(len(marks)), marks))
        position = marks.find(CHANGED, position + 1)
    return positions


@overload
def picked(things: Mapping[K, V], keys: Sequence[K]) -> Sequence[V]: ...


@overload
def picked(things: Sequence[V], keys: Sequence[int]) -> Sequence[V]: ...


def picked(things: Any, keys: Sequence[Any]) -> Sequence[Any]:
    """Return the items of *things* at *keys*; half the time of a list comprehension."""
    # `itemgetter` takes at least one key, and returns a single item bare.
    return itemgetter(*keys)(things) if len(keys) > 1 else [things[key] for key in keys]


def each_picked(keys: Sequence[int], *columns: Sequence[Any]) -> list[Any]:
    """Return the items of each column at *keys*."""
    if len(keys) > 1:
        pick = itemgetter(*keys)
        return [pick(column) for column in columns]
    return [[column[key] for key in keys] for column in columns]
