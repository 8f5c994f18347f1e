"""Packed bodies: whole ones, broken ones, ones without end."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.wire.inflating import TooLarge, inflated

BODY = b'{"code": 0, "data": "' + b"x" * 1000 + b'"}'


@given(st.binary(max_size=2000), st.integers(0, 9))
def test_what_was_packed_comes_out(body: bytes, level: int) -> None:
    """Whatever it was, in gzip as in zlib's own format."""
    assert inflated(gzip.compress(body, level), largest=2000) == body
    assert inflated(zlib.compress(body, level), largest=2000) == body


def test_members_follow_each_other() -> None:
    """A gzip body may have several, which count together."""
    packed = gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two")

    assert inflated(packed, largest=6) == b"onetwo"
    with pytest.raises(TooLarge):
        inflated(packed, largest=5)


@pytest.mark.parametrize("cut", [1, 5, 12, 20, -9, -1])
def test_half_a_body_is_broken(cut: int) -> None:
    """Never the half that could be unpacked."""
    with pytest.raises(ValueError, match="packed body"):
        inflated(gzip.compress(BODY)[:cut], largest=10_000)


def test_a_damaged_body_is_broken() -> None:
    """The checksum tells, and so does what is no gzip at all."""
    packed = bytearray(gzip.compress(BODY))
    packed[-6] ^= 1

    for broken in (bytes(packed), BODY, gzip.compress(BODY) + b"rest"):
        with pytest.raises(ValueError, match="broken"):
            inflated(broken, largest=10_000)


def test_a_small_body_does_not_unpack_without_bound() -> None:
    """One byte too many is too many."""
    packed = gzip.compress(b" " * 1_000_000)

    assert len(inflated(packed, largest=1_000_000)) == 1_000_000
    with pytest.raises(TooLarge):
        inflated(packed, largest=999_999)
