"""Chunked bodies, however they are cut on their way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.wire.chunks import BadChunks, Chunks


def chunked(pieces: list[bytes], trailer: bytes = b"") -> bytes:
    """Return *pieces* as chunks."""
    lines = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return lines + b"0\r\n" + trailer + b"\r\n"


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 200)), st.sampled_from([b"", b"A: b\r\n"]))
def test_a_body_is_the_same_however_it_is_cut(pieces: list[bytes], cuts: list[int], trailer: bytes) -> None:
    """The end is seen with its last byte, and not before."""
    data, chunks = chunked(pieces, trailer), Chunks()
    ends = sorted({min(cut, len(data) - 1) for cut in cuts} | {len(data)})
    for start, end in zip([0, *ends], ends, strict=False):
        assert not chunks.is_whole
        chunks.feed(data[start:end])

    assert chunks.is_whole
    assert not chunks.has_surplus
    assert chunks.body.getvalue() == b"".join(pieces)


@pytest.mark.parametrize("more", [b"H", b"\r\n", b"0\r\n\r\n"])
def test_what_comes_behind_the_end_is_surplus(more: bytes) -> None:
    """Whatever it is."""
    chunks = Chunks()
    chunks.feed(chunked([b"{}"]) + more)

    assert chunks.has_surplus
    assert chunks.body.getvalue() == b"{}"


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"0x1\r\n",
        b"1\n{\r\n",
        b"1\r\n{}\r\n",
        b"123456789\r\n",
        b"1;\x00\r\n{",
        b"1\r\nx\r\n" * 2000,
        b"1;" + b"x" * 9000,
        b"0\r\n" + b"A: b\r\n" * 2000,
        b"0\r\n" + b"x" * 9000,
    ],
)
def test_what_is_no_chunk_is_refused(data: bytes) -> None:
    """And is not waited for to become one."""
    with pytest.raises(BadChunks):
        Chunks().feed(data)
