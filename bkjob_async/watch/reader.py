"""One reader's way through the stream of a watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, Self, TypeVar

from bkjob_async.engine.stream.cursor import CursorPosition
from bkjob_async.model.events import Batch
from bkjob_async.watch.backlog import Position

T = TypeVar("T")
BEGINNING = CursorPosition(0, None)


class Stream(Protocol):
    """A watch, as its readers see it."""

    async def next_batch(self, position: Position) -> Batch | None:
        """Return the next batch for who stands at *position*, and move that behind it; None at the end."""
        ...


class Reader(Generic[T]):
    """An async iterator over a watch; every reader has a place of its own.

    `cursor` names the last batch that was consumed whole, at first what the reader was given. A reader may be left at any time and iterated again later;
    it holds nothing open.
    """

    def __init__(
        self,
        stream: Stream,
        pick: Callable[[Batch], Iterable[T]],
        *,
        behind: CursorPosition = BEGINNING,
        cursor: str = "",
    ) -> None:
        """Read *stream* *behind* a place, which *cursor* names; take from each batch what *pick* picks."""
        self._stream = stream
        self._pick = pick
        self._position = Position(behind, cursor)
        self._ready: Iterator[T] = iter(())
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
            self.cursor = self._position.cursor
            batch = await self._stream.next_batch(self._position)
            if batch is None:
                raise StopAsyncIteration
            self._ready = iter(self._pick(batch))
            for item in self._ready:
                return item
