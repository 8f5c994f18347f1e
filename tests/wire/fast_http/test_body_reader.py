"""Bodies that come in several reads, within the budget."""

from __future__ import annotations

import asyncio
from typing import cast

import aiohttp
import pytest
from aiohttp.http import HttpProcessingError

from bkjob_async.errors import InvalidResponse
from bkjob_async.wire.bodies.budget import MIB, BodyBudget
from bkjob_async.wire.fast_http.body_reader import BodyReader
from bkjob_async.wire.fast_http.response_parser import PartialResponse, parse_response

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class PausableTransport:
    """Knows whether reading is paused, or the connection closed."""

    def __init__(self) -> None:
        self.is_paused = self.is_closed = False

    def pause_reading(self) -> None:
        """Pause."""
        self.is_paused = True

    def resume_reading(self) -> None:
        """Go on."""
        assert not self.is_closed
        self.is_paused = False

    def is_closing(self) -> bool:
        """Return whether it was closed."""
        return self.is_closed


def reader_of(head: bytes, budget: BodyBudget) -> tuple[BodyReader, PausableTransport]:
    """Return a reader of what follows *head*, and its transport."""
    partial, transport = parse_response(head), PausableTransport()
    assert isinstance(partial, PartialResponse)
    return BodyReader(partial, cast("asyncio.Transport", transport), budget), transport


def sized(size: int) -> bytes:
    """Return the head of a body of *size* bytes."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size


async def test_a_body_that_is_announced_as_too_large_is_refused_at_once() -> None:
    """Nothing of it is kept."""
    reader, _ = reader_of(sized(MIB + 1), BodyBudget(MIB))

    with pytest.raises(InvalidResponse, match="larger than 1 MiB"):
        reader.feed(b"x")


async def test_chunks_that_add_up_to_too_much_are_refused() -> None:
    """Their sum is announced nowhere."""
    budget = BodyBudget(MIB)
    reader, _ = reader_of(CHUNKED, budget)
    chunk = b"40000\r\n" + b"x" * 0x40000 + b"\r\n"

    with pytest.raises(InvalidResponse, match="larger than 1 MiB"):
        for _ in range(5):
            assert reader.feed(chunk) is None
    reader.close()
    assert budget.reserved == 0


async def test_a_body_waits_for_the_budget_and_goes_on() -> None:
    """The oldest never waits; the next one reads on once that is done."""
    budget = BodyBudget(4 * MIB)
    oldest, first = reader_of(sized(3 * MIB), budget)
    second, waits = reader_of(sized(3 * MIB), budget)
    assert oldest.feed(bytes(2 * MIB)) is None
    assert second.feed(bytes(2 * MIB)) is None
    assert (first.is_paused, waits.is_paused) == (False, True)

    whole = oldest.feed(bytes(MIB))
    assert whole is not None
    assert len(whole[2]) == 3 * MIB
    assert not waits.is_paused


async def test_a_connection_that_closed_meanwhile_is_left_alone() -> None:
    """The budget has more for it, but nobody reads."""
    budget = BodyBudget(4 * MIB)
    oldest, _ = reader_of(sized(3 * MIB), budget)
    second, waits = reader_of(sized(3 * MIB), budget)
    oldest.feed(bytes(2 * MIB))
    second.feed(bytes(2 * MIB))
    waits.is_closed = True
    oldest.close()

    assert waits.is_paused
    second.close()
    assert budget.reserved == 0


@pytest.mark.parametrize(("head", "expected"), [(sized(500), "500 bytes"), (CHUNKED, "a chunked body")])
async def test_a_truncated_body_says_how_much_came(head: bytes, expected: str) -> None:
    """And why, where that is known."""
    reader, _ = reader_of(head, BodyBudget(MIB))
    reader.feed(b"5\r\nabc")

    for cause in (None, ConnectionResetError("reset by peer")):
        error = reader.truncated(cause)
        assert isinstance(error, aiohttp.ClientPayloadError)
        assert f"of {expected} came" in str(error)
        assert ("reset by peer" in str(error)) is (cause is not None)


async def test_invalid_chunks_are_an_error_of_the_protocol() -> None:
    """Aiohttp's own, as on its path."""
    reader, _ = reader_of(CHUNKED, BodyBudget(MIB))

    with pytest.raises(HttpProcessingError, match="no size"):
        reader.feed(b"xyz\r\n")
