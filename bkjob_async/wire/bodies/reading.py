"""Response bodies: read whole, within bounds, and decompressed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing

import aiohttp

from bkjob_async.errors import ErrorDetails, InvalidResponse, TransportFailed
from bkjob_async.wire.bodies.budget import MIB, UNCOUNTED_BYTES, BodyBudget, Reservation
from bkjob_async.wire.bodies.buffer import BodyBuffer

# Status, headers with lower-case names, body as it came.
RawResponse = tuple[int, Mapping[str, str], bytes]

# The body of a job of 50 000 hosts has 15 MB; a body without end must stop somewhere.
MAX_BODY_SIZE = 64 * MIB
# How much of a body aiohttp may hold before it is read; it stops reading at twice as much.
STREAM_BUFFER_SIZE = 64 * 1024
CONTENT_ENCODING = aiohttp.hdrs.CONTENT_ENCODING
CONTENT_LENGTH = aiohttp.hdrs.CONTENT_LENGTH

# zlib finds out by itself whether a body is in the gzip or in the zlib format.
ANY_FORMAT = zlib.MAX_WBITS | 32
ENCODINGS = ("gzip", "x-gzip", "deflate")
# Larger compressed bodies are decompressed in a thread.
MAX_COMPRESSED_INLINE = 128 * 1024
# Most compressed bodies decompress to less than one slice, so that one call is enough. Larger slices would be no faster,
# and each thread of the pool keeps the memory of one.
SLICE = 1024 * 1024
# zlib copies what it leaves of its input, so it gets this many bytes at a time.
INPUT_SLICE = 256 * 1024
# Servers send one gzip member; a body of very many only keeps the client busy.
MAX_MEMBERS = 64
# Servers send chunks of some kilobytes. A body of more than MAX_SMALL_CHUNKS chunks that average less than
# MIN_AVERAGE_SIZE bytes only keeps the client busy.
MAX_SMALL_CHUNKS, MIN_AVERAGE_SIZE = 250, 16
TOO_MANY_CHUNKS = "there are too many small chunks"
# Long logs of the same line decompress to some hundred times their size. Bodies beyond this size and ratio are refused.
HARMLESS_SIZE, MAX_RATIO = 16 * 1024 * 1024, 200


async def read_body(response: aiohttp.ClientResponse, budget: BodyBudget) -> bytes:
    """Read the whole body of *response*; raise `InvalidResponse` for one that is too large."""
    content, headers, status = response.content, response.headers, response.status
    # The length of a compressed body says little: aiohttp may be decompressing it.
    length = None if CONTENT_ENCODING in headers else headers.get(CONTENT_LENGTH)
    if length is not None and length.isdigit():
        if int(length) <= UNCOUNTED_BYTES:
            return await response.read()
        if int(length) > budget.max_body_size:
            raise body_too_large(budget, status)
    if content.at_eof():  # aiohttp's reader of bodies that cannot be there yields chunks without end
        return b""
    size = chunks = 0
    # Closed at the end, so that no frame of an error keeps the bytes.
    with closing(Reservation(budget)) as reservation, closing(BodyBuffer()) as body:
        async for piece, is_end_of_chunk in content.iter_chunks():
            size += len(piece)
            chunks += is_end_of_chunk
            if size > budget.max_body_size:
                raise body_too_large(budget, status)
            if chunks > MAX_SMALL_CHUNKS and size < MIN_AVERAGE_SIZE * chunks:
                raise TransportFailed(ErrorDetails(message=TOO_MANY_CHUNKS, http_status=status))
            await reservation.wait_for_total(size)
            body.write(piece)
        return body.getvalue()


async def decompress_body(body: bytes, encoding: str, status: int, budget: BodyBudget) -> bytes:
    """Return the decompressed *body*; raise `TransportFailed` for a broken and `InvalidResponse` for a useless one.

    A large body is decompressed in a thread, a slice at a time.
    """
    name = encoding.strip().lower()
    if name in ("", "identity") or not body:
        return body
    if name not in ENCODINGS:
        message = "the response is compressed in a format that was not asked for"
        raise InvalidResponse(ErrorDetails(message=message, http_status=status))
    slices = decompressed_slices(body, status, budget)
    first, is_last = next(slices) if len(body) <= MAX_COMPRESSED_INLINE else (b"", False)
    if is_last:
        return first
    # One large body after the other: two at once would not be done sooner, and hold twice as much.
    async with budget.decompression_lock:
        with closing(Reservation(budget)) as reservation, closing(BodyBuffer()) as whole:
            whole.write(first)
            while not is_last:
                await reservation.wait_for_total(len(body) + whole.size)
                piece, is_last = await asyncio.to_thread(next, slices)
                whole.write(piece)
            return whole.getvalue()


def body_too_large(budget: BodyBudget, status: int) -> InvalidResponse:
    """Return the error of a body that is too large."""
    message = (
        f"the response is larger than {budget.max_body_size // MIB} MiB (HttpOptions.largest_body),"
        " or compressed far more than usual"
    )
    return InvalidResponse(ErrorDetails(message=message, http_status=status))


def damaged(status: int, how: str) -> TransportFailed:
    """Return the error of a compressed body that is not whole."""
    message = f"the response was cut off or damaged: the compressed body is {how}"
    return TransportFailed(ErrorDetails(message=message, http_status=status))


def decompressed_slices(body: bytes, status: int, budget: BodyBudget) -> Iterator[tuple[bytes, bool]]:
    """Yield the decompressed *body* in slices, and whether each is the last; it may be empty.

    Each slice is bounded work, during which other threads run. Raises what `decompress_body` does.
    """
    max_size = min(budget.max_body_size, max(HARMLESS_SIZE, MAX_RATIO * len(body)))
    decompressobj, members = zlib.decompressobj(ANY_FORMAT), 1
    data, position, size = b"", 0, 0
    while True:
        if not data:
            data = body[position : position + INPUT_SLICE]
            position += len(data)
        try:
            # One byte more than allowed shows that there is more; zlib takes 0 for no bound.
            piece = decompressobj.decompress(data, min(SLICE, max_size - size + 1))
        except zlib.error:
            raise damaged(status, "broken") from None
        size += len(piece)
        if size > max_size:
            raise body_too_large(budget, status)
        is_end = decompressobj.eof
        data = decompressobj.unused_data if is_end else decompressobj.unconsumed_tail
        is_input_used_up = not data and position >= len(body)
        if is_input_used_up and not piece and not is_end:
            raise damaged(status, "incomplete")
        yield piece, is_end and is_input_used_up
        if is_end:
            members += 1
            if members > MAX_MEMBERS:
                raise damaged(status, "broken: it has too many members")
            decompressobj = zlib.decompressobj(ANY_FORMAT)
