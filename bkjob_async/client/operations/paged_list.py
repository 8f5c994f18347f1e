"""Lists of the platform, item by item, over as many pages as there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

from attrs import define, evolve, field

from bkjob_async.client.caller import Caller, build
from bkjob_async.errors import UsageError
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.operations.queries import GetJobInstanceList
from bkjob_async.model.operations.responses import JobInstance, Page
from bkjob_async.model.refs import Scope

USUAL_PAGE = 100
# Version 3 has no page of job instances that starts later; older ones are reached by an earlier end of the
# time span.
LAST_START = 1000


T = TypeVar("T")


@define(eq=False, repr=False)
class PagedList(Generic[T]):
    """An async iterator over a list; it holds nothing open and may be left at any time.

    `total` is the number of all items, None before the first page and where the platform does not count.
    After an error, iterating again tries the same page again. After a page *query* is followed by what *next_query*
    returns; None ends the list. Items with the same *identity* are yielded once.
    """

    _client: Caller
    _query: Operation[Page[T]] | None
    _request_timeout: float | None
    _next_query: Callable[[Any, Page[T]], Operation[Page[T]] | None] = field(alias="next_query", kw_only=True)
    _identity: Callable[[T], Hashable] = field(alias="identity", kw_only=True)
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
            await self._fetch(self._query)
        return self._ready.popleft()

    async def _fetch(self, query: Operation[Page[T]]) -> None:
        page = await self._client._call(query, self._request_timeout)
        if self.total is None:
            self.total = page.total
        # Items that are created meanwhile move others to the next page.
        fresh = [item for item in page.items if self._identity(item) not in self._seen]
        self._seen.update(map(self._identity, fresh))
        self._ready.extend(fresh)
        self._query = self._next_query(query, page)

    async def all(self) -> tuple[T, ...]:
        """Return all items that are left; after an error those that were read are kept, and it may be called again."""
        while self._query is not None:
            await self._fetch(self._query)
        items = tuple(self._ready)
        self._ready.clear()
        return items


def get_job_instance_list(
    client: Caller,
    create_time_start: datetime,
    create_time_end: datetime,
    *,
    job_instance_id: int | None = None,
    job_cron_id: int | None = None,
    operator: str | None = None,
    name: str | None = None,
    launch_mode: int | None = None,
    type: int | None = None,
    status: int | None = None,
    ip: str | None = None,
    length: int | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[JobInstance]:
    """Return the job instances created in a span of time, newest first, for `async for`.

    The times carry a zone; outside version 4 the platform takes 30 days at most. Pages of *length* are fetched as they are
    needed, and each job is yielded once. *launch_mode* is a `LaunchMode`, *type* a `TaskType`, *status* a run
    code. Not in `esb-job`: iterating then raises `NotSupported`, as it raises every `CallFailed`. Document:
    `get_job_instance_list`.

    >>> begin = datetime(2025, 12, 31, tzinfo=UTC)
    >>> jobs = client.get_job_instance_list(begin, begin + timedelta(days=2))
    >>> [job.name async for job in jobs]
    ['restart nginx']
    """
    most = client._session.dialect.capabilities.list_length
    query = build(
        GetJobInstanceList,
        scope=client._needed_scope(scope),
        create_time_start=create_time_start,
        create_time_end=create_time_end,
        job_instance_id=job_instance_id,
        job_cron_id=job_cron_id,
        operator=operator,
        job_name=name,
        launch_mode=launch_mode,
        type=type,
        status=status,
        ip=ip,
        length=length or min(most or USUAL_PAGE, USUAL_PAGE),
    )
    return PagedList(client, query, request_timeout, next_query=next_job_page, identity=attrgetter("ref"))


def list_items(client: Caller, query: Operation[Page[T]], request_timeout: float | None) -> PagedList[T]:
    """Return the list that *query* asks for; *client* fetches each page when it is needed."""
    return PagedList(client, query, request_timeout, next_query=next_page, identity=identity_of)


def identity_of(item: Any) -> Hashable:
    """Return what an item is known by: its id, or without one the scope that it is about."""
    known: Hashable = item.id if hasattr(item, "id") else item.scope
    return known


def next_page(query: Any, page: Page[T]) -> Operation[Page[T]] | None:
    """Return the query of a list for the page after *page*, None after the last."""
    start = page.next_start
    return None if start is None or start <= query.start else evolve(query, start=start)


def next_job_page(query: GetJobInstanceList, page: Page[JobInstance]) -> GetJobInstanceList | None:
    """Return the query for the page after *page*, None after the last.

    Raises `UsageError` where the platform lists no more jobs.
    """
    start = page.next_start
    if start is None or query.job_instance_id is not None:
        return None
    if start <= LAST_START:
        return evolve(query, start=start)
    oldest = min((item.times.create_time for item in page.items if item.times.create_time), default=None)
    if oldest is None or oldest >= query.create_time_end:
        raise UsageError("the platform lists no more jobs of this time span: ask for a shorter one")
    return evolve(query, start=0, create_time_end=oldest)
