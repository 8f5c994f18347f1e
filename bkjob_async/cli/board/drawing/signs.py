"""The sign of each phase, and bars of hosts by phase: both can be read without colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from bkjob_async.cli.board.drawing.spans import Span
from bkjob_async.model.status import Phase
from bkjob_async.report.phases import BAR_ORDER, SIGNS

WORDS = {phase: phase.lower() for phase in Phase} | {Phase.WAITING: "waits for a person"}


@frozen(kw_only=True)
class Signs:
    """The characters of a board: a sign and a bar character for each phase, and a few more.

    *is_ascii*: the terminal shows nothing but ASCII; other characters of names become `?`.
    """

    of: Mapping[Phase, str]
    bar: Mapping[Phase, str]
    selected: str
    rule: str
    enter: str
    is_ascii: bool

    def text(self, text: str) -> str:
        """Return *text* as the terminal can show it."""
        if not self.is_ascii or text.isascii():
            return text
        return text.replace("…", "~").replace("—", "-").encode("ascii", "replace").decode()


def table(signs: str) -> Mapping[Phase, str]:
    """Return the sign of each phase, given in the order of `Phase`."""
    return dict(zip(Phase, signs, strict=True))


UNICODE = Signs(of=SIGNS, bar=table("·╍?↓━✗»≈■!¿"), selected="▌", rule="─", enter="⏎", is_ascii=False)
ASCII = Signs(
    of=table(".>?v+x^~#!u"), bar=table(".-?v=x^~#!u"), selected="|", rule="-", enter="Enter", is_ascii=True
)


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
