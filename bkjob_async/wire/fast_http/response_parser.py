"""Responses of one connection, parsed by llhttp, within bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import httptools

from bkjob_async.errors import ErrorDetails, TransportFailed
from bkjob_async.wire.bodies.budget import BodyBudget
from bkjob_async.wire.bodies.buffer import BodyBuffer
from bkjob_async.wire.bodies.reading import (
    MAX_SMALL_CHUNKS,
    MIN_AVERAGE_SIZE,
    TOO_MANY_CHUNKS,
    RawResponse,
    body_too_large,
)

# llhttp has no bounds. The number of fields is bounded as by aiohttp. Heads, interim responses, the sizes of chunks and a
# trailer may have so many bytes together, and as many more as the body. One read may bring more, and is parsed whole.
MAX_FIELDS, MAX_OVERHEAD = 128, 64 * 1024
MAX_INTERIM_RESPONSES = 16
STATUSES_WITHOUT_BODY = (204, 304)
LINE_BREAKS = b"\r\n"


class ResponseHeaders(Mapping[str, str]):
    """Headers by names in any case, decoded when they are read; of those with the same name the first, as in aiohttp."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[bytes, bytes]) -> None:
        """Take fields whose names are in lower case."""
        self._fields = fields

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Return a header, or *default*; most that are asked for are not there."""
        value = self._fields.get(field_name(name))
        return default if value is None else decoded(value)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and field_name(name) in self._fields

    def __getitem__(self, name: str) -> str:
        return decoded(self._fields[field_name(name)])

    def __iter__(self) -> Iterator[str]:
        return map(decoded, self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@lru_cache(maxsize=64)
def field_name(name: str) -> bytes:
    """Return a header's *name* as it is looked for; cached, for few headers are used."""
    return name.lower().encode("utf-8", "surrogateescape")


def decoded(value: bytes) -> str:
    """Return a name or a value as aiohttp does."""
    return value.rstrip(b" \t").decode("utf-8", "surrogateescape")


