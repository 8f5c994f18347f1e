"""A tuple whose items are made when they are read, for results about many hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeVar, overload

T = TypeVar("T")

# So many items are made at a time, which takes a few milliseconds: what reads them may let other tasks run in between.
SLICE_SIZE = 1_000
# Sequences of so few items are plain tuples.
MAX_PLAIN = 64

MakeItems = Callable[[int, int], Sequence[T]]


class LazyTuple(Sequence[T]):
    """A sequence that compares, hashes and prints like a tuple of its items; they are made when they are read.

    Reading one item makes those around it, too. All that is read is kept, and does not change any more.
    """

    __slots__ = ("_make", "_size", "_slices")

    def __init__(self, size: int, make: MakeItems[T]) -> None:
        """Prepare *size* items; *make* returns those from one index to another."""
        self._size = size
        self._make: MakeItems[T] | None = make
        self._slices: dict[int, Sequence[T]] = {}

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(map(self._slice, range(0, self._size, SLICE_SIZE)))

    def _slice(self, begin: int) -> Sequence[T]:
        """Return the items from *begin* on, a multiple of `SLICE_SIZE`."""
        made = self._slices.get(begin)
        if made is None:
            assert self._make is not None  # noqa: S101 - it is dropped after the last slice
            made = self._slices[begin] = self._make(begin, min(begin + SLICE_SIZE, self._size))
            if len(self._slices) * SLICE_SIZE >= self._size:
                self._make = None
        return made

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...

    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        found = range(self._size)[index]
        if isinstance(found, int):
            return self._slice(found - found % SLICE_SIZE)[found % SLICE_SIZE]
        if found.step != 1 or not found:
            return tuple(self[each] for each in found)
        first = found.start - found.start % SLICE_SIZE
        slices = map(self._slice, range(first, found.stop, SLICE_SIZE))
        return tuple(islice(chain.from_iterable(slices), found.start - first, found.stop - first))

    def __add__(self, other: Sequence[T]) -> tuple[T, ...]:
        """Return a tuple of all items, and those of *other* behind them."""
        return (*self, *other)

    def __radd__(self, other: Sequence[T]) -> tuple[T, ...]:
        """Return a tuple of the items of *other*, and all of these behind them."""
        return (*other, *self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LazyTuple | tuple):
            return self is other or (len(self) == len(other) and tuple(self) == tuple(other))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as the tuple that it stands for."""
        return tuple, (tuple(self),)


def lazy_tuple(size: int, make: MakeItems[T]) -> Sequence[T]:
    """Return a tuple of *size* items, a lazy one if they are many; *make* returns those from one index to another."""
    return LazyTuple(size, make) if size > MAX_PLAIN else tuple(make(0, size))


def joined(sequences: Sequence[Sequence[T]]) -> Sequence[T]:
    """Return one tuple of the items of several tuples, a lazy one if they are many."""
    if len(sequences) == 1:
        return sequences[0]

    def make(begin: int, end: int) -> Sequence[T]:
        found: list[T] = []
        for each in sequences:
            found += each[max(begin, 0) : max(end, 0)]
            begin, end = begin - len(each), end - len(each)
        return found

    return lazy_tuple(sum(map(len, sequences)), make)
