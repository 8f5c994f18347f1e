"""Packed bodies, unpacked in one go and within bounds."""

from __future__ import annotations

import zlib

# gzip as well as zlib's own format, as the first bytes say.
ANY_HEADER = zlib.MAX_WBITS | 32
ENCODINGS = ("gzip", "x-gzip", "deflate")


class TooLarge(Exception):
    """What it unpacks to is larger than allowed."""


def inflated(body: bytes, *, largest: int) -> bytes:
    """Return what *body* unpacks to; raise ValueError for a broken one, `TooLarge` beyond *largest* bytes."""
    pieces: list[bytes] = []
    size, rest = 0, body
    while rest or not pieces:
        piece, rest = _first_member(rest, largest - size)
        pieces.append(piece)
        size += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _first_member(body: bytes, largest: int) -> tuple[bytes, bytes]:
    """Return what the first of the members of *body* unpacks to, and what follows it."""
    machine = zlib.decompressobj(ANY_HEADER)
    try:
        # One byte more than allowed shows that there is more; zlib takes 0 for no bound.
        piece = machine.decompress(body, largest + 1)
    except zlib.error as error:
        raise ValueError("the packed body is broken") from error
    if len(piece) > largest:
        raise TooLarge
    if not machine.eof:
        raise ValueError("the packed body is not whole")
    return piece, machine.unused_data
