"""The pages that people read, and the code blocks on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "bkjob_async"
PAGES = tuple(
    sorted(
        path
        for pattern in ("README.md", "bkjob_async/**/*.md", ".github/**/*.md")
        for path in ROOT.glob(pattern)
        if path.parent.name != "ISSUE_TEMPLATE"
    )
)
FENCE = re.compile(r"^( *)```(\{?[\w-]*\}?)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@frozen
class Block:
    """A code block: its page, its first line there, its language and its text."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        indent, language, inside = found.groups()
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, line, language, re.sub(rf"^{indent}", "", inside, flags=re.MULTILINE))


BLOCKS = tuple(block for page in PAGES for block in blocks_of(page))


def blocks_in(*languages: str) -> list[Block]:
    """Return all blocks in these languages."""
    return [block for block in BLOCKS if block.language in languages]
