"""World time as the platform formats it: Unix milliseconds, local texts, durations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

SHANGHAI, UTC_OFFSET = timedelta(hours=8), timedelta()
LEAST_RUN = 0.1


def milliseconds(at: float | None, epoch_ms: int) -> int | None:
    """Return a time as Unix milliseconds."""
    return None if at is None else epoch_ms + round(at * 1000)


def local_text(at: float | None, epoch_ms: int, *, offset: bool) -> str | None:
    """Return a time as the server's local time, with or without its offset."""
    if at is None:
        return None
    text = second_text((epoch_ms + round(at * 1000)) // 1000)
    return f"{text} +0800" if offset else text


@lru_cache(maxsize=4096)
def second_text(second: int, offset: timedelta = SHANGHAI) -> str:
    """Return a Unix second in Shanghai, or at another *offset* from UTC."""
    return f"{datetime.fromtimestamp(second, UTC) + offset:%Y-%m-%d %H:%M:%S}"


def duration_ms(seconds: float | None) -> int | None:
    """Return a duration in milliseconds."""
    return None if seconds is None else round(seconds * 1000)


def duration_s(seconds: float | None) -> float | None:
    """Return a duration in seconds, to the millisecond."""
    return None if seconds is None else round(seconds, 3)


def run_time(start: float | None, end: float | None) -> float | None:
    """Return how long a host ran, at least a tenth of a second."""
    if start is None or end is None:
        return None
    return 0.0 if end == start else max(LEAST_RUN, end - start)
