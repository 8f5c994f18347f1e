"""Bodies that come in chunks, taken in as they arrive."""

from __future__ import annotations

import re
from io import BytesIO

# The size of a chunk, and whatever the server adds to it.
SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[ -~\t]*)?\r\n")
LONGEST_LINE = 8190
# Servers send chunks of some kilobytes; so many that are so small are sent to keep us busy.
MANY, SMALL = 1000, 16


class BadChunks(ValueError):
    """These are no chunks."""


class Chunks:
    """Takes in a chunked body; `is_whole` when its end has come, and `has_surplus` when anything came behind it."""

    __slots__ = ("_count", "_left", "_rest", "_trailed", "body", "has_surplus", "is_whole")

    def __init__(self) -> None:
        """Expect the first chunk."""
        self.body = BytesIO()
        self.is_whole = self.has_surplus = False
        self._rest = b""
        # So much of the present chunk, with the line's end behind it, has not come yet; None within the trailer.
        self._left: int | None = 0
        self._trailed = 0
        self._count = 0

    def feed(self, data: bytes) -> None:
        """Take in what came; raise `BadChunks`."""
        data, at = self._rest + data, 0
        while not self.is_whole:
            step = self._trailer(data, at) if self._left is None else self._chunk(data, at, self._left)
            if step < 0:
                break
            at = step
        self._rest = data[at:]
        self.has_surplus = self.is_whole and bool(self._rest)
        if not self.is_whole and len(self._rest) > LONGEST_LINE:
            raise BadChunks("a line between chunks is too long")

    def _chunk(self, data: bytes, at: int, left: int) -> int:
        """Take in a piece of a chunk, or the line before one; return where it ends, -1 where more has to come."""
        if left > 2:
            piece = data[at : at + left - 2]
            self.body.write(piece)
            self._left = left - len(piece)
            return at + len(piece) if piece else -1
        if left:
            if len(data) < at + 2:
                return -1
            if data[at : at + 2] != b"\r\n":
                raise BadChunks("a chunk is longer than it said")
            self._left = 0
            return at + 2
        line = SIZE_LINE.match(data, at, at + LONGEST_LINE)
        if line is None:
            if b"\n" in data[at:]:
                raise BadChunks("a chunk has no size")
            return -1
        size = int(line[1], 16)
        self._count += 1
        if self._count > MANY and self.body.tell() < SMALL * self._count:
            raise BadChunks("there are too many small chunks")
        self._left = size + 2 if size else None
        return line.end()

    def _trailer(self, data: bytes, at: int) -> int:
        """Pass over a line of the trailer, whose fields nobody asked for."""
        end = data.find(b"\r\n", at)
        if end < 0:
            return -1
        self.is_whole = end == at
        self._trailed += end + 2 - at
        if self._trailed > LONGEST_LINE:
            raise BadChunks("the trailer is too long")
        return end + 2
