"""Tables are shown as tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import FENCE, PAGES, ROOT

ROWS = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
RULE = re.compile(r"\|(?: *:?-+:? *\|)+")


def without_head(text: str) -> list[str]:
    """Return the first rows of what is meant as a table and has no head, so that it is shown as lines of text."""
    tables = (table.splitlines() for table in ROWS.findall(FENCE.sub("", f"{text}\n")))
    return [rows[0] for rows in tables if len(rows) < 2 or RULE.fullmatch(rows[1].strip()) is None]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_table_has_a_head(page: Path) -> None:
    """An empty line within a table ends it."""
    assert without_head(page.read_text(encoding="utf-8")) == []


def test_rows_behind_an_empty_line_are_found() -> None:
    """The check bites."""
    assert without_head("| a | b |\n| --- | --- |\n| 1 | 2 |\n\n| 3 | 4 |") == ["| 3 | 4 |"]
