"""HTTP answers that have nothing unusual about them, which are most of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Answer = tuple[int, Mapping[str, str], bytes]

END = b"\r\n\r\n"
# aiohttp's bounds of a line, a field and their number: it judges what is beyond any of them.
LONGEST_HEAD, MOST_FIELDS = 8190, 128
# A status that has a body, then fields of plain text on a line each: RFC 9112, without all that it still allows.
HEAD = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) [ -~]*\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ -~]*\r\n)*\Z")
# What may come before an answer, and says nothing: 100 to 199, but for 101, behind which something else begins.
INTERIM = re.compile(rb"HTTP/1\.1 1(?!01)[0-9]{2} ")
MOST_INTERIM = 16
# So many chunks are looked through at once at most.
MOST_PIECES = 1000
BODILESS = (b"204", b"205", b"304")
# Lengths and chunks beyond these do not come in one piece.
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,9}) *\r\n")
SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
LENGTH_FIELD, CODING_FIELD, CONNECTION_FIELD = (
    b"\r\ncontent-length:",
    b"\r\ntransfer-encoding:",
    b"\r\nconnection:",
)
CHUNKED, KEPT = b"\r\ntransfer-encoding: chunked\r\n", b"\r\nconnection: keep-alive\r\n"


class LazyHeaders(Mapping[str, str]):
    """The headers of an answer, told apart when somebody asks for one that is there; names in lower case."""

    __slots__ = ("_found", "_lines", "_lowered")

    def __init__(self, lines: bytes, lowered: bytes) -> None:
        """Take the lines of a head, each begun and ended by CRLF, as they are and in lower case."""
        self._lines = lines
        self._lowered = lowered
        self._found: dict[str, str] | None = None

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Return a header, *default* where it is missing; most that are asked for are."""
        if f"\r\n{name.lower()}:".encode() not in self._lowered:
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
        """Return all headers; of one that is there twice the first, as aiohttp does."""
        if self._found is None:
            self._found = {}
            for line in self._lines.decode("ascii").split("\r\n")[1:-1]:
                name, _, value = line.partition(":")
                self._found.setdefault(name.lower(), value.strip(" \t"))
        return self._found


class PartialResponse:
    """What came first of an answer, and how its body begins: one of *size* bytes, or None where it comes in chunks."""

    __slots__ = ("begun", "headers", "size", "status")

    def __init__(self, status: int, headers: LazyHeaders, begun: bytes, size: int | None) -> None:
        self.status = status
        self.headers = headers
        self.begun = begun
        self.size = size


class Surplus:
    """An answer with more behind it than belongs to it: whatever that is, it answers nothing."""

    __slots__ = ("answer",)

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


def parse_response(data: bytes) -> Answer | PartialResponse | Surplus | None:  # noqa: PLR0911 - once a request, in one go
    """Return the answer that is all of *data*, or that begins with it; None for any that is not as usual.

    It is usual when the connection goes on, and the body is told by its length or comes in chunks.
    """
    end = data.find(END)
    head = data[: end + 2]
    usual = HEAD.match(head) if 0 < end <= LONGEST_HEAD else None
    if usual is None or usual[1] in BODILESS or head.count(b"\r\n") > MOST_FIELDS:
        return None
    first = head.index(b"\r\n")
    lowered = head[first:].lower()
    if CONNECTION_FIELD in lowered and (KEPT not in lowered or lowered.count(CONNECTION_FIELD) > 1):
        return None
    status, headers, start = int(usual[1]), LazyHeaders(head[first:], lowered), end + 4
    if CODING_FIELD in lowered:
        plain = CHUNKED in lowered and lowered.count(CODING_FIELD) == 1 and LENGTH_FIELD not in lowered
        chunks = joined(data, start) if plain else None
        if chunks is not None:
            return status, headers, chunks
        return PartialResponse(status, headers, data[start:], None) if plain else None
    length = LENGTH.search(lowered)
    if length is None or lowered.count(LENGTH_FIELD) > 1:
        return None
    body, size = data[start:], int(length[1])
    if len(body) == size:
        return status, headers, body
    if len(body) > size:
        return Surplus((status, headers, body[:size]))
    return PartialResponse(status, headers, body, size)


def without_interim(data: bytes) -> bytes | None:
    """Return *data* without the interim answers that it begins with, None where there are too many."""
    at = 0
    for _ in range(MOST_INTERIM):
        end = data.find(END, at, at + LONGEST_HEAD) if INTERIM.match(data, at) else -1
        if end < 0:
            return data[at:]
        at = end + 4
    return None


def joined(data: bytes, start: int) -> bytes | None:
    """Return the body whose chunks begin at *start* and end with *data*, None where they do not."""
    pieces: list[bytes] = []
    while True:
        size = SIZE.match(data, start)
        if size is None:
            return None
        start, end = size.end(), size.end() + int(size[1], 16)
        if data[end : end + 2] != b"\r\n":
            return None
        if start == end:
            return b"".join(pieces) if len(data) == end + 2 else None
        pieces.append(data[start:end])
        if len(pieces) > MOST_PIECES:
            return None
        start = end + 2
