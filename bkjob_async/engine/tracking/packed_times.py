"""Times of jobs and steps in few bytes."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from math import isnan, nan
from struct import Struct

from bkjob_async.model.snapshot import Times

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
