"""The parser of responses, with a limit: a server may promise more than fits into the memory of this process."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

# A page of records has about a megabyte. redis-py needs three times as much memory for a response as it has bytes.
MAX_RESPONSE = 16 << 20
# What a number or the head of a list costs, however short it is.
LINE_COST = 64


@cache
def parser_with_limit() -> type:
    """Return redis-py's parser of version 2 of the protocol, which refuses a response of more than `MAX_RESPONSE` bytes."""
    parser: Any = import_module("redis.asyncio.connection")._AsyncRESP2Parser  # noqa: SLF001 - the public name is of another version

    refusal: Any = import_module("redis.exceptions").InvalidResponse

    class ParserWithLimit(parser):  # type: ignore[misc]
        """Counts the bytes of each response."""

        _left = MAX_RESPONSE

        async def read_response(self, *arguments: Any, **options: Any) -> Any:
            """Read one response."""
            self._left = MAX_RESPONSE
            return await super().read_response(*arguments, **options)

        async def _read(self, length: int) -> bytes:
            self._take(length)
            data: bytes = await super()._read(length)
            return data

        async def _readline(self) -> bytes:
            line: bytes = await super()._readline()
            self._take(len(line) + LINE_COST)
            return line

        def _take(self, size: int) -> None:
            self._left -= size
            if size < 0 or self._left < 0:
                raise refusal(f"a response of more than {MAX_RESPONSE >> 20} MiB is refused")

    return ParserWithLimit
