"""What lines look like: their colours."""

from __future__ import annotations

import pytest

from bkjob_async.cli.board.drawing.lines_widget import COLOURS, MARK, background_of
from tests.cli.report.contrast import contrast


@pytest.mark.parametrize("role", COLOURS)
def test_every_colour_can_be_read(role: str) -> None:
    """On its background, and on that of the selected line."""
    ink = COLOURS[role].partition(" on ")[0].removeprefix("bold ")
    grounds = {background_of(COLOURS[role]), background_of(COLOURS[MARK])}

    assert min(contrast(ink, ground) for ground in grounds) >= 4.5
