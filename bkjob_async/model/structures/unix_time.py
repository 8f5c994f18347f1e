"""Unix milliseconds to times and back: many at once are near each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A number below this cannot be the milliseconds of anything since 1973; it is seconds then.
LEAST_MILLISECONDS = 100_000_000_000
# No zone is a day from UTC: an earlier time than this has a date in each of them.
LATEST = datetime(9999, 12, 31, tzinfo=UTC)
_FRACTIONS = [timedelta(milliseconds=number) for number in range(1000)]


def time_from(milliseconds: int) -> datetime:
    """Return the time, in UTC; raise OverflowError for one that no calendar has."""
    # Adding to a second that was computed before takes a quarter of the time of `timedelta(milliseconds=...)`.
    return _second(milliseconds // 1000) + _FRACTIONS[milliseconds % 1000]


def from_unix_time(number: int | None) -> datetime | None:
    """Return a Unix time (milliseconds or seconds) as a datetime; None unless every zone has it."""
    if number is None or not 0 < number < _LATEST_MILLISECONDS:
        return None
    milliseconds = number if number >= LEAST_MILLISECONDS else number * 1000
    return _second(milliseconds // 1000) + _FRACTIONS[milliseconds % 1000]  # as `time_from`, without a call


def milliseconds_of(time: datetime) -> int:
    """Return a time in whole Unix milliseconds."""
    return round(1000 * time.timestamp())


_LATEST_MILLISECONDS = milliseconds_of(LATEST)


@lru_cache(maxsize=4096)
def _second(number: int) -> datetime:
    """Return a Unix second as a time."""
    return EPOCH + timedelta(seconds=number)
