"""Job instances one by one, over as many pages as there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Self

from attrs import evolve

from bkjob_async.errors import UsageError
from bkjob_async.model.operations.queries import GetJobInstanceList
from bkjob_async.model.operations.responses import JobInstance, JobInstancePage
from bkjob_async.model.refs import JobRef

# Version 3 begins no page behind this; what is older is reached by an earlier end of the span.
LAST_START = 1000

Fetch = Callable[[GetJobInstanceList], Awaitable[JobInstancePage]]


class JobInstances:
    """An async iterator over a list; it holds nothing open and may be left at any time.

    `total` is how many there are in all, None before the first page and where the platform does not count.
    """

    def __init__(self, question: GetJobInstanceList, fetch: Fetch) -> None:
        """Prepare to ask *question*, page by page."""
        self.total: int | None = None
        self._next: GetJobInstanceList | None = question
        self._fetch = fetch
        self._ready: deque[JobInstance] = deque()
        self._seen: set[JobRef] = set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> JobInstance:
        while not self._ready:
            if self._next is None:
                raise StopAsyncIteration
            await self._turn(self._next)
        return self._ready.popleft()

    async def _turn(self, question: GetJobInstanceList) -> None:
        """Fetch the next page; a failure may be tried again by iterating on."""
        page = await self._fetch(question)
        if self.total is None:
            self.total = page.total
        # Jobs that begin meanwhile push others onto the next page.
        fresh = [item for item in page.items if item.ref not in self._seen]
        self._seen.update(item.ref for item in fresh)
        self._ready.extend(fresh)
        self._next = following(question, page, progress=bool(fresh))

    async def all(self) -> tuple[JobInstance, ...]:
        """Return all that are left at once."""
        return tuple([item async for item in self])


def following(
    question: GetJobInstanceList, page: JobInstancePage, *, progress: bool
) -> GetJobInstanceList | None:
    """Return the question for the next page, None after the last."""
    start = page.next_start
    if start is None or question.job_instance_id is not None:
        return None
    if start <= LAST_START:
        return evolve(question, start=start)
    oldest = min((item.times.create_time for item in page.items if item.times.create_time), default=None)
    if oldest is None or not progress or oldest >= question.create_time_end:
        raise UsageError("the platform shows no more of this span: ask for a shorter one")
    return evolve(question, start=0, create_time_end=oldest)
