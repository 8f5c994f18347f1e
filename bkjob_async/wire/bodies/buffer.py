"""The bytes of one body as they arrive."""

from __future__ import annotations

import mmap
from functools import cache
from io import BytesIO

# The first bytes of a body are collected in one block of the heap, which for nearly all bodies is all.
FIRST_SEGMENT = 4 * 1024 * 1024
# The rest comes into pages of its own. When large blocks of the heap are freed, the C library's allocator (glibc) keeps
# twice as much as the largest of them instead of returning it to the system.
FURTHER_SEGMENT = 4 * 1024 * 1024


@cache
def keep_freed_memory() -> None:
    """Let the C library keep some freed megabytes for the next bodies, once for the process.

    Bodies come in waves. glibc returns the end of its heap to the system when a few hundred kilobytes of it are free, and
    the next wave then takes the pages anew, at a page fault each. A larger block that was freed teaches it to keep twice
    as much; elsewhere this does nothing. The block itself is never written to, so that it takes no memory.
    """
    bytes(FIRST_SEGMENT)


class BodyBuffer:
    """Collects *size* bytes; only `getvalue` makes one block of a large body. It must be closed."""

    __slots__ = ("_first", "_further", "size")

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._first = BytesIO()
        self._further: list[mmap.mmap] = []
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append *data*."""
        room = max(FIRST_SEGMENT - self.size, 0)
        self.size += len(data)
        self._first.write(data[:room])
        data = data[room:]
        while data:
            if not self._further or self._further[-1].tell() == FURTHER_SEGMENT:
                self._further.append(mmap.mmap(-1, FURTHER_SEGMENT, access=mmap.ACCESS_COPY))
            segment = self._further[-1]
            count = segment.write(data[: FURTHER_SEGMENT - segment.tell()])
            data = data[count:]

    def getvalue(self) -> bytes:
        """Return all bytes; the buffer must not be used afterwards."""
        if not self._further:
            return self._first.getvalue()
        with BytesIO() as whole:
            whole.write(self._first.getbuffer())
            self._first.close()
            for segment in self._further:
                with memoryview(segment) as written:
                    whole.write(written[: segment.tell()])
                segment.close()
            return whole.getvalue()

    def close(self) -> None:
        """Free the bytes; harmless when repeated."""
        self._first.close()
        for segment in self._further:
            segment.close()
