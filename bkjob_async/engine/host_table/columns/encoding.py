"""Encodes status codes, addresses and times in few bytes, so that a million hosts fit in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from math import isnan, nan
from struct import Struct

from bkjob_async.engine.host_table.columns.byte_columns import picked
from bkjob_async.model.snapshot import Times
from bkjob_async.model.status import HOST_CODES, UNFINISHED_HOST_CODES

# A status code takes one byte: 0 is "not seen in this execution", then come the known codes, then unknown ones in the
# order of their arrival. More unknown codes than fit are `UNENCODABLE`; a table keeps those beside its columns.
NOT_SEEN = 0
CODES: list[int | None] = [None, *HOST_CODES]
_SMALL: dict[int, int] = {code: small for small, code in enumerate(CODES) if code is not None}
UNENCODABLE = 255

OPEN = frozenset(_SMALL[code] for code in UNFINISHED_HOST_CODES)
FINAL = frozenset(_SMALL[code] for code in HOST_CODES) - OPEN

ADDRESS = 1 << 63
NON_NUMERIC_ID = 1 << 62
_CLOUDS = 1 << 30
_OCTETS = {str(number): number for number in range(256)}
_TEXTS = tuple(_OCTETS)


def small_code(code: int) -> int:
    """Return the byte of a host code, `UNENCODABLE` where all bytes are taken."""
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


def small_codes(codes: Sequence[int]) -> bytes:
    """Return the bytes of host codes."""
    if not codes:
        return b""
    if codes.count(codes[0]) == len(codes):
        return bytes((small_code(codes[0]),)) * len(codes)
    small_of: dict[int, int] = {code: small_code(code) for code in set(codes)}
    return bytes(picked(small_of, codes))


def codes_of(smalls: Sequence[int]) -> Sequence[int | None]:
    """Return the host codes of bytes, none of which is `UNENCODABLE`."""
    if smalls and smalls.count(smalls[0]) == len(smalls):
        return [CODES[smalls[0]]] * len(smalls)
    return picked(CODES, smalls)


def packed_address(cloud: int, ip: str) -> int | None:
    """Return cloud area and IPv4 address as one number with the `ADDRESS` bit; None where they do not fit."""
    if not 0 <= cloud < _CLOUDS:
        return None
    try:
        # `int` would accept spaces, signs, leading zeros and other scripts' digits; this mapping does not.
        first, second, third, fourth = map(_OCTETS.__getitem__, ip.split("."))
    except (KeyError, ValueError):
        return None
    return ADDRESS | cloud << 32 | first << 24 | second << 16 | third << 8 | fourth


def unpacked_address(number: int) -> tuple[int, str]:
    """Return the cloud area and the IPv4 address that `packed_address` packed."""
    first, second, third, fourth = (number & 0xFFFFFFFF).to_bytes(4, "big")
    ip = f"{_TEXTS[first]}.{_TEXTS[second]}.{_TEXTS[third]}.{_TEXTS[fourth]}"
    return (number & ~ADDRESS) >> 32, ip


# Times ----------------------------------------------------------------------------------------------------------------

# Packed times are one byte for the offset of their zone in quarters of an hour, then creation, start, end and duration in
# whole milliseconds, six bytes each. All bits set mean None; None at the end is left out. Times that do not fit are kept
# in full instead: a marker, the offset in seconds, and the four times in seconds, NaN for None.
_QUARTER, _IN_FULL = 900, b"\x80"
_OFFSET = Struct("<i")
_NONE = (1 << 48) - 1
NO_TIMES = b""


Moments = tuple[int, float | None, float | None, float | None, float | None]
"""The zone's offset from UTC in seconds, creation, start and end in Unix seconds, the duration in seconds."""


def moments_of(times: Times) -> Moments | None:
    """Return times as numbers, None where all are unknown."""
    moments = (times.create_time, times.start_time, times.end_time)
    if moments == (None, None, None) and times.total_time is None:
        return None
    known = next((moment for moment in moments if moment is not None), None)
    offset = known.utcoffset() if known is not None else None
    create, start, end = (None if moment is None else moment.timestamp() for moment in moments)
    return (round(offset.total_seconds()) if offset else 0, create, start, end, times.total_time)


def times_from(moments: Moments | None) -> Times:
    """Return the times that `moments_of` returned as numbers, in a zone of the same offset."""
    if moments is None:
        return Times()
    offset, *seconds, total = moments
    zone = timezone(timedelta(seconds=offset)) if offset else UTC
    create, start, end = (None if each is None else datetime.fromtimestamp(each, zone) for each in seconds)
    return Times(create_time=create, start_time=start, end_time=end, total_time=total)


def packed_times(times: Times) -> bytes:
    """Return times in 7 to 25 bytes; up to 37 where they are no whole milliseconds, none where all are None."""
    moments = moments_of(times)
    return NO_TIMES if moments is None else _packed(moments)


@lru_cache(maxsize=256)  # the steps of a job are created at the same time: waiting steps have equal times
def _packed(moments: Moments) -> bytes:
    offset, *seconds = moments
    while seconds[-1] is None:
        seconds.pop()
    quarters, odd = divmod(offset, _QUARTER)
    whole = [_NONE if each is None else _milliseconds(each) for each in seconds]
    if odd or None in whole:
        plain = array("d", [nan if each is None else each for each in seconds])
        return _IN_FULL + _OFFSET.pack(offset) + plain.tobytes()
    return quarters.to_bytes(1, "little", signed=True) + b"".join(
        ms.to_bytes(6, "little") for ms in whole if ms is not None
    )


def _milliseconds(seconds: float) -> int | None:
    """Return *seconds* in whole milliseconds; None where they are not whole, or do not fit in six bytes."""
    if not 0.0 <= seconds < _NONE // 1000:
        return None
    whole = round(1e3 * seconds)
    return whole if whole / 1e3 == seconds else None


def unpacked_moments(packed: bytes) -> Moments | None:
    """Return the times that `packed_times` packed as numbers."""
    if not packed:
        return None
    seconds: list[float | None]
    if packed.startswith(_IN_FULL):
        (offset,) = _OFFSET.unpack_from(packed, 1)
        seconds = [None if isnan(each) else each for each in array("d", packed[1 + _OFFSET.size :])]
    else:
        offset = _QUARTER * int.from_bytes(packed[:1], "little", signed=True)
        whole = [int.from_bytes(packed[n : n + 6], "little") for n in range(1, len(packed), 6)]
        seconds = [None if ms == _NONE else ms / 1e3 for ms in whole]
    create, start, end, total = [*seconds, None, None, None, None][:4]
    return offset, create, start, end, total


def unpacked_times(packed: bytes) -> Times:
    """Return the times that `packed_times` packed, in a zone of the same offset."""
    return times_from(unpacked_moments(packed))


# Announced states -----------------------------------------------------------------------------------------------------

AnnouncedState = tuple[int, int, bool]


@lru_cache(maxsize=4096)
def announced_state(code: int, execute_count: int, *, finished: bool) -> AnnouncedState:
    """Return the state of a step or job that readers were given, as one object shared by all in the same state."""
    return code, execute_count, finished
