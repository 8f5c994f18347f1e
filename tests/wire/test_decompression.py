"""Packed bodies: whole ones, broken ones, ones without end."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.wire.decompression import FIRST_SLICE, MOST_MEMBERS, SLICE, Inflater, TooLarge, decompress

BODY = b'{"code": 0, "data": "' + b"x" * 1000 + b'"}'


@given(st.binary(max_size=2000), st.integers(0, 9))
def test_what_was_packed_comes_out(body: bytes, level: int) -> None:
    """Whatever it was, in gzip as in zlib's own format."""
    assert decompress(gzip.compress(body, level), largest=2000) == body
    assert decompress(zlib.compress(body, level), largest=2000) == body


def test_members_follow_each_other() -> None:
    """A gzip body may have several, which count together."""
    packed = gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two")

    assert decompress(packed, largest=6) == b"onetwo"
    with pytest.raises(TooLarge):
        decompress(packed, largest=5)


@pytest.mark.parametrize("cut", [1, 5, 12, 20, -9, -1])
def test_half_a_body_is_broken(cut: int) -> None:
    """Never the half that could be unpacked."""
    with pytest.raises(ValueError, match="packed body"):
        decompress(gzip.compress(BODY)[:cut], largest=10_000)


def test_a_damaged_body_is_broken() -> None:
    """The checksum tells, and so does what is no gzip at all."""
    packed = bytearray(gzip.compress(BODY))
    packed[-6] ^= 1

    for broken in (bytes(packed), BODY, gzip.compress(BODY) + b"rest"):
        with pytest.raises(ValueError, match="broken"):
            decompress(broken, largest=10_000)


def test_a_small_body_does_not_unpack_without_bound() -> None:
    """One byte too many is too many."""
    packed = gzip.compress(b" " * 1_000_000)

    assert len(decompress(packed, largest=1_000_000)) == 1_000_000
    with pytest.raises(TooLarge):
        decompress(packed, largest=999_999)


def test_very_many_members_are_refused() -> None:
    """Each would cost a copy of what follows it."""
    assert decompress(gzip.compress(b"x") * MOST_MEMBERS, largest=1000) == b"x" * MOST_MEMBERS
    with pytest.raises(ValueError, match="too many members"):
        decompress(gzip.compress(b"x") * (MOST_MEMBERS + 1), largest=1000)
    with pytest.raises(ValueError, match="too many members"):
        decompress(gzip.compress(b"") * 100_000, largest=1000)


def test_what_is_packed_beyond_all_reason_is_refused_early() -> None:
    """No answer is a thousand times as large as it is packed, but for small ones."""
    packed = gzip.compress(bytes(40_000_000))
    inflater = Inflater(packed, largest=64_000_000)

    with pytest.raises(TooLarge):
        while not inflater.is_done:
            inflater.next_slice()
    assert inflater.size <= 16 * 1024 * 1024 + 1


@pytest.mark.parametrize("size", [0, 1, FIRST_SLICE - 1, FIRST_SLICE, FIRST_SLICE + 1, 3 * SLICE])
def test_slices_are_bounded_and_make_up_the_whole(size: int) -> None:
    """What is small comes in one."""
    body = bytes(range(256)) * (size // 256 + 1)
    inflater = Inflater(gzip.compress(body[:size], 1), largest=64_000_000)
    pieces = [inflater.next_slice()]
    while not inflater.is_done:
        pieces.append(inflater.next_slice())

    assert b"".join(pieces) == body[:size]
    assert max(map(len, pieces)) <= SLICE
    assert len(pieces) == 1 or size >= FIRST_SLICE
