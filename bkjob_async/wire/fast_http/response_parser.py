"""HTTP responses of the usual shape, which most are, parsed from one read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from msgspec import Struct

from bkjob_async.wire.bodies.reading import RawResponse

END = b"\r\n\r\n"
# aiohttp's bounds of a line and of the number of header fields. Beyond any of them it is aiohttp that refuses.
MAX_HEAD_SIZE, MAX_FIELDS, SHORTEST_FIELD = 8190, 128, len("a:\r\n")
# A status that has a body, then fields of plain text on a line each: RFC 9112 without its rarer forms.
HEAD = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) [ -~]*\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ -~]*\r\n)*\Z")
# Interim responses, 100 to 199, may come before the real one. Behind 101 another protocol begins.
INTERIM = re.compile(rb"HTTP/1\.1 1(?!01)[0-9]{2} ")
MAX_INTERIM_RESPONSES = 16
# A body of more chunks than this is left to the decoder of bodies that come in parts.
MAX_CHUNKS = 250
STATUSES_WITHOUT_BODY = (b"204", b"205", b"304")
# Longer lengths and chunk sizes do not come in one read.
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,9}) *\r\n")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
LENGTH_FIELD, ENCODING_FIELD, CONNECTION_FIELD = (
    b"\r\ncontent-length:",
    b"\r\ntransfer-encoding:",
    b"\r\nconnection:",
)
CHUNKED, KEEP_ALIVE = b"\r\ntransfer-encoding: chunked\r\n", b"\r\nconnection: keep-alive\r\n"


class LazyHeaders(Mapping[str, str]):
    """The headers of a response, parsed when one that is there is read; names are in lower case."""

    __slots__ = ("_lines", "_lowered", "_parsed")

    def __init__(self, lines: bytes, lowered: bytes) -> None:
        """Take the lines of a head, each between CRLFs, as they are and in lower case."""
        self._lines = lines
        self._lowered = lowered
        self._parsed: dict[str, str] | None = None

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Return a header, or *default*. Most headers that are asked for are not there: those cost one search."""
        if line_start(name) not in self._lowered:
            return default
        return self._all().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return self._all()[name.lower()]

    def __contains__(self, name: object) -> bool:
        return str(name).lower() in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, str]:
        """Return all headers; of those with the same name the first, as aiohttp does."""
        if self._parsed is None:
            self._parsed = {}
            for line in self._lines.decode("ascii").split("\r\n")[1:-1]:
                name, _, value = line.partition(":")
                self._parsed.setdefault(name.lower(), value.strip(" \t"))
        return self._parsed


@lru_cache(maxsize=64)
def line_start(name: str) -> bytes:
    """Return the line break and the name with which the line of a header begins; cached, for few headers are used."""
    return f"\r\n{name.lower()}:".encode()


class PartialResponse(Struct):
    """A head and the first bytes of its body, which has *size* bytes, or None where it is chunked."""

    status: int
    headers: LazyHeaders
    body_start: bytes
    size: int | None


class OverlongResponse(Struct):
    """A response with more bytes behind it, which belong to nothing that was asked for."""

    response: RawResponse


def parse_response(data: bytes) -> RawResponse | PartialResponse | OverlongResponse | None:  # noqa: PLR0911 - once a request, in one go
    """Return the response that *data* is or begins with, None for one of an unusual shape.

    A usual response keeps the connection open, and its body has a length or is chunked.
    """
    end = data.find(END)
    head = data[: end + 2]
    match = HEAD.match(head) if 0 < end <= MAX_HEAD_SIZE else None
    if match is None or match[1] in STATUSES_WITHOUT_BODY:
        return None
    if end > SHORTEST_FIELD * MAX_FIELDS and head.count(b"\r\n") > MAX_FIELDS:
        return None
    fields_at = head.index(b"\r\n")
    lowered = head[fields_at:].lower()
    if CONNECTION_FIELD in lowered and (KEEP_ALIVE not in lowered or lowered.count(CONNECTION_FIELD) > 1):
        return None
    status, headers, start = int(match[1]), LazyHeaders(head[fields_at:], lowered), end + 4
    if ENCODING_FIELD in lowered:
        if CHUNKED not in lowered or lowered.count(ENCODING_FIELD) > 1 or LENGTH_FIELD in lowered:
            return None
        decoded = decode_chunked(data, start)
        if decoded is not None:
            return status, headers, decoded
        return PartialResponse(status, headers, data[start:], None)
    length = CONTENT_LENGTH.search(lowered)
    if length is None or lowered.count(LENGTH_FIELD) > 1:
        return None
    body, size = data[start:], int(length[1])
    if len(body) == size:
        return status, headers, body
    if len(body) > size:
        return OverlongResponse((status, headers, body[:size]))
    return PartialResponse(status, headers, body, size)


def skip_interim_responses(data: bytes) -> bytes | None:
    """Return *data* without the interim responses at its start, None where there are too many."""
    position = 0
    for _ in range(MAX_INTERIM_RESPONSES):
        end = data.find(END, position, position + MAX_HEAD_SIZE) if INTERIM.match(data, position) else -1
        if end < 0:
            return data[position:]
        position = end + 4
    return None


def decode_chunked(data: bytes, start: int) -> bytes | None:
    """Return the body whose chunks begin at *start* and end with *data*, None where they do not."""
    chunks: list[bytes] = []
    while True:
        size = CHUNK_SIZE.match(data, start)
        if size is None:
            return None
        start, end = size.end(), size.end() + int(size[1], 16)
        if data[end : end + 2] != b"\r\n":
            return None
        if start == end:
            return b"".join(chunks) if len(data) == end + 2 else None
        chunks.append(data[start:end])
        if len(chunks) > MAX_CHUNKS:
            return None
        start = end + 2
