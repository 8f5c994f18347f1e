"""Durations as text: in words for lines, as a clock for reports, and short for the board."""

from __future__ import annotations

MINUTE, HOUR, DAY = 60, 3600, 86400


def seconds_text(seconds: float | None) -> str:
    """Return a duration as people say it: `42 s`, `5 min 10 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def clock(seconds: float) -> str:
    """Return a duration as `0:36`, `11:54`, `2:05:09` or `3 d 04:12`."""
    days, rest = divmod(round(seconds), DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    if days:
        return f"{days} d {hours:02}:{minutes:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def short_clock(seconds: float) -> str:
    """Return a duration that has begun as 0:42, 12:03, 3h04 or 2d03h."""
    whole = int(max(0.0, seconds))
    if whole < HOUR:
        return f"{whole // MINUTE}:{whole % MINUTE:02}"
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}"
    return f"{whole // DAY}d{whole % DAY // HOUR:02}h"
