"""One reader's way through the stream of a watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, Self, TypeVar

from bkjob_async.model.events import Batch

T = TypeVar("T")


class Stream(Protocol):
    """A watch, as its readers see it."""

    async def next_batch(self, place: int, seen: int) -> tuple[Batch, int] | None:
        """Return the first batch at or after *place* and behind *seen*, with the place after it; None at the end.

        *seen* is the sequence number of the last batch that the reader had, for one that fell too far behind.
        """
        ...


class Reader(Generic[T]):
    """An async iterator over a watch; every reader has a place of its own.

    `cursor` names the last batch that was consumed whole. A reader may be left at any time and iterated again later;
    it holds nothing open.
    """

    def __init__(
        self, stream: Stream, pick: Callable[[Batch], Iterable[T]], *, seen: int = 0, cursor: str = ""
    ) -> None:
        """Read *stream* behind *seen*, which *cursor* names; take from each batch what *pick* picks."""
        self._stream = stream
        self._pick = pick
        self._place = 0
        self._seen = seen
        self._ready: Iterator[T] = iter(())
        self._last = cursor
        self.cursor = cursor

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        for item in self._ready:
            return item
        return await self._first_of_next()

    async def _first_of_next(self) -> T:
        """Return the first item of the next batch that has any."""
        while True:
            self.cursor = self._last
            step = await self._stream.next_batch(self._place, self._seen)
            if step is None:
                raise StopAsyncIteration
            batch, self._place = step
            self._seen, self._last = batch.sequence, batch.cursor
            self._ready = iter(self._pick(batch))
            for item in self._ready:
                return item
