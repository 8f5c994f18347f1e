"""Bodies of answers, read whole and within bounds, and unpacked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import aiohttp

from bkjob_async.errors import CallFacts, TransportFailed, UnusableAnswer
from bkjob_async.wire.inflating import ENCODINGS, TooLarge, inflated

# A job of 50 000 hosts answers with tens of megabytes; a stream without end must stop somewhere.
LARGEST_BODY = 256 * 1024 * 1024
CONTENT_ENCODING = aiohttp.hdrs.CONTENT_ENCODING
CONTENT_LENGTH = aiohttp.hdrs.CONTENT_LENGTH


async def read_bounded(
    content: aiohttp.StreamReader,
    headers: Mapping[str, str],
    status: int,
    *,
    read: Callable[[], Awaitable[bytes]] | None = None,
) -> bytes:
    """Read the whole body; raise `UnusableAnswer` for one beyond all reason.

    *read* reads one whose length is known to be within reason, where it is not just the content that is to be read.
    """
    # Of what is packed the length says little: aiohttp may be unpacking it.
    length = None if CONTENT_ENCODING in headers else headers.get(CONTENT_LENGTH)
    if length is not None and length.isdigit() and int(length) <= LARGEST_BODY:
        return await (read or content.read)()
    chunks, size = [], 0
    async for chunk in content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_BODY:
            raise too_long(status)
    return b"".join(chunks)


def unpacked(body: bytes, encoding: str, status: int) -> bytes:
    """Return what a packed *body* unpacks to, or raise the typed error."""
    name = encoding.strip().lower()
    if name in ("", "identity") or not body:
        return body
    if name not in ENCODINGS:
        message = "the answer is packed in a way that nobody asked for"
        raise UnusableAnswer(CallFacts(message=message, http_status=status))
    try:
        return inflated(body, largest=LARGEST_BODY)
    except ValueError as error:
        raise TransportFailed(
            CallFacts(message=f"the answer broke off: {error}", http_status=status)
        ) from error
    except TooLarge:
        raise too_long(status) from None


def too_long(status: int) -> UnusableAnswer:
    """Return the error of an answer beyond all reason."""
    message = f"the answer is longer than {LARGEST_BODY // 2**20} MiB"
    return UnusableAnswer(CallFacts(message=message, http_status=status))
