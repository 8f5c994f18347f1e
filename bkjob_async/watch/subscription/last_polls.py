"""The last poll of each job of a watch that has lingered long enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from bkjob_async.model.refs import JobRef
from bkjob_async.watch.cooperative import CooperativeIterator

# A watch waits this many seconds for its last polls; then it ends although some of them were not answered.
MAX_SECONDS = 10.0


class LastPolls:
    """Has jobs polled once more. *end* is called when that takes too long, or when none of them is polled."""

    def __init__(self, poll_again: Callable[[JobRef], int | None], *, end: Callable[[], None]) -> None:
        """Prepare; *poll_again* returns the round of requests that shows the present, None if a job is not polled."""
        self._poll_again = poll_again
        self._end = end
        # The round of requests that each job waits for.
        self._awaited: dict[JobRef, int] = {}
        self._requesting = CooperativeIterator()
        self._all_requested = False
        self._timer = asyncio.get_running_loop().call_later(MAX_SECONDS, end)

    def start(self, jobs: Iterable[JobRef]) -> None:
        """Have *jobs* polled as soon as possible, asking for that in slices."""
        self._requesting.start(self._request(jobs))

    def _request(self, jobs: Iterable[JobRef]) -> Iterator[None]:
        for job in jobs:
            awaited = self._poll_again(job)
            if awaited is not None:
                self._awaited[job] = awaited
            yield
        self._all_requested = True
        if not self._awaited:
            self._end()

    def cancel(self) -> None:
        """Wait for no poll any more."""
        self._timer.cancel()
        self._requesting.cancel()
        self._awaited.clear()

    @property
    def are_done(self) -> bool:
        """Whether every job was polled."""
        return self._all_requested and not self._awaited

    def awaits(self, job: JobRef) -> bool:
        """Return True while a poll of *job* is waited for."""
        return job in self._awaited

    def forget(self, job: JobRef) -> None:
        """Do not wait for a poll of *job*: it is not watched any more."""
        self._awaited.pop(job, None)

    def on_round(self, job: JobRef, last_round: int) -> None:
        """Record which round of requests about *job* was the last that was answered completely."""
        if self._awaited.get(job, last_round + 1) <= last_round:
            del self._awaited[job]
