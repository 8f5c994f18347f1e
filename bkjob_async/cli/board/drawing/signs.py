"""The sign of each phase, and the character of its part of a bar: both can be read without colours."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from bkjob_async.cli.phases import SIGNS
from bkjob_async.model.status import Phase

# In this order phases are counted and drawn in bars: what needs a person first.
BAR_ORDER = (
    Phase.FAILED,
    Phase.ABNORMAL,
    Phase.UNKNOWN,
    Phase.STOPPED,
    Phase.WAITING,
    Phase.SUCCESS,
    Phase.IGNORED,
    Phase.SKIPPED,
    Phase.STOPPING,
    Phase.RUNNING,
    Phase.PENDING,
)

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
