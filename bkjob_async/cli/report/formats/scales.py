"""Axes: where ticks stand, and how durations are written."""

from __future__ import annotations

from collections.abc import Sequence

MINUTE, HOUR, DAY = 60, 3600, 86400
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
MAX_TICKS = 7


def clock(seconds: float) -> str:
    """Return a duration as `0:36`, `11:54`, `2:05:09` or `3 d 04:12`."""
    whole = round(seconds)
    days, rest = divmod(whole, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    if days:
        return f"{days} d {hours:02}:{minutes:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ticks(begin: float, end: float) -> Sequence[int]:
    """Return round durations from *begin* to *end*, at most seven."""
    span = max(end - begin, 1.0)
    step = next((step for step in STEPS if span / step < MAX_TICKS), 0)
    if not step:
        step = DAY
        while span / step >= MAX_TICKS:
            step *= 2
    first = -int(-begin // step) * step
    return range(first, int(end) + 1, step)
