"""A list of the platform item by item, over as many pages as there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, Self, TypeVar, cast

from attrs import evolve

from bkjob_async.client.caller import Caller
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.responses import Page

USUAL_PAGE = 100


class HasId(Protocol):
    """An item of a list."""

    @property
    def id(self) -> int | str:
        """What no other item of the list has."""
        ...


T = TypeVar("T", bound=HasId)


class PagedList(Generic[T]):
    """An async iterator over a list; it holds nothing open and may be left at any time.

    `total` is how many there are in all, None before the first page and where the platform does not count. A failure
    may be tried again by iterating on.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[Page[T]]]) -> None:
        """Prepare to *fetch* pages, each by the place of its first item."""
        self.total: int | None = None
        self._next_start: int | None = 0
        self._fetch = fetch
        self._ready: deque[T] = deque()
        self._seen: set[int | str] = set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            if self._next_start is None:
                raise StopAsyncIteration
            await self._fetch_page(self._next_start)
        return self._ready.popleft()

    async def _fetch_page(self, start: int) -> None:
        page = await self._fetch(start)
        self.total = page.total
        # What is made meanwhile pushes others onto the next page.
        fresh = [item for item in page.items if item.id not in self._seen]
        self._seen.update(item.id for item in fresh)
        self._ready.extend(fresh)
        following = page.next_start
        self._next_start = following if following is not None and following > start else None

    async def all(self) -> tuple[T, ...]:
        """Return all that are left at once."""
        return tuple([item async for item in self])


def listed(client: Caller, query: Operation[Page[T]], request_timeout: float | None) -> PagedList[T]:
    """Return the list that *query* asks for, each page fetched by *client* when it is needed."""

    async def fetch(start: int) -> Page[T]:
        at_start: Operation[Page[T]] = evolve(cast("Any", query), start=start)
        return await client._call(at_start, request_timeout)

    return PagedList(fetch)
