"""Chunked bodies, decoded as they arrive."""

from __future__ import annotations

import re

from bkjob_async.wire.bodies.buffer import BodyBuffer
from bkjob_async.wire.bodies.reading import MAX_SMALL_CHUNKS, MIN_AVERAGE_SIZE, TOO_MANY_CHUNKS

# The size of a chunk, and any extension that the server adds to it, which has a name.
SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[!#$%&'*+.^_`|~0-9A-Za-z-][ -~\t]*)?\r\n")
# A header field behind the last chunk, or the line that ends the body.
TRAILER_LINE = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ -~\t\x80-\xff]*)?\r\n")
MAX_LINE_SIZE = 8190


class InvalidChunk(ValueError):
    """The bytes are not a valid chunked body."""


class ChunkedDecoder:
    """Decode a chunked body into *body*.

    `is_complete` is True once the end of the body has come, and `has_surplus` when further bytes follow it.
    """

    __slots__ = ("_count", "_pending", "_remaining", "_trailer_size", "body", "has_surplus", "is_complete")

    def __init__(self) -> None:
        self.body = BodyBuffer()
        self.is_complete = self.has_surplus = False
        self._pending = b""
        # The bytes of the present chunk that have not come yet, with the CRLF behind it. None within the trailer.
        self._remaining: int | None = 0
        self._trailer_size = 0
        self._count = 0

    def feed(self, data: bytes) -> None:
        """Decode the next bytes; raise `InvalidChunk`."""
        data, position = self._pending + data, 0
        while not self.is_complete:
            remaining = self._remaining
            if remaining is None:
                end = self._skip_trailer_line(data, position)
            elif remaining:
                end = self._read_chunk(data, position, remaining)
            else:
                end = self._read_size(data, position)
            if end < 0:
                break
            position = end
        self._pending = data[position:]
        self.has_surplus = self.is_complete and bool(self._pending)
        if not self.is_complete and len(self._pending) > MAX_LINE_SIZE:
            raise InvalidChunk("a line between chunks is too long")

    # Each of these returns the position behind what it read, or -1 when more bytes have to come first.

    def _read_size(self, data: bytes, position: int) -> int:
        line = SIZE_LINE.match(data, position, position + MAX_LINE_SIZE)
        if line is None:
            if data.find(b"\n", position) >= 0:
                raise InvalidChunk("a chunk has no size")
            return -1
        size = int(line[1], 16)
        self._count += 1
        if self._count > MAX_SMALL_CHUNKS and self.body.size < MIN_AVERAGE_SIZE * self._count:
            raise InvalidChunk(TOO_MANY_CHUNKS)
        self._remaining = size + 2 if size else None
        return line.end()

    def _read_chunk(self, data: bytes, position: int, remaining: int) -> int:
        if remaining > 2:
            piece = data[position : position + remaining - 2]
            self.body.write(piece)
            self._remaining = remaining - len(piece)
            return position + len(piece) if piece else -1
        if len(data) < position + 2:
            return -1
        if data[position : position + 2] != b"\r\n":
            raise InvalidChunk("a chunk is longer than its size says")
        self._remaining = 0
        return position + 2

    def _skip_trailer_line(self, data: bytes, position: int) -> int:
        end = data.find(b"\r\n", position)
        if end < 0:
            return -1
        self.is_complete = end == position
        self._trailer_size += end + 2 - position
        if self._trailer_size > MAX_LINE_SIZE:
            raise InvalidChunk("the trailer is too long")
        if not TRAILER_LINE.match(data, position):
            raise InvalidChunk("a line of the trailer is no header field")
        return end + 2
