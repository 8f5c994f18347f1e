"""Durations of hosts: percentiles, and how many hosts ran how long."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from attrs import frozen

PERCENTILES = ((50, "median"), (90, "90 %"), (99, "99 %"))
# Widths of bins in seconds; at most so many bins are shown.
WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
MAX_BINS = 40
# Hosts that ran longer than so many times the last percentile share the last bin.
FAR = 2.0


@frozen(kw_only=True)
class Percentile:
    """The duration in seconds that so many hosts did not exceed."""

    label: str
    percent: int
    seconds: float


@frozen(kw_only=True)
class Durations:
    """How long hosts ran, in seconds.

    Bin *i* holds those of `[begin + i * width, begin + (i + 1) * width)`; *beyond* ran longer than all bins.
    """

    count: int
    shortest: float
    longest: float
    percentiles: tuple[Percentile, ...]
    begin: float
    width: int
    bins: tuple[int, ...]
    beyond: int = 0

    @property
    def end(self) -> float:
        """Where the last bin ends."""
        return self.begin + self.width * len(self.bins)


def durations_of(seconds: Sequence[float]) -> Durations | None:
    """Return the distribution of *seconds*, None where there are none."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    percentiles = tuple(
        Percentile(label=label, percent=percent, seconds=ordered[ceil(len(ordered) * percent / 100) - 1])
        for percent, label in PERCENTILES
    )
    last = min(ordered[-1], FAR * max(percentiles[-1].seconds, 1.0))
    width = width_for(ordered[0], last)
    first = int(ordered[0] // width)
    bins = [0] * (int(last // width) - first + 1)
    beyond = 0
    for each in ordered:
        place = int(each // width) - first
        if place < len(bins):
            bins[place] += 1
        else:
            beyond += 1
    return Durations(
        count=len(ordered),
        shortest=ordered[0],
        longest=ordered[-1],
        percentiles=percentiles,
        begin=first * width,
        width=width,
        bins=tuple(bins),
        beyond=beyond,
    )


def width_for(shortest: float, longest: float) -> int:
    """Return the width of bins with which there are few enough."""
    for width in WIDTHS:
        if longest // width - shortest // width < MAX_BINS:
            return width
    return (int((longest - shortest) / (MAX_BINS - 1) / WIDTHS[-1]) + 1) * WIDTHS[-1]
