"""Lists of the platform, item by item, over as many pages as there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

from attrs import define, field

from bkjob_async.client.caller import Caller
from bkjob_async.errors import UsageError
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.responses import Page

T = TypeVar("T")


@define(eq=False, repr=False)
class PagedList(Generic[T]):
    """An async iterator over a list; it holds nothing open and may be left at any time.

    `total` is the number of all items, None before the first page and where the platform does not count.
    After an error, iterating again tries the same page again. An item is yielded once, however often pages have it.
    """

    _client: Caller
    _query: Operation[Page[T]] | None
    _request_timeout: float | None
    total: int | None = field(default=None, init=False)
    _ready: deque[T] = field(factory=deque, init=False)
    _seen: set[Hashable] = field(factory=set, init=False)

    if not TYPE_CHECKING:  # a checker reports a `for`; this is for code that nobody checks

        def __iter__(self) -> NoReturn:
            raise UsageError(
                "the list is asynchronous: async for item in list, or await list.all(); code without an event loop"
                " uses the client of bkjob_async.sync"
            )

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            if self._query is None:
                raise StopAsyncIteration
            await self._fetch()
        return self._ready.popleft()

    async def _fetch(self) -> None:
        query: Any = self._query
        page: Page[T] = await self._client._call(query, self._request_timeout)
        if self.total is None:
            self.total = page.total
        # Items that are created meanwhile move others to the next page.
        fresh = [item for item in page.items if identity_of(item) not in self._seen]
        self._seen.update(map(identity_of, fresh))
        self._ready.extend(fresh)
        self._query = query.after(page)

    async def all(self) -> tuple[T, ...]:
        """Return all items that are left; after an error those that were read are kept, and it may be called again."""
        while self._query is not None:
            await self._fetch()
        items = tuple(self._ready)
        self._ready.clear()
        return items


def identity_of(item: Any) -> Hashable:
    """Return what an item is known by: its id, or without one the job or the scope that it is about."""
    known: Hashable = next(getattr(item, name) for name in ("id", "ref", "scope") if hasattr(item, name))
    return known
