"""Compressed bodies: valid, broken and endless ones."""

import gzip
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.errors import InvalidResponse, TransportFailed
from bkjob_async.wire.bodies.budget import BodyBudget
from bkjob_async.wire.bodies.reading import MAX_MEMBERS, SLICE, decompressed_slices

BODY = b'{"code": 0, "data": "' + b"x" * 1000 + b'"}'


def slices(body: bytes, max_size: int) -> Iterator[bytes]:
    """Yield the slices of the decompressed *body*, up to the last one."""
    for piece, is_last in decompressed_slices(body, 200, BodyBudget(max_size)):
        yield piece
        if is_last:
            return


def decompress(body: bytes, *, max_size: int) -> bytes:
    """Return the decompressed *body*."""
    return b"".join(slices(body, max_size))


@given(st.binary(max_size=2000), st.integers(0, 9))
def test_a_compressed_body_comes_out_as_it_was(body: bytes, level: int) -> None:
    """In the gzip and in the zlib format."""
    assert decompress(gzip.compress(body, level), max_size=2000) == body
    assert decompress(zlib.compress(body, level), max_size=2000) == body


def test_members_follow_each_other() -> None:
    """A gzip body may have several, which count together."""
    compressed = gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two")

    assert decompress(compressed, max_size=6) == b"onetwo"
    with pytest.raises(InvalidResponse):
        decompress(compressed, max_size=5)


@pytest.mark.parametrize("cut", [1, 5, 12, 20, -9, -1])
def test_half_a_body_is_broken(cut: int) -> None:
    """The half that could be decompressed is not returned."""
    with pytest.raises(TransportFailed, match="compressed body"):
        decompress(gzip.compress(BODY)[:cut], max_size=10_000)


def test_a_damaged_body_is_broken() -> None:
    """The checksum tells, and so does what is no gzip at all."""
    compressed = bytearray(gzip.compress(BODY))
    compressed[-6] ^= 1

    for broken in (bytes(compressed), BODY, gzip.compress(BODY) + b"rest"):
        with pytest.raises(TransportFailed, match="broken"):
            decompress(broken, max_size=10_000)


def test_a_small_body_does_not_decompress_without_bound() -> None:
    """One byte too many is too many."""
    compressed = gzip.compress(b" " * 1_000_000)

    assert len(decompress(compressed, max_size=1_000_000)) == 1_000_000
    with pytest.raises(InvalidResponse):
        decompress(compressed, max_size=999_999)


def test_very_many_members_are_refused() -> None:
    """Each would cost a copy of what follows it."""
    assert decompress(gzip.compress(b"x") * MAX_MEMBERS, max_size=1000) == b"x" * MAX_MEMBERS
    with pytest.raises(TransportFailed, match="too many members"):
        decompress(gzip.compress(b"x") * (MAX_MEMBERS + 1), max_size=1000)
    with pytest.raises(TransportFailed, match="too many members"):
        decompress(gzip.compress(b"") * 100_000, max_size=1000)


def test_an_extreme_ratio_is_refused_early() -> None:
    """Only small bodies may be a thousand times as large as their compressed form."""
    size = 0

    with pytest.raises(InvalidResponse):
        for piece in slices(gzip.compress(bytes(40_000_000)), 64_000_000):
            size += len(piece)
    assert size <= 16 * 1024 * 1024


@pytest.mark.parametrize("size", [0, 1, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE])
def test_slices_are_bounded_and_make_up_the_body(size: int) -> None:
    """A small body comes in one slice."""
    body = bytes(range(256)) * (size // 256 + 1)
    pieces = list(slices(gzip.compress(body[:size], 1), 64_000_000))

    assert b"".join(pieces) == body[:size]
    assert max(map(len, pieces)) <= SLICE
    assert len(pieces) == 1 or size >= SLICE
