"""Lines of a terminal as texts with roles, fitted to a width in cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size

Span = tuple[str, str]
"""A text and its role: the name of a phase, `dim`, `strong`, or "" for plain text."""

Line = tuple[Span, ...]

ELLIPSIS = "…"


def width_of(line: Iterable[Span]) -> int:
    """Return how many cells a line takes."""
    return sum(cells_of(text) for text, _ in line)


def cells_of(text: str) -> int:
    """Return how many cells a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Return *text* in exactly *width* cells, cut with an ellipsis or padded; *right* aligns it to the right."""
    size = cells_of(text)
    if size > width:
        return set_cell_size(text, width - 1) + ELLIPSIS if width > 0 else ""
    return " " * (width - size) + text if right else text + " " * (width - size)


def fitted_line(spans: Iterable[Span], width: int) -> Line:
    """Return *spans* in at most *width* cells; what does not fit is cut with an ellipsis."""
    spans = tuple(span for span in spans if span[0])
    if width_of(spans) <= width:
        return spans
    line, left = list[Span](), width
    for text, role in spans:
        size = cells_of(text)
        if size >= left:
            line.append((fitted(text + ELLIPSIS, left), role))
            break
        line.append((text, role))
        left -= size
    return tuple(line)


def joined(parts: Sequence[Sequence[Span]], width: int, gap: str = "   ") -> Line:
    """Return as many of *parts* as fit into *width* cells, in their order, with a gap between two."""
    line, used = list[Span](), 0
    for part in parts:
        size = width_of(part)
        if not size:
            continue
        before = cells_of(gap) if line else 0
        if used + before + size > width:
            if not line:
                return fitted_line(part, width)
            break
        if line:
            line.append((gap, ""))
        line += part
        used += before + size
    return tuple(line)


def with_right(left: Line, right: Line, width: int) -> Line:
    """Return *left*, and *right* at the end of the line where both fit."""
    free = width - width_of(left) - width_of(right)
    return (*left, (" " * free, ""), *right) if right and free >= 2 else fitted_line(left, width)
