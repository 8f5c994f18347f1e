"""Packed bodies, unpacked a slice at a time and within bounds."""

from __future__ import annotations

import zlib

# gzip as well as zlib's own format, as the first bytes say.
ANY_HEADER = zlib.MAX_WBITS | 32
ENCODINGS = ("gzip", "x-gzip", "deflate")

# Most of what is asked for packed is smaller than the first slice, so that it is unpacked in one call.
FIRST_SLICE, SLICE = 1024 * 1024, 4 * 1024 * 1024
# So much is fed at a time: what zlib leaves of it is copied.
FED = 256 * 1024
# Servers send one member; a body of very many is made to keep us busy.
MOST_MEMBERS = 64
# Long logs of the same line unpack to some hundred times their size; beyond, whatever is larger than this is refused.
HARMLESS_SIZE, HIGHEST_RATIO = 16 * 1024 * 1024, 200


class TooLarge(Exception):
    """What it unpacks to is larger than allowed."""


def decompress(body: bytes, *, largest: int) -> bytes:
    """Return what *body* unpacks to; raise ValueError for a broken one, `TooLarge` beyond *largest* bytes."""
    inflater = Inflater(body, largest=largest)
    pieces = [inflater.next_slice()]
    while not inflater.is_done:
        pieces.append(inflater.next_slice())
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Inflater:
    """Unpacks a body a slice at a time; each is bounded work, during which other threads run."""

    __slots__ = ("_at", "_body", "_fed", "_largest", "_machine", "_members", "is_done", "size")

    def __init__(self, body: bytes, *, largest: int) -> None:
        """Unpack nothing yet; *largest* bytes in all at most."""
        self._body = body
        self._largest = min(largest, max(HARMLESS_SIZE, HIGHEST_RATIO * len(body)))
        self._machine = zlib.decompressobj(ANY_HEADER)
        self._members = 1
        self._fed = b""
        self._at = 0
        self.size = 0
        self.is_done = False

    def next_slice(self) -> bytes:
        """Return what comes next, which may be nothing; raise what `inflated` raises."""
        fed = self._fed
        if not fed:
            fed = self._body[self._at : self._at + FED]
            self._at += len(fed)
        machine, size = self._machine, self.size
        try:
            # One byte more than allowed shows that there is more; zlib takes 0 for no bound.
            most = min(SLICE if size else FIRST_SLICE, self._largest - size + 1)
            piece = machine.decompress(fed, most)
        except zlib.error as error:
            raise ValueError("the packed body is broken") from error
        self.size = size = size + len(piece)
        if size > self._largest:
            raise TooLarge
        self._fed = machine.unused_data if machine.eof else machine.unconsumed_tail
        is_all_fed = not self._fed and self._at >= len(self._body)
        if machine.eof:
            self.is_done = is_all_fed
            if not is_all_fed:
                self._next_member()
        elif is_all_fed and not piece:
            raise ValueError("the packed body is not whole")
        return piece

    def _next_member(self) -> None:
        self._members += 1
        if self._members > MOST_MEMBERS:
            raise ValueError("the packed body is broken: it has too many members")
        self._machine = zlib.decompressobj(ANY_HEADER)
