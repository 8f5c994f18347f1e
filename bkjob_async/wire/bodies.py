"""Bodies of answers, read whole and within bounds, and unpacked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO

import aiohttp

from bkjob_async.errors import ErrorDetails, InvalidResponse, TransportFailed
from bkjob_async.wire.body_budget import FREE, MIB, BodyBudget
from bkjob_async.wire.decompression import ENCODINGS, Inflater, TooLarge

# A job of 50 000 hosts answers with 15 MB; a stream without end must stop somewhere.
LARGEST_BODY = 64 * MIB
# Packed bodies beyond this unpack to more than is usual.
UNPACKED_AT_ONCE = 128 * 1024
CONTENT_ENCODING = aiohttp.hdrs.CONTENT_ENCODING
CONTENT_LENGTH = aiohttp.hdrs.CONTENT_LENGTH


async def read_bounded(
    content: aiohttp.StreamReader,
    headers: Mapping[str, str],
    status: int,
    budget: BodyBudget,
    *,
    read: Callable[[], Awaitable[bytes]] | None = None,
) -> bytes:
    """Read the whole body; raise `InvalidResponse` for one beyond all reason.

    *read* reads one whose length is known to be small, where it is not just the content that is to be read.
    """
    # Of what is packed the length says little: aiohttp may be unpacking it.
    length = None if CONTENT_ENCODING in headers else headers.get(CONTENT_LENGTH)
    if length is not None and length.isdigit():
        if int(length) <= FREE:
            return await (read or content.read)()
        if int(length) > budget.largest:
            raise too_long(budget, status)
    size = 0
    # Closed at the end, so that no frame of an error keeps it.
    with budget.share() as share, BytesIO() as body:
        async for chunk in content.iter_any():
            size += len(chunk)
            if size > budget.largest:
                raise too_long(budget, status)
            await share.hold(size)
            body.write(chunk)
        return body.getvalue()


async def decoded_body(body: bytes, encoding: str, status: int, budget: BodyBudget) -> bytes:
    """Return what a packed *body* unpacks to, or raise the typed error.

    What is larger than usual is unpacked in a thread, a slice at a time.
    """
    name = encoding.strip().lower()
    if name in ("", "identity") or not body:
        return body
    if name not in ENCODINGS:
        message = "the answer is packed in a way that nobody asked for"
        raise InvalidResponse(ErrorDetails(message=message, http_status=status))
    inflater = Inflater(body, largest=budget.largest)
    try:
        first = inflater.next_slice() if len(body) <= UNPACKED_AT_ONCE else b""
        return first if inflater.is_done else await _large(first, inflater, len(body), budget)
    except ValueError as error:
        message = f"the answer broke off: {error}"
    except TooLarge:
        raise too_long(budget, status) from None
    raise TransportFailed(ErrorDetails(message=message, http_status=status))


async def _large(first: bytes, inflater: Inflater, packed: int, budget: BodyBudget) -> bytes:
    """Return *first* and all that follows."""
    # One after the other: two would not be done sooner, and hold twice as much.
    async with budget.inflating:
        return await _unpacked_in_a_thread(first, inflater, packed, budget)


async def _unpacked_in_a_thread(first: bytes, inflater: Inflater, packed: int, budget: BodyBudget) -> bytes:
    with budget.share() as share, BytesIO() as body:
        body.write(first)
        while not inflater.is_done:
            await share.hold(packed + inflater.size)
            body.write(await asyncio.to_thread(inflater.next_slice))
        return body.getvalue()


def too_long(budget: BodyBudget, status: int) -> InvalidResponse:
    """Return the error of an answer beyond all reason."""
    message = f"the answer is longer than {budget.largest // MIB} MiB, or packed beyond all reason"
    return InvalidResponse(ErrorDetails(message=message, http_status=status))
