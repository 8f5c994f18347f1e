"""Responses parsed in one go: with the same outcome as by aiohttp's parser, or left to it."""

import asyncio
from collections.abc import Mapping

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpResponseParser
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.wire.fast_http.response_parser import OverlongResponse, PartialResponse, parse_response

USUAL = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
IN_CHUNKS = (
    b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n00a\r\n          \r\n1\r\n}\r\n0\r\n\r\n"
)

LINES = st.sampled_from(
    [
        b"Content-Length: 2",
        b"content-length:2 ",
        b"Content-Length: 3",
        b"Content-Length: +2",
        b"Content-Length: 2, 2",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity",
        b"Connection: keep-alive",
        b"Connection: Keep-Alive",
        b"Connection: close",
        b"Connection: upgrade",
        b"Upgrade: websocket",
        b"X-Bkapi-RateLimit-Remaining:  7 ",
        b"X-Bkapi-RateLimit-Remaining: 8",
        b"X-Empty:",
        b"X-Folded: a\r\n b",
        b"X-Odd: \xc3\xa4",
        b"X-Bell: \x07",
        b"X-Tab:\ta\tb",
        b"X Space: a",
        b"X-Space : a",
        b": nameless",
        b"no colon",
        b"X-Return: a\rContent-Length: 2",
        b"X-Feed: a\nContent-Length: 2",
    ]
)
STATUS = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK", b"HTTP/1.1 404 Not Found", b"HTTP/1.1 502 Bad Gateway", b"HTTP/1.1 200 "),
        *(b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified", b"HTTP/1.1 103 Early ListHints"),
        *(b"HTTP/1.0 200 OK", b"HTTP/2 200", b"HTTP/1.1 200", b"http/1.1 200 OK", b"HTTP/1.1 099 What"),
    ]
)
BODIES = st.sampled_from(
    [
        *(b"", b"{}", b"{}\r\n", b"{} ", b"2\r\n{}\r\n0\r\n\r\n", b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
        *(b"2;x=y\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n0\r\nX: y\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\nHTTP/1.1"),
        *(b"2\r\n{}0\r\n\r\n", b"02\r\n{}\r\n00\r\n\r\n", b"2\n{}\n0\n\n", b"-2\r\n{}\r\n0\r\n\r\n"),
    ]
)


def by_aiohttp(data: bytes) -> tuple[int, dict[str, str], bytes] | None:
    """Return what aiohttp parses; None for an incomplete response, for surplus, or for the last of its connection."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpResponseParser(
            BaseProtocol(loop), loop, 2**16, payload_exception=aiohttp.ClientPayloadError, read_until_eof=True
        )
        try:
            messages, upgraded, tail = parser.feed_data(data)
        except HttpProcessingError:
            return None
        if len(messages) != 1 or upgraded or tail:
            return None
        message, content = messages[0]
        if message.should_close or not content.is_eof() or content.exception() is not None:
            return None
        return message.code, first_of_each(message.headers.items()), content.read_nowait()
    finally:
        loop.close()


def first_of_each(headers: object) -> dict[str, str]:
    """Return headers by their name in lower case; the first of those that have the same."""
    found: dict[str, str] = {}
    for name, value in headers:  # type: ignore[attr-defined]
        found.setdefault(name.lower(), value.strip(" \t"))  # older parsers keep blanks at the end
    return found


def agrees_with_aiohttp(data: bytes) -> bool:
    """Return whether a response that is parsed in one go is what aiohttp parses."""
    found = parse_response(data)
    if not isinstance(found, tuple):
        return True
    return (found[0], dict(found[1]), found[2]) == by_aiohttp(data)


@given(STATUS, st.lists(LINES, max_size=4), BODIES)
def test_a_parsed_response_is_the_same_by_aiohttp(status: bytes, lines: list[bytes], body: bytes) -> None:
    """No response is parsed that aiohttp parses differently, or refuses."""
    assert agrees_with_aiohttp(b"\r\n".join([status, *lines, b"", body]))


@given(st.sampled_from([USUAL, IN_CHUNKS]), st.integers(0, 200), st.integers(0, 2), st.binary(max_size=3))
def test_a_damaged_response_is_never_parsed_differently(data: bytes, at: int, less: int, more: bytes) -> None:
    """Wherever bytes are lost or inserted."""
    at %= len(data)

    assert agrees_with_aiohttp(data[:at] + more + data[at + less :])


@pytest.mark.parametrize("data", [USUAL, IN_CHUNKS])
def test_part_of_a_response_is_not_a_response(data: bytes) -> None:
    """Nor are two."""
    assert isinstance(parse_response(data), tuple)
    assert not any(isinstance(parse_response(data[:length]), tuple) for length in range(len(data)))
    assert not isinstance(parse_response(data + data), tuple)


def test_an_incomplete_response_is_partial() -> None:
    """With the size that its body will have."""
    found = parse_response(USUAL[:-1])

    assert isinstance(found, PartialResponse)
    assert (found.status, found.body_start, found.size) == (200, b"{", 2)


def test_bytes_behind_a_response_make_it_overlong() -> None:
    """Whatever they are, the connection cannot be used again."""
    for more in (b"H", b"\r\n", USUAL):
        found = parse_response(USUAL + more)

        assert isinstance(found, OverlongResponse)
        assert found.response[2] == b"{}"


def test_a_head_beyond_the_bounds_of_aiohttp_is_left_to_it() -> None:
    """One line too long, or too many lines."""
    long, many = b"X-Long: " + b"x" * 8200 + b"\r\n", b"X: y\r\n" * 130

    for lines in (long, many):
        assert parse_response(USUAL.replace(b"Content-Length", lines + b"Content-Length")) is None


def test_headers_are_parsed_when_they_are_read() -> None:
    """Their names in upper or lower case."""
    found = parse_response(USUAL)
    assert isinstance(found, tuple)
    headers: Mapping[str, str] = found[1]

    assert headers.get("X-Missing") is None
    assert headers.get("X-Missing", "none") == "none"
    assert headers.get("CONTENT-TYPE") == headers["content-type"] == "application/json"
    assert "Content-length" in headers
    assert dict(headers) == {"content-type": "application/json", "content-length": "2"}
    assert len(headers) == 2
