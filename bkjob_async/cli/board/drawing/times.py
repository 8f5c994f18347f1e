"""Durations and rates as short texts."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """Return a duration as 0:42, 12:03, 3h04 or 2d03h."""
    whole = int(max(0.0, seconds))
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02}h"


def rate(value: float) -> str:
    """Return a rate with one digit behind the point where it is small."""
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"
