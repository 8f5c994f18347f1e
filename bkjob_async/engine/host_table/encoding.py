"""Encodes status codes as bytes, so that a million hosts fit in little memory."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from bkjob_async.model.poll_view import GroupPollView
from bkjob_async.model.status import HOST_CODES, UNFINISHED_HOST_CODES

# A status code takes one byte: 0 is "not seen in this execution", then come the known codes, then unknown ones in the
# order of their arrival. More unknown codes than fit are `UNENCODABLE`; a table keeps those beside its columns.
NOT_SEEN = 0
CODES: list[int | None] = [None, *HOST_CODES]
_SMALL: dict[int | None, int] = {code: small for small, code in enumerate(CODES)}
UNENCODABLE = 255

OPEN = frozenset(_SMALL[code] for code in UNFINISHED_HOST_CODES)
FINAL = frozenset(_SMALL[code] for code in HOST_CODES) - OPEN


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
