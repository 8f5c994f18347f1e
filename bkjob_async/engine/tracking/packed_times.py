"""Times of jobs and steps in few bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from msgspec import msgpack

from bkjob_async.model.snapshot import Times

NO_TIMES = b""

Moments = tuple[int, float | None, float | None, float | None, float | None]
"""The zone's offset from UTC in seconds, creation, start and end in Unix seconds, the duration in seconds."""

_DECODER = msgpack.Decoder(Moments)


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
    """Return times in 6 to 42 bytes, none where all are None."""
    moments = moments_of(times)
    return NO_TIMES if moments is None else _packed(moments)


@lru_cache(maxsize=256)  # the steps of a job are created at the same time: waiting steps have equal times
def _packed(moments: Moments) -> bytes:
    return msgpack.encode(moments)


def unpacked_moments(packed: bytes) -> Moments | None:
    """Return the times that `packed_times` packed as numbers."""
    return _DECODER.decode(packed) if packed else None


def unpacked_times(packed: bytes) -> Times:
    """Return the times that `packed_times` packed, in a zone of the same offset."""
    return times_from(unpacked_moments(packed))
