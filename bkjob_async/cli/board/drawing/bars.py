"""Bars: how many cells each phase gets, so that a phase with few hosts is still visible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bkjob_async.cli.board.drawing.signs import BAR_ORDER, Signs
from bkjob_async.cli.board.drawing.spans import Span
from bkjob_async.model.status import Phase


def cells(counts: Sequence[int], width: int) -> list[int]:
    """Share *width* cells among *counts* in their proportion; each that is not 0 gets one cell at least.

    Where there are fewer cells than that, the first ones get them.
    """
    total, shares = sum(counts), [0] * len(counts)
    if not total or width <= 0:
        return shares
    present = [index for index, count in enumerate(counts) if count]
    if len(present) >= width:
        for index in present[:width]:
            shares[index] = 1
        return shares
    for index in present:
        shares[index] = max(1, counts[index] * width // total)
    # What rounding up has taken too much is taken from the largest; what is left goes to the largest remainders.
    while sum(shares) > width:
        shares[max(present, key=shares.__getitem__)] -= 1
    by_remainder = sorted(present, key=lambda index: shares[index] * total - counts[index] * width)
    for index in by_remainder[: width - sum(shares)]:
        shares[index] += 1
    return shares


def bar(counts: Mapping[Phase, int], width: int, signs: Signs) -> list[Span]:
    """Return a bar of *width* cells that shows hosts by phase; an empty one where there is no host."""
    shares = cells([counts.get(phase, 0) for phase in BAR_ORDER], width)
    spans = [
        (signs.bar[phase] * share, phase.value)
        for phase, share in zip(BAR_ORDER, shares, strict=True)
        if share
    ]
    return spans or [(" " * width, "")]
