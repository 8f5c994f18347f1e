"""Chunked bodies, split anywhere on their way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.wire.fast_http.chunked_decoder import ChunkedDecoder, InvalidChunk


def chunked(pieces: list[bytes], trailer: bytes = b"") -> bytes:
    """Return *pieces* as decoder."""
    lines = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return lines + b"0\r\n" + trailer + b"\r\n"


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 200)), st.sampled_from([b"", b"A: b\r\n"]))
def test_a_body_is_the_same_wherever_its_bytes_are_split(
    pieces: list[bytes], cuts: list[int], trailer: bytes
) -> None:
    """The body is complete with its last byte, and not before."""
    data, decoder = chunked(pieces, trailer), ChunkedDecoder()
    ends = sorted({min(cut, len(data) - 1) for cut in cuts} | {len(data)})
    for start, end in zip([0, *ends], ends, strict=False):
        assert not decoder.is_complete
        decoder.feed(data[start:end])

    assert decoder.is_complete
    assert not decoder.has_surplus
    assert decoder.body.getvalue() == b"".join(pieces)


@pytest.mark.parametrize("more", [b"H", b"\r\n", b"0\r\n\r\n"])
def test_bytes_behind_the_end_are_surplus(more: bytes) -> None:
    """Whatever they are."""
    decoder = ChunkedDecoder()
    decoder.feed(chunked([b"{}"]) + more)

    assert decoder.has_surplus
    assert decoder.body.getvalue() == b"{}"


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
def test_an_invalid_chunk_is_refused(data: bytes) -> None:
    """At once, without waiting for more bytes."""
    with pytest.raises(InvalidChunk):
        ChunkedDecoder().feed(data)
