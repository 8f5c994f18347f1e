"""The readers of a watch, and the lists of the platform, as ordinary iterators."""

from __future__ import annotations

from collections import deque
from typing import Generic, Self, TypeVar

from bkjob_async.client.operations import paged_list
from bkjob_async.sync.loop_thread import LoopThread
from bkjob_async.watch.stream import readers

T = TypeVar("T")


class Reader(Generic[T]):
    """An iterator over a watch; every reader has a position of its own.

    `cursor` is the cursor of the last batch that was read completely, at first the one that the reader was given. A
    reader may be abandoned at any time and iterated again later; it needs no closing. Two threads do not share one.
    """

    def __init__(self, thread: LoopThread, reader: readers.Reader[T]) -> None:
        """Read from *reader*, in the loop of *thread*."""
        self._thread = thread
        self._reader = reader
        self._ready: deque[T] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if not self._ready:
            # A slice at a time, so that the threads wait for each other once for up to a thousand events.
            # They are put there in the loop, so that an interrupt of this thread loses none.
            self._thread.run(read_slice(self._reader, self._ready))
        if not self._ready:
            raise StopIteration
        return self._ready.popleft()

    @property
    def cursor(self) -> str:
        """The cursor of the last batch that was read completely."""
        return self._reader.cursor


async def read_slice(reader: readers.Reader[T], ready: deque[T]) -> None:
    """Append the items that come next without waiting to *ready*, one at least; none at the end."""
    try:
        ready.extend(await reader.next_slice())
    except StopAsyncIteration:
        return


class PagedList(Generic[T]):
    """An iterator over a list; it holds nothing open and may be left at any time.

    `total` is the number of all items, None before the first page and where the platform does not count.
    After an error, iterating again tries the same page again.
    """

    def __init__(self, thread: LoopThread, items: paged_list.PagedList[T]) -> None:
        """Read *items* in the loop of *thread*."""
        self._thread = thread
        self._items = items
        self._ready: deque[T] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if not self._ready:
            self._thread.run(read_item(self._items, self._ready))
        if not self._ready:
            raise StopIteration
        return self._ready.popleft()

    @property
    def total(self) -> int | None:
        """The number of all items, None before the first page and where the platform does not count."""
        return self._items.total

    def all(self) -> tuple[T, ...]:
        """Return all items that are left."""
        self._thread.run(read_all(self._items, self._ready))
        items = tuple(self._ready)
        self._ready.clear()
        return items


async def read_item(items: paged_list.PagedList[T], ready: deque[T]) -> None:
    """Append the next item of a list to *ready*, nothing at its end."""
    async for item in items:
        ready.append(item)
        return


async def read_all(items: paged_list.PagedList[T], ready: deque[T]) -> None:
    """Append all items that are left to *ready*."""
    async for item in items:
        ready.append(item)