class ResponseParser:
    """Parses the responses of one connection, one after the other.

    *size* is that of the body so far. *is_last* is True where the connection cannot carry another response: the server
    says so, or has sent more than was asked for.

    llhttp is as lenient here as aiohttp lets it be, so that a response means the same on both paths.
    """

    def __init__(self, budget: BodyBudget) -> None:
        """Parse nothing yet; a body may have as many bytes as *budget* allows to one."""
        self._budget = budget
        self._llhttp = httptools.HttpResponseParser(self)
        self._llhttp.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._buffer: BodyBuffer | None = None
        self.reset()

    def reset(self) -> None:
        """Begin with the next response; free what was parsed."""
        self._status = self._overhead = self.size = 0
        self._lines_count = self._chunks_count = self._interim_count = 0
        self._is_complete = self.is_last = False
        # Of the head, or of an interim response before it; the encoding is that of the last line that has one.
        self._fields: dict[bytes, bytes] = {}
        self._encoding = b""
        self._length: int | None = None
        self._body = b""
        if self._buffer is not None:
            self._buffer.close()
            self._buffer = None

    def feed(self, data: memoryview) -> bool:
        """Parse the next bytes; return whether the response is complete.

        Raises `TransportFailed` for invalid HTTP, `InvalidResponse` for a body that is too large.
        """
        llhttp, failure = self._llhttp, None
        self._overhead += len(data)
        try:
            # llhttp skips line breaks behind a response without a word. Where one ends the data, it is parsed by itself: a
            # response that was complete before it has something behind it.
            if data[-1] in LINE_BREAKS:
                llhttp.feed_data(data[:-1])
                if self._is_complete:
                    self.is_last = True
                else:
                    llhttp.feed_data(data[-1:])
            else:
                llhttp.feed_data(data)
        except httptools.HttpParserError as error:
            is_ours = isinstance(error, httptools.HttpParserCallbackError)
            failure = error.__context__ if is_ours else None
            failure = failure or TransportFailed(ErrorDetails(message=f"invalid HTTP: {error}"))
        if failure is None or self._is_complete:
            if self._overhead > MAX_OVERHEAD + self.size:
                raise self._refused("the headers are too long")
            self.is_last = self.is_last or failure is not None
            return self._is_complete
        raise failure

    def end(self, reason: Exception | None) -> RawResponse:
        """Return the response that the end of the connection completes; *reason* is None where the server closed it.

        Raises `ConnectionResetError` where no response has begun, `TransportFailed` where a part of it is missing.
        """
        why = "" if reason is None else f": {reason}"
        if not self._status:
            raise ConnectionResetError(f"the server closed the connection{why}")
        if reason is None and self._length is None and not self._is_chunked():
            return self.take()
        expected = "an unknown number of" if self._length is None else self._length
        raise self._refused(f"the response was cut off: {self.size} of {expected} bytes came{why}")

    def take(self) -> RawResponse:
        """Return the response, and begin with the next one."""
        body = self._body if self._buffer is None else self._buffer.getvalue()
        response = self._status, ResponseHeaders(self._fields), body
        self.reset()
        return response

    def _is_chunked(self) -> bool:
        """Return whether the chunks end the body."""
        return self._encoding.lower().rstrip(b" \t").endswith(b"chunked")

    def _refused(self, message: str) -> TransportFailed:
        return TransportFailed(ErrorDetails(message=message, http_status=self._status or None))

    # Called by llhttp -------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Stop where more comes than was asked for."""
        if self._is_complete:
            raise self._refused("more came than one response")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a line, or only check it where it is one of a trailer, which means nothing."""
        self._lines_count += 1
        if self._lines_count > MAX_FIELDS:
            raise self._refused("there are too many headers")
        if b"\0" in value:  # llhttp lets it pass, as it is lenient; aiohttp refuses it
            raise self._refused("invalid HTTP: a header has a null byte")
        if not self._status:
            name = name.lower()
            self._fields.setdefault(name, value)
            if name == b"transfer-encoding":
                self._encoding = value

    def on_headers_complete(self) -> None:
        """Read how the body ends."""
        status = self._llhttp.get_status_code()
        if status < 200:
            self._interim_count += 1
            # Behind 101 another protocol begins, for which nobody asked. There are none below 100; aiohttp takes them for
            # responses, but for their bodies.
            if status < 100 or status == 101 or self._interim_count > MAX_INTERIM_RESPONSES:
                raise self._refused(f"invalid HTTP: status {status}, or too many interim responses")
            self._fields, self._encoding = {}, b""
            return
        self._status = status
        # A server may send a body where there must be none, and nobody can tell it from a response.
        is_bodiless = status in STATUSES_WITHOUT_BODY
        self.is_last = is_bodiless or not self._llhttp.should_keep_alive()
        length = None if is_bodiless else self._fields.get(b"content-length")
        if length is not None:
            self._length = int(length)
            if self._length > self._budget.max_body_size:
                raise body_too_large(self._budget, status)

    def on_chunk_header(self) -> None:
        """Count the chunks."""
        self._chunks_count += 1
        if self._chunks_count > MAX_SMALL_CHUNKS and self.size < MIN_AVERAGE_SIZE * self._chunks_count:
            raise self._refused(TOO_MANY_CHUNKS)

    def on_body(self, data: bytes) -> None:
        """Collect the body; most come in one piece."""
        self._overhead -= len(data)
        self.size += len(data)
        if self.size > self._budget.max_body_size:
            raise body_too_large(self._budget, self._status)
        if self.size == len(data):
            self._body = data
            return
        if self._buffer is None:
            self._buffer = BodyBuffer()
            self._buffer.write(self._body)
            self._body = b""
        self._buffer.write(data)

    def on_message_complete(self) -> None:
        """Note the end of the response, if it was not an interim one."""
        if self._status:
            self._is_complete = True
